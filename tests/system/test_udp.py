"""UDP ASSOCIATE (RFC 1928, section 7) over the real kernel.

What does not need one is in tests/scenario/udp.scn."""
import contextlib
import socket
import struct

import pytest

import control
import dns
import lab as places
import socks5
from control import folder, start  # noqa: F401
from reloads import reloaded
from socks4 import ending

LISTEN = ('[{address: "%s:1080", name: inside, insecure_plaintext: true,'
          ' socks5: true}, {address: "[%s]:1080", name: six,'
          ' insecure_plaintext: true, socks5: true}]'
          % (places.INSIDE, places.INSIDE6))
RULES = "[{action: allow, from: [any], to: [any], command: [udp]}]"


def header(to, fragment=0):
    return (bytes([0, 0, fragment]) + socks5.packed(to[0])
            + struct.pack("!H", to[1]))


def datagrams(host, address):
    made = host.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                       socket.SOCK_DGRAM)
    made.bind((address, 0))
    return made


def unread_at_most(worker):
    """What the kernel holds for each of its sockets for datagrams."""
    found = []
    for number, link in worker.numbered_links():
        if link.startswith("socket:"):
            with worker.socket(number) as sock:
                if (sock.family, sock.type) == (socket.AF_INET,
                                                socket.SOCK_DGRAM):
                    found.append(sock.getsockopt(socket.SOL_SOCKET,
                                                 socket.SO_RCVBUF))
    return found


class Association:
    """A client's: its connection, and the socket it sends from."""

    def __init__(self, gateway, lab, at=places.INSIDE, source=places.CLIENT):
        self.control = lab.client.connect((at, 1080), (source, 0))
        answer = socks5.ask(self.control, ("0.0.0.0", 0), socks5.UDP)
        assert answer.code == socks5.SUCCEEDED
        assert answer.address == at
        self.at = (answer.address, answer.port)
        self.sock = datagrams(lab.client, source)

    def send(self, to, data, **options):
        self.sock.sendto(header(to, **options) + data, self.at)

    def receive(self, peer):
        """The data of the next one, which must be that peer's."""
        got, source = self.sock.recvfrom(70000)
        begin = header(peer.getsockname())
        assert source[:2] == self.at and got[:len(begin)] == begin
        return got[len(begin):]

    def reach(self, peer, data=b"question", to=None):
        """Sends, and the peer answers twice as much: where from it came."""
        self.send(to or peer.getsockname(), data)
        got, source = peer.recvfrom(70000)
        assert got == data
        peer.sendto(data * 2, source)
        assert self.receive(peer) == data * 2
        return source


@pytest.fixture
def gateway(start_gateway):
    return start_gateway(listen=LISTEN, rules=RULES)


@pytest.mark.feature
def test_datagrams_of_both_families_and_sizes(gateway, lab):
    """By either family of the client to either of the target's, none of them
    cut, empty ones too; who was not sent to is not heard."""
    four = datagrams(lab.server, places.SERVER)
    six = datagrams(lab.client, places.CLIENT6)
    stranger = datagrams(lab.stranger, places.STRANGER)
    for association in (Association(gateway, lab),
                        Association(gateway, lab, places.INSIDE6,
                                    places.CLIENT6)):
        out = association.reach(four)
        assert out[0] == places.OUTSIDE
        for _ in range(2):
            stranger.sendto(b"forged", (places.THIRD, out[1]))
        association.send(four.getsockname(), b"part", fragment=1)
        association.reach(six, b"six")
        association.reach(four, b"")
        association.reach(four, bytes(32000))
        association.control.close()
    records = [gateway.record(client_ip=client, command="udp")
               for client in (places.CLIENT, places.CLIENT6)]
    for record in records:
        assert (record["version"], record["verdict"], record["end"]) == (
            "5", "granted", "fin")
        assert (record["up"], record["down"]) == (32011, 64022)


def test_a_stranger_at_the_clients_side_is_not_heard(gateway, lab):
    """Neither before the client's first datagram nor after; another port of
    the client's host only before."""
    peer = datagrams(lab.server, places.SERVER)
    association = Association(gateway, lab)
    forged = header(peer.getsockname()) + b"forged"
    stranger = datagrams(lab.server, places.SERVER2)
    stranger.sendto(forged, association.at)
    association.reach(peer)
    stranger.sendto(forged, association.at)
    datagrams(lab.client, places.CLIENT).sendto(forged, association.at)
    association.reach(peer, b"again")  # and nothing was between
    association.control.close()
    assert gateway.record(command="udp")["up"] == len(b"questionagain")


def test_a_datagram_goes_where_a_name_leads(start_gateway, lab):
    server = dns.Dns(lab.server, places.SERVER)
    with contextlib.closing(server):
        server["peer.example"] = dns.a(places.SERVER)
        gateway = start_gateway(
            listen=LISTEN, resolver=f'{{servers: ["{server}"]}}', workers="1",
            relay="{buffer: 256k}",
            rules="[{action: allow, from: [any], to: [.example],"
                  " command: [udp]}]")
        peer = datagrams(lab.server, places.SERVER)
        association = Association(gateway, lab)
        association.send(peer.getsockname(), b"denied by its address")
        association.reach(peer, to=("peer.example", peer.getsockname()[1]))
        association.reach(peer, to=("peer.example", peer.getsockname()[1]))
        made = unread_at_most(gateway.workers()[0])
        assert len(made) == 2 and max(made) <= 65536
        association.control.close()
        assert gateway.record(command="udp")["up"] == 2 * len(b"question")


