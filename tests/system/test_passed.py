"""Listening sockets that somebody else has opened and passes: those of
systemd, by the test."""
import os
import socket

import pytest

import lab as places
from gateway import BINARY, Gateway
from laws import laws
from socks4 import Client, ending
from starts import refused_start, serves


def passing(*sockets, names=None, pid="$$"):
    """Options of Gateway.start: these sockets, as systemd passes them."""
    numbers = [sock.fileno() for sock in sockets]
    moves = " ".join(f"{3 + at}<&{number} {number}<&-"
                     for at, number in enumerate(numbers))
    names = names or ":".join("unknown" for _ in sockets)
    return {"pass_fds": numbers, "wrapper": ("bash", "-c", (
        f"export LISTEN_PID={pid} LISTEN_FDS={len(numbers)}"
        f" LISTEN_FDNAMES={names}; exec \"$@\" {moves}"), "bash")}


def inode(sock):
    return os.fstat(sock.fileno()).st_ino


def listening_inodes(gateway):
    found = gateway.workers()[0].listeners()
    inodes = [inode(sock) for sock in found]
    for sock in found:
        sock.close()
    return inodes


def listen_as(*addresses):
    return "[" + ", ".join(
        f'{{address: "{address}", name: n{at}, insecure_plaintext: true}}'
        for at, address in enumerate(addresses)) + "]"


@pytest.fixture
def held(lab, tmp_path):
    """Starts a gateway with sockets that are passed; held to the laws."""
    made = []

    def start(*sockets, listen=None, **options):
        folder = tmp_path / f"held-{len(made)}"
        folder.mkdir()
        settings = {"listen": listen} if listen else {}
        made.append(Gateway(lab, folder, **settings))
        return made[-1].start(**passing(*sockets, **options))

    yield start
    for gateway in made:
        laws(gateway)


@pytest.mark.feature
def test_who_connected_before_it_was_started_is_served(lab, held):
    """On the very socket that was passed, with what one of ours has."""
    passed = lab.gateway.listen(places.INSIDE, 1080)
    early = lab.client.connect((places.INSIDE, 1080))
    listener = lab.server.listen(places.SERVER)
    gateway = held(passed)
    assert listening_inodes(gateway) == [inode(passed)]
    client = Client(early)
    gateway.clients.append(client)
    client.ask(listener.getsockname())
    server, _ = lab.server.accept(listener)
    assert client.reply().cd == 90
    for option in ((socket.IPPROTO_TCP, socket.TCP_NODELAY),
                   (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                   (socket.SOL_SOCKET, socket.SO_OOBINLINE)):
        assert passed.getsockopt(*option) == 1
    client.shut()
    assert ending(server) == ("fin", b"")
    server.close()


def test_nobody_is_refused_between_two_gateways(lab, held):
    passed = lab.gateway.listen(places.INSIDE, 1080)
    first = held(passed)
    serves(first)
    assert first.stop() == 0
    between = lab.client.connect((places.INSIDE, 1080))
    second = held(passed)
    client = Client(between)
    second.clients.append(client)
    client.ask((places.SERVER, 0))
    client.refusal()


def test_each_entry_gets_the_socket_of_its_address(lab, held):
    """Whatever their order and names are; the rest are opened."""
    six = lab.gateway.socket(socket.AF_INET6)
    six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    six.bind((places.INSIDE6, 1081))
    six.listen()
    wild = lab.gateway.listen("0.0.0.0", 1082)
    gateway = held(six, wild, names="b:a", listen=listen_as(
        f"{places.INSIDE}:1080", "0.0.0.0:1082", f"[{places.INSIDE6}]:1081"))
    opened, *passed = listening_inodes(gateway)
    assert passed == [inode(wild), inode(six)]
    assert opened not in passed
    serves(gateway)
    serves(gateway, (places.INSIDE, 1082))
    serves(gateway, (places.INSIDE6, 1081))


def test_sockets_that_are_meant_for_another_process_are_left_alone(lab, held):
    passed = lab.gateway.listen(places.INSIDE, 1085)
    gateway = held(passed, pid="1")
    assert inode(passed) not in listening_inodes(gateway)
    serves(gateway)


def made_otherwise(lab, kind):
    if kind == "elsewhere":
        return lab.gateway.listen(places.INSIDE, 1085)
    if kind == "wildcard":
        return lab.gateway.listen("0.0.0.0", 1080)
    if kind == "silent":
        made = lab.gateway.socket()
        made.bind((places.INSIDE, 1080))
        return made
    if kind == "datagram":
        made = lab.gateway.socket(kind=socket.SOCK_DGRAM)
        made.bind((places.INSIDE, 1080))
        return made
    if kind == "unix":
        made = socket.socket(socket.AF_UNIX)
        made.bind(f"\0socks4-test-{os.getpid()}")
        made.listen()
        lab.gateway.sockets.append(made)
        return made
    made = lab.gateway.socket(socket.AF_INET6)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    made.bind(("::", 1080))
    made.listen()
    return made


@pytest.mark.parametrize("kind,words", [
    ("elsewhere", ["10.1.0.1:1085", "no entry of `listen:'"]),
    ("wildcard", ["0.0.0.0:1080", "no entry of `listen:'"]),
    ("silent", ["descriptor 3", "does not listen", "Accept=no"]),
    ("datagram", ["descriptor 3", "not a TCP socket", "ListenStream="]),
    ("unix", ["descriptor 3", "not a TCP socket"]),
    ("both families", ["descriptor 3", "IPv6 only",
                       "BindIPv6Only=ipv6-only"])])
def test_a_socket_that_no_entry_means_is_an_error_with_a_remedy(
        lab, tmp_path, kind, words):
    gateway = Gateway(lab, tmp_path)
    gateway.write_config()
    options = passing(made_otherwise(lab, kind))
    said = refused_start(lab.gateway, *options["wrapper"], BINARY, "-c",
                         str(gateway.config_path),
                         pass_fds=options["pass_fds"])
    for word in words:
        assert word in said


@pytest.mark.parametrize("count", ["65", "-1", "many", ""])
def test_a_number_of_sockets_that_is_none_is_an_error(lab, tmp_path, count):
    gateway = Gateway(lab, tmp_path)
    gateway.write_config()
    said = refused_start(
        lab.gateway, "sh", "-c",
        f'LISTEN_PID=$$ LISTEN_FDS="{count}" exec "$@"', "sh", BINARY, "-c",
        str(gateway.config_path))
    assert "LISTEN_FDS" in said
