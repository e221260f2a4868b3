"""systemd's journal of a test's own: /run is the test's. Either the real
systemd-journald, or a socket where the test itself is the journal."""
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import uuid

import lab as places
from gateway import Gateway, wait_for
from mounts import mounted

SOCKET = "/run/systemd/journal/socket"
# Alone, without the kernel's messages, in memory, and with no limit of a rate.
CONFIG = """[Journal]
Storage=volatile
ReadKMsg=no
Audit=no
ForwardToSyslog=no
ForwardToWall=no
RateLimitIntervalSec=0
"""


@contextlib.contextmanager
def own_run(folder):
    """A /run where a journal of the test's can listen."""
    made = folder / "run"
    made.mkdir()
    (made / "systemd/journal").mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        stack.enter_context(mounted(
            "/run", "-t", "tmpfs", "-o", "mode=0755", "none"))
        os.makedirs("/run/systemd/journal")
        identity = pathlib.Path("/etc/machine-id")
        if not identity.read_text().strip():  # of a machine never booted
            (folder / "machine-id").write_text(uuid.uuid4().hex + "\n")
            stack.enter_context(mounted(
                identity, "--bind", str(folder / "machine-id")))
        yield


class Journald:
    """The real one."""

    def __init__(self):
        configs = pathlib.Path("/run/systemd/journald.conf.d")
        configs.mkdir(parents=True, exist_ok=True)
        (configs / "test.conf").write_text(CONFIG)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["/lib/systemd/systemd-journald"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=places.die_with_parent)
        wait_for("the journal to listen", self.listens)

    @staticmethod
    def listens():
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
            return os.path.exists(SOCKET) and stream.connect_ex(
                "/run/systemd/journal/stdout") == 0

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(places.TIMEOUT)
        for name in ("socket", "stdout", "dev-log"):
            pathlib.Path("/run/systemd/journal", name).unlink(missing_ok=True)

    def stderr(self):
        """What systemd makes of a service's stderr, and what it says of it."""
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.connect("/run/systemd/journal/stdout")
        # identifier, unit, priority, <N> is a level, forward to 3 others
        stream.sendall(b"a-stream\n\n6\n1\n0\n0\n0\n")
        return stream

    @staticmethod
    def folder():
        [made] = wait_for("its files", lambda: list(
            pathlib.Path("/run/log/journal").glob("*/system.journal")))
        return made.parent

    @classmethod
    def entries(cls, *matches):
        """Of socks4d, as journalctl shows them."""
        done = subprocess.run(
            ["journalctl", "-D", str(cls.folder()), "-o", "json", "--all", "-q",
             "--no-pager", "-t", "socks4d", *matches], capture_output=True,
            text=True, timeout=places.TIMEOUT)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


class Socket:
    """The test itself is the journal."""

    def __init__(self):
        self.heard = []
        self.listen()

    def listen(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(SOCKET)
        os.chmod(SOCKET, 0o666)
        self.socket.setblocking(False)

    def close(self):
        self.entries()
        self.socket.close()
        os.unlink(SOCKET)

    def entries(self):
        with contextlib.suppress(BlockingIOError):
            while self.socket.fileno() != -1:
                self.heard.append(parsed(self.socket.recv(1 << 18)))
        return self.heard


def parsed(datagram):
    """{field: value}; each line is KEY=VALUE, and no key comes twice."""
    assert datagram.endswith(b"\n")
    pairs = [line.split(b"=", 1) for line in datagram[:-1].split(b"\n")]
    assert len(dict(pairs)) == len(pairs), datagram
    return {key.decode(): value.decode() for key, value in pairs}


def stream_of(file):
    """JOURNAL_STREAM, for whom this descriptor is stderr."""
    status = os.fstat(file)
    return f"JOURNAL_STREAM={status.st_dev}:{status.st_ino}"


class Journaled(Gateway):
    """One whose lines are entries of that journal."""

    def __init__(self, network, folder, journal, log_format="json", **settings):
        settings.setdefault(
            "log", f"{{target: stderr, format: {log_format}, level: info}}")
        super().__init__(network, folder, log_format=log_format, **settings)
        self.journal = journal

    def begin(self):
        """With a stderr that is the journal's, as far as systemd says so."""
        with open(self.stderr_path, "ab") as file:
            told = stream_of(file.fileno())
        return self.start(wrapper=("env", told))

    def log(self):
        return "".join(entry["MESSAGE"] + "\n"
                       for entry in self.journal.entries())
