"""The table of mutants: what README.md says of *.mutants, read."""
import dataclasses
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

KEYS = {"mutant", "why", "file", "fails", "quick", "may-hang"}


class Fault(Exception):
    """Something is wrong with the table or with the tests, not the code."""


@dataclasses.dataclass
class Mutant:
    where: str
    mutant: str = ""
    why: str = ""
    file: str = ""
    fails: str = ""
    quick: bool = False
    may_hang: bool = False
    old: list = dataclasses.field(default_factory=list)
    new: list = dataclasses.field(default_factory=list)

    @property
    def name(self):
        return self.mutant

    def apply(self, root):
        """The file's text with the defect in it."""
        return replaced(self, (root / self.file).read_text())


def replaced(mutant, text):
    """Lines are compared without the blanks around them: how deep they are
    indented is clang-format's business."""
    lines = text.splitlines()
    bare = [line.strip() for line in lines]
    size = len(mutant.old)
    at = [i for i in range(len(bare)) if bare[i:i + size] == mutant.old]
    if len(at) != 1:
        raise Fault(f"stale: the lines stand {len(at)} times in "
                    f"{mutant.file}, not once")
    lines[at[0]:at[0] + size] = mutant.new
    return "\n".join(lines) + "\n"


def add_line(mutant, line):
    if line[0] in " -+":
        if line[0] != "+":
            mutant.old.append(line[1:].strip())
        if line[0] != "-":
            mutant.new.append(line[1:].strip())
        return
    key, colon, value = line.partition(": ")
    if not colon or key not in KEYS:
        raise Fault(f"{mutant.where}: what is this? {line}")
    if key in ("quick", "may-hang"):
        value = value == "yes"
    setattr(mutant, key.replace("-", "_"), value)


def check(mutant):
    for key in ("mutant", "why", "file", "fails", "old"):
        if not getattr(mutant, key):
            raise Fault(f"{mutant.where}: no '{key}'")
    if mutant.old == mutant.new:
        raise Fault(f"{mutant.where}: {mutant.name} changes nothing")
    return mutant


def read_file(path):
    mutants = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line[0] == "#":
            continue
        if line.startswith("mutant: "):
            mutants.append(Mutant(where=f"{path.name}:{number}"))
        if not mutants:
            raise Fault(f"{path.name}:{number}: before the first mutant")
        add_line(mutants[-1], line)
    return [check(mutant) for mutant in mutants]


def read():
    """Every mutant there is."""
    mutants = [mutant for path in sorted(HERE.glob("*.mutants"))
               for mutant in read_file(path)]
    names = [mutant.name for mutant in mutants]
    for mutant in mutants:
        if names.count(mutant.name) > 1:
            raise Fault(f"{mutant.where}: another is called {mutant.name}")
        if not re.fullmatch("[a-z0-9-]+", mutant.name):
            raise Fault(f"{mutant.where}: {mutant.name}: a-z, 0-9 and - only")
    return mutants
