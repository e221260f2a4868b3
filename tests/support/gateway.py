"""A gateway under test: its configuration, its processes, what it wrote."""
import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import time

import lab
import socks5
from socks4 import Client
from tls_socket import TlsSocket

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.path.abspath(
    os.environ.get("SOCKS4D", ROOT / "build/gateway/socks4d"))
SANDBOX = os.environ.get("SOCKS4D_SANDBOX", "try")
WAIT = lab.TIMEOUT
# Sessions of tests that name no version are in SOCKS5; see conftest.py.
IN_5 = os.environ.get("SOCKS4_VERSION") == "5"
TIOCOUTQ = 0x5411
LOG_CHANNEL = 4  # a worker's descriptor: gateway/channel.h
SYN_SENT, FIN_WAIT2, CLOSE_WAIT = 2, 5, 8

READY = r'"event":"ready"|event=ready'
# All the addresses that tests have; less than makes an open proxy.
ANYBODY = "[0.0.0.0/3, 172.16.0.0/12, 192.0.0.0/4, loopback, link-local," \
    " 'fc00::/7', '2001:db8::/32']"
ALLOW_ALL = f"[{{name: all, action: allow, from: {ANYBODY}, to: [any]}}]"


def wait_for(what, is_there, seconds=WAIT):
    """Calls until it returns something; bounded."""
    end = time.monotonic() + seconds
    while True:
        found = is_there()
        if found:
            return found
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.01)


def best(measure, most, tries=10):
    """Measures until it is at most that, so many times: now and then others
    have the processors."""
    found = [measure()]
    while found[-1] > most and len(found) < tries:
        found.append(measure())
    assert found[-1] <= most, found
    return found[-1]


# What /proc says of a process that has ended. Until it was waited for, it
# belongs to a root whom an ordinary user's namespace does not have.
ENDED = (FileNotFoundError, ProcessLookupError, PermissionError)


def _pidfd_getfd(pidfd, number):
    got = ctypes.CDLL(None, use_errno=True).syscall(438, pidfd, number, 0)
    if got < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    return got


class Process:
    """A process as /proc shows it."""

    def __init__(self, pid):
        self.pid = pid

    def _read(self, name):
        return pathlib.Path(f"/proc/{self.pid}/{name}").read_text()

    def status(self, key):
        return re.search(rf"^{key}:\s*(\S+)", self._read("status"), re.M)[1]

    def anonymous_kb(self):
        """Memory of its own: what it allocated and touched."""
        return int(self.status("RssAnon"))

    def cpu_seconds(self):
        fields = self._read("stat").rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def sleeps(self):
        """How often it has gone to sleep."""
        return int(self.status("voluntary_ctxt_switches"))

    def cost(self):
        """Processor time of a second."""
        before = self.cpu_seconds()
        time.sleep(1)  # the stretch over which it is counted
        return self.cpu_seconds() - before

    def freeze(self):
        """Returns when it stands still."""
        os.kill(self.pid, signal.SIGSTOP)
        wait_for("it to stand still", lambda: self.status("State") == "T")

    def thaw(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)

    def has_ended(self):
        """Whether it has, waited for or not."""
        try:
            return self.status("State") in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return True

    def descriptors(self):
        """None, where it has ended."""
        try:
            return len(os.listdir(f"/proc/{self.pid}/fd"))
        except ENDED:
            return 0

    def numbered_links(self):
        """Its descriptors, and what they are; none, where it has ended."""
        found = []
        with contextlib.suppress(*ENDED):
            for name in os.listdir(f"/proc/{self.pid}/fd"):
                found.append((int(name),
                              os.readlink(f"/proc/{self.pid}/fd/{name}")))
        return found

    def links(self):
        return [link for _, link in self.numbered_links()]

    def socket_inodes(self):
        """Of all its sockets."""
        return {int(link[8:-1]) for link in self.links()
                if link.startswith("socket:[")}

    def waits_in(self):
        """The number of the system call, or None."""
        number = self._read("syscall").split()[0]
        return int(number) if number.isdigit() else None

    def command(self):
        """Nothing, where it has ended."""
        try:
            return self._read("cmdline").split("\0")[:-1]
        except (FileNotFoundError, ProcessLookupError):
            return []

    def sockets(self):
        """Its TCP connections, as sockets of ours besides."""
        return self._taken(lambda sock: sock.getpeername())

    def listeners(self):
        """Its listening sockets, likewise."""
        return self._taken(lambda sock: sock.getsockopt(
            socket.SOL_SOCKET, socket.SO_ACCEPTCONN))

    def socket(self, number):
        """The one at that descriptor, as a socket of ours besides."""
        pidfd = os.pidfd_open(self.pid)
        try:
            return socket.socket(fileno=_pidfd_getfd(pidfd, number))
        finally:
            os.close(pidfd)

    def _taken(self, wanted):
        """But for those that it closes meanwhile."""
        found = []
        pidfd = os.pidfd_open(self.pid)
        try:
            for name in os.listdir(f"/proc/{self.pid}/fd"):
                with contextlib.suppress(OSError):
                    link = os.readlink(f"/proc/{self.pid}/fd/{name}")
                    if link.startswith("socket:"):
                        found.append(self._socket(pidfd, int(name), wanted))
        finally:
            os.close(pidfd)
        return [sock for sock in found if sock is not None]

    @staticmethod
    def _socket(pidfd, number, wanted):
        taken = socket.socket(fileno=_pidfd_getfd(pidfd, number))
        try:
            if (taken.type == socket.SOCK_STREAM
                    and taken.family != socket.AF_UNIX and wanted(taken)):
                return taken
        except OSError:
            pass
        taken.close()
        return None


