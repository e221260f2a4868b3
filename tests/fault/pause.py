"""Processes that are stopped for a while, and one that is stopped for good."""
import contextlib
import os
import signal
import time

from gateway import children, wait_for
from load import Plan
from reloads import events
from row import Figure, Row

MEANWHILE = 500  # sessions while one worker hangs


class Pause(Row):
    name = "pause"
    fault = "a worker, the monitor, all stopped and continued"
    unit = "pauses of each"
    full, short = 5, 1
    seconds = 240

    def measure(self, stage, count, short):
        pause = 2 if short else 4  # less than the five questions
        gate = stage.start(timeouts="{idle: %dms}" % (700 * pause))
        gate.sums_known = False  # of those that end with their worker
        paused = self.paused(stage, count, pause)
        hung = [self.hang(stage, number) for number in range(count)]
        gate.same_base()
        return [*paused, *self.hung(gate, count, hung)]

    def paused(self, stage, count, pause):
        """Whoever talks meanwhile is idle only because we stand still."""
        gate = stage.gate
        before = gate.pids()
        plans = [Plan("talks", 1000, 1000, piece=100, gap=pause * 50)]
        servers = stage.serve(plans)
        with stage.honest(rate=100) as honest:
            load = stage.sessions(plans, slots=200, opening=200, rate=1000,
                                  sources="10.70.0.1/10000").opened()
            for number in range(count):
                for whom in (before[number % 2:][:1], [gate.process.pid],
                             [gate.process.pid,
                              *children(gate.process.pid)]):
                    with stopped(whom):
                        time.sleep(pause)
                    time.sleep(0.2)
            talks = load.result(stop=True)
        stage.hold_to(talks, servers, "those that talk")
        servers.end()
        return [
            Figure("sessions that talked meanwhile, not exact",
                   talks.count() - talks.exact, f"of {talks.count()}",
                   most=0),
            Figure("honest sessions exact", honest[-1].share(), "%",
                   least=100),
            Figure("processes replaced", len(events(
                gate, "worker_ended", "worker_hung", "writer_ended"))
                + len(set(before) - set(gate.pids())), most=0),
        ]

    def hang(self, stage, number):
        """One worker never goes on: when it was replaced in s, how many
        sessions were served meanwhile, and how many ended, seen outside."""
        gate = stage.gate
        victim = gate.pids()[number % 2]
        plans = [Plan("meanwhile", 1000, 1000)]
        servers = stage.serve(plans)
        with stage.honest(rate=50, judged=False) as honest:
            ended = len(events(gate, "worker_ended"))
            began = time.monotonic()
            with stopped([victim]):
                served = stage.sessions(
                    plans, slots=20, count=MEANWHILE, limit=60,
                    sources="10.70.0.1/10000").result()
                took = time.monotonic() - began
                wait_for("its end", lambda: len(
                    events(gate, "worker_ended")) > ended)
                replaced = time.monotonic() - began
            wait_for("the next", lambda: len(gate.pids()) == 2)
        servers.end()
        gate.may_lose = sum(line["lost"] for line in
                            events(gate, "worker_ended"))
        lost = honest[-1].count() - honest[-1].exact
        return replaced, served.exact, took, lost

    def hung(self, gate, count, rounds):
        replaced, served, took, lost = zip(*rounds)
        return [
            Figure("a worker that hangs is replaced after", min(replaced),
                   "s", least=4),
            Figure("and at most", max(replaced), "s", most=7, timing=True,
                   loose=15),
            Figure("sessions served meanwhile", sum(served),
                   least=count * MEANWHILE),
            Figure("which took at most", max(took), "s", most=4,
                   timing=True),
            Figure("sessions that ended beside the hung worker's",
                   max(0, sum(lost) - gate.may_lose), most=0),
            Figure("workers ended", len(events(gate, "worker_ended")),
                   most=count),
        ]


@contextlib.contextmanager
def stopped(pids):
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
