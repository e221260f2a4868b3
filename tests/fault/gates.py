"""The gateway under test, and its peers, as a row sees them: where it is,
what it takes of the machine, and what is held against it in the end."""
import collections
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import lab as places
import laws
from gateway import ANYBODY, WAIT, Gateway, wait_for
from reloads import OUTCOMES, events, ids, rewrite

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench"))

import gateways as bench  # noqa: E402
import kernel  # noqa: E402

WORKERS = os.environ.get("SOCKS4_FAULT_WORKERS", "2")
AS_SHIPPED = "{sessions: auto}"
BOTH = ("[{name: both, action: allow, command: [connect, bind],"
        f" from: {ANYBODY}, to: [any]}}]")


LISTEN = ("{address: '%s:%d', name: %s, insecure_plaintext: true,"
          " socks5: true}")
ONE = LISTEN % (places.INSIDE, 1080, "inside")
TWO = LISTEN % (places.INSIDE, 1081, "other")
BEGINNING = {"listen": f"[{ONE}]", "workers": WORKERS,
             "timeouts": "{connect: 10s}"}
# Each differs from the one before, and from the first when they come round.
CHANGES = [
    {"timeouts": "{connect: 11s}"},
    {"listen": f"[{ONE}, {TWO}]"},
    {"workers": str(int(WORKERS) + 1)},
    {"timeouts": "{connect: 12s}"},
    {"listen": f"[{ONE}]"},
    {"workers": WORKERS},
]


class Ledger:
    """A log that may be long, read once: sums of its records, and the lines
    that are none."""

    def __init__(self, path):
        self.path, self.offset = path, 0
        self.lines = []  # all but sessions
        self.records = self.up = self.down = self.suppressed = 0
        self.verdicts = collections.Counter()
        self.ends = collections.Counter()
        self.enders = collections.Counter()
        self.ways = collections.Counter()  # by parent and verdict

    def read(self):
        with open(self.path, "rb") as log:
            log.seek(self.offset)
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self.offset += len(line)
                self.take(json.loads(line))
        return self

    def take(self, line):
        if line.get("event") != "session":
            self.lines.append(line)
            if line["event"] == "records_suppressed":
                self.suppressed += line["count"]
                self.verdicts[line["verdict"]] += line["count"]
            return
        self.records += 1
        self.up += line["up"]
        self.down += line["down"]
        self.verdicts[line["verdict"]] += 1
        self.ends[line["end"]] += 1
        self.enders[line["ended_by"]] += 1
        self.ways[line["via"], line["verdict"]] += 1


