"""The sweeps over the scenarios: every allocation fails, every system call
fails with every errno it may have; no crash, leak or hang, the next request
works. What is played: tests/scenario."""
import collections
import re
import subprocess
from multiprocessing.pool import ThreadPool

from load import BUILD, ROOT
from row import Figure, Row

FOLDER = ROOT / "tests/scenario"
SCENARIOS = sorted(map(str, FOLDER.glob("*.scn")))
Played = collections.namedtuple("Played", "plays faults failures")


def player(*arguments, seconds=800):
    done = subprocess.run(
        [BUILD / "tests/scenario/scenario-player", *arguments],
        capture_output=True, text=True, timeout=seconds, check=False)
    found = re.search(r"# (\d+) plays, (\d+) faults, (\d+) failures",
                      done.stdout)
    if not found:
        return Played(0, 0, 1)  # it crashed
    return Played(*map(int, found.groups()))


class Sweep(Row):
    unit = "scenario files"
    full = len(SCENARIOS)
    option = ""
    what = ""
    least = 0
    seconds = 900

    def measure(self, stage, count, short):
        with ThreadPool(2) as pool:
            parts = pool.map(self.play, self.files(short), chunksize=1)
        played = Played(*map(sum, zip(*parts)))
        return [Figure(self.what, played.faults, least=self.least),
                Figure("crashes, leaks, hangs, next requests lost",
                       played.failures, most=0)]

    def play(self, file):
        return player(self.option, file)

    def files(self, short):
        return SCENARIOS


class Allocations(Sweep):
    """The short form leaves out the longest file."""

    name = "allocations"
    fault = "every k-th allocation fails"
    short = Sweep.full - 1
    option = "--memory"
    what = "allocations failed"
    least = 500

    def files(self, short):
        return [file for file in SCENARIOS
                if not short or not file.endswith("/limits.scn")]


class SystemCalls(Sweep):
    """The short form has the scenarios that the unit suite has not."""

    name = "system-calls"
    fault = "every system call returns each plausible error"
    names = ("auth", "families", "request", "time")
    short = len(names)
    option = "--errors"
    what = "calls failed"
    least = 5000

    def files(self, short):
        if not short:
            return SCENARIOS
        return [str(FOLDER / f"{name}.scn") for name in self.names]
