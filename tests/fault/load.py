"""The load: its program's two halves, started in the lab's hosts."""
import json
import os
import pathlib
import select
import subprocess
import time

import lab as places

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SOCKS4D", ROOT / "build/gateway/socks4d")
                     ).resolve().parents[1]
PROGRAM = BUILD / "tests/fault/fault-load"
TURNS = BUILD / "tests/fault/fault-turns.so"

# ADDR/N: N addresses from there on. The clients' and the servers' host answer
# to all of a /10 each, see stage.py; what a row adds comes from other clients.
HONEST = "10.64.1.0/2000"
MANY_SERVERS = "10.128.0.0/4000000"

OUTCOMES = ("exact", "short", "foreign", "reset", "clean", "early", "lost",
            "refused", "cut", "late")


# Plans that name no version are in SOCKS5, too.
ALL_IN_5 = os.environ.get("SOCKS4_VERSION") == "5"

# Of the gateway's other listener, where a row has one.
TLS_PORT = 1443


class Broken(Exception):
    """The load itself did not do its part."""


class Plan:
    """One kind of session; its words are those of load/plan.h."""

    def __init__(self, name, up=0, down=0, **words):
        assert name != "live"  # what servers count beside their plans
        if ALL_IN_5:
            words.setdefault("version", 5)
        self.name, self.up, self.down, self.words = name, up, down, words

    def __str__(self):
        words = dict(name=self.name, up=self.up, down=self.down, **self.words)
        return ",".join(f"{key}={value}" for key, value in words.items())


def outcomes(name, plan):
    """What became of a plan's sessions, where all were to be exact."""
    counts = [f"{plan[outcome]} {outcome}" for outcome in OUTCOMES
              if plan[outcome]]
    return f"{name} {', '.join(counts)}"


def mixed(long_ms, five):
    """What honest clients do all the while; `five`: a third of them in
    SOCKS5. A long session says something small both ways, every now and then,
    for that long."""
    plans = [
        Plan("connect", 1000, 1000, share=8),
        Plan("bind", 2000, 2000, command="bind", share=3),
        Plan("client-ends-first", 20000, 20000, first="client", share=3),
        Plan("server-ends-first", 20000, 20000, first="server", share=3),
        Plan("long", 1000, 1000, piece=20, gap=long_ms // 50, share=1),
    ]
    return plans if not five else plans + [
        Plan("connect-5", 1000, 1000, version=5, share=5),
        Plan("bind-5", 2000, 2000, command="bind", version=5, share=2),
        Plan("client-ends-first-5", 20000, 20000, first="client", version=5,
             share=2),
    ]


class _Program:
    def __init__(self, host, arguments):
        self.process = host.popen(
            [str(PROGRAM), *map(str, arguments)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1,
            preexec_fn=places.die_with_parent)

    def line(self, seconds):
        """Its next line; bounded. It says one at a time, or ends, which
        select tells too."""
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            raise Broken(f"{self.process.args[1]}: silent for {seconds} s, "
                         f"status {self.process.poll()}")
        return line

    def has_line(self):
        """Whether it has said something that nobody has read yet."""
        return bool(select.select([self.process.stdout], [], [], 0)[0])

    def tell(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def kill(self):
        """If it still runs: the row broke, or left it to the end."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(places.TIMEOUT)


class Servers(_Program):
    """Application servers: a port a plan, from `port` on."""

    def __init__(self, host, plans, port):
        self.plans, self.port = plans, port
        super().__init__(host, ["serve", "--port", port, *_words(plans)])
        self.line(places.TIMEOUT)

    def counts(self):
        self.tell()
        return json.loads(self.line(places.TIMEOUT))

    def settled(self, seconds=10):
        """The counts when no connection is left, or that much later."""
        end = time.monotonic() + seconds
        while True:
            counts = self.counts()
            if counts["live"] == 0 or time.monotonic() > end:
                return counts
            time.sleep(0.02)


def _words(plans):
    return [word for plan in plans for word in ("--plan", str(plan))]


class Sessions(_Program):
    """Clients under way; see load/client.h."""

    def __init__(self, stage, plans, port, sources=HONEST,
                 targets=MANY_SERVERS, limit=120, hold=False, tls=None,
                 **numbers):
        address, gateway_port = stage.gate.at
        if tls:
            gateway_port = TLS_PORT
        words = ["sessions", *_words(plans), "--port", port,
                 "--gateway", f"{address}:{gateway_port}",
                 "--sources", sources,
                 "--targets", stage.gate.targets or targets,
                 "--server-network", stage.lab.server.network.path,
                 "--limit-ms", int(limit * 1000)]
        if hold:
            words.append("--hold")
        if tls:
            words += ["--tls", ",".join(map(str, tls))]
        if stage.gate.direct:
            words.append("--direct")
        for name, value in numbers.items():
            words += [f"--{name}", value]
        self.plans, self.limit = plans, limit
        super().__init__(stage.lab.client, words)

    def opened(self, seconds=60):
        """Waits until the first of each slot has its answer."""
        line = self.line(seconds)
        if line != "open\n":
            raise Broken(f"the clients did not open: {line}")
        return self

    def result(self, stop=False):
        if stop:
            self.tell()
        line = self.line(self.limit + 10)
        if line == "open\n":
            line = self.line(self.limit + 10)
        self.end()
        return Result(json.loads(line), self.plans)


class Drips(_Program):
    """Clients whose request never ends."""

    def __init__(self, stage, count, sources, gap_ms, limit):
        self.limit = limit
        address, port = stage.gate.at
        super().__init__(stage.lab.client, [
            "drip", "--gateway", f"{address}:{port}", "--sources", sources,
            "--slots", count, "--gap-ms", gap_ms,
            "--limit-ms", int(limit * 1000)])
        self.said = None

    def opened(self):
        """Waits until all are connected; whether they ever were."""
        self.said = self.line(self.limit + 10)
        return self.said == "open\n"

    def result(self):
        if self.said is None or self.said == "open\n":
            self.said = self.line(self.limit + 10)
        self.end()
        return json.loads(self.said)


class Result:
    """What became of a run's sessions."""

    def __init__(self, raw, plans):
        self.raw = raw
        self.plans = raw["plans"]
        self.setup, self.refusal = raw["setup"], raw["refusal"]
        self.seconds = raw["seconds"]
        self.up = sum(plan.up * self.plans[plan.name]["exact"]
                      for plan in plans)
        self.down = sum(plan.down * self.plans[plan.name]["exact"]
                        for plan in plans)

    def count(self, outcome="sessions"):
        return sum(plan[outcome] for plan in self.plans.values())

    @property
    def exact(self):
        return self.count("exact")

    def others(self):
        """Outcomes that are not exact: {outcome: count}."""
        counts = {name: self.count(name) for name in OUTCOMES[1:]}
        return {name: count for name, count in counts.items() if count}

    def words(self):
        return "; ".join(outcomes(name, plan)
                         for name, plan in self.plans.items()
                         if plan["exact"] < plan["sessions"])

    def share(self):
        """Percent of the sessions that were exact."""
        return 100 * self.exact / max(self.count(), 1)
