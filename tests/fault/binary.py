"""Another binary in place of the one that runs, again and again."""
import shutil
import time

import upgrades
from gateway import BINARY, wait_for
from load import Plan
from reloads import events
from row import Figure, Row
from stage import ROW_PORT

HELD = 500
GAP = 0.3  # s between upgrades, for the load to meet the new workers


class Binary(Row):
    name = "upgrade"
    fault = "binary upgraded 20 times, one of them bad"
    unit = "upgrades"
    full, short = 20, 3
    seconds = 180

    def measure(self, stage, count, short):
        gate = self.begin(stage)
        held_plans, plans = [Plan("held", 1000, 1000)], [Plan("new", 10, 10)]
        held_by = stage.serve(held_plans)
        servers = stage.serve(plans, ROW_PORT + 1)
        held = stage.sessions(held_plans, slots=HELD, count=HELD, hold=True,
                              rate=2000, sources="10.72.0.1/1000",
                              limit=self.seconds).opened()
        old = gate.pids()
        with stage.honest() as honest:
            load = stage.sessions(plans, ROW_PORT + 1, slots=50, rate=500,
                                  sources="10.70.0.1/20000",
                                  limit=self.seconds).opened()
            rounds = [self.upgrade(gate, bad=number == count // 2)
                      for number in range(count)]
            result = load.result(stop=True)
        stayed = len(set(old) & set(gate.pids()))
        stand = held.result(stop=True)
        left_ms = leave(gate, old)
        for one, whose, what in ((result, servers, "the connects"),
                                 (stand, held_by, "the long sessions")):
            stage.hold_to(one, whose, what)
            whose.end()
        wait_for("only the newest workers", lambda: len(gate.pids()) == 2)
        gate.same_base()
        return [
            *self.outcomes(count, rounds),
            Figure("connects refused, reset, or not exact",
                   result.count() - result.exact, f"of {result.count()}",
                   most=0),
            Figure("long sessions exact", stand.exact, least=HELD),
            Figure("their old workers there until their end", stayed,
                   least=len(old)),
            Figure("and gone after it in", left_ms, "ms", most=1000,
                   timing=True, loose=10000),
            Figure("honest sessions exact", honest[-1].share(), "%",
                   least=100),
            Figure("workers that died", len([
                line for line in events(gate, "worker_ended")
                if line["level"] == "error"]), most=0),
        ]

    def begin(self, stage):
        """A gateway with a file of its own, which can be replaced."""
        own = stage.folder / "socks4d"
        shutil.copy(BINARY, own)
        self.fake_binary = upgrades.fake_binary(stage.folder)
        return stage.start(binary=own)

    def upgrade(self, gate, bad):
        """What came of it, and in how many seconds. The bad one is the worst:
        it starts, and never says that it is ready."""
        if bad:
            upgrades.place(gate, self.fake_binary, b" hangs")
        else:
            upgrades.place(gate)
        time.sleep(GAP)
        began = time.monotonic()
        event = upgrades.upgrade(gate)["event"]
        return bad, event, time.monotonic() - began

    def outcomes(self, count, rounds):
        good = [took for bad, event, took in rounds
                if not bad and event == "upgraded"]
        failed = [took for bad, event, took in rounds
                  if bad and event == "upgrade_failed"]
        yield Figure("good ones upgraded", len(good), least=count - 1)
        yield Figure("in at most", max(good, default=0), "s")
        yield Figure("bad ones that failed", len(failed), least=1)
        yield Figure("the old one said so after", max(failed, default=99),
                     "s", most=5, timing=True, loose=15)


def leave(gate, old):
    """Until they have ended, ms."""
    began = time.monotonic()
    wait_for("the old workers to end", lambda: not
             set(old) & set(gate.pids()))
    return 1000 * (time.monotonic() - began)
