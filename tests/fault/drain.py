"""TERM while everything goes on: to the end, to the deadline, and twice."""
import contextlib
import signal
import time

from descriptors import ask
from gateway import wait_for
from load import Plan
from reloads import events
from row import Figure, Row

LONG = 60  # s of drain, of which nothing is needed
AFTER = 20  # clients that come too late


class Drain(Row):
    name = "drain"
    fault = "TERM under load"
    unit = "live sessions, three times"
    full, short = 2000, 200
    seconds = 120

    def measure(self, stage, count, short):
        limit = 1 if short else 5
        return [*self.finished(End(stage, count, LONG)),
                *self.overdue(End(stage, count, limit), limit),
                *self.twice(End(stage, count, LONG))]

    def finished(self, end):
        """All of them have time enough."""
        with end.load():
            end.term()
            late = sum(is_refused(end.stage) for _ in range(AFTER))
            live = end.stop_held()
            end.wait()
        return [
            Figure("refused when it had been told", late,
                   f"clients of {AFTER}", least=AFTER),
            Figure("live sessions exact", live.exact, "sessions",
                   least=end.count),
            Figure("honest sessions not exact, other than refused",
                   sum(end.honest.others().values())
                   - end.honest.count("cut"), most=0),
            Figure("records but for sessions that were exact",
                   abs(end.gate.ledger.records - live.exact
                       - end.honest.exact), most=0),
            *end.figures("when all had finished"),
        ]

    def overdue(self, end, limit):
        """Those that stand do so until the deadline."""
        with end.load():
            end.term()
            end.wait()
            live = end.stop_held()
        return [
            Figure("of those that stood at the deadline, reset",
                   live.count("reset"), "sessions", least=end.count),
            Figure("it ended after", end.took, "s", least=0.9 * limit),
            Figure("later than the limit", max(0, end.took - limit), "s",
                   most=1, timing=True, loose=10),
            *end.figures("at the deadline"),
        ]

    def twice(self, end):
        with end.load():
            end.term()
            end.began = time.monotonic()
            end.gate.signal(signal.SIGTERM)
            end.wait()
            live = end.stop_held()
        return [
            Figure("at a second TERM reset", live.count("reset"),
                   "sessions", least=end.count),
            Figure("it ended after that in", end.took, "s", most=1,
                   timing=True, loose=10),
            *end.figures("at a second TERM"),
        ]


class End:
    """A gateway under load, and its last moments."""

    def __init__(self, stage, count, drain):
        self.stage, self.count = stage, count
        self.gate = stage.start(timeouts="{drain: %ds}" % drain)
        plans = [Plan("held", 1000, 1000)]
        self.servers = stage.serve(plans)
        self.held = stage.sessions(plans, slots=count, count=count, hold=True,
                                   rate=4000, sources="10.70.0.1/10000")
        self.held.opened()
        self.status = self.took = self.honest = None

    @contextlib.contextmanager
    def load(self):
        """As stage.honest; judged by what became of it, see figures."""
        with self.stage.honest(judged=False) as results:
            yield
        self.honest = results[-1]
        self.servers.end()

    def term(self):
        """Returns when it has closed its listener."""
        time.sleep(0.5)
        self.began = time.monotonic()
        self.gate.signal(signal.SIGTERM)
        wait_for("the drain", lambda: events(self.gate, "draining"))
        wait_for("its listener to go", lambda: not
                 self.stage.lab.gateway.listens(self.gate.at[1]))

    def stop_held(self):
        return self.held.result(stop=True)

    def wait(self):
        self.status = self.gate.leave(40)
        self.took = time.monotonic() - self.began

    def figures(self, when):
        """What holds of every end."""
        ended = self.honest
        wrong = sum(ended.count(outcome) for outcome in
                    ("foreign", "short", "clean", "early", "late"))
        return [
            Figure(f"exit status {when}",
                   99 if self.status is None else self.status, most=0),
            Figure("honest sessions that ended other than exact, reset,"
                   f" refused {when}", wrong, most=0)]


def is_refused(stage):
    try:
        ask(stage, 1, 0).close()
    except ConnectionRefusedError:
        return True
    return False
