"""Many who mean no good: clients that drip, one that floods, and a million
that come once."""
import time

from load import Plan
from row import Figure, Row

UNLIMITED = "{sessions: 30k, pending: 30k}"


class Dripping(Row):
    name = "dripping"
    fault = "10 000 dripping clients"
    unit = "clients"
    full, short = 10000, 1000
    seconds = 90
    peers = ("dante", "hpsockd")

    def measure(self, stage, count, short):
        deadline = 4 if short else 10
        gate = stage.start(timeouts="{request: %ds}" % deadline,
                           limits=UNLIMITED)
        with stage.honest() as honest:
            before = gate.memory()
            drips = stage.drips(count, "10.70.0.1/20000", 500, deadline + 20)
            if not drips.opened():
                stage.notes.append("not all of the clients were let in")
            time.sleep(1)
            grown = gate.memory() - before
            cut = drips.result()
        return [
            *self.ends(cut, count, deadline),
            Figure("user memory each", grown / count, "octets", most=1024),
            Figure("honest sessions exact", honest[-1].share(), "%",
                   least=100),
            Figure("their p99", honest[-1].setup["p99"], "ms"),
        ]

    def ends(self, cut, count, deadline):
        ended = cut["refused"] + cut["cut"]
        yield Figure("cut", ended, "clients", least=count)
        yield Figure("of them with a 91", cut["refused"], "clients",
                     least=count)
        if ended:
            yield Figure("the last after", cut["lives"]["max"] / 1000, "s",
                         most=deadline + 1, timing=True, loose=deadline + 10)


class Flood(Row):
    name = "flood"
    fault = "one source floods"
    unit = "seconds"
    full, short = 20, 2
    peers = ("dante", "hpsockd")
    needs = "limits"

    def measure(self, stage, count, short):
        stage.start()
        plans = [Plan("flood", 1, 1)]
        servers = stage.serve(plans)
        with stage.honest() as calm:
            time.sleep(1)
        with stage.honest() as honest:
            flood = stage.sessions(plans, slots=500, opening=500,
                                   sources="10.70.0.1/1",
                                   limit=count).result()
        stage.gate.told_of(flood)
        servers.settled()
        servers.end()
        if stage.gate.ours:
            stage.gate.sums_known = flood.count("late") == 0
        return [
            Figure("connections of the one", flood.count() / count,
                   "a second"),
            Figure("of them served", flood.exact / count, "a second"),
            Figure("honest sessions exact", honest[-1].share(), "%",
                   least=100),
            Figure("their p99", honest[-1].setup["p99"], "ms"),
            Figure("their p99 before", calm[-1].setup["p99"], "ms"),
        ]


class Sources(Row):
    name = "sources"
    fault = "a million different sources"
    unit = "connections, each from another address"
    full, short = 1000000, 100000
    seconds = 900

    def measure(self, stage, count, short):
        gate = stage.start()
        plans = [Plan("once", 1, 1)]
        servers = stage.serve(plans)
        with stage.honest(rate=50) as honest:
            load = stage.sessions(plans, slots=48, count=count,
                                  sources=f"10.80.0.0/{count}",
                                  limit=self.seconds - 60)
            load.opened()
            early, late = self.watch(gate, load, count)
            result = load.result()
        stage.hold_to(result, servers, "the million")
        servers.end()
        return [
            Figure("exact", result.exact, "sessions", least=count),
            Figure("memory after the first tenth", early / 1024, "KiB"),
            Figure("grown since", (late - early) / 1024, "KiB", most=256),
            Figure("honest sessions exact", honest[-1].share(), "%",
                   least=100),
            Figure("sessions a second", count / result.seconds),
        ]

    def watch(self, gate, load, count):
        """The most memory in the first tenth, and ever after."""
        early = late = 0
        end = time.monotonic() + load.limit
        while load.process.poll() is None and time.monotonic() < end:
            if load.has_line():
                break
            now = gate.memory() + gate.shared_memory()
            if gate.counters()["accepted"] < count / 10:
                early = max(early, now)
            late = max(late, now)
            time.sleep(0.5)
        return early, late
