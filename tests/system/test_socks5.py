"""SOCKS5 on the port of version 4 (RFC 1928), over the real kernel.

What does not need one is in tests/scenario: socks5.scn, auth.scn, and every
scenario that names no version."""
import socket

import pytest

import lab as places
import socks5
from socks4 import ending
from streams import MB, beside, pull, push, whole

LISTEN = ('[{address: "%s:1080", name: inside, insecure_plaintext: true,'
          ' socks4a: true, socks5: true}]' % places.INSIDE)


@pytest.fixture
def gateway(start_gateway):
    return start_gateway(listen=LISTEN)


def exchange(client, server):
    """A megabyte each way, one after the other, and both ends."""
    sent = beside(push, client, MB)
    assert pull(server, MB) == whole(MB)
    sent.result(places.TIMEOUT)
    client.shutdown(socket.SHUT_WR)
    assert ending(server) == ("fin", b"")
    sent = beside(push, server, MB)
    assert pull(client, MB) == whole(MB)
    sent.result(places.TIMEOUT)
    server.close()
    assert ending(client) == ("fin", b"")


@pytest.mark.feature
@pytest.mark.parametrize("family", [4, 6])
def test_connect_to_either_family_carries_every_octet(gateway, lab, family):
    host = lab.server if family == 4 else lab.client
    listener = host.listen(places.SERVER if family == 4 else places.CLIENT6)
    to = listener.getsockname()
    client = gateway.client().sock
    answer = socks5.ask(client, to)
    server, peer = host.accept(listener)
    assert answer == (socks5.SUCCEEDED, *peer[:2])
    exchange(client, server)
    record = gateway.record(version="5")
    assert record["verdict"] == "granted" and record["code"] == 0
    assert record["userid"] is None and record["up"] == record["down"] == MB
    assert record["dest"] == ("[%s]:%d" if family == 6 else "%s:%d") % to[:2]


def test_octet_by_octet_and_all_at_once(gateway, lab):
    listener = lab.server.listen(places.SERVER)
    octets = socks5.GREETING + socks5.request(listener.getsockname())
    for pieces in ([octets[i:i + 1] for i in range(len(octets))] + [b"early"],
                   [octets + b"early"]):
        client = gateway.client().sock
        for one in pieces:
            client.sendall(one)
        server, _ = lab.server.accept(listener)
        assert server.recv(5, 0x100) == b"early"
        assert client.recv(2) == b"\5\0"
        assert socks5.reply(client).code == socks5.SUCCEEDED
        client.close()
        assert ending(server) == ("fin", b"")
        server.close()


def test_the_reply_says_the_cause(gateway, lab):
    free = lab.server.listen(places.SERVER)
    closed = free.getsockname()
    free.close()
    for to, code, verdict, dest in (
            (closed, socks5.REFUSED, "connect-refused", "%s:%d" % closed),
            ((places.UNREACHABLE, 80), socks5.NO_HOST, "connect-unreachable",
             f"{places.UNREACHABLE}:80"),
            (("fd00:9::1", 80), socks5.NO_NETWORK, "connect-unreachable",
             "[fd00:9::1]:80"),
            (("127.0.0.1", 80), socks5.NOT_ALLOWED, "denied-special-address",
             "127.0.0.1:80"),
            (("::ffff:127.0.0.2", 80), socks5.NOT_ALLOWED,
             "denied-special-address", "127.0.0.2:80"),
            ((places.INSIDE6, 80), socks5.NOT_ALLOWED,
             "denied-special-address", f"[{places.INSIDE6}]:80")):
        client = gateway.client().sock
        assert socks5.ask(client, to) == (code, "0.0.0.0", 0), to
        assert ending(client) == ("fin", b"")
        client.close()
        record = gateway.record(dest=dest)
        assert (record["verdict"], record["code"],
                record["version"]) == (verdict, code, "5")


def test_a_name_is_resolved_in_both_versions(gateway, lab):
    """localhost needs no server: it is special, which the answer says."""
    client = gateway.client()
    client.ask_name("localhost", 80)
    client.refusal()
    five = gateway.client().sock
    assert socks5.ask(five, ("localhost", 80)).code == socks5.NOT_ALLOWED
    assert ending(five) == ("fin", b"")
    for version in ("4a", "5"):
        record = gateway.record(version=version)
        assert record["verdict"] == "denied-special-address"
        assert record["name"] == "localhost"


def test_bind_for_an_ipv6_peer(start_gateway, lab):
    gateway = start_gateway(listen=LISTEN, rules=(
        "[{action: allow, from: [any], to: [any], command: [bind]}]"))
    client = gateway.client().sock
    answer = socks5.ask(client, (places.CLIENT6, 0), socks5.BIND)
    assert (answer.code, answer.address) == (socks5.SUCCEEDED, places.INSIDE6)
    peer = lab.client.connect((answer.address, answer.port))
    assert socks5.reply(client) == (socks5.SUCCEEDED, *peer.getsockname()[:2])
    peer.sendall(b"150")
    assert client.recv(3) == b"150"
    client.close()
    assert ending(peer) == ("fin", b"")
    peer.close()
    assert gateway.record(command="bind")["peer"].startswith("[")
