"""Nobody takes the log's lines: the disk is full, the reader of stderr stands
still, syslogd is gone, the journal does not read."""
import contextlib
import os
import signal
import socket
import statistics
import threading
import time

import journald
import lab as places
from gates import ONE, TWO
from gateway import wait_for
from load import Plan
from mounts import listen_as_syslogd, mounted, own_dev
from reloads import events, rewrite
from row import Figure, Row

MORE = 6000  # records, more than all queues hold
TARGET = "{target: '%s', format: json, level: info}"


class Sinks(Row):
    """Rounds with the fault and without in turns: what a session costs, then
    what else must work meanwhile."""

    unit = "rounds with it, as many without"
    full, short = 11, 3
    seconds = 240
    sink = None

    def measure(self, stage, count, short):
        sink = self.sink(stage)
        gate = stage.start(**sink.settings)
        gate.sums_known = False  # of those that end with their worker
        sessions = 500 if short else 10000
        plans = [Plan("short", 1, 1)]
        servers = stage.serve(plans)
        rates = {True: [], False: []}
        with stage.honest(rate=50) as honest:
            for number in range(2 * count):
                faulty = number % 4 in (1, 2)  # either is first in turns
                with sink.broken() if faulty else contextlib.nullcontext():
                    result = run(stage, plans, sessions)
                stage.hold_to(result, servers, "the rounds")
                rates[faulty].append(sessions / result.seconds)
        with sink.broken():
            repaired = self.repair(stage, plans, servers)
        servers.end()
        flows(gate)
        gate.may_lose = gate.counters()["lost"]
        gate.same_base()
        return [
            *self.compared(rates),
            Figure("honest sessions exact", honest[-1].share(), "%",
                   least=100),
            *repaired,
            Figure("sessions lost beside the worker's",
                   max(0, self.lost - gate.may_lose), most=0),
            Figure("records dropped and counted",
                   gate.counters()["dropped"], least=1),
        ]

    def compared(self, rates):
        with_it, without = (statistics.median(rates[faulty])
                            for faulty in (True, False))
        yield Figure("sessions a second without", without)
        yield Figure("with it", with_it)
        yield Figure("slower by", 100 * (1 - with_it / without), "%",
                     most=10, timing=True, loose=90)

    def repair(self, stage, plans, servers):
        """A worker dies, a listener comes and goes, all while no line goes
        anywhere: what we see, we see from outside."""
        gate = stage.gate
        victim, _ = pids = gate.pids()
        with stage.honest(rate=50, judged=False) as honest:
            os.kill(victim, signal.SIGKILL)
            now = wait_for("the next", lambda: others(gate, victim))
            replaced = len(set(now) - set(pids))
            came = self.listens(gate, True)
            full = run(stage, plans, MORE)
            went = self.listens(gate, False)
        stage.hold_to(full, servers, "what fills the queues")
        self.lost = honest[-1].count() - honest[-1].exact
        return [Figure("meanwhile a worker replaced", replaced, least=1),
                Figure("listeners opened and closed by reloads",
                       came + went, least=2)]

    def listens(self, gate, there):
        """After a reload that says so; 1 if it came to be."""
        rewrite(gate, listen=f"[{ONE}, {TWO}]" if there else f"[{ONE}]")
        gate.signal(signal.SIGHUP)
        wait_for("the listener", lambda: gate.lab.gateway.listens(1081)
                 == there)
        return 1


def others(gate, victim):
    """Its workers, when there are two again."""
    now = gate.pids()
    return now if len(now) == 2 and victim not in now else None


def run(stage, plans, sessions):
    """As fast as it can."""
    return stage.sessions(plans, slots=50, count=sessions,
                          sources="10.70.0.1/50000").result()


def flows(gate):
    """Waits until lines arrive again; an answer that finds no room is gone,
    so it is asked again."""
    def answered():
        gate.signal(signal.SIGUSR1)
        time.sleep(0.3)
        return len(events(gate, "total")) > before
    before = len(events(gate, "total"))
    wait_for("lines", answered)


