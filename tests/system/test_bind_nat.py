"""BIND where addresses are translated on the way."""
import pytest

import bind
import nat
from bind import BOTH, meet, wait


@pytest.fixture
def hidden_server(lab):
    return nat.before_server(lab)


@pytest.fixture
def far_server(lab):
    return nat.before_gateway(lab)


@pytest.mark.feature
def test_the_servers_outer_address_is_the_one_that_matches(
        start_gateway, hidden_server):
    """[V4-4.3-3] [V4-B.1-3]"""
    gateway = start_gateway(rules=BOTH)
    client, at = wait(gateway, (nat.SEEN, 21))
    server = hidden_server.connect(at)
    reply = client.reply()
    assert (reply.cd, reply.address) == (90, nat.SEEN)
    server.sendall(b"through NAT")
    assert client.sock.recv(100) == b"through NAT"


def test_the_servers_inner_address_matches_nobody(
        start_gateway, hidden_server):
    """[V4-4.3-6] [V4-B.1-3] Legitimate, and yet 91."""
    gateway = start_gateway(rules=BOTH)
    client, at = wait(gateway, (nat.HIDDEN, 21), b"inner")
    hidden_server.connect(at)
    client.refusal()
    assert gateway.record(userid="inner")["verdict"] == "bind-stranger"


def test_a_rule_may_widen_the_match_for_it(start_gateway, hidden_server):
    """[V4-B.1-3]"""
    gateway = start_gateway(rules=bind.only("peer: [%s/32]" % nat.SEEN))
    client, at = wait(gateway, (nat.HIDDEN, 21))
    hidden_server.connect(at)
    assert client.reply().address == nat.SEEN


def test_the_inner_address_waits_in_vain_where_strangers_are_ignored(
        start_gateway, hidden_server):
    """[V4-B.1-2] [V4-B.1-3]"""
    gateway = start_gateway(rules=BOTH, bind="{on_stranger: ignore}",
                            timeouts="{bind: 2s}")
    client, at = wait(gateway, (nat.HIDDEN, 21), b"inner")
    assert bind.knock(hidden_server, at, 0.2) != "refused"
    client.refusal()
    assert gateway.record(userid="inner")["verdict"] == "bind-timeout"


@pytest.mark.feature
def test_a_gateway_behind_nat_advertises_the_outer_address(
        start_gateway, far_server):
    """[V4-4.2-6] What the first reply names is what the server dials."""
    gateway = start_gateway(
        rules=BOTH, bind="{advertise: %s, ports: %d-%d}"
                         % (nat.PUBLIC, *nat.FORWARDED))
    client, at = wait(gateway, (nat.FAR, 21))
    assert at[0] == nat.PUBLIC
    server = meet(client, at, far_server, (nat.FAR, 0))
    server.sendall(b"through NAT")
    assert client.sock.recv(100) == b"through NAT"


def test_without_it_the_gateway_names_what_it_has(start_gateway, far_server):
    """[V4-4.2-6] The address that faces DSTIP; nobody out there knows it."""
    gateway = start_gateway(rules=BOTH)
    assert wait(gateway, (nat.FAR, 21))[1][0] == nat.OWN


def test_connect_and_bind_leave_by_the_same_leg(start_gateway, far_server):
    """The client builds PORT from either reply."""
    gateway = start_gateway(rules=BOTH)
    listener = far_server.listen(nat.FAR, 21)
    client = gateway.client()
    client.ask(listener.getsockname())
    assert client.reply().address == nat.OWN
    assert wait(gateway, (nat.FAR, 21))[1][0] == nat.OWN
