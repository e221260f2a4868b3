"""The jobs: one run of the load generator against one gateway, measured.

A run: the client opens its sessions and stops at a barrier; the clocks are
read; the client runs, checks everything, closes and reports; when no socket
of the run is left the clocks are read again. A figure is made of a whole
run, nothing is cut off at its ends.
"""

import json
import subprocess
import time

import kernel
from gateways import SERVER_PORTS, Broken

# Sources and targets are walked in turn; their numbers share no divisor, so
# that all pairs come up.
SOURCES = ("127.10.0.1", 199)
TARGETS = ("127.20.0.1", 211)

LIMIT_MS = 30000
DRAIN_SECONDS = 10
GIB = 1 << 30


class Job:
    """A row of the table of jobs."""

    def __init__(self, kind, sessions, octets=0, ms=0, only=None):
        self.kind = kind
        self.only = only  # gateways, by name; None: all that can
        self.sessions = sessions
        self.octets = octets  # pingpong, udp: a message; bulk: in all
        self.ms = ms

    @property
    def name(self):
        parts = [self.kind, str(self.sessions)]
        if self.kind in ("pingpong", "udp"):
            parts.insert(1, str(self.octets))
        return "-".join(parts)

    @property
    def program(self):
        """The load generator's name for it."""
        return "idle" if self.kind == "unfinished" else self.kind

    @property
    def server(self):
        return {"download": "source", "upload": "sink"}.get(self.kind, "echo")

    @property
    def bulk(self):
        return self.kind in ("download", "upload", "both")


