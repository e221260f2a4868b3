"""The tests that mutants name: what each needs built, and how it is run.

    scenario FILE: TITLE     of tests/scenario/FILE.scn
    monitor FILE: TITLE      of tests/monitor/FILE.scn
    unit PROGRAM: TEST       of tests/unit/PROGRAM.c
    system FILE::TEST        pytest's name, in tests/system
    clients FILE::TEST       the same, in tests/clients
    fault ROW                of tests/fault, its short form
    replay TARGET            of tests/fuzz, over its corpus; or `session'

Each answers PASSED, FAILED or HANGS.
"""
import ctypes
import os
import re
import signal
import subprocess
import tempfile
import time

from table import Fault

PASSED, FAILED, HANGS = "passed", "failed", "hangs"

PATIENCE_S = 60

PR_SET_CHILD_SUBREAPER = 36


def wait(process):
    """Its exit status; None: it has not ended in time. Orphans are reaped
    meanwhile: a test may wait until one is gone."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == process.pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode
        if pid == 0:
            time.sleep(0.01)
    return None


def end_children():
    """Kills all that descends from this process, which adopts orphans: where a
    mutant breaks the monitor, workers outlive it in sessions of their own."""
    while True:
        with open("/proc/thread-self/children") as children:
            for pid in children.read().split():
                os.kill(int(pid), signal.SIGKILL)
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.01)
        except ChildProcessError:
            return


def execute(command, **options):
    """(exit status, output); None where it has not ended in time. Nothing that
    it has started goes on."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    # A file: a pipe would end only when all that it has started has ended.
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, start_new_session=True,
                                   stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, **options)
        try:
            status = wait(process)
        finally:  # we may be ended ourselves
            end_children()
        output.seek(0)
        return status, output.read().decode(errors="replace")


class Scenario:
    """One scenario in a file of its own: no other can fail in its place."""

    folder = "tests/scenario"
    target = "tests/scenario/scenario-player"
    options = ["-s", "1"]

    def __init__(self, text):
        self.file, _, self.title = text.partition(": ")

    def find(self, tree):
        path = tree / self.folder / f"{self.file}.scn"
        lines, inside = [], False
        for line in path.read_text().splitlines():
            if line.startswith("scenario: "):
                inside = bare_title(line[10:]) == self.title
            if inside:
                lines.append(line)
        if not lines:
            raise Fault(f"no scenario '{self.title}' in {self.file}.scn")
        return lines

    def run(self, tree, build):
        alone = build / "alone.scn"
        alone.write_text("\n".join(self.find(tree)) + "\n")
        status, _ = execute([build / self.target, *self.options, alone])
        if status is None:
            return HANGS
        return PASSED if status == 0 else FAILED


class Monitor(Scenario):
    folder = "tests/monitor"
    target = "tests/monitor/monitor-player"
    options = []


def find_word(path, word):
    if not re.search(rf"\b{re.escape(word)}\b", path.read_text()):
        raise Fault(f"{path.name} has no test {word}")


def bare_title(title):
    """Without the requirements' ids at its end."""
    return re.sub(r"( \[[^]]*\])+$", "", title.strip())


class Unit:
    def __init__(self, text):
        self.program, _, self.test = text.partition(": ")
        self.target = f"tests/unit/unit-{self.program}"

    def find(self, tree):
        find_word(tree / f"tests/unit/{self.program}.c", self.test)

    def run(self, tree, build):
        status, output = execute(
            [build / self.target], cwd=tree,
            env=os.environ | {"CMOCKA_MESSAGE_OUTPUT": "TAP",
                              "SOURCE_ROOT": str(tree)})
        if status is None:
            return HANGS
        said = re.search(rf"^(not )?ok \d+ - {re.escape(self.test)}$", output,
                         re.MULTILINE)
        if said is None and status >= 0:
            raise Fault(f"{self.target} has no test {self.test}")
        return PASSED if said and not said[1] else FAILED


class System:
    folder = "tests/system"
    target, binary = "system-under-test", "gateway/socks4d"

    def __init__(self, text):
        self.node = f"{self.folder}/{text}"

    def find(self, tree):
        file, _, test = self.node.partition("::")
        find_word(tree / file, test.partition("[")[0])

    def run(self, tree, build):
        environment = os.environ | {"SOCKS4D": str(build / self.binary),
                                    "SOCKS4_TIMEOUT": str(PATIENCE_S // 3)}
        for name in ("SOCKS4_SHARD", "SOCKS4_LONG", "SOCKS4_NAMESPACE"):
            environment.pop(name, None)
        status, output = execute(
            ["/usr/bin/python3", "-m", "pytest", "-q", "-p",
             "no:cacheprovider", self.node], cwd=tree, env=environment)
        if status is None:
            return HANGS
        if status not in (0, 1):
            raise Fault(f"{self.node}: pytest says {status}\n{output}")
        return PASSED if status == 0 else FAILED


class Clients(System):
    folder = "tests/clients"
    target = "clients-under-test"


class Row(System):
    target = "fault-runner"

    def __init__(self, text):
        self.row = text
        self.node = f"tests/fault/test_rows.py::test_survives[{text}]"

    def find(self, tree):
        for path in (tree / "tests/fault").glob("*.py"):
            if f'    name = "{self.row}"\n' in path.read_text():
                return
        raise Fault(f"tests/fault has no row {self.row}")


class Replay:
    def __init__(self, text):
        self.source, self.corpus, folder = (
            ("tests/scenario/session_fuzz.c", "tests/scenario/corpus",
             "scenario") if text == "session" else
            (f"tests/fuzz/{text}.c", f"tests/fuzz/corpus/{text}", "fuzz"))
        self.target = f"tests/{folder}/replay-{text}"

    def find(self, tree):
        if not (tree / self.source).is_file():
            raise Fault(f"there is no {self.source}")

    def run(self, tree, build):
        status, _ = execute([build / self.target, tree / self.corpus])
        if status is None:
            return HANGS
        return PASSED if status == 0 else FAILED


KINDS = {"scenario": Scenario, "monitor": Monitor, "unit": Unit,
         "system": System, "clients": Clients, "fault": Row, "replay": Replay}


def of(mutant):
    kind, _, rest = mutant.fails.partition(" ")
    if kind not in KINDS:
        raise Fault(f"{mutant.where}: fails: {' or '.join(KINDS)}")
    return KINDS[kind](rest)
