"""Binaries that take the place of the one that runs."""
import os
import pathlib
import shutil
import signal
import subprocess

import reloads
from gateway import BINARY, ROOT, Process, children, wait_for
from reloads import events

OUTCOMES = ("upgraded", "upgrade_failed")


def place(gateway, source=BINARY, tail=b"", mode=0o755):
    """Its file is a copy of this one now, by rename."""
    new = pathlib.Path(gateway.binary).with_suffix(".new")
    shutil.copyfile(source, new)
    with open(new, "ab") as file:
        file.write(tail)
    new.chmod(mode)
    os.replace(new, gateway.binary)


def fake_binary(folder):
    """The program that is no good (fake_binary.c), built."""
    built = pathlib.Path(folder) / "fake_binary"
    monitor = ROOT / "gateway/monitor"
    subprocess.run(
        ["cc", "-D_GNU_SOURCE", "-I", ROOT, "-o", built,
         ROOT / "tests/support/fake_binary.c", monitor / "handover.c",
         monitor / "archive.c", monitor / "memory.c"], check=True, timeout=60)
    return built


def no_workers(folder):
    """What is preloaded so that workers do not begin (no_workers.c), built."""
    built = pathlib.Path(folder) / "no_workers.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", built,
                    ROOT / "tests/support/no_workers.c"], check=True, timeout=60)
    return built


def ask(gateway):
    """USR2; how many outcomes there were before."""
    before = len(events(gateway, *OUTCOMES))
    gateway.signal(signal.SIGUSR2)
    return before


def outcome(gateway, before):
    wait_for("an outcome", lambda: len(events(gateway, *OUTCOMES)) > before)
    return events(gateway, *OUTCOMES)[before]


def upgrade(gateway):
    """USR2; the line that says what came of it."""
    return outcome(gateway, ask(gateway))


def accepts(worker, port):
    """Whether that worker still takes clients at the gateway's own port."""
    try:
        found = worker.listeners()
    except OSError:  # it has ended
        return False
    ports = [sock.getsockname()[1] for sock in found]
    for sock in found:
        sock.close()
    return port in ports


def upgraded(gateway, **options):
    """A new file, and it must be what runs, the configuration read again.
    Whoever comes next meets a new worker."""
    before = len(events(gateway, *reloads.OUTCOMES))
    old = gateway.workers()
    place(gateway, **options)
    line = upgrade(gateway)
    assert line["event"] == "upgraded", line
    wait_for("the reload behind it", lambda: len(
        events(gateway, *reloads.OUTCOMES)) > before)
    assert os.path.samefile(f"/proc/{gateway.process.pid}/exe", gateway.binary)
    wait_for("the old workers to take no more", lambda: not any(
        accepts(worker, gateway.at[1]) for worker in old))
    return line


def failed(gateway):
    """USR2, and it must not be: the sentence that says why."""
    line = upgrade(gateway)
    assert line["event"] == "upgrade_failed", line
    return line["message"]


def upgrade_checks(gateway):
    """The processes on probe."""
    return [pid for pid in children(gateway.process.pid)
            if "--upgrade-check" in Process(pid).command()]