class Ours(Gateway):
    """socks4d, with sums where its records would be too many to keep."""

    name = "socks4d"
    direct = False
    targets = None
    ours = True

    def __init__(self, network, folder, log_path=None, **settings):
        """`log_path`: where its lines arrive, if `log` is given, too."""
        super().__init__(network, folder, **{
            "rules": BOTH, "workers": WORKERS, "limits": AS_SHIPPED,
            "listen": f"[{ONE}]", **settings})
        self.log_path = log_path or self.log_path
        self.ledger = Ledger(self.log_path)
        self.sums_known = True
        self.keeps_pipes = False
        self.left = False  # it ended as it was told to, and was held to it

    # Under test

    def serves_5(self):
        """On all its listeners, any of which honest clients may use."""
        listen = self.settings["listen"]
        return listen.count("socks5: true") == listen.count("address: ")

    def lines(self):
        """All that are no records; see reloads.events."""
        return self.ledger.read().lines

    def pids(self):
        return [worker.pid for worker in self.workers()]

    def same_base(self):
        """Workers came and went: each new one began as the first did."""
        base = max(self.base.values())
        self.base = {pid: base for pid in self.pids()}

    def cpu(self):
        """Processor time of its workers, s."""
        return sum(kernel.process_clock(pid) for pid in self.pids())

    def memory(self):
        """Memory of its workers' own, octets."""
        return 1024 * sum(worker.anonymous_kb() for worker in self.workers())

    def shared_memory(self):
        """Of the segment they share, what was touched; octets."""
        return 1024 * max(int(worker.status("RssShmem"))
                          for worker in self.workers())

    def counters(self):
        def totals():
            return [line for line in self.ledger.read().lines
                    if line.get("event") == "total"]
        before = len(totals())
        self.signal(signal.SIGUSR1)
        wait_for("the counters", lambda: len(totals()) > before)
        return totals()[-1]

    def verdicts(self):
        """How many sessions had which."""
        return self.ledger.read().verdicts

    def ends(self):
        """How many sessions ended which way."""
        return self.ledger.read().ends

    def ways(self):
        """How many sessions went through which parent, with which verdict."""
        return self.ledger.read().ways

    # Changes

    def change(self, number):
        """Another configuration, and HUP; see CHANGES."""
        rewrite(self, **CHANGES[number % len(CHANGES)])
        self.signal(signal.SIGHUP)

    def settle(self):
        """The first one again, and in force everywhere."""
        rewrite(self, **BEGINNING)
        self.signal(signal.SIGHUP)

        def in_force():
            outcome = events(self, *OUTCOMES)[-1]
            return (len(self.workers()) == int(WORKERS)
                    and set(ids(self)) == {outcome["config"]})
        wait_for("the last change", in_force)
        self.same_base()

    def told_of(self, result):
        """A load all of whose octets are known."""
        self.told["up"] += result.up
        self.told["down"] += result.down

    # The laws

    def leave(self, seconds):
        """It was told to end: waits for it. Its exit status, or none."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        said = self.ledger.read().lines[-1]["event"]
        self.left = (status == 0 and said == "ended" and not self.reports()
                     and not self.lab.gateway.listens(self.at[1]))
        return status

    def finish(self):
        """Ends it; what it left undone, in words."""
        if self.process is None:
            return ["it did not start"]
        if self.left:
            return []
        try:
            self.lab.close_sockets()
            laws.residue(self)
            self.accounts()
            status = self.stop()
            if status != 0 or self.reports():
                return [f"it ended with {status}: {self.stderr()[-500:]}"]
        except AssertionError as broken:
            return [str(broken)[:500]]
        finally:
            if self.process.poll() is None:
                self.process.kill()
        return []

    def accounts(self):
        """As laws.accounts, from sums. Each of our totals is one line, and
        is asked for seldom."""
        end = time.monotonic() + WAIT
        while True:
            counted = self.counters()
            wrong = self.mistakes(counted)
            if not wrong:
                return
            assert time.monotonic() < end, (wrong, counted, self.told)
            time.sleep(0.2)

    def mistakes(self, counted):
        ledger = self.ledger.read()
        ended = counted["granted"] + counted["refused"] + counted["early"]
        checks = {
            "no session is left": counted["live"] == 0,
            "accepted = ended + limited + lost":
                counted["accepted"] == ended + counted["limited"]
                + counted["lost"],
            "lost as the row meant it": counted["lost"] == self.may_lose,
            "records + dropped + suppressed = sessions":
                ledger.records + counted["dropped"] + counted["suppressed"]
                == ended,
            "suppressed as the log says":
                counted["lost"] > 0 or counted["dropped"] > 0
                or ledger.suppressed == counted["suppressed"],
            "octets counted = octets in records": counted["dropped"] > 0 or (
                (counted["up"], counted["down"]) == (ledger.up, ledger.down)),
            "octets counted = octets seen outside": not self.sums_known or (
                (counted["up"], counted["down"])
                == (self.told["up"], self.told["down"])),
        }
        return [name for name, holds in checks.items() if not holds]


class Peer:
    """One of bench/gateways.py, on the lab's network. It is measured as ours
    is; of its laws, only what its clients see."""

    direct = False
    targets = None
    ours = False

    def __init__(self, network, folder, **_settings):
        self.lab, self.folder = network, str(folder)
        self.at = (places.INSIDE, 1080)
        self.program = None
        self.turn = 0  # of its configuration

    def start(self, **_):
        with self.lab.gateway.network.inside():
            self.program = self.kind()
            self.program.configure = self.configure
            self.program.start(self.folder, self.at[1], 0)
        for pid in self.program.pids():  # on all processors, as ours
            os.sched_setaffinity(pid, os.sched_getaffinity(0))
        return self

    def configure(self, template):
        text = (HERE / "peers" / template).read_text()
        values = {"TURN": self.turn % 10, **self.program.values()}
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        path = pathlib.Path(self.folder) / template
        new = path.with_suffix(".new")
        new.write_text(text)
        os.replace(new, path)
        return str(path)

    def change(self, number):
        """Another configuration, and the signal to take it."""
        self.turn = number + 1
        self.configure(self.template)
        os.kill(self.program.children[0].pid, self.reloads_at)

    def settle(self):
        pass

    def pids(self):
        return self.program.pids()

    def cpu(self):
        return kernel.cpu_seconds(self.pids())

    def memory(self):
        return kernel.user_memory(self.pids())

    def told_of(self, result):
        pass

    def finish(self):
        self.lab.close_sockets()
        if self.program is not None:
            self.program.stop()
        return []


class Dante(Peer):
    name = "dante"
    kind = bench.Dante
    template = "danted.conf"
    reloads_at = signal.SIGHUP


class Hpsockd(Peer):
    name = "hpsockd"
    kind = bench.Hpsockd


class _HaProxyHere(bench.HaProxy):
    def commands(self):
        return [(["haproxy", "-W", "-db", "-f",
                  self.configure("haproxy.cfg")], 2000)]


class HaProxy(Peer):
    """No SOCKS: a port a plan, each to the same port of one server. A master
    and its workers, which pass listeners on."""

    name = "haproxy"
    kind = _HaProxyHere
    template = "haproxy.cfg"
    reloads_at = signal.SIGUSR2
    direct = True
    targets = f"{places.SERVER}/1"


ALL = {kind.name: kind for kind in (Ours, Dante, Hpsockd, HaProxy)}


def peer_version(name):
    package = {"dante": "dante-server"}.get(name, name)
    import subprocess
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package],
                          capture_output=True, text=True, check=False)
    return done.stdout or "unknown"
