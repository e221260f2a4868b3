"""What many BINDs may take: of a client, of the ports, of the gateway."""
import os
import signal
import time

import pytest

import bind
import lab as places
from bind import BOTH, meet, wait
from gateway import best, wait_for
from socks4 import ending, receive_exactly

FIRST, PORTS = 40000, 100


def limits(binds):
    return ("{sessions: 100k, pending: 100k, per_source: {binds: %d, %s}}"
            % (binds, bind.UNLIMITED))


def died(gateway):
    return [line for line in gateway.lines()
            if line.get("event") == "worker_ended"]


def kill(gateway, worker, clients):
    """With what it holds: these clients."""
    gateway.may_lose += len(clients)
    os.kill(worker.pid, signal.SIGKILL)
    wait_for("its end", lambda: died(gateway))
    for client in clients:
        assert ending(client.sock)[1] == b""


# Of one client


@pytest.fixture
def capped(start_gateway):
    return start_gateway(rules=BOTH, limits=limits(4))


@pytest.mark.feature
def test_a_client_may_have_so_many_waiting_and_no_more(capped, lab):
    """[V4-B.2-7] [V4-C.4-1] In all workers together; others may have
    theirs."""
    clients = []
    for worker in capped.workers():
        with capped.frozen(worker):
            clients += [wait(capped)[0] for _ in range(2)]
    for worker in capped.workers():
        with capped.frozen(worker):
            record = bind.refused(capped, "limits.per_source.binds",
                                  userid=b"%d" % worker.pid)
            assert record["end"] == "limit"
    wait(capped, host=lab.stranger)


@pytest.mark.parametrize("how", ["left", "timer", "stranger", "peer"])
def test_each_end_of_the_wait_makes_room_for_another(
        start_gateway, lab, how):
    """[V4-B.2-7] Only those that wait count."""
    gateway = start_gateway(
        rules=BOTH, limits=limits(4),
        timeouts="{bind: %s}" % ("300ms" if how == "timer" else "20s"))
    left = 0
    for _ in range(2):
        waiting = [wait(gateway) for _ in range(4)]
        for client, at in waiting:
            if how == "left":
                client.sock.close()
                bind.freed(gateway, at[1])
                left += 1
                wait_for("its record", lambda: len(gateway.records(
                    verdict="bind-client-left")) == left)
            elif how == "peer":
                meet(client, at, lab.server)
            else:
                if how == "stranger":
                    lab.stranger.connect(at)
                client.refusal()


def test_a_killed_workers_share_is_given_back(capped):
    """[V4-B.2-7]"""
    first, second = capped.workers()
    with capped.frozen(first):
        lost = [wait(capped)[0] for _ in range(3)]
    with capped.frozen(second):
        wait(capped)
        bind.refused(capped, "limits.per_source.binds")
        kill(capped, first, lost)
        for _ in range(3):
            wait(capped)
        bind.refused(capped, "limits.per_source.binds", userid=b"again")


# Of the range


def all_free(gateway):
    return not any(state == 10 and FIRST <= local < FIRST + PORTS
                   for local, _, state in gateway.lab.gateway.connections())


def release(gateway, granted):
    """Until the last port is free: seconds."""
    began = time.monotonic()
    for sock, _ in granted:
        sock.close()
    wait_for("all ports to be free", lambda: all_free(gateway))
    return time.monotonic() - began


def test_one_client_does_not_get_all_ports(start_gateway, lab):
    """[V4-B.2-7] It asks for 10 000; others are served meanwhile and
    afterwards, and all ports are back at once."""
    gateway = start_gateway(
        rules=BOTH, limits=limits(16),
        bind="{ports: %d-%d}" % (FIRST, FIRST + PORTS - 1))
    granted, refusals = bind.many(gateway, 10000)
    assert (len(granted), refusals) == (16, 9984)
    client, at = wait(gateway, host=lab.stranger)
    meet(client, at, lab.server)
    back = release(gateway, granted)
    print(f"16 ports back after {back * 1e3:.0f} ms")
    client, at = wait(gateway)
    meet(client, at, lab.server)
    wait_for("the refusals in the log",
             lambda: gateway.refusals("limits.per_source.binds") == 9984)