def children(pid):
    """The kernel may leave one out while another ends: two looks agree."""
    before = None
    for _ in range(100):
        found = _listed(pid)
        if found == before:
            return found
        before = found
    raise AssertionError(f"the children of {pid} change all the time")


def _listed(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        path = f"/proc/{pid}/task/{task}/children"
        found += map(int, pathlib.Path(path).read_text().split())
    return found


class Gateway:
    """`settings` are top-level keys of the configuration as YAML text, in
    place of the ones below. Unless `log` is among them the log goes to
    log_path, in that format and from that level on. `binary` is run in place
    of the one under test."""

    def __init__(self, network, folder, log_format="json", log_level="info",
                 binary=BINARY, **settings):
        self.lab = network
        self.binary = str(binary)
        self.folder = pathlib.Path(folder)
        self.log_path = self.folder / "log"
        self.stderr_path = self.folder / "stderr"
        self.config_path = self.folder / "gw.yaml"
        self.at = (lab.INSIDE, 1080)
        self.tls = None  # of clients that connect with TLS: their context
        self.clients = []
        self.told = {"up": 0, "down": 0}  # see tell
        self.telling = False
        self.keeps_table = True  # of sessions, for when a worker dies
        self.may_lose = 0  # sessions a test made a worker take along
        self.opens_5 = IN_5  # sessions, in SOCKS5, which has no USERID:
        self.named = {}  # client by the one that a test means it by
        self.keeps_pipes = True  # idle ones, when the laws look; see laws.py
        self.log_level = log_level
        # Every session, as JSON, where we read it.
        self.keeps_records = log_format == "json" and log_level == "info"
        self.settings = {
            "listen": '[{address: "%s:%d", name: inside,'
                      ' insecure_plaintext: true}]' % self.at,
            "workers": "2",
            "sandbox": SANDBOX,
            "rules": ALLOW_ALL,
            # A process more, which few tests are about.
            "control": "{socket: off}",
            # All of a test's clients come from few addresses.
            "limits": "{per_source: {sessions: 100k, pending: 100k,"
                      " rate: 1M}}",
            "log": f'{{target: "file:{self.log_path}",'
                   f' format: {log_format}, level: {log_level}}}',
        }
        self.settings.update(settings)
        self.process = None
        self.base = {}  # descriptors of each worker at the start

    def config_text(self):
        if IN_5 and "listen" in self.settings:
            self.settings["listen"] = re.sub(
                r"\{(?=[^{}]*address: )(?![^{}]*socks5: )", "{socks5: true, ",
                self.settings["listen"])
        return "".join(f"{key}: {value}\n"
                       for key, value in self.settings.items())

    def write_config(self):
        self.config_path.write_text(self.config_text())

    def start(self, *arguments, wrapper=(), stderr=None, pass_fds=()):
        """Waits until it says that it is ready, or listens, where we cannot
        hear it: its stderr is somebody else's, or it is to be quiet."""
        self.write_config()
        self.wrapper = wrapper
        environment = dict(os.environ)
        environment["ASAN_OPTIONS"] = (environment.get("ASAN_OPTIONS", "")
                                       + ":abort_on_error=1")
        with open(self.stderr_path, "wb") as file:
            self.process = self.lab.gateway.popen(
                [*wrapper, self.binary, "-c", str(self.config_path),
                 *arguments],
                stdin=subprocess.DEVNULL, stdout=file,
                stderr=file if stderr is None else stderr, env=environment,
                cwd=self.folder, preexec_fn=lab.die_with_parent,
                pass_fds=pass_fds)
        self.silent = stderr is not None or self.log_level == "warning"
        wait_for("the gateway to be ready", self._is_ready)
        wait_for("its workers to wait", self._wait)
        listen = self.settings.get("listen", "")
        links = (bool("--socks4a" in arguments
                      or re.search("socks(4a|5): (true|only)", listen))
                 + ("tls: {" in listen
                    or " key: " in self.settings.get("parents", "")))
        links += "auth: [password]" in self.settings.get("rules", "")
        # socket: auto is none where another gateway has it.
        links += ("observe" in self.settings
                  or "socket: '/" in self.settings["control"]
                  or any("--observer" in Process(pid).command()
                         for pid in children(self.process.pid)))
        if links:
            wait_for("the workers' links", lambda: self._has_links(links))
        self.base = {worker.pid: worker.descriptors()
                     for worker in self.workers()}
        return self

    def _wait(self):
        """Each worker has made its poller, the last of its descriptors."""
        return self.workers() and all(
            "anon_inode:[eventpoll]" in worker.links()
            for worker in self.workers())

    def _has_links(self, count):
        """Each worker has these unix sockets besides its two to the monitor:
        to the resolver, to the signer, to the authenticator, to the
        observer."""
        ours = self.lab.gateway.unix_sockets()
        return all(len(ours & worker.socket_inodes()) == 2 + count
                   for worker in self.workers())

    def dump(self):
        """What -T says of its configuration, under its limits."""
        return self.lab.gateway.run(
            [*self.wrapper, BINARY, "-T", "-c", str(self.config_path)],
            capture_output=True, text=True).stdout

    def _is_ready(self):
        assert self.process.poll() is None, (
            f"the gateway ended with {self.process.returncode}:\n"
            + self.stderr())
        assert not self.reports(), self.log() + self.stderr()
        if self.silent:
            return self.lab.gateway.listens(self.at[1])
        return re.search(READY, self.log() + self.stderr())

    def reports(self):
        """Whether a sanitizer or an assert had anything to say."""
        text = self.stderr() + self.log()
        return any(word in text for word in (
            "Sanitizer", "runtime error:", "Assertion"))

    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    def log(self):
        try:
            return self.log_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    # What it runs

    def of_role(self, role):
        """Its children of that role, as they are now."""
        found = [Process(pid) for pid in children(self.process.pid)]
        return [process for process in found
                if f"--{role}" in process.command()]

    def workers(self):
        return self.of_role("worker")

    @contextlib.contextmanager
    def unwatched(self):
        """The monitor stands still: it ends nobody who hangs for five
        seconds."""
        monitor = Process(self.process.pid)
        monitor.freeze()
        try:
            yield
        finally:
            monitor.thaw()

    @contextlib.contextmanager
    def frozen(self, *but, unwatched=False):
        """Its workers stand still, but for these; `unwatched`: for as long as
        it takes, since the monitor, which ends who hangs for five seconds,
        stands still too."""
        pids = [worker.pid for worker in but]
        stopped = [worker for worker in self.workers()
                   if worker.pid not in pids]
        if unwatched:
            stopped.insert(0, Process(self.process.pid))
        for worker in stopped:
            with contextlib.suppress(*ENDED):  # of an upgrade, it may be
                worker.freeze()
        try:
            yield
        finally:
            for worker in stopped:
                worker.thaw()

    def signal(self, number):
        os.kill(self.process.pid, number)

    def stop(self):
        """TERM; its exit status."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.process.wait(WAIT)

    @property
    def is_sanitized(self):
        """Whether it is a build whose memory figures say nothing."""
        return "asan" in BINARY

    # What it wrote

    def lines(self):
        """Whole lines of a JSON log."""
        text = self.log()
        whole = text[:text.rfind("\n") + 1]
        return [json.loads(line) for line in whole.splitlines()]

    def records(self, **match):
        if match.get("userid") in self.named:
            match["client"] = self.named[match.pop("userid")]
        return [line for line in self.lines()
                if line.get("event") == "session"
                and all(line.get(key) == value
                        for key, value in match.items())]

    def record(self, **match):
        """The one record that matches, once it is there."""
        wait_for(f"a record of {match}", lambda: self.records(**match))
        found = self.records(**match)
        assert len(found) == 1, found
        return found[0]

    def complaints(self, limit=None):
        """How often that limit was met, as the log says; any that ends
        something."""
        return sum(line["count"] for line in self.lines()
                   if line.get("event") == "limit"
                   and (line["limit"] == limit if limit
                        else line["limit"] != "descriptors")) + (
            0 if limit else self.untold("limited"))

    def untold(self, what):
        """What workers had counted and not said when they ended."""
        return sum(line.get(what, 0) for line in self.lines()
                   if line.get("event") == "worker_ended")

    def suppressed(self, *verdicts):
        """How many refusals with one of these verdicts, or any, have no
        record of their own, as the log says."""
        return sum(line["count"] for line in self.lines()
                   if line.get("event") == "records_suppressed"
                   and (line["verdict"] in verdicts or not verdicts)) + (
            0 if verdicts else self.untold("suppressed"))

    def refusals(self, *verdicts):
        """How many sessions ended with one of these verdicts."""
        return self.suppressed(*verdicts) + sum(
            record["verdict"] in verdicts for record in self.records())

    def counters(self):
        """Counters and gauges of all workers, as USR1 asks for them."""
        def totals():
            return [line for line in self.lines()
                    if line.get("event") == "total"]
        before = len(totals())
        self.signal(signal.SIGUSR1)
        wait_for("the counters", lambda: len(totals()) > before)
        return totals()[-1]

    # Its sockets

    def connection_to(self, address, state):
        """Whether a connection of ours to (address, port) is in that state."""
        return any(remote == address[1] and now == state
                   for _, remote, now in self.lab.gateway.connections())

    def has_read(self, client):
        """Whether every octet the client sent was read."""
        port = client.sock.getsockname()[1]
        unsent = struct.unpack("i", fcntl.ioctl(client.sock, TIOCOUTQ,
                                                b"\0\0\0\0"))[0]
        return unsent == 0 and all(
            octets == 0 for _, remote, octets in self.lab.gateway.unread()
            if remote == port)

    def has_all_lines(self):
        """Whether the monitor has read what the workers wrote. A worker that
        sleeps twice has sent it, unless there is no room in its channel."""
        for look in range(2):
            for worker in self.workers():
                with worker.socket(LOG_CHANNEL) as channel:
                    unread = struct.unpack("i", fcntl.ioctl(
                        channel, TIOCOUTQ, b"\0\0\0\0"))[0]
                if unread > 0 or worker.status("State") != "S":
                    return False
            time.sleep(0.05)  # longer than a batch waits for more lines
        return True

    # Its clients

    def client(self, host=None, at=None, **options):
        """A connection from `host`, in the books of the laws."""
        host = host or self.lab.client
        sock = host.connect(at or self.at, **options)
        made = Client(TlsSocket(sock, self.tls) if self.tls else sock)
        self.clients.append(made)
        return made

    def open(self, listener=None, userid=b"", **options):
        """A session that stands: (client, the server's socket)."""
        listener = listener or self.lab.server.listen(lab.SERVER)
        client = self.client(**options)
        self.ask(client, listener.getsockname(), userid)
        server, _ = self.lab.server.accept(listener)
        self.granted(client)
        return client, server

    def ask(self, client, to, userid=b""):
        """For a CONNECT, in the version of its sessions."""
        if not self.opens_5:
            client.ask(to, userid)
            return
        host, port = client.sock.getsockname()[:2]
        self.named[userid.decode(errors="replace")] = (
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        assert socks5.greet(client.sock) == 0
        client.requested = True
        client.send(socks5.request(to))

    def granted(self, client):
        """Reads what grants it."""
        if self.opens_5:
            assert socks5.reply(client.sock).code == 0
            client.replies += 1
        else:
            assert client.reply().cd == 90

    def tell(self, up=0, down=0):
        """Octets seen outside. Whoever tells, tells of every session."""
        self.telling = True
        self.told["up"] += up
        self.told["down"] += down
