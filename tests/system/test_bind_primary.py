"""require_connect: a BIND only beside its primary connection."""
import os
import signal

import pytest

import bind
import lab as places
from bind import meet, wait
from gateway import wait_for
from socks4 import ending

ALONE = "bind-without-connect"


@pytest.fixture
def gateway(start_gateway):
    return start_gateway(rules=bind.only("require_connect: true"))


@pytest.fixture
def control(lab):
    """Where the primary connections go."""
    return lab.server.listen(places.SERVER)


@pytest.mark.feature
def test_a_bind_is_granted_beside_its_connect(gateway, control, lab):
    """[V4-4-2] Not before, not after."""
    bind.refused(gateway, ALONE, userid=b"before")
    primary, server = gateway.open(control)
    client, at = wait(gateway)
    meet(client, at, lab.server)
    server.close()
    primary.sock.close()
    wait_for("its record", lambda: gateway.records(command="connect"))
    bind.refused(gateway, ALONE, userid=b"after")


def test_it_is_known_to_all_workers(gateway, control):
    """[V4-4-2] Also while the one that has it stands still."""
    first, second = gateway.workers()
    with gateway.frozen(first):
        gateway.open(control)
    with gateway.frozen(second):
        wait(gateway)
    wait(gateway)


def test_it_is_known_as_soon_as_its_client_knows(gateway, control):
    """The reply to CONNECT is the latest moment."""
    first, second = gateway.workers()
    for _ in range(30):
        with gateway.frozen(first):
            primary, server = gateway.open(control)
        with gateway.frozen(second):
            client, _ = wait(gateway)
        for sock in (client.sock, primary.sock, server):
            sock.close()


def test_another_connect_does_not_do(gateway, control, lab):
    """Another client host, another DSTIP; the port does not matter."""
    gateway.open(control)
    bind.refused(gateway, ALONE, userid=b"host", host=lab.stranger)
    bind.refused(gateway, ALONE, (places.SERVER2, 21), b"dstip")
    wait(gateway, (places.SERVER, 9999))


def test_one_of_two_is_enough(gateway, control):
    first, second = gateway.open(control), gateway.open(control)
    for half in first:
        getattr(half, "sock", half).close()
    wait_for("its record", lambda: gateway.records(command="connect"))
    wait(gateway)
    del second


def test_a_connect_that_was_refused_is_none(gateway):
    client = gateway.client()
    client.ask((places.SERVER, 9))
    client.refusal()
    bind.refused(gateway, ALONE)


@pytest.mark.parametrize("how", ["FIN", "RST"])
def test_one_that_ended_is_none(gateway, control, how):
    primary, server = gateway.open(control)
    if how == "RST":
        primary.reset()
    server.close()
    primary.sock.close()
    wait_for("its record", lambda: gateway.records(command="connect"))
    bind.refused(gateway, ALONE)


def test_one_that_is_half_closed_lives(gateway, control):
    primary, server = gateway.open(control)
    primary.shut()
    assert ending(server) == ("fin", b"")
    wait(gateway)


def test_it_dies_with_its_worker(gateway, control):
    """[V4-4-2]"""
    holder, _ = gateway.workers()
    with gateway.frozen(holder):
        primary, _ = gateway.open(control)
    gateway.may_lose = 1
    os.kill(holder.pid, signal.SIGKILL)
    wait_for("its end", lambda: [line for line in gateway.lines()
                                 if line.get("event") == "worker_ended"])
    assert ending(primary.sock)[1] == b""
    bind.refused(gateway, ALONE)


def test_a_bind_that_stands_outlives_it(gateway, control, lab):
    """Only the beginning asks for it: FTP servers end the control
    connection while data still flow."""
    primary, server = gateway.open(control)
    client, at = wait(gateway)
    primary.reset()
    server.close()
    wait_for("its record", lambda: gateway.records(command="connect"))
    meet(client, at, lab.server)


def test_a_client_may_leave_while_it_is_asked_for(gateway, control):
    gateway.open(control)

    def descriptors():
        return sum(worker.descriptors() for worker in gateway.workers())
    with gateway.unwatched():
        before = descriptors()
        client = bind.ask(gateway, userid=b"gone")
        wait_for("it to be read", lambda: gateway.has_read(client))
        client.reset()
        wait_for("its end", lambda: descriptors() == before)
    assert gateway.record(userid="gone")["verdict"] == "client-gone"
    wait(gateway)