class Bench:
    """The load generator's two halves, and where they run. A second server
    stands beside the first with `offset` added to its ports."""

    def __init__(self, program, processor, offset=0):
        self.program = program
        self.processor = processor
        self.offset = offset
        self.server = None

    def pinned(self, *arguments):
        return ["taskset", "-c", str(self.processor), self.program,
                *map(str, arguments)]

    def start(self):
        arguments = [word for kind, port in SERVER_PORTS.items()
                     for word in (f"--{kind}", port + self.offset)]
        self.server = subprocess.Popen(
            self.pinned("serve", *arguments), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        if not self.server.stdout.readline():
            raise Broken("the server did not start")

    def counters(self):
        try:
            self.server.stdin.write("\n")
            self.server.stdin.flush()
            return json.loads(self.server.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            status = self.server.wait(10)
            self.server.stdout.close()
            self.start()
            raise Broken(f"the server ended ({status})") from None

    def stop(self):
        self.server.stdin.close()
        self.server.wait(10)

    def client(self, gateway, job, *more):
        port = gateway.target_port(job.server) + self.offset
        arguments = ["--protocol", gateway.protocol,
                     "--target", f"{TARGETS[0]}:{port}",
                     "--targets", TARGETS[1],
                     "--source-address", SOURCES[0], "--sources", SOURCES[1],
                     "--sessions", job.sessions, "--limit-ms", LIMIT_MS,
                     "--barrier", *more]
        if gateway.protocol != "direct":
            arguments += ["--gateway", gateway.endpoint(job.server)]
        if gateway.ca:
            arguments += ["--tls", gateway.ca()]
        if job.octets:
            arguments += ["--octets", job.octets]
        if job.ms:
            arguments += ["--ms", job.ms]
        return Client(self.pinned(job.program, *arguments))


class Client:
    """A client under way."""

    def __init__(self, arguments):
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)

    def opened(self):
        """Waits until all its sessions are open, or it has given up."""
        if self.process.stdout.readline() != "open\n":
            raise Broken("the client did not get to its barrier")

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.close()

    def run(self):
        self.go()
        return self.report()

    def report(self):
        line = self.process.stdout.readline()
        self.process.stdout.close()
        status = self.process.wait(10)
        if not line:
            raise Broken(f"the client ended ({status})")
        return json.loads(line)


def sockets(job):
    """Those that a run may leave behind. A resolver, too, uses UDP."""
    return kernel.sockets("TCP", *(("UDP",) if job.kind == "udp" else ()))


def measure(bench, gateway, job):
    """One run. The client's report, with what the clocks say added."""
    base = sockets(job)
    before = bench.counters()
    client = bench.client(gateway, job)
    client.opened()
    began = cpu_now(bench, gateway)
    result = client.run()
    drained = kernel.wait_until(lambda: sockets(job) <= base, DRAIN_SECONDS)
    ended = cpu_now(bench, gateway)
    after = bench.counters()
    result["gateway_cpu_s"] = ended[0] - began[0]
    result["server_cpu_s"] = ended[1] - began[1]
    expected = connections(gateway, job, result)
    result["faults"] = faults(result, before, after, expected, drained)
    return result


def cpu_now(bench, gateway):
    return (kernel.cpu_seconds(gateway.pids()),
            kernel.cpu_seconds([bench.server.pid]))


def report_faults(result):
    """What the client saw go wrong."""
    if not result["errors"]:
        return []
    return [f"{result['errors']} errors, the first: {result['first_error']}"]


def connections(gateway, job, result):
    """How many the server must have had."""
    if job.kind == "rate":
        return result["count"]
    if job.kind == "bind" or (job.kind == "udp" and
                              gateway.protocol != "direct"):
        return 0
    return job.sessions


def faults(result, before, after, expected, drained):
    """What was not as it must be, in words."""
    found = report_faults(result)
    if not drained:
        found.append("sockets are left over")
    for counter in ("resets", "bad"):
        count = after[counter] - before[counter]
        if count:
            found.append(f"the server counts {count} {counter}")
    count = after["accepted"] - before["accepted"]
    if count != expected and not result["errors"]:
        found.append(f"{count} connections at the server, not {expected}")
    return found


def measure_bulk(bench, gateway, job, share):
    """One run that moves `share` octets a session."""
    return measure(bench, gateway, Job(job.kind, job.sessions, share))


# A session that moves less is opened and closed rather than bulk.
BULK_LEAST = 1 << 20


def bulk_share(bench, gateway, job, seconds):
    """How much each session shall move, so that a run takes that long."""
    trial = max(job.octets // job.sessions, BULK_LEAST)
    result = measure_bulk(bench, gateway, job, trial)
    if result["faults"]:
        return trial
    speed = result["octets"] / result["seconds"]
    share = int(speed * seconds / job.sessions)
    return max(share, trial) & ~0xffff


def measure_held(bench, gateway, job, rate):
    """Sessions held: what one costs, and what a connection costs beside."""
    alone = measure(bench, gateway, rate)
    before = footprint(gateway.pids())
    client = bench.client(gateway, job)
    client.opened()
    held = per_session(before, footprint(gateway.pids()), job.sessions)
    held.update(quiet(gateway))
    beside = measure(bench, gateway, rate)
    report = client.run()
    report.update(held, alone=alone, beside=beside)
    report["faults"] = (report_faults(report) + alone["faults"] +
                        beside["faults"])
    return report


def measure_unfinished(bench, gateway, job):
    """Requests without their last octet: what one costs. What each source
    costs is there before."""
    faults = measure(bench, gateway, Job("rate", 64, ms=100))["faults"]
    before = footprint(gateway.pids())
    client = bench.client(gateway, job, "--unfinished")
    client.opened()
    held = per_session(before, footprint(gateway.pids()), job.sessions)
    report = client.run()
    report.update(held, faults=faults + report_faults(report))
    return report


def footprint(pids):
    return {"user": kernel.user_memory(pids),
            "kernel": kernel.kernel_memory(),
            "descriptors": kernel.descriptors(pids)}


def per_session(before, after, sessions):
    return {name: (after[name] - before[name]) / sessions for name in before}


# A session that is a second old gets the keepalive of its connection to the
# server: that is not what it costs to hold it.
YOUNG_SECONDS = 1.5


def quiet(gateway, seconds=1.0):
    """Processor time while nothing happens."""
    time.sleep(YOUNG_SECONDS)
    began = kernel.cpu_seconds(gateway.pids())
    start = time.monotonic()
    time.sleep(seconds)
    spent = kernel.cpu_seconds(gateway.pids()) - began
    return {"quiet_cpu_share": spent / (time.monotonic() - start)}
