"""A row of the fault table: what is done, what is measured, what is due."""
import contextlib
import dataclasses
import os
import shutil
import signal
import tempfile
import time

from stage import Stage


@dataclasses.dataclass
class Figure:
    """A measured value and its limit. `loose` is what the short form asserts
    of a figure that a busy machine can spoil; None: it is only printed."""

    what: str
    value: float
    unit: str = ""
    most: float = None
    least: float = None
    timing: bool = False
    loose: float = None

    @property
    def judged(self):
        return self.most is not None or self.least is not None

    def met(self):
        return ((self.most is None or self.value <= self.most)
                and (self.least is None or self.value >= self.least))

    def fails(self, short):
        """Whether it is a failure in this form."""
        if not short or not self.timing:
            return self.judged and not self.met()
        return self.loose is not None and self.value > self.loose

    def limit(self):
        if self.most is not None:
            return f"at most {number(self.most)}"
        return f"at least {number(self.least)}" if self.judged else ""

    def words(self):
        text = f"{self.what} {number(self.value)} {self.unit}".strip()
        return f"{text} ({self.limit()})" if self.judged else text


def number(value):
    """Three figures that mean something; counts whole."""
    if value is None:
        return "–"
    if float(value).is_integer():
        return f"{int(value):,}".replace(",", " ")
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


class TimedOut(Exception):
    """The row's own time is up."""


class Row:
    """One fault. measure() injects it on a stage and returns figures; laws
    that do not hold go to stage.faults."""

    name = ""
    fault = ""  # its row of the table
    unit = ""
    full, short = 1, 1
    seconds = 120  # of the full form
    peers = ()
    peers_short = False  # a tenth is enough to see what they do
    needs = ""  # a part of the gateway that may not be there yet

    def count(self, short):
        return self.short if short else self.full

    def measure(self, stage, count, short):
        raise NotImplementedError

    def run(self, short, gate="socks4d"):
        """An outcome, whatever happens."""
        began = time.monotonic()
        few = short or gate != "socks4d" and self.peers_short
        outcome = Outcome(self.name, gate, self.count(few), short)
        folder = tempfile.mkdtemp(dir="/tmp", prefix="socks4-fault-")
        os.chmod(folder, 0o755)  # who gave up root reads its file again
        stage = None
        try:
            with bounded(3 * self.seconds):  # something else is running
                stage = Stage(folder, gate, short)
                outcome.figures = self.measure(stage, outcome.count, short)
        except Exception as error:  # a row that broke is a result too
            outcome.faults.append(f"{type(error).__name__}: {error}"[:800])
        try:
            with bounded(180):
                outcome.faults += stage.finish() if stage else []
        except Exception as error:
            outcome.faults.append(f"{type(error).__name__}: {error}"[:800])
        outcome.notes = stage.notes if stage else []
        outcome.seconds = time.monotonic() - began
        shutil.rmtree(folder, ignore_errors=True)
        return outcome


@contextlib.contextmanager
def bounded(seconds):
    """Cuts the block after that long."""
    def cut(*_):
        raise TimedOut(f"cut after {seconds} s")
    before = signal.signal(signal.SIGALRM, cut)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Outcome:
    def __init__(self, row, gate, count, short):
        self.row, self.gate, self.count, self.short = row, gate, count, short
        self.figures, self.faults, self.notes = [], [], []
        self.seconds = 0.0

    def failures(self):
        return [figure.words() for figure in self.figures
                if figure.fails(self.short)] + self.faults

    def line(self):
        """Name, count, figures with their limits, and whether all is met."""
        met = not self.faults and all(figure.met() for figure in self.figures)
        figures = "; ".join(figure.words() for figure in self.figures)
        whose = "" if self.gate == "socks4d" else f" [{self.gate}]"
        words = [f"{self.row}{whose}: {number(self.count)}", figures,
                 "ok" if met else "NOT MET", *self.faults]
        return ": ".join(word for word in words if word)

    def raw(self):
        return {
            "row": self.row, "gateway": self.gate, "count": self.count,
            "seconds": round(self.seconds, 1), "faults": self.faults,
            "notes": self.notes,
            "figures": [{
                "what": figure.what, "value": round(float(figure.value), 6),
                "unit": figure.unit, "most": figure.most,
                "least": figure.least} for figure in self.figures],
        }
