"""A copy of the tree with a build folder, in which the code may be broken."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import proof
from table import ROOT, Fault


def files_of(root):
    """What is there of what git knows or would take."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached",
         "--others", "--exclude-standard"], cwd=root,
        stdout=subprocess.PIPE, check=True).stdout.decode().split("\0")
    return [name for name in listed if name and (root / name).is_file()]


def check_fresh(mutants):
    """Before anything is built: every hunk fits the code as it is, and every
    test is there."""
    faults = []
    for mutant in mutants:
        try:
            mutant.apply(ROOT)
            proof.of(mutant).find(ROOT)
        except (Fault, OSError) as fault:
            faults.append(f"{mutant.where}: {mutant.name}: {fault}")
    if faults:
        raise Fault("\n".join(faults))


class Stage:
    def __init__(self, folder):
        self.tree = folder / "tree"
        self.build = folder / "build"
        for name in files_of(ROOT):
            to = self.tree / name
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to)
        # No optimization, no debugging symbols: it is built often.
        self._call("meson", "setup", self.build, self.tree,
                   "--buildtype=plain", "-Dauto_features=enabled")

    @staticmethod
    def _call(*command):
        done = subprocess.run(command, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False,
                              env=os.environ | {"CC": "gcc"})
        if done.returncode != 0:
            raise Fault(done.stdout.decode(errors="replace"))

    def make(self, *targets):
        self._call("ninja", "-C", self.build, *targets)

    def prove(self, mutants):
        """Every test they name passes as long as nothing is broken."""
        proofs = {mutant.fails: proof.of(mutant) for mutant in mutants}
        self.make(*{test.target for test in proofs.values()})
        for name, test in proofs.items():
            result = test.run(self.tree, self.build)
            if result != proof.PASSED:
                raise Fault(f"{name}: {result} with nothing broken")

    @contextlib.contextmanager
    def broken(self, mutant):
        path = self.tree / mutant.file
        whole = path.read_text()
        path.write_text(mutant.apply(self.tree))
        try:
            yield
        finally:
            path.write_text(whole)

    def try_one(self, mutant):
        """What came of it, and the seconds it took."""
        began = time.monotonic()
        test = proof.of(mutant)
        with self.broken(mutant):
            self.make(test.target)
            result = test.run(self.tree, self.build)
        return result, time.monotonic() - began


@contextlib.contextmanager
def open_stage():
    with tempfile.TemporaryDirectory(prefix="socks4-mutants-") as folder:
        yield Stage(pathlib.Path(folder))


def killed(mutant, result):
    """A test that hangs has noticed nothing, unless that is how."""
    return result == proof.FAILED or result == proof.HANGS and mutant.may_hang
