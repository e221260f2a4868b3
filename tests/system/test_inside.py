"""What a process of the gateway can still do when it has been taken over, tried
in the process itself: the lines of the tables of SECURITY.md."""
import contextlib
import mmap
import os
import pathlib
import platform
import signal
import socket
import struct

import pytest

import control
import inside
import lab as places
from gateway import Process, children, wait_for
from control import folder  # noqa: F401
from inside import at, bounds_ports
from reloads import events, reloaded
from resolver import CONTROL
from role import kind

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64",
                                reason="inject.c knows x86-64 alone")

KILLED = signal.SIGSYS
HERE = -100 % 2**64  # AT_FDCWD
TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return inside.build(tmp_path_factory.mktemp("inside"))


WAITS = [inside.number(name)
         for name in ("epoll_wait", "epoll_pwait", "poll", "ppoll")]
EVENTS = {"worker": "worker", "resolver": "resolver", "logwriter": "writer",
          "observer": "observer", "authenticator": "authenticator"}


class Role:
    """The process that has this role now."""

    def __init__(self, program, gateway, role):
        self.program, self.gateway, self.role = program, gateway, role

    def process(self):
        return next((Process(pid) for pid in children(self.gateway.process.pid)
                     if f"--{self.role}" in Process(pid).command()), None)

    def is_ready(self):
        """It is confined, has said so, and waits for something to do."""
        process = self.process()
        try:
            return (process and process.status("Seccomp") == "2"
                    and process.waits_in() in WAITS and process)
        except OSError:  # it has just ended
            return None

    def call(self, name, *arguments):
        process = wait_for(f"the {self.role}", self.is_ready)
        return inside.call(self.program, process.pid, name, *arguments)

    def is_killed(self, name, *arguments):
        """And the log says so, and another one is started."""
        before = len(self.ends())
        assert self.call(name, *arguments) == KILLED, (self.role, name)
        wait_for("the line", lambda: len(self.ends()) > before)
        assert self.ends()[-1]["signal"] == 31

    def ends(self):
        return events(self.gateway, f"{EVENTS[self.role]}_ended")


ALL = ["worker", "resolver", "logwriter", "observer", "authenticator"]


@pytest.fixture
def roles(program, start_gateway, lab, folder, tmp_path):  # noqa: F811
    users = tmp_path / "users"
    users.write_text("ann:*\n")
    port = lab.server.listen(places.SERVER).getsockname()[1]
    gateway = start_gateway(
        workers="1", resolver=f"{{servers: ['{places.SERVER}:5353']}}",
        listen=f"[{{address: '{places.INSIDE}:1080', name: inside,"
               " socks4a: true, insecure_plaintext: true}]",
        bind="{ports: 40000-40010}",
        control=f"{{socket: '{folder}/control'}}",
        observe="{address: '127.0.0.1:9180'}",
        limits="{sessions: 1000}",  # by which the observer has memory
        auth=f"{{users: {users}}}",
        rules=f"[{{action: allow, from: [any], to: [any], port: [{port}],"
              " command: [connect, bind]},"
              " {action: deny, from: [any], to: [any], auth: [password]}]")
    gateway.port = port
    gateway.control = folder / "control"
    yield {role: Role(program, gateway, role)
           for role in ALL}
    assert_whole(gateway)


def assert_whole(gateway):
    """Whatever was tried: all are there again."""
    wait_for("all of them", lambda: len(children(gateway.process.pid)) == 5)
    wait_for("the worker", lambda: gateway.counters()["workers"] == 1)


# No role may: a line of the table, and what would be it
FORBIDDEN = {
    "user": ("setresuid", 0, 0, 0),
    "groups": ("setgroups", 0, 0),
    "capabilities": ("capset", bytes(8), bytes(24)),
    "new privileges": ("prctl", 38, 0, 0, 0, 0),
    "tracing": ("ptrace", 16, 1, 0, 0),
    "cores": ("prlimit64", 0, 4, bytes(16), 0),
    "programs": ("execve", "/bin/true", 0, 0),
    "processes": ("clone", signal.SIGCHLD, 0, 0, 0, 0),
    "signals": ("kill", 1, 0),
    "files": ("openat", HERE, "/tmp/x", os.O_WRONLY | os.O_CREAT, 0o600),
    "other sockets": ("socket", socket.AF_UNIX, TCP, 0),
    "raw sockets": ("socket", socket.AF_INET, socket.SOCK_RAW, 1),
    "code": ("mmap", 0, 4096, mmap.PROT_READ | mmap.PROT_EXEC, 0x22, -1, 0),
    "descriptors": ("sendmsg", 3, bytes(56), 0),
    "other calls": ("io_uring_setup", 1, bytes(120)),
}


