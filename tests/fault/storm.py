"""Another configuration, again and again, while everything goes on."""
import time

from load import Plan
from reloads import events
from row import Figure, Row
from stage import ROW_PORT

GAP = 0.01  # s, from one change to the next
CONNECTS = 20  # for each change
HELD = 500


class Storm(Row):
    name = "storm"
    fault = "HUP storm: 1 000 in 10 s"
    unit = "changes, 20 connects each"
    full, short = 1000, 100
    seconds = 180
    peers = ("dante", "haproxy")

    def measure(self, stage, count, short):
        gate = stage.start()
        held_plans = [Plan("held", 1000, 1000)]
        plans = [Plan("connect", 1000, 1000)]
        held_by = stage.serve(held_plans)
        servers = stage.serve(plans, ROW_PORT + 1)
        held = stage.sessions(held_plans, slots=HELD, count=HELD, hold=True,
                              rate=2000, sources="10.72.0.1/1000",
                              limit=self.seconds).opened()
        with stage.honest(rate=50):
            load = stage.sessions(
                plans, ROW_PORT + 1, slots=200, count=CONNECTS * count,
                rate=round(CONNECTS / GAP), sources="10.70.0.1/20000",
                limit=self.seconds - 60)
            took = change(gate, count)
            result = load.result()
            gate.settle()
        stand = held.result(stop=True)
        for one, whose, what in ((result, servers, "the connects"),
                                 (stand, held_by, "the long sessions")):
            stage.hold_to(one, whose, what)
            whose.end()
        return [*self.changes(gate, count, took),
                *self.lost(count, result, stand)]

    def changes(self, gate, count, took):
        yield Figure("all changes within", took, "s",
                     most=1.1 * count * GAP, timing=True, loose=30)
        if gate.ours:
            reloads = len(events(gate, "reloaded"))
            yield Figure("reloads of these", reloads, least=count / 20)
            yield Figure("reloads failed, workers replaced", len(events(
                gate, "reload_failed", "worker_behind", "worker_hung")),
                most=0)

    def lost(self, count, result, stand):
        return [
            Figure("connects lost", CONNECTS * count - result.exact,
                   f"of {CONNECTS * count}", most=0),
            Figure("long sessions lost", HELD - stand.exact,
                   f"of {HELD}", most=0),
            Figure("connects took", result.seconds, "s"),
            Figure("their p99", result.setup["p99"], "ms"),
        ]


def change(gate, count):
    """So many, on time; what they took."""
    began = time.monotonic()
    for number in range(count):
        time.sleep(max(0, began + number * GAP - time.monotonic()))
        gate.change(number)
    return time.monotonic() - began
