"""What a worker that was taken over can do to the rest, from inside its
confinement."""
import calendar
import contextlib
import signal
import socket
import struct
import threading
import time
from concurrent import futures

import pytest

import taken
from gateway import BINARY, Process, best, wait_for
from reloads import events
from socks4 import ending
from starts import copied, serves
from upgrades import upgraded

BACKLOG = struct.Struct("B7x6I")  # of struct tcp_info, up to tcpi_sacked


@pytest.fixture(scope="module")
def attempt(tmp_path_factory):
    program = taken.build(tmp_path_factory.mktemp("taken"))
    return lambda *arguments: taken.attempt(program, *arguments)


@pytest.fixture
def started_as(start_gateway, tmp_path):
    """Starts a gateway from a file of its own; it, a worker, and a socket that
    is taken from the worker."""
    with contextlib.ExitStack() as stack:
        def start(take, **settings):
            gateway = start_gateway(binary=copied(BINARY, tmp_path),
                                    **settings)
            worker = gateway.workers()[0]
            sock = stack.enter_context(take(worker))
            return gateway, worker, sock
        yield start


@pytest.fixture
def started(started_as):
    return started_as(lambda worker: worker.listeners()[0])


def listens(sock):
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1


def backlog(sock):
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BACKLOG.size)
    return BACKLOG.unpack(info)[-1]


def revived(gateway):
    return events(gateway, "listener_revived")


def test_a_worker_that_shuts_the_listener_down_is_killed(started, attempt):
    """SHUT_RD would end its listening for all that share it."""
    gateway, worker, sock = started
    assert attempt(gateway, worker, sock, "shutdown") == -signal.SIGSYS
    assert listens(sock)
    serves(gateway)


@pytest.mark.parametrize("how", ["disconnect", "connect-elsewhere"])
def test_a_listener_that_a_worker_ends_listens_again(started, attempt, how):
    gateway, worker, sock = started
    for count in (1, 2):
        assert attempt(gateway, worker, sock, how) == 0
        wait_for("the line", lambda: len(revived(gateway)) == count)
        assert listens(sock)
    for line in revived(gateway):
        assert (line["level"], line["listener"]) == ("error", "inside")
        assert line["address"] == "%s:%d" % gateway.at
    serves(gateway)
    accepts_in_both(gateway)


def accepts_in_both(gateway):
    """Each worker, while the other one stands still."""
    for worker in gateway.workers():
        with gateway.frozen(worker):
            serves(gateway)


def test_workers_do_not_spin_on_a_socket_that_does_not_listen(
        started, attempt):
    """And go on by themselves when it does."""
    gateway, worker, sock = started
    monitor = Process(gateway.process.pid)
    monitor.freeze()
    try:
        assert attempt(gateway, worker, sock, "disconnect") == 0
        for process in gateway.workers():
            best(process.cost, 0.2)
    finally:
        monitor.thaw()
    wait_for("the line", lambda: revived(gateway))
    accepts_in_both(gateway)


def test_a_queue_that_a_worker_cuts_is_as_long_as_before(started, attempt):
    gateway, worker, sock = started
    before = backlog(sock)
    assert before > 100
    assert attempt(gateway, worker, sock, "cut-queue") == 0
    wait_for("the line", lambda: revived(gateway))
    assert backlog(sock) == before
    serves(gateway)


def test_an_address_that_a_worker_takes_is_told_and_had_again(
        started, attempt):
    """Once, not each second; the next connection is the thief's last."""
    gateway, worker, sock = started
    with futures.ThreadPoolExecutor() as pool:
        thief = pool.submit(attempt, gateway, worker, sock, "take-address")
        wait_for("the line", lambda: events(gateway, "listener_lost"))
        gateway.client().sock.close()
        assert thief.result() == 0
    wait_for("its end", lambda: revived(gateway))
    [line] = events(gateway, "listener_lost")
    assert line["level"] == "error" and "is taken" in line["message"]
    serves(gateway)