@pytest.mark.parametrize("role", ALL)
def test_what_no_role_may_kills_the_process_itself(roles, role):
    for what, arguments in FORBIDDEN.items():
        if (role, what) == ("observer", "descriptors"):  # its library tries
            assert roles[role].call(*arguments) == "ENOSYS"
        else:
            roles[role].is_killed(*arguments)


@pytest.mark.parametrize("role", ["resolver", "logwriter", "authenticator",
                                  "observer"])
def test_a_process_that_needs_little_memory_gets_no_more(roles, role):
    """Private or shared, at once or piece by piece."""
    both = mmap.PROT_READ | mmap.PROT_WRITE
    for kind in 0x4022, 0x4021, 0x4122:  # private, shared, growing downwards
        assert roles[role].call("mmap", 0, 1 << 40, both, kind, -1,
                                0) == "ENOMEM"
    got = []
    while len(got) < 20 and "ENOMEM" not in got:
        got.append(roles[role].call("mmap", 0, 128 << 20, both, 0x4021, -1, 0))
    assert got[-1] == "ENOMEM" and len(got) <= 9
    for address in got[:-1]:
        assert roles[role].call("munmap", address, 128 << 20) == 0


def connects(role, port, host="127.0.0.1", kind=TCP):
    protocol = socket.IPPROTO_TCP if role.role == "worker" else 0
    sock = role.call("socket", socket.AF_INET, kind | os.O_NONBLOCK,
                     protocol if kind == TCP else 0)
    assert isinstance(sock, int)
    result = role.call("connect", sock, at(host, port), 16)
    assert role.call("close", sock) == 0
    return result


def may_connect(role, port):
    """Nothing listens there."""
    result = connects(role, port)
    assert result in ("ECONNREFUSED", "EINPROGRESS", "EACCES")
    return result != "EACCES"


def test_a_worker_uses_the_ports_of_its_configuration(roles):
    worker = roles["worker"]
    gateway = worker.gateway
    assert may_connect(worker, gateway.port)
    assert may_connect(worker, 7) != bounds_ports()
    assert connects(worker, 22, kind=UDP) == 0  # whatever the rules say
    for port, allowed in (40000, True), (40011, False), (0, False):
        sock = worker.call("socket", socket.AF_INET, TCP, socket.IPPROTO_TCP)
        bound = worker.call("bind", sock, at("0.0.0.0", port), 16)
        assert bound == ("EACCES" if bounds_ports() and not allowed else 0)
        # The kernel chooses a port for who listens without one.
        assert worker.call("listen", sock, 1) == 0
        assert worker.call("close", sock) == 0
    worker.is_killed("sendto", 3, b"x", 1, socket.MSG_FASTOPEN,
                     at("127.0.0.1", 7), 16)
    reloaded(gateway, rules="[{action: allow, from: [any], to: [any]}]")
    wait_for("the old one to end", lambda: len(gateway.workers()) == 1)
    assert may_connect(worker, 7)


def test_a_resolver_connects_to_its_servers_ports(roles):
    resolver = roles["resolver"]
    assert may_connect(resolver, 5353)
    assert may_connect(resolver, 53) != bounds_ports()
    assert connects(resolver, 22, kind=UDP) == 0
    for arguments in (("bind", 3, at("0.0.0.0", 0), 16), ("listen", 3, 1),
                      ("accept4", 3, 0, 0, 0),
                      ("sendto", 3, b"x", 1, socket.MSG_FASTOPEN, 0, 0)):
        resolver.is_killed(*arguments)
    reloaded(resolver.gateway, resolver="{servers: ['10.2.0.2:53']}")
    wait_for("the next", lambda: resolver.is_ready()
             and "10.2.0.2:53" in resolver.process().command())
    assert may_connect(resolver, 53)
    assert may_connect(resolver, 5353) != bounds_ports()


def opens(role, path, flags=os.O_RDONLY):
    fd = role.call("openat", HERE, path, flags, 0)
    if isinstance(fd, int):
        assert role.call("close", fd) == 0
        return True
    return fd


def test_a_resolver_reads_the_files_of_etc_and_no_others(roles):
    resolver = roles["resolver"]
    assert opens(resolver, "/etc/hosts") is True
    assert opens(resolver, "/dev/urandom") is True
    for path in ("/usr/bin/env", "/proc/self/mem", "/", str(
            resolver.gateway.config_path)):
        assert opens(resolver, path) in ("EACCES", "ENOENT"), path
    resolver.is_killed("openat", HERE, "/etc/hosts", os.O_RDWR, 0)
    resolver.is_killed("ftruncate", 3, 0)


