"""Readers that stop: what their sessions hold in the kernel is bounded,
counted, and taken from who holds most; pipes are given back."""
import socket
import struct

import pytest

import lab as places
from gateway import wait_for
from streams import KB, MB, beside, digest, pull, push

SO_MEMINFO = 55
# Warms a connection up, so that the kernel lets its buffers grow.
FIRST = 16 * MB
# More than all queues take, those of the two ends included.
FLOOD = 48 * MB


def in_the_kernel(gateway):
    """Octets of memory that the gateway's connections have there: what was
    received, and what was written."""
    total = 0
    for sock in (sock for worker in gateway.workers()
                 for sock in worker.sockets()):
        values = struct.unpack(
            "9I", sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))
        total += values[0] + values[5]
        sock.close()
    return total


def stall(gateway, listener=None, userid=b"", **options):
    """A session whose client has read FIRST octets of a flood and then
    stopped: (client, server's socket, what pushes)."""
    client, server = gateway.open(listener, userid=userid, **options)
    pushing = beside(send_all, server, FIRST + FLOOD)
    take(client, FIRST)
    return client, server, pushing


def take(client, count):
    while count > 0:
        count -= len(client.sock.recv(min(MB, count)))


def warmed_up(gateway, listener, userid):
    """A session of which nothing is under way any more."""
    client, server = gateway.open(listener, userid=userid)
    pushing = beside(push, server, MB)
    take(client, MB)
    pushing.result(places.TIMEOUT)
    return client, server


def send_all(sock, count):
    """Whether all of it was taken."""
    try:
        push(sock, count)
        sock.shutdown(socket.SHUT_WR)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def queued(gateway):
    return gateway.counters()["queued"]


@pytest.mark.feature
@pytest.mark.parametrize("splice", ["never", "always"])
def test_a_stalled_session_holds_in_the_kernel_what_relay_buffer_allows(
        start_gateway, splice):
    """[V4-C.4-1] The bound is that of four queues; one direction has two."""
    gateway = start_gateway(workers="1", relay="{splice: %s, buffer: 1M}" % splice)
    client, server, pushing = stall(gateway)
    wait_for("the stalled session to be counted",
             lambda: queued(gateway) > 256 * KB)
    held = in_the_kernel(gateway)
    print(f"in the kernel: {held // KB} KiB (limit {MB // 2 // KB})")
    # The last packet may go beyond a queue's bound, and what was in the pipe.
    pipe = 256 * KB if splice == "always" else 0
    assert held <= MB // 2 + pipe + 3 * 64 * KB
    assert not pushing.done()
    assert pull(client.sock, limit=None) == (
        FLOOD, digest(FLOOD, FIRST), "fin")
    assert pushing.result(places.TIMEOUT)
    wait_for("nothing to be counted", lambda: queued(gateway) == 0)




def test_what_is_counted_is_what_the_kernel_holds(start_gateway):
    gateway = start_gateway(workers="1", relay="{buffer: 4M}")
    listener = gateway.lab.server.listen(places.SERVER)
    stalled = [stall(gateway, listener) for _ in range(3)]

    def is_counted():
        counted, held = queued(gateway), in_the_kernel(gateway)
        return counted > 0 and abs(counted - held) <= held / 10
    wait_for("what is held to be counted", is_counted)
    for client, _, pushing in stalled:
        assert pull(client.sock)[0] == FLOOD
        assert pushing.result(places.TIMEOUT)
    wait_for("nothing to be counted", lambda: queued(gateway) == 0)


@pytest.mark.feature
def test_stalled_directions_give_their_pipes_back(start_gateway):
    gateway = start_gateway(workers="1", relay="{splice: always}")
    listener = gateway.lab.server.listen(places.SERVER)
    stalled = [stall(gateway, listener) for _ in range(4)]
    wait_for("the pipes to be closed",
             lambda: gateway.counters()["pipes"] == 0)
    for client, _, pushing in stalled:
        assert not pushing.done()
        assert pull(client.sock) == (FLOOD, digest(FLOOD, FIRST), "fin")
        assert pushing.result(places.TIMEOUT)


def test_a_reader_that_goes_on_is_as_fast_as_before(start_gateway):
    """Its pipe was taken from it; its transfer is bulk all the same."""
    gateway = start_gateway(workers="1", relay="{splice: auto}")
    client, server, pushing = stall(gateway)
    wait_for("the pipe to be closed",
             lambda: gateway.counters()["pipes"] == 0)
    pulling = beside(pull, client.sock)
    wait_for("a pipe to be lent again",
             lambda: pulling.done() or gateway.counters()["pipes"] > 0)
    assert pulling.result(places.TIMEOUT)[0] == FLOOD
    assert pushing.result(places.TIMEOUT)


@pytest.mark.feature
def test_who_holds_most_in_the_kernel_loses_its_largest_sessions(
        start_gateway):
    """limits.memory leaves a quarter to stalled sessions, here 4 MiB. Twenty
    of one client hold 256 KiB each at most, and one of another stays."""
    gateway = start_gateway(workers="1", limits="{memory: 16M}",
                            relay="{buffer: 1M}")
    listener = gateway.lab.server.listen(places.SERVER)
    other = stall(gateway, listener, userid=b"other", host=gateway.lab.stranger)
    many = [warmed_up(gateway, listener, b"many") for _ in range(20)]
    floods = [beside(send_all, server, FLOOD) for _, server in many]
    wait_for("sessions to be reset", lambda: gateway.records(userid="many"))
    wait_for("what is left to fit", lambda: queued(gateway) <= 4 * MB)
    assert pull(other[0].sock) == (FLOOD, digest(FLOOD, FIRST), "fin")
    ends = [pull(client.sock)[2] for client, _ in many]
    taken = [flood.result(places.TIMEOUT) for flood in floods]
    reset = ends.count("reset")
    assert 0 < reset < 20 and taken.count(False) == reset
    wait_for("the log to tell of them",
             lambda: gateway.complaints("limits.memory") == reset)
    records = [record for record in gateway.records()
               if record["end"] == "limit"]
    assert len(records) == reset
    for record in records:
        assert record["userid"] == "many"
        assert (record["verdict"], record["ended_by"]) == ("granted", "gateway")
        assert "limits.memory" in record["hint"]
