"""What a worker that was taken over can do to the rest, from inside its
confinement."""
import signal
import socket
import struct

import pytest

import taken
from gateway import BINARY, Process, best, wait_for
from reloads import events
from starts import copied, serves
from upgrades import upgraded

BACKLOG = struct.Struct("B7x6I")  # of struct tcp_info, up to tcpi_sacked


@pytest.fixture(scope="module")
def attempt(tmp_path_factory):
    program = taken.build(tmp_path_factory.mktemp("taken"))
    return lambda *arguments: taken.attempt(program, *arguments)


@pytest.fixture
def started(start_gateway, tmp_path):
    """A gateway from a file of its own, a worker and its listening socket."""
    gateway = start_gateway(binary=copied(BINARY, tmp_path))
    worker = gateway.workers()[0]
    [sock] = worker.listeners()
    with sock:
        yield gateway, worker, sock


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


def test_a_listener_that_was_handed_over_listens_again(started, attempt):
    gateway, _, sock = started
    before = backlog(sock)
    upgraded(gateway)
    assert attempt(gateway, gateway.workers()[0], sock, "disconnect") == 0
    wait_for("the line", lambda: revived(gateway))
    assert backlog(sock) == before
    serves(gateway)