def test_a_log_writer_has_its_log_and_nothing_else(roles):
    """It can write what it likes there, or cut it off."""
    writer, log = roles["logwriter"], roles["logwriter"].gateway.log_path
    process = wait_for("it", writer.is_ready)
    fd = next(int(name) for name in os.listdir(f"/proc/{process.pid}/fd")
              if os.readlink(f"/proc/{process.pid}/fd/{name}") == str(log))
    line = b'{"event":"forged"}\n'
    assert writer.call("write", fd, line, len(line)) == len(line)
    wait_for("it", lambda: "forged" in log.read_text())
    writer.is_killed("openat", HERE, str(log), os.O_RDONLY, 0)
    writer.is_killed("socket", socket.AF_INET, TCP, 0)
    writer.is_killed("connect", 3, at("127.0.0.1", 7), 16)


def test_an_authenticator_opens_and_reaches_nothing(roles):
    """Neither the users file, nor a name server, nor a service of the machine."""
    role = roles["authenticator"]
    role.is_killed("openat", HERE, "/etc/passwd", os.O_RDONLY, 0)
    role.is_killed("socket", socket.AF_INET, TCP, 0)
    role.is_killed("socket", socket.AF_INET, UDP, 0)
    role.is_killed("read", 3, 0, 0)


def test_a_worker_opens_no_file(roles):
    worker = roles["worker"]
    for arguments in (("openat", HERE, "/etc/passwd", os.O_RDONLY, 0),
                      ("write", 5, b"x", 1), ("ftruncate", 5, 0),
                      ("socket", socket.AF_INET6, UDP, 136),
                      ("socket", socket.AF_INET, TCP, 262),
                      ("socket", socket.AF_INET, TCP, 132),
                      ("shutdown", 3, socket.SHUT_RD),
                      ("setsockopt", 3, socket.SOL_SOCKET,
                       socket.SO_BINDTODEVICE, "lo", 3)):
        worker.is_killed(*arguments)


@pytest.mark.parametrize("line", [b"x\n", b"\n", b"\0"],
                         ids=["lines", "empty", "nul"])
@pytest.mark.parametrize("role", ALL)
def test_what_a_process_writes_to_stderr_does_not_fill_the_log(
        roles, role, line):
    """A sanitizer's report is written; a child that writes more, or empty
    lines that the log does not have, is ended."""
    gateway, lines = roles[role].gateway, line * 2000
    pid = wait_for("it", roles[role].is_ready).pid
    assert roles[role].call("write", 2, lines, len(lines)) in (
        len(lines), signal.SIGKILL)
    wait_for("its end", lambda: events(gateway, f"{EVENTS[role]}_ended"))
    [broken] = events(gateway, f"{EVENTS[role]}_broken")
    assert (broken["pid"], broken["level"]) == (pid, "error")
    assert len([line for line in events(gateway, "stderr")
                if line["message"] == "x"]) <= 1000


# What a role has no business to say
UNSAID = {
    "worker": ["READY", "DRAIN", "STOP", "OPERATOR", "REOPEN", "DROPPED", "WRITES", "LINK",
               "FILE", "ANSWER", "PING"],
    "resolver": ["READY", "STOP", "REGISTER", "UNREGISTER", "ASK_CONNECT",
                 "CONFIGURED", "ASK_CONFIG", "WRITES", "LINK"],
    "observer": ["READY", "DRAIN", "STOP", "REGISTER", "CONFIGURED", "OUTCOME",
                 "FILE", "LINK", "WRITES"],
    "authenticator": ["READY", "DRAIN", "STOP", "REGISTER", "ASK_CONNECT",
                      "CONFIGURED", "OPERATOR", "FILE", "LINK", "WRITES"],
    "logwriter": ["READY", "DRAIN", "OPERATOR", "REGISTER", "ASK_CONNECT", "ASK_LINK",
                  "CONFIGURED", "REOPEN"],
}


@pytest.mark.parametrize("role", UNSAID)
def test_a_message_of_another_role_ends_the_process_itself(roles, role):
    """So does one that is none."""
    messages = [CONTROL.pack(kind(name), 0, 0, bytes(16), bytes(16))
                for name in UNSAID[role]]
    messages += [CONTROL.pack(4242, 0, 0, bytes(16), bytes(16)), b"short", b""]
    for message in messages:
        pid = wait_for("it", roles[role].is_ready).pid
        assert roles[role].call(
            "sendto", 3, message, len(message), socket.MSG_NOSIGNAL, 0,
            0) in (len(message), signal.SIGKILL)
        wait_for("the line", lambda: pid in [
            line["pid"] for line in events(roles[role].gateway,
                                           f"{EVENTS[role]}_broken")])
        wait_for("its end", lambda: Process(pid).has_ended())


