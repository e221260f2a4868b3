"""Rules, end to end: what a term says is what a client meets.

That the policy means what the manual says is shown over random cases by the
unit tests; here the terms are asked through real sockets."""
import contextlib
import socket

import pytest

import lab as places
from socks4 import BIND, CONNECT, GRANTED, REFUSED

ETH_P_ALL, ETH_P_ARP, ETH_P_IP, ETH_P_IPV6 = 0x0003, 0x0806, 0x0800, 0x86DD

RULES = """
  - {name: never, action: deny, from: [any], to: [10.2.0.3]}
  - {name: by-port, action: allow, from: [any], to: [10.2.0.2],
     port: [7000-7002]}
  - {name: by-user, action: allow, from: [any], to: [10.2.0.2],
     port: [7003], user: [mary, "adm*"]}
  - {name: by-client, action: allow, from: [10.4.0.0/24], to: [10.2.0.2],
     port: [7004]}
  - {name: by-listener, action: allow, from: [any], listener: [third],
     to: [10.2.0.2], port: [7005]}
  - {name: first, action: deny, from: [any], to: [10.2.0.2], port: [7006]}
  - {name: last, action: allow, from: [any], to: [10.2.0.2], port: [7006]}
  - {name: local, action: allow, from: [any], to: [127.0.0.0/8],
     port: [7007]}
"""

LISTEN = """
  - {address: "10.1.0.1:1080", name: inside, insecure_plaintext: true}
  - {address: "10.4.0.1:1080", name: third, insecure_plaintext: true}
"""

# (who, the USERID, where to): (code, the rule that decided)
CASES = {
    ("client", b"", ("10.2.0.3", 7000)): (REFUSED, "never"),
    ("client", b"", ("10.2.0.2", 6999)): (REFUSED, "default"),
    ("client", b"", ("10.2.0.2", 7000)): (GRANTED, "by-port"),
    ("client", b"", ("10.2.0.2", 7002)): (GRANTED, "by-port"),
    ("client", b"mary", ("10.2.0.2", 7003)): (GRANTED, "by-user"),
    ("client", b"admin", ("10.2.0.2", 7003)): (GRANTED, "by-user"),
    ("client", b"Mary", ("10.2.0.2", 7003)): (REFUSED, "default"),
    ("client", b"maryx", ("10.2.0.2", 7003)): (REFUSED, "default"),
    ("client", b"", ("10.2.0.2", 7003)): (REFUSED, "default"),
    ("client", b"", ("10.2.0.2", 7004)): (REFUSED, "default"),
    ("stranger", b"", ("10.2.0.2", 7004)): (GRANTED, "by-client"),
    ("client", b"", ("10.2.0.2", 7005)): (REFUSED, "default"),
    ("stranger", b"", ("10.2.0.2", 7005)): (GRANTED, "by-listener"),
    ("client", b"", ("10.2.0.2", 7006)): (REFUSED, "first"),
}


@pytest.fixture
def ruled(start_gateway):
    return start_gateway(listen=LISTEN, rules=RULES)


@pytest.mark.feature
def test_the_first_rule_that_matches_decides(ruled):
    """[V4-1-4] [V4-3.2-1] Source, DSTIP, DSTPORT, USERID, listener."""
    lab = ruled.lab
    listeners = {port: lab.server.listen(port=port)
                 for port in range(6999, 7007)}
    hosts = {"client": (lab.client, (places.INSIDE, 1080)),
             "stranger": (lab.stranger, (places.THIRD, 1080))}
    for case, expected in CASES.items():
        who, userid, to = case
        host, gateway_at = hosts[who]
        client = ruled.client(host, gateway_at)
        client.ask(to, userid)
        source = client.sock.getsockname()
        reply = client.reply()
        client.sock.close()
        assert reply.cd == expected[0], case
        if reply.cd == GRANTED:
            listeners[to[1]].accept()[0].close()
        record = ruled.record(client="%s:%d" % source)
        assert record["rule"] == expected[1], case
        assert record["dest"] == "%s:%d" % to
        assert record["userid"] == userid.decode()


def test_without_a_rule_everything_is_refused(start_gateway, lab):
    """[V4-3.2-1] Defaults deny."""
    gateway = start_gateway(rules="[]")
    listener = lab.server.listen(places.SERVER)
    client = gateway.client()
    client.ask(listener.getsockname(), b"mary")
    client.refusal()
    record = gateway.record(userid="mary")
    assert (record["verdict"], record["rule"]) == ("denied-no-rule", "default")


def test_nothing_leaves_before_the_decision(start_gateway, lab):
    """[V4-1-4] A refused request causes no packet towards its target."""
    gateway = start_gateway(rules="[]")
    tap = lab.gateway.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
    tap.bind(("outside", ETH_P_ALL))
    tap.setblocking(False)
    for _ in range(20):
        client = gateway.client()
        client.ask((places.SERVER, 80))
        client.refusal()
    assert not list(sent(tap))
    lab.gateway.connect(lab.server.listen(places.SERVER).getsockname())
    assert {ETH_P_ARP, ETH_P_IP} <= set(sent(tap))


def sent(tap):
    """The protocol of each packet of IPv4 that has left there; the kernel's own
    ones of IPv6 may leave at any time."""
    with contextlib.suppress(BlockingIOError):
        while True:
            _, (_, protocol, kind, *_) = tap.recvfrom(1)
            if kind == socket.PACKET_OUTGOING and protocol != ETH_P_IPV6:
                yield protocol


@pytest.mark.parametrize("to, code", [
    ("[any]", REFUSED), ("[0.0.0.0/0]", REFUSED), ("[127.0.0.1]", GRANTED),
    ("[loopback]", GRANTED)])
def test_loopback_is_reached_only_where_it_is_named(
        start_gateway, lab, to, code):
    """[4A-B.3-1] [4A-B.3-2]"""
    gateway = start_gateway(
        rules="[{name: it, action: allow, from: [any], to: %s}]" % to)
    lab.gateway.listen("127.0.0.1", 7007)
    client = gateway.client()
    client.ask(("127.0.0.1", 7007))
    assert client.reply().cd == code


@pytest.mark.parametrize("to", ["[any]", "[0.0.0.0/0]", "[126.0.0.0/7]"])
@pytest.mark.parametrize("command", [CONNECT, BIND])
def test_a_deny_rule_denies_loopback_too(start_gateway, lab, to, command):
    """Special ranges are an exception for rules that allow, and BIND is meant
    where the rule does not name a command."""
    gateway = start_gateway(
        rules="[{name: no, action: deny, from: [any], to: %s},"
        " {action: allow, from: [any], command: [connect, bind],"
        " to: [any, loopback]}]" % to)
    lab.gateway.listen("127.0.0.1", 7007)
    client = gateway.client()
    client.ask(("127.0.0.1", 7007), b"mary", command)
    client.refusal()
    assert gateway.record(userid="mary")["rule"] == "no"


def test_a_deny_rule_for_anywhere_denies_a_bind_to_nobody(start_gateway):
    gateway = start_gateway(
        rules="[{name: no, action: deny, from: [any], to: [any]},"
        " {action: allow, from: [any], command: [bind], to: [any],"
        " peer: any}]")
    client = gateway.client()
    client.ask(("0.0.0.0", 0), b"mary", BIND)
    client.refusal()
    assert gateway.record(userid="mary")["rule"] == "no"