class Disk:
    """A small one, which somebody else fills."""

    SIZE = 100 << 20

    def __init__(self, stage):
        self.folder = stage.folder / "disk"
        self.folder.mkdir()
        stack = contextlib.ExitStack()
        stack.enter_context(mounted(
            self.folder, "-t", "tmpfs", "-o",
            f"size={self.SIZE},mode=0777", "none"))
        stage.at_end.append(stack.close)
        log = self.folder / "log"
        self.settings = {"log_path": log, "log": TARGET % f"file:{log}"}

    @contextlib.contextmanager
    def broken(self):
        ballast = self.folder / "ballast"
        with open(ballast, "wb") as file:
            fill(file.fileno())
        try:
            yield
        finally:
            ballast.unlink()


def fill(fd, step=Disk.SIZE):
    """As much as there is room for, in ever smaller pieces."""
    size = 0
    while step >= 4096:
        try:
            os.posix_fallocate(fd, size, step)
            size += step
        except OSError:  # no room for so much
            step //= 2


class Pump:
    """What somebody else reads, who can stop. It comes to a file."""

    def __init__(self, stage):
        self.path = stage.folder / "read"
        self.file = open(self.path, "ab", buffering=0)
        self.goes = threading.Event()
        self.goes.set()
        stage.at_end.append(self.over)
        self.is_over = False
        threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        while not self.is_over:
            self.goes.wait()
            self.move()

    def over(self):
        self.is_over = True
        self.goes.set()


class Reader(Pump):
    """Of a pipe that is the gateway's stderr."""

    def __init__(self, stage):
        self.read_end, self.write_end = os.pipe()
        super().__init__(stage)
        path = f"/proc/{os.getpid()}/fd/{self.write_end}"
        self.settings = {
            "log_path": self.path, "log": TARGET % "stderr",
            "wrapper": ("sh", "-c", f'exec "$@" 2>{path}', "sh")}

    def move(self):
        self.file.write(os.read(self.read_end, 1 << 16))

    @contextlib.contextmanager
    def broken(self):
        self.goes.clear()
        try:
            yield
        finally:
            self.goes.set()


class Syslogd(Pump):
    """Ours, in a /dev of its own."""

    def __init__(self, stage):
        stack = contextlib.ExitStack()
        stack.enter_context(own_dev(stage.folder))
        stage.at_end.append(stack.close)
        self.listen()
        super().__init__(stage)
        self.settings = {"log_path": self.path, "log": TARGET % "syslog"}

    def move(self):
        try:
            datagram = self.daemon.recv(1 << 16)
            self.file.write(datagram.split(b": ", 1)[1] + b"\n")
        except TimeoutError:
            if self.leaves:
                self.goes.clear()
                self.has_all.set()

    def listen(self):
        self.leaves = False
        self.has_all = threading.Event()
        self.daemon = listen_as_syslogd()
        self.daemon.settimeout(0.1)

    @contextlib.contextmanager
    def broken(self):
        """It takes nothing more, reads what it has, and goes."""
        self.daemon.shutdown(socket.SHUT_RD)
        self.leaves = True
        assert self.has_all.wait(places.TIMEOUT)
        os.unlink("/dev/log")
        self.daemon.close()
        try:
            yield
        finally:
            self.listen()
            self.goes.set()


class Journal(Pump):
    """Ours, in a /run of its own."""

    def __init__(self, stage):
        stack = contextlib.ExitStack()
        stack.enter_context(journald.own_run(stage.folder))
        stage.at_end.append(stack.close)
        self.socket = journald.Socket().socket
        self.socket.settimeout(0.1)
        stderr = stage.folder / "stderr-of-the-unit"
        with open(stderr, "wb") as file:
            told = journald.stream_of(file.fileno())
        super().__init__(stage)
        self.settings = {
            "log_path": self.path, "log": TARGET % "stderr",
            "wrapper": ("sh", "-c", f'exec env {told} "$@" 2>>{stderr}', "sh")}

    def move(self):
        with contextlib.suppress(TimeoutError):
            entry = journald.parsed(self.socket.recv(1 << 18))
            self.file.write(entry["MESSAGE"].encode() + b"\n")

    @contextlib.contextmanager
    def broken(self):
        self.goes.clear()
        try:
            yield
        finally:
            self.goes.set()


class DiskFull(Sinks):
    name = "disk-full"
    fault = "log disk full"
    sink = Disk


class ReaderStopped(Sinks):
    name = "reader-stopped"
    fault = "log reader stopped"
    sink = Reader


class SyslogGone(Sinks):
    name = "syslog-gone"
    fault = "syslog gone"
    sink = Syslogd


class JournalStopped(Sinks):
    name = "journal-stopped"
    fault = "the journal does not read"
    sink = Journal