def test_a_worker_that_would_make_each_close_a_reset_is_killed(
        started, attempt):
    """Connections of every worker would inherit SO_LINGER."""
    gateway, worker, sock = started
    assert attempt(gateway, worker, sock, "linger") == -signal.SIGSYS
    for process in gateway.workers():
        with gateway.frozen(process):
            client, server = gateway.open()
            client.shut()
            assert ending(server) == ("fin", b"")
            server.sendall(b"answer")
            server.close()
            assert ending(client.sock) == ("fin", b"answer")


SO_BUF_LOCK = 72  # Linux 5.14
WINDOW_MAX = 65535 << 14
INHERITED = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
    (socket.SOL_SOCKET, socket.SO_OOBINLINE),
    (socket.SOL_SOCKET, socket.SO_REUSEADDR),
    (socket.SOL_SOCKET, socket.SO_RCVBUF),
    (socket.SOL_SOCKET, socket.SO_SNDBUF),
    (socket.SOL_SOCKET, SO_BUF_LOCK),
    (socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP),
]


def option(sock, level, name):
    """No clamp is the widest window, too."""
    try:
        value = sock.getsockopt(level, name)
    except OSError:
        return None
    no_clamp = name == socket.TCP_WINDOW_CLAMP and value >= WINDOW_MAX
    return 0 if no_clamp else value


def inherited(sock):
    return [option(sock, level, name) for level, name in INHERITED]


def restored(gateway):
    return events(gateway, "listener_restored")


def test_what_connections_inherit_does_not_stay_as_a_worker_sets_it(
        started, attempt):
    gateway, worker, sock = started
    before = inherited(sock)
    for count in (1, 2):
        assert attempt(gateway, worker, sock, "inherit") == 0
        wait_for("the line", lambda: len(restored(gateway)) == count)
        assert inherited(sock) == before
    for line in restored(gateway):
        assert (line["level"], line["listener"]) == ("error", "inside")
    client, server = gateway.open()
    for name in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        assert client.sock.getsockopt(socket.SOL_SOCKET, name) > 8192
    server.close()
    client.sock.close()


def test_an_upgrade_does_not_keep_what_connections_inherit(started, attempt):
    gateway, worker, sock = started
    before = inherited(sock)
    monitor = Process(gateway.process.pid)
    monitor.freeze()
    try:
        assert attempt(gateway, worker, sock, "inherit") == 0
        gateway.signal(signal.SIGUSR2)
    finally:
        monitor.thaw()
    wait_for("the upgrade", lambda: events(gateway, "upgraded"))
    wait_for("the options", lambda: inherited(sock) == before)


def test_a_listener_whose_connections_cannot_send_is_made_anew(
        started, attempt):
    """Nothing else shows it: the socket listens, with its whole queue."""
    gateway, worker, sock = started
    before = backlog(sock)
    assert attempt(gateway, worker, sock, "shut-sending") == 0
    wait_for("the line", lambda: revived(gateway))
    assert backlog(sock) == before
    serves(gateway)
    accepts_in_both(gateway)


SOMAXCONN = "/proc/sys/net/core/somaxconn"


@pytest.fixture
def small_queues(lab):
    """Called: from now on."""
    before = lab.gateway.read(SOMAXCONN)
    yield lambda: lab.gateway.write(SOMAXCONN, "100")
    lab.gateway.write(SOMAXCONN, before)


def test_a_queue_that_the_system_allows_no_more_is_said_once(
        started, attempt, small_queues):
    gateway, worker, sock = started
    small_queues()
    assert attempt(gateway, worker, sock, "cut-queue") == 0
    wait_for("the line", lambda: revived(gateway))
    assert backlog(sock) == 100
    assert attempt(gateway, worker, sock, "inherit") == 0
    wait_for("a later line", lambda: restored(gateway))
    assert attempt(gateway, worker, sock, "inherit") == 0
    wait_for("another one", lambda: len(restored(gateway)) == 2)
    assert len(revived(gateway)) == 1


