"""keepalive: when a silent peer is asked whether it is still there."""
import contextlib
import socket

import pytest

import bind
import lab as places
from bind import meet, wait
from gateway import wait_for
from reloads import reloaded
from socks4 import ending, receive_exactly
from test_passed import held  # noqa: F401: a fixture

TIMES = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
NAMES = ("time", "intvl", "probes")
USUAL = (120, 30, 4)


def times(sock):
    """None: it has no keepalive."""
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE):
        return None
    return tuple(sock.getsockopt(socket.IPPROTO_TCP, name) for name in TIMES)


def legs(gateway):
    """{the peer's address and port: times} of all its connections."""
    found = {}
    for worker in gateway.workers():
        for sock in worker.sockets():
            found[sock.getpeername()] = times(sock)
            sock.close()
    return found


def of(gateway, client, server, expected):
    """Both legs have keepalive, with these times: the server's once the session
    has lasted."""
    def looked():
        found = legs(gateway)
        return (found[client.sock.getsockname()],
                found[server.getsockname()]) == (expected, expected)
    wait_for(f"{expected} on both legs", looked)


@pytest.fixture
def system(lab):
    """The times of the system, other ones than ours and the kernel's own."""
    path = "/proc/sys/net/ipv4/tcp_keepalive_"
    values = (7001, 71, 7)
    for name, value in zip(NAMES, values):
        lab.gateway.write(path + name, str(value))
    yield values
    for name, value in zip(NAMES, (7200, 75, 9)):
        lab.gateway.write(path + name, str(value))


@pytest.mark.feature
@pytest.mark.parametrize("setting, expected", [
    (None, USUAL),
    ("{idle: 90s, interval: 1500ms, count: 7}", (90, 2, 7)),
    ("off", None)], ids=["default", "set", "off"])
def test_both_legs_have_what_is_configured(start_gateway, system, setting,
                                           expected):
    settings = {} if setting is None else {"keepalive": setting}
    gateway = start_gateway(**settings)
    of(gateway, *gateway.open(), expected or system)


@pytest.mark.feature
def test_both_legs_of_a_bind_have_it(start_gateway):
    gateway = start_gateway(rules=bind.only("peer: any"))
    waiting, at = wait(gateway)
    peer = meet(waiting, at, gateway.lab.server)
    assert legs(gateway) == {waiting.sock.getsockname(): USUAL,
                             peer.getsockname(): USUAL}
    peer.close()


def test_a_reload_applies_to_new_sessions(start_gateway, system):
    """On the socket that is open, too; back to the system's as well."""
    gateway = start_gateway()
    first = gateway.open()
    reloaded(gateway, keepalive="{idle: 5m}")
    second = gateway.open()
    reloaded(gateway, keepalive="off")
    third = gateway.open()
    of(gateway, *first, USUAL)
    of(gateway, *second, (300, 30, 4))
    of(gateway, *third, system)


def test_a_socket_that_was_passed_has_it(lab, held):  # noqa: F811
    passed = lab.gateway.listen(places.INSIDE, 1080)
    gateway = held(passed)
    assert times(passed) == USUAL
    of(gateway, *gateway.open(), USUAL)


@contextlib.contextmanager
def out_of_reach(lab, address, dev):
    """Nothing arrives there, and nothing says so."""
    lab.gateway.ip(f"neighbour replace {address} lladdr 02:00:00:00:00:66"
                   f" dev {dev} nud permanent")
    yield
    lab.gateway.ip(f"neighbour del {address} dev {dev}")


def test_a_session_that_is_half_closed_at_once_has_it(start_gateway):
    gateway = start_gateway(timeouts="{half_closed: 0}")
    client, server = gateway.open()
    client.sock.shutdown(socket.SHUT_WR)
    of(gateway, client, server, USUAL)


def test_a_server_that_vanishes_ends_its_session(start_gateway, lab):
    gateway = start_gateway(keepalive="{idle: 1s, interval: 1s, count: 1}")
    client, server = gateway.open()
    server.sendall(b"here")
    assert receive_exactly(client.sock, 4) == b"here"
    with out_of_reach(lab, places.SERVER, "outside"):
        assert ending(client.sock)[0] == "reset"
    record = gateway.record()
    assert (record["ended_by"], record["end"]) == ("server", "reset")


def test_a_client_that_vanishes_ends_its_session(start_gateway, lab):
    gateway = start_gateway(keepalive="{idle: 1s, interval: 1s, count: 1}")
    client, server = gateway.open()
    client.send(b"here")
    assert receive_exactly(server, 4) == b"here"
    with out_of_reach(lab, places.CLIENT, "inside"):
        assert ending(server)[0] == "reset"
        record = wait_for("the record", gateway.records)[0]
    assert (record["ended_by"], record["end"]) == ("client", "reset")