@pytest.mark.parametrize("role", ALL)
def test_last_messages_of_a_process_forge_no_line(roles, role):
    """That it cannot be confined has a line of the monitor's own."""
    gateway = roles[role].gateway
    pid = wait_for("it", roles[role].is_ready).pid
    message = CONTROL.pack(kind("UNCONFINED"), 1, 0, bytes(16), bytes(16))
    with gateway.unwatched():
        for _ in range(2):
            assert inside.call(roles[role].program, pid, "sendto", 3, message,
                               len(message), socket.MSG_NOSIGNAL, 0,
                               0) == len(message)
        os.kill(pid, signal.SIGKILL)
    wait_for("its end", lambda: events(gateway, f"{EVENTS[role]}_ended"))
    assert not [line for line in events(gateway, "sandbox")
                if "failed" in line]


def test_lines_without_octets_end_a_worker(roles):
    """They look as if it had closed its end, and no line would be read."""
    worker = roles["worker"]
    pid = wait_for("it", worker.is_ready).pid
    assert worker.call("sendto", 4, b"", 0, socket.MSG_NOSIGNAL, 0, 0) in (
        0, signal.SIGKILL)
    wait_for("its end", lambda: events(worker.gateway, "worker_ended"))
    [broken] = events(worker.gateway, "worker_broken")
    assert broken["pid"] == pid


def test_an_observer_reads_the_segment_and_writes_nowhere(roles):
    """Neither to the segment, by whatever descriptor or mapping, nor to a file
    or a socket of its own making."""
    observer = roles["observer"]
    process = wait_for("it", observer.is_ready)
    shown = [line for line in (pathlib.Path(f"/proc/{process.pid}/maps")
                               .read_text().splitlines())
             if "socks4d segment" in line]
    assert shown and all(line.split()[1] == "r--s" for line in shown)
    first = int(shown[0].split("-")[0], 16)
    assert observer.call("mprotect", first, 4096,
                         mmap.PROT_READ | mmap.PROT_WRITE) == "EACCES"
    assert not any("segment" in link for link in process.links())
    for arguments in (("openat", HERE, "/proc/self/mem", os.O_RDONLY, 0),
                      ("socket", socket.AF_UNIX, TCP, 0),
                      ("socket", socket.AF_INET, TCP, 0),
                      ("connect", 3, at("127.0.0.1", 7), 16),
                      ("bind", 3, at("127.0.0.1", 7), 16), ("listen", 3, 1),
                      ("setsockopt", 3, socket.SOL_SOCKET, 1, bytes(4), 4),
                      ("unlink", "/run/socks4d/control")):
        observer.is_killed(*arguments)


def test_sockets_that_an_observer_ends_serve_again(roles, lab):
    """Whoever is its successor would have dead ones."""
    observer = roles["observer"]
    gateway, page = observer.gateway, ("127.0.0.1", 9180)
    process = wait_for("it", observer.is_ready)
    for number, link in sorted(process.numbered_links()):
        if number > 3 and link.startswith("socket:"):
            assert observer.call("shutdown", number, socket.SHUT_RDWR) == 0
    wait_for("the lines", lambda: {
        line["address"] for line in events(gateway, "listener_revived")} == {
            str(gateway.control), "127.0.0.1:9180"})
    os.kill(process.pid, signal.SIGKILL)
    wait_for("the page", lambda: serves(lab.gateway, page))
    assert control.ask(gateway.control, "status")["workers"] == 1


def serves(host, at):
    with contextlib.suppress(OSError), host.connect(at) as asking:
        asking.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        return asking.recv(100).startswith(b"HTTP/1.1 200")


def test_what_an_observer_says_of_operators_is_bounded_and_escaped(roles):
    """It may lie about who asks, and no more: the line is the monitor's."""
    observer = roles["observer"]
    text = b"x\nevent=forged \x1b[31m"
    message = struct.pack("=IIIIiIQ128s", kind("OPERATOR"), 0, 4, 12345, 77,
                          4000, 9, text)
    assert observer.call("sendto", 3, message, len(message),
                         socket.MSG_NOSIGNAL, 0, 0) == len(message)
    gateway = observer.gateway
    line = wait_for("the line", lambda: events(gateway, "operator"))[0]
    assert (line["action"], line["uid"], line["pid"]) == ("kill", 12345, 77)
    assert line["filter"].startswith("x\nevent=forged \x1b[31m")
    assert not events(gateway, "forged")
