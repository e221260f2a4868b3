"""Where it is measured: a namespace of our own, and what to say of it."""

import json
import os
import platform
import resource
import subprocess
import sys

import kernel

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
INSIDE = "SOCKS4_BENCH_INSIDE"

# In the namespace, before anything starts.
SETTINGS = {
    # All but the ports of servers and gateways, for many connections.
    "net/ipv4/ip_local_port_range": "10000 65535",
    # What one run learned about an address does not help the next.
    "net/ipv4/tcp_no_metrics_save": "1",
    # The queue of a listener is what it asks for, up to this.
    "net/core/somaxconn": "4096",
    # No pacing: the one that every kernel allows in a namespace.
    "net/ipv4/tcp_congestion_control": "reno",
}


# A wake-up never preempts: each process runs until it has nothing left to do or
# its time slice ends. Otherwise the fair scheduler decides the figures of many
# sessions under `one`: a gateway of one process needs half of the processor,
# more than its share, so the client and the server preempt it after every few
# messages, but not a gateway of two processes.
SCHEDULING = "batch"


def set_scheduling():
    """For this process and all that it starts."""
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def run_again(inside, *flags, through=()):
    """Runs this program again where nothing outlives us, by `through` if it is
    not to be the first process there; the variable `inside` says that it is."""
    flags += ("--pid", "--fork", "--mount-proc", "--kill-child")
    if os.geteuid() != 0:
        flags += ("--user", "--map-root-user")
    os.environ[inside] = "1"
    os.execvp("unshare", ["unshare", *flags, *through, sys.executable,
                          *sys.argv])


def enter_namespace():
    """Runs this again where only loopback is and nothing outlives us."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    run_again(INSIDE, "--net")


def prepare_namespace():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for name, value in SETTINGS.items():
        with open(f"/proc/sys/{name}", "w", encoding="ascii") as file:
            file.write(value)


def output_of(*command):
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=False)
    return done.stdout.strip()


def commit():
    git = ("git", "-c", "safe.directory=*")
    dirty = output_of(*git, "status", "--porcelain", "--untracked-files=no")
    name = output_of(*git, "rev-parse", "--short=12", "HEAD") or "unknown"
    return name + ("+" if dirty else "")


def processor_name():
    for line in kernel.read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


class Neighbours:
    """Who else had the processors during the measurement."""

    def __init__(self):
        self.began = self.now()

    @staticmethod
    def now():
        """Seconds since some time: all, at work, another machine's, ours."""
        ticks = list(map(int, kernel.read("/proc/stat").split()[1:9]))
        usage = [resource.getrusage(who) for who in
                 (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        ours = sum(one.ru_utime + one.ru_stime for one in usage)
        user, nice, system, _, _, irq, softirq, steal = ticks
        work = user + nice + system + irq + softirq
        return (sum(ticks) / kernel.TICK, work / kernel.TICK,
                steal / kernel.TICK, ours)

    def shares(self):
        """Of the processors' time: other processes', other machines'."""
        whole, work, steal, ours = (
            now - began for now, began in zip(self.now(), self.began))
        return {"others_share": round(max(work - ours, 0) / whole, 3),
                "stolen_share": round(steal / whole, 3)}


def rounded(value):
    """Microseconds are enough."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    return round(value, 6) if isinstance(value, float) else value


def write_rows(path, about, name, rows):
    """One row a line; the file is never seen half written."""
    text = json.dumps(about, indent=1)[:-2] + f",\n \"{name}\": [\n" + \
        ",\n".join(json.dumps(rounded(row)) for row in rows) + "\n]}\n"
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(text)
    os.replace(path + ".new", path)
