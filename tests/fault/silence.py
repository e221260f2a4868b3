"""An application server that swallows SYNs."""
import time

import lab as places
from load import Plan
from row import Figure, Row

GREEDY, CAP = 400, 256
RATE = 2000  # of those that will wait, a second


class Silence(Row):
    name = "silence"
    fault = "application server swallows SYNs, 5 000 pending"
    unit = "pending"
    full, short = 5000, 500
    needs = "limits"

    def measure(self, stage, count, short):
        timer = 2 if short else 8
        stage.start(timeouts="{connect: %ds}" % timer,
                    limits="{pending: 20k}")
        with stage.honest() as calm:
            time.sleep(1 if short else 5)
        pending = self.pend(stage, count, "10.70.0.1/5000", timer)
        greedy = self.pend(stage, GREEDY, "10.71.0.1/1", timer)
        time.sleep(count / RATE)  # now they are
        with stage.honest() as storm:
            answers = [load.result() for load in (pending, greedy)]
        for answer in answers:
            stage.gate.told_of(answer)
        timed_out = stage.gate.verdicts()["connect-timeout"]
        return self.figures(timer, calm[-1], storm[-1], *answers, timed_out)

    def pend(self, stage, count, sources, timer):
        """Connects that nobody will answer."""
        return stage.sessions([Plan("silent")], slots=count, count=count,
                              opening=count, rate=RATE, sources=sources,
                              targets=f"{places.SILENT}/1", limit=timer + 30)

    def figures(self, timer, calm, storm, pending, greedy, timed_out):
        return [
            Figure("91", pending.count("refused"), "clients",
                   least=pending.count()),
            Figure("after", pending.refusal["p50"] / 1000, "s",
                   least=timer * 0.95),
            Figure("the last after", pending.refusal["max"] / 1000, "s",
                   most=timer + 1, timing=True, loose=timer + 10),
            Figure(f"of {GREEDY} from one source pending",
                   timed_out - pending.count("refused"), most=CAP),
            Figure("honest sessions exact", storm.share(), "%", least=100),
            Figure("their p99", storm.setup["p99"], "ms",
                   most=max(2 * calm.setup["p99"], 1), timing=True),
        ]