def test_a_range_that_is_spent_is_a_refusal_that_says_so(start_gateway, lab):
    """[V4-4.2-3] [V4-B.2-6] And all of it is there again at once."""
    gateway = start_gateway(
        rules=BOTH, limits=limits(60000),
        bind="{ports: %d-%d}" % (FIRST, FIRST + PORTS - 1))
    granted, refusals = bind.many(gateway, 2000)
    assert (len(granted), refusals) == (PORTS, 1900)
    assert {port for _, (_, port) in granted} == set(
        range(FIRST, FIRST + PORTS))
    record = bind.refused(gateway, "bind.ports-exhausted", host=lab.stranger)
    assert record["end"] == "limit"
    back = release(gateway, granted)
    print(f"100 ports back after {back * 1e3:.0f} ms")
    client, at = wait(gateway, host=lab.stranger)
    meet(client, at, lab.server)
    wait_for("the refusals in the log",
             lambda: gateway.refusals("bind.ports-exhausted") == 1901)


# Of the gateway


def test_500_wait_at_once_and_meet_their_own_peers(start_gateway, lab):
    """50 client hosts; no process and no thread for any of them."""
    hosts = [f"10.1.0.{number}" for number in range(100, 150)]
    lab.client.ip("".join(f"address add {host}/24 dev wire\n"
                          for host in hosts))
    gateway = start_gateway(rules=BOTH, limits=limits(16))
    before = [worker.pid for worker in gateway.workers()]
    began = time.monotonic()
    granted, refusals = bind.many(gateway, 500,
                                  [(host, 0) for host in hosts])
    assert (len(granted), refusals) == (500, 0)
    assert [worker.pid for worker in gateway.workers()] == before
    for worker in gateway.workers():
        assert worker.status("Threads") == "1"
    peers = [lab.server.connect(at, (places.SERVER, 0)) for _, at in granted]
    for number, peer in enumerate(peers):
        peer.sendall(b"%04d" % number)
    for number, (sock, _) in enumerate(granted):
        octets = receive_exactly(sock, 12)
        assert octets[:2] == b"\0\x5a" and octets[8:] == b"%04d" % number
        assert bind.where(octets) == peers[number].getsockname()
    print(f"500 BINDs met in {time.monotonic() - began:.1f} s")
    gateway.tell(down=2000)


def test_one_that_waits_costs_a_kibibyte_and_two_descriptors(start_gateway):
    """[V4-C.4-1] The client's leg and the listening socket."""
    count = 3000
    gateway = start_gateway(rules=BOTH, workers="1", limits=limits(60000),
                            timeouts="{bind: 2m}")
    worker, = gateway.workers()
    memory, descriptors = worker.anonymous_kb(), worker.descriptors()
    granted, _ = bind.many(gateway, count)
    assert len(granted) == count
    grown = (worker.anonymous_kb() - memory) * 1024 / count
    print(f"{count} BINDs wait: {grown:.0f} octets each (limit 1024)")
    assert worker.descriptors() - descriptors == 2 * count
    if not gateway.is_sanitized:
        assert grown <= 1024
    best(worker.cost, 0.02)


# Of strangers

STRANGERS = 10000


def storm(host, at, count=STRANGERS, step=500):
    """That many attempts, so many at once."""
    for _ in range(0, count, step):
        for _ in range(step):
            sock = host.socket()
            sock.setblocking(False)
            sock.connect_ex(at)
        host.close_sockets()


def test_10000_ignored_strangers_do_not_end_a_bind(start_gateway, lab):
    """[V4-B.1-2] [V4-C.3-1] Each is closed after accept."""
    gateway = start_gateway(rules=BOTH, bind="{on_stranger: ignore}")
    client, at = wait(gateway)
    began = time.monotonic()
    storm(lab.stranger, at)
    peer = meet(client, at, lab.server)
    peer.sendall(b"untouched")
    assert client.sock.recv(100) == b"untouched"
    print(f"10 000 strangers in {time.monotonic() - began:.1f} s")


def test_10000_strangers_cost_one_bind_where_they_are_refused(
        start_gateway, lab):
    """[V4-4.3-6] [V4-4.3-7] The first one ends it; the rest find no port,
    and nobody else notices."""
    gateway = start_gateway(rules=BOTH, bind="{ports: %d-%d}"
                                             % (FIRST, FIRST + 1))
    client, at = wait(gateway, userid=b"ended")
    other, elsewhere = wait(gateway)
    began = time.monotonic()
    storm(lab.stranger, at)
    client.refusal()
    assert gateway.record(userid="ended")["verdict"] == "bind-stranger"
    meet(other, elsewhere, lab.server)
    again, where = wait(gateway)
    meet(again, where, lab.server)
    print(f"10 000 strangers in {time.monotonic() - began:.1f} s")