def test_a_listener_that_was_handed_over_listens_again(started, attempt):
    gateway, _, sock = started
    before = backlog(sock)
    old = {worker.pid for worker in gateway.workers()}
    upgraded(gateway)
    wait_for("the old workers to end", lambda: not old & {
        worker.pid for worker in gateway.workers()})
    assert attempt(gateway, gateway.workers()[0], sock, "disconnect") == 0
    wait_for("the line", lambda: revived(gateway))
    assert backlog(sock) == before
    serves(gateway)


def test_a_reload_does_not_keep_a_queue_that_is_cut(started, attempt):
    gateway, worker, sock = started
    before = backlog(sock)
    monitor = Process(gateway.process.pid)
    monitor.freeze()
    try:
        assert attempt(gateway, worker, sock, "cut-queue") == 0
        gateway.settings["timeouts"] = "{idle: 1h}"
        gateway.write_config()
        gateway.signal(signal.SIGHUP)
    finally:
        monitor.thaw()
    wait_for("the reload", lambda: events(gateway, "reloaded"))
    wait_for("the queue", lambda: backlog(sock) == before)
    serves(gateway)


def test_an_upgrade_does_not_keep_a_queue_that_is_cut(started):
    """Again and again, while the next program begins."""
    gateway, _, sock = started
    before, over = backlog(sock), threading.Event()

    def cut():
        while not over.is_set():
            sock.listen(1)
            time.sleep(0.001)
    with futures.ThreadPoolExecutor() as pool:
        cutting = pool.submit(cut)
        try:
            upgraded(gateway)
        finally:
            over.set()
        cutting.result()
    wait_for("the queue", lambda: backlog(sock) == before)
    serves(gateway)


# The log


def log_channel(worker):
    """A worker's end of it."""
    return worker.socket(4)


FORGED = [
    'time=%s event=ready level=notice workers=9',
    'time=%s event=session id=1 worker=1',
    '{"time":"%s","event":"session","id":1,"worker":0,"event":"ready"}',
    '{"time":"%s","event":"session","id":1,"worker":1}',
    'worker_ended "%s"',
]


def time_now():
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_worker_forges_no_line(started_as, attempt, log_format):
    """Nor one of another worker's: it is written as what it is. The last has
    no newline."""
    gateway, worker, sock = started_as(log_channel, log_format=log_format, workers="1")
    said = [line % time_now() for line in FORGED]
    assert attempt(gateway, worker, sock, "say", "\n".join(said)) == 0
    wait_for("the lines", lambda: gateway.log().count("child_said") == len(
        said))
    log = gateway.log()
    for line in said:
        assert line not in log.splitlines()
    if log_format == "json":
        lines = events(gateway, "child_said")
        assert [line["text"] for line in lines] == said
        assert {line["worker"] for line in lines} == {0}


def test_a_worker_says_no_time_but_now(started_as, attempt):
    gateway, worker, sock = started_as(log_channel, workers="1")
    line = '{"time":"%s","event":"session_start","id":1,"worker":0}\n'
    for when in (time_now(), "2001-01-01T00:00:00.000Z"):
        assert attempt(gateway, worker, sock, "say", line % when) == 0
    wait_for("both", lambda: len(events(gateway, "session_start")) == 2)
    for line in events(gateway, "session_start"):
        said = time.strptime(line["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
        assert abs(calendar.timegm(said) - time.time()) < 60


def test_a_worker_that_writes_many_lines_that_none_writes_is_ended(
        started_as, attempt):
    gateway, worker, sock = started_as(log_channel, workers="1")
    assert attempt(gateway, worker, sock, "say", "x\n" * 3000) == 0
    wait_for("its end", lambda: events(gateway, "worker_ended"))
    [line] = events(gateway, "worker_broken")
    assert (line["worker"], line["level"]) == (0, "error")
    assert len(events(gateway, "child_said")) == 100
    wait_for("the next", lambda: gateway.counters()["workers"] == 1)
    serves(gateway)