def test_this_machine_is_not_reached_and_icmp_ends_nothing(start_gateway, lab):
    """A port where nothing listens is answered by ICMP, and an address that
    nobody has by the gateway's own kernel. The first address of a network of
    IPv6 is every router's, so also this machine's."""
    lab.gateway.write("/proc/sys/net/ipv6/conf/inside/forwarding", "1")
    own = [datagrams(lab.gateway, address)
           for address in ("127.0.0.1", places.OUTSIDE, places.INSIDE6, "::")]
    everywhere = own[-1].getsockname()[1]
    lab.gateway.ip("route add local fd00:7::/64 dev lo\n"
                   f"route add local 10.9.0.0/24 dev lo src {places.OUTSIDE}\n")
    gateway = start_gateway(listen=LISTEN, rules=RULES)
    peer = datagrams(lab.server, places.SERVER)
    free = datagrams(lab.server, places.SERVER)
    closed = free.getsockname()
    free.close()
    association = Association(gateway, lab)
    for one in own:
        association.send(one.getsockname(), b"to this machine")
    association.send(("fd00:1::", everywhere), b"to all routers there")
    for routed in "fd00:7::5", "10.9.0.5":
        association.send((routed, everywhere), b"to what is routed here")
    association.send(closed, b"nobody")
    association.send((places.UNREACHABLE, 53), b"no route")
    association.send(("fd00:9::1", 53), b"no network")
    for data in (b"one", b"two"):
        association.reach(peer, data)
    for one in own:
        one.setblocking(False)
        with pytest.raises(BlockingIOError):
            one.recv(100)
    association.control.close()
    assert gateway.record(command="udp")["up"] == len(b"nobodyonetwo")


def test_no_source_takes_all_ports_that_the_kernel_chooses_from(
        start_gateway, lab):
    """Without bind.ports an association has two of them: others find some, and
    so does the resolver."""
    lab.client.ip("address add 10.1.0.7/24 dev wire")
    lab.gateway.write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40019")
    server = dns.Dns(lab.server, places.SERVER)
    with contextlib.closing(server):
        server["peer.example"] = dns.a(places.SERVER)
        gateway = start_gateway(
            listen=LISTEN, resolver=f'{{servers: ["{server}"]}}', workers="2",
            rules=RULES)
        peer = datagrams(lab.server, places.SERVER)
        held = [Association(gateway, lab) for _ in range(5)]
        for one in held:
            one.reach(peer)
        with lab.client.connect((places.INSIDE, 1080)) as refused:
            assert socks5.ask(refused, ("0.0.0.0", 0), socks5.UDP).code == 1
        assert gateway.record(verdict="bind.ports-exhausted")["command"] == "udp"
        other = Association(gateway, lab, source="10.1.0.7")
        other.reach(peer, to=("peer.example", peer.getsockname()[1]))
        for one in *held, other:
            one.control.close()


def test_it_ends_with_its_timer_an_operator_or_its_connection(start, lab):
    gateway = start(
        listen=LISTEN,
        rules="[{name: short, action: allow, from: [any], to: [any],"
              " listener: [six], command: [udp], timeouts: {idle: 300ms}},"
              " {name: long, action: allow, from: [any], to: [any],"
              " command: [udp]}]")
    peer = datagrams(lab.server, places.SERVER)
    idle = Association(gateway, lab, places.INSIDE6, places.CLIENT6)
    assert ending(idle.control) == ("reset", b"")
    assert gateway.record(rule="short")["end"] == "timeout"

    killed = Association(gateway, lab)
    killed.reach(peer)
    rows = control.ask(gateway.control, "sessions")["rows"]
    assert [(row["state"], row["command"]) for row in rows] == [("udp", "udp")]
    assert control.run(gateway.control, "kill", "state=udp").returncode == 0
    assert ending(killed.control) == ("reset", b"")
    assert gateway.record(ended_by="operator")["rule"] == "long"

    left = Association(gateway, lab)
    out = left.reach(peer)
    left.control.close()
    assert gateway.record(rule="long", ended_by="client")["end"] == "fin"
    again = lab.gateway.socket(kind=socket.SOCK_DGRAM)
    again.bind(out)  # the socket is closed


def test_a_reload_denies_what_was_granted(gateway, lab):
    peer = datagrams(lab.server, places.SERVER)
    other = datagrams(lab.server, places.SERVER2)
    association = Association(gateway, lab)
    out = association.reach(peer)
    reloaded(gateway, rules="[{action: deny, from: [any], to: [%s]}, %s"
             % (places.SERVER, RULES[1:]))
    peer.sendto(b"too late", out)
    association.send(peer.getsockname(), b"denied")
    association.reach(other, b"allowed")
    association.control.close()
    assert gateway.record(command="udp")["up"] == len(b"questionallowed")
