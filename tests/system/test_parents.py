"""Requests that go through other gateways, real ones and scripted ones."""
import contextlib
import json
import shutil
import signal
import socket
import struct
import subprocess
import threading

import pytest

import lab as places
import socks5
import tls_socket as tls
from etc import own_etc, replace
from gateway import BINARY, SANDBOX, Gateway, Process, children, wait_for
from laws import laws
from process_memory import memory
from reloads import failed, reloaded
from socks4 import (BIND, CONNECT, GRANTED, REFUSED, ending, receive_exactly,
                    request)
from starts import copied
from streams import beside
from upgrades import upgraded


def parent(name, address, **settings):
    more = "".join(f", {key}: {value}" for key, value in settings.items())
    return f'{{name: {name}, address: "{address[0]}:{address[1]}",' \
        f" insecure_plaintext: true{more}}}"


def through(*names, rest=""):
    return ("[{name: all, action: allow, from: [any], to: [any, self],"
            " command: [connect, bind], peer: any,"
            f" via: [{', '.join(names)}]{rest}}}]")


EVERYTHING = ("[{name: all, action: allow, from: [any], to: [any, self],"
              " command: [connect, bind], peer: any}]")


@pytest.fixture
def chain(lab, tmp_path):
    """Starts a gateway on an address of the gateway's machine; all of them are
    held to the laws, the one that clients use first."""
    made = []

    def start(at, **settings):
        folder = tmp_path / f"gateway-{len(made)}"
        folder.mkdir()
        gateway = Gateway(lab, folder, **{"listen": (
            f'[{{address: "{at[0]}:{at[1]}", name: inside,'
            " insecure_plaintext: true, socks4a: true}]"), **settings})
        gateway.at = at
        made.append(gateway)
        return gateway.start()

    yield start
    for gateway in reversed(made):
        laws(gateway)


class Scripted:
    """A parent on the server's machine that does with each connection what
    `serve` does, and keeps what it was sent first."""

    def __init__(self, lab, serve, address=places.SERVER, port=0):
        self.listener = lab.server.listen(address, port)
        self.at = self.listener.getsockname()
        self.serve = serve
        self.heard = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.settimeout(places.TIMEOUT)
            try:
                self.heard.append(sock.recv(4096))
                self.serve(sock)
            except OSError:
                pass
            sock.close()

    def die(self):
        """Nobody listens any more, and whoever waits in the queue is reset. The
        lab closes the socket: here its thread could find another one that has
        its number by then."""
        with contextlib.suppress(OSError):  # dead already
            self.listener.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.die()
        self.thread.join(places.TIMEOUT)
        assert not self.thread.is_alive()


@pytest.fixture
def scripted(lab):
    made = []

    def start(serve, **options):
        made.append(Scripted(lab, serve, **options))
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.mark.feature
def test_a_chain_of_three_gateways_carries_connect_and_bind(chain, lab):
    last = chain((places.OUTSIDE, 1083), rules=EVERYTHING)
    middle = chain((places.OUTSIDE, 1082), rules=through("last"),
                   parents="[%s]" % parent("last", last.at))
    first = chain((places.INSIDE, 1080), rules=through("middle"),
                  parents="[%s]" % parent("middle", middle.at))

    client, server = first.open(userid=b"ann")
    client.sock.sendall(b"question")
    assert server.recv(100) == b"question"
    server.sendall(b"answer")
    server.shutdown(socket.SHUT_WR)
    assert client.sock.recv(100) == b"answer"
    assert client.sock.recv(100) == b""
    client.sock.sendall(b"late")  # half-closed, through all three
    client.sock.close()
    assert server.recv(100) == b"late"
    assert server.recv(100) == b""
    server.close()
    for gateway, via in ((first, "middle"), (middle, "last"), (last, None)):
        record = gateway.record(command="connect")
        assert (record["verdict"], record["via"], record["userid"]) == \
            ("granted", via, "ann")
        assert (record["up"], record["down"]) == (12, 6)

    client = first.client()
    client.ask((places.SERVER, 21), cd=BIND)
    reply = client.reply()
    assert reply.cd == GRANTED
    assert reply.address == places.OUTSIDE  # where the last one listens
    peer = lab.server.connect((reply.address, reply.port),
                              source=(places.SERVER, 0))
    second = client.reply()
    assert (second.cd, second.address, second.port) == \
        (GRANTED, *peer.getsockname())
    peer.sendall(b"150 coming")
    assert client.sock.recv(100) == b"150 coming"
    client.sock.close()
    peer.close()
    assert first.record(command="bind")["peer"] == \
        last.record(command="bind")["peer"]


def test_a_name_is_resolved_by_the_last_of_a_chain(chain, lab, scripted):
    """The first one has no use for a resolver: it passes the name."""
    def serve(sock):
        sock.sendall(bytes([0, GRANTED, 0, 0, 0, 0, 0, 0]) + b"hello")

    hq = scripted(serve)
    first = chain((places.INSIDE, 1080), rules=through("hq"),
                  parents="[%s]" % parent("hq", hq.at))
    client = first.client()
    client.ask_name("nowhere.example", 7007)
    assert client.reply().cd == GRANTED
    assert client.sock.recv(100) == b"hello"
    client.sock.close()
    assert hq.heard[0].endswith(b"\0nowhere.example\0")
    assert first.record()["name"] == "nowhere.example"


def answering(octets, linger=True):
    def serve(sock):
        sock.sendall(octets)
        if linger:
            sock.recv(100)
    return serve


NONSENSE = {
    "wrong version": (b"\x05\x5a\0\0\0\0\0\0", "parent-malformed"),
    "wrong code": (b"\0\x5e\0\0\0\0\0\0", "parent-malformed"),
    "a banner": (b"SSH-2.0-OpenSSH_9.2\r\n", "parent-malformed"),
    "a page": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "parent-malformed"),
    "half a reply": (b"\0\x5a\0\0", "parent-malformed"),
    "nothing": (b"", "parent-malformed"),
    "refused, and more": (b"\0\x5b\0\0\0\0\0\0" + b"x" * 1000,
                          "parent-refused"),
    "refused": (b"\0\x5d\1\2\3\4\5\6", "parent-refused"),
}


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_every_kind_of_nonsense_is_told_from_a_refusal(chain, scripted,
                                                       nonsense):
    octets, verdict = NONSENSE[nonsense]
    ends = len(octets) < 8
    hq = scripted(answering(octets, linger=not ends))
    gateway = chain((places.INSIDE, 1080), rules=through("hq"),
                    parents="[%s]" % parent("hq", hq.at))
    client = gateway.client()
    client.ask((places.SERVER, 80))
    assert client.reply().cd == (octets[1] if verdict == "parent-refused"
                                 else REFUSED)
    assert ending(client.sock)[0] == "fin"
    assert gateway.record()["verdict"] == verdict


CHOSEN = b"\5\0"
# what it sends to the greeting, and to the request; the client's code
NONSENSE_5 = {
    "an answer of SOCKS 4": (b"\0\x5b\0\0\0\0\0\0", b"", 1),
    "a banner": (b"SSH-2.0-OpenSSH_9.2\r\n", b"", 1),
    "no octet": (b"", b"", 1),
    "half a choice": (b"\5", b"", 1),
    "a password, which was not offered": (b"\5\2", b"", 1),
    "a choice, and no reply": (CHOSEN, b"", 1),
    "half a reply": (CHOSEN, b"\5\0\0\1\x0a", 1),
    "a reply of SOCKS 4": (CHOSEN, b"\0\x5a\0\0\0\0\0\0", 1),
    "a type that there is not": (CHOSEN, b"\5\0\0\2\0\0\0\0\0\0", 1),
    "a name without octets": (CHOSEN, b"\5\0\0\3\0\0\0", 1),
    "a NUL in a name": (CHOSEN, b"\5\0\0\3\2a\0\0\0", 1),
}
REFUSALS_5 = {
    "no method": (b"\5\xff", b"", 1),
    "a refusal, and more": (CHOSEN, b"\5\4\0\1\0\0\0\0\0\0" + b"x" * 999, 4),
    "a refusal without an address": (CHOSEN, b"\5\5", 5),
    "a code that there is not": (CHOSEN, b"\5\x5b\0\1\0\0\0\0\0\0", 1),
}


def test_every_kind_of_nonsense_in_socks5(chain, scripted):
    """To both versions, through one gateway. It is the parent that ends."""
    said = {**NONSENSE_5, **REFUSALS_5}
    script = iter([answer for name in said for answer in 2 * [said[name]]])

    def serve(sock):
        choice, answer, _ = next(script)
        sock.sendall(choice)
        if choice == CHOSEN:
            asked.append(receive_exactly(sock, 10))
        sock.sendall(answer)

    asked = []
    hq = scripted(serve)
    gateway = chain((places.INSIDE, 1080), rules=through("hq"), workers='"1"',
                    parents="[%s]" % parent("hq", hq.at, protocol="socks5"),
                    listen='[{address: "%s:1080", insecure_plaintext: true,'
                           " socks5: true}]" % places.INSIDE)
    number = 0
    for name, (_, _, code) in said.items():
        client = gateway.client()
        client.ask((places.SERVER, 80))
        client.refusal()
        client = gateway.client().sock
        assert socks5.ask(client, (places.SERVER, 80)).code == code, name
        assert ending(client) == ("fin", b""), name
        client.close()
        for _ in range(2):
            assert gateway.record(id=number)["verdict"] == (
                "parent-malformed" if name in NONSENSE_5
                else "parent-refused"), name
            number += 1
    assert set(hq.heard) == {socks5.GREETING}
    assert set(asked) == {socks5.request((places.SERVER, 80))}


@pytest.mark.feature
def test_a_chain_of_gateways_in_socks5(chain, lab):
    """Clients of 4 and 5 through one that asks in 5: both families, a BIND with
    both replies."""
    serves = ('[{address: "%s:%d", name: inside, insecure_plaintext: true,'
              " socks5: %s}]")
    last = chain((places.OUTSIDE, 1083), rules=EVERYTHING, workers='"1"',
                 listen=serves % (places.OUTSIDE, 1083, "only"))
    first = chain((places.INSIDE, 1080), rules=through("last"), workers='"1"',
                  listen=serves % (places.INSIDE, 1080, "true"),
                  parents="[%s]" % parent("last", last.at, protocol="socks5"))

    client, server = first.open(userid=b"ann")
    client.sock.sendall(b"question")
    assert server.recv(100) == b"question"
    client.sock.close()
    server.close()
    listener = lab.client.listen(places.CLIENT6)
    client = first.client().sock
    answer = socks5.ask(client, listener.getsockname())
    server, peer = lab.client.accept(listener)
    assert answer == (socks5.SUCCEEDED, *peer[:2])
    server.sendall(b"answer")
    server.close()
    assert ending(client) == ("fin", b"answer")
    client.close()

    def bind_4(client):
        client.ask((places.SERVER, 21), cd=BIND)
        return client.reply

    def bind_5(client):
        assert socks5.greet(client.sock) == 0
        client.sock.sendall(socks5.request((places.SERVER, 21), socks5.BIND))
        return lambda: socks5.reply(client.sock)

    for bind in (bind_4, bind_5):
        client = first.client()
        answers = bind(client)
        reply = answers()
        assert reply.address == places.OUTSIDE  # where the last one listens
        peer = lab.server.connect((reply.address, reply.port),
                                  source=(places.SERVER, 0))
        reply = answers()
        assert (reply.address, reply.port) == peer.getsockname()
        peer.sendall(b"150 coming")
        assert client.sock.recv(100) == b"150 coming"
        client.sock.close()
        peer.close()
    for number, version in enumerate("4545"):
        record = first.record(id=number)
        assert (record["verdict"], record["via"], record["version"]) == \
            ("granted", "last", version)
        assert last.record(id=number)["version"] == "5"


# Of "secret"; it costs a millisecond.
HASH = ("$y$j75$PtVzgzAAAAAAAAAAAAAAA1$"
        "eTlhCOSJEvB8Ba5NoXCvZIXasef6k16owV7mzEnV.p6")
ASKS = ("[{name: all, action: allow, from: [any], to: [any], auth: [password],"
        " command: [connect, bind]}]")


def asking(chain, tmp_path):
    """A parent that asks for a password, and one in front of it, which has it
    in a file."""
    (tmp_path / "users").write_text(f"joe:{HASH}\n")
    password = tmp_path / "password"
    password.write_text("secret\n")
    password.chmod(0o600)
    at = places.OUTSIDE, 1083
    last = chain(at, rules=ASKS, auth=f"{{users: {tmp_path}/users}}", listen=(
        '[{address: "%s:%d", name: inside, insecure_plaintext: true,'
        " socks5: only}]" % at))
    first = chain(
        (places.INSIDE, 1080), rules=through("last"), workers='"1"',
        binary=copied(BINARY, tmp_path), listen=(
            '[{address: "%s:1080", name: inside, insecure_plaintext: true,'
            " socks5: true}]" % places.INSIDE),
        parents="[%s]" % parent("last", last.at, protocol="socks5", user="joe",
                                password_file=password))
    return first, last, password


@pytest.mark.feature
def test_a_parent_is_told_the_password_that_its_file_has_now(chain, tmp_path):
    """To clients of both versions; after HUP another one, which the parent
    refuses, and after an upgrade."""
    first, last, password = asking(chain, tmp_path)
    for version in ("4", "5"):
        first.opens_5 = version == "5"
        client, server = first.open()
        server.sendall(b"there")
        assert client.sock.recv(5) == b"there"
        client.sock.close()
        server.close()
        assert first.record(version=version)["via"] == "last"
    wait_for("the parent's records", lambda: len(last.records(
        userid="joe", version="5", verdict="granted")) == 2)

    password.write_text("wrong-one\n")
    reloaded(first)
    client = first.client().sock
    assert socks5.ask(client, (places.SERVER, 80)).code == socks5.FAILURE
    client.close()
    assert first.record(verdict="parent-refused")["hint"].startswith(
        "the parent refused the user or the password")
    wait_for("the parent's record",
             lambda: last.records(verdict="auth-failed"))

    password.write_text("\n")
    assert f"password_file: {password}: its first line is empty" in \
        failed(first)
    password.write_text("secret\r\n")
    reloaded(first)
    upgraded(first)
    client, server = first.open()
    client.sock.close()
    server.close()
    for text in ("secret", "wrong-one"):
        assert text not in first.log() + first.stderr() + first.dump()


def test_workers_alone_have_a_parents_password_in_their_memory(
        chain, tmp_path, real_root):
    first, _, password = asking(chain, tmp_path)

    def holding(octets):
        """The roles of the processes that have it."""
        held = set()
        for pid in [first.process.pid, *children(first.process.pid)]:
            if any(octets in region for region in memory(pid)):
                held.add(" ".join(Process(pid).command()[1:2]))
        return held

    password.write_text("unforgettable-1\n")
    reloaded(first)
    assert holding(b"unforgettable-1") == {"--worker"}
    password.write_text("unforgettable-2\n")
    reloaded(first)
    assert holding(b"unforgettable-2") == {"--worker"}
    assert holding(b"unforgettable-1") == set()


def test_octets_behind_the_grant_are_the_applications(chain, scripted):
    def serve(sock):
        for octet in bytes([0, GRANTED, 1, 2, 3, 4, 5, 6]) + b"220 ready":
            sock.sendall(bytes([octet]))
        assert sock.recv(100) == b"QUIT"

    hq = scripted(serve)
    gateway = chain((places.INSIDE, 1080), rules=through("hq"),
                    parents="[%s]" % parent("hq", hq.at))
    client = gateway.client()
    client.ask((places.SERVER, 21))
    reply = client.reply()
    assert (reply.cd, reply.address, reply.port) == (GRANTED, "3.4.5.6", 258)
    got = b""
    while len(got) < 9:
        got += client.sock.recv(100)
    assert got == b"220 ready"
    client.sock.sendall(b"QUIT")
    client.sock.close()


@pytest.mark.parametrize("first", [
    (places.SERVER, 9), (places.UNREACHABLE, 1080), (places.SILENT, 1080)],
    ids=["refusing", "unreachable", "silent"])
def test_a_parent_that_is_not_there_is_followed_by_the_next(
        chain, scripted, first):
    def serve(sock):
        sock.sendall(bytes([0, GRANTED, 0, 0, 0, 0, 0, 0]))
        sock.recv(100)

    backup = scripted(serve)
    gateway = chain((places.INSIDE, 1080), workers='"1"',
                    rules=through("hq", "backup"),
                    timeouts="{connect: 2s}", parents="[%s, %s]" % (
                        parent("hq", first), parent("backup", backup.at)))
    client = gateway.client()
    client.ask((places.SERVER, 80))
    assert client.reply().cd == GRANTED
    client.sock.close()
    record = gateway.record()
    assert record["via"] == "backup" and record["ms"]["connect"] < 2000
    line = wait_for("the line", lambda: [
        line for line in gateway.lines()
        if line["event"] == "parent_resting"])[0]
    assert line["parent"] == "hq"


def test_a_parent_by_name_is_followed_when_it_moves(chain, scripted,
                                                    tmp_path):
    def serve(sock):
        sock.sendall(bytes([0, GRANTED, 0, 0, 0, 0, 0, 0]))

    one = scripted(serve)
    two = scripted(serve, address=places.SERVER2, port=one.at[1])
    with own_etc(tmp_path) as etc:
        gateway = chain((places.INSIDE, 1080), rules=through("hq"),
                        workers='"1"',
                        parents="[%s]" % parent("hq", ("gw.test", one.at[1])))

        def asked():
            client = gateway.client()
            client.ask((places.SERVER, 80))
            code = client.reply().cd
            client.sock.close()
            return code

        wait_for("the warning", lambda: [
            line for line in gateway.lines() if line["event"] == "parent_name"])
        assert asked() == REFUSED
        assert gateway.record()["verdict"] == "parent-unreachable"
        replace(etc / "hosts", f"{places.SERVER} gw.test\n")
        wait_for("the name", lambda: asked() == GRANTED)
        assert one.heard and not two.heard
        replace(etc / "hosts", f"{places.SERVER2} gw.test\n")
        wait_for("the other address", lambda: asked() and two.heard)


def test_a_listener_of_ours_is_no_parent(chain, tmp_path):
    with own_etc(tmp_path) as etc:
        replace(etc / "hosts", f"{places.INSIDE} gw.test\n")
        gateway = chain((places.INSIDE, 1080), rules=through("hq"),
                        parents="[%s]" % parent("hq", ("gw.test", 1080)))
        client = gateway.client()
        client.ask((places.SERVER, 80))
        assert client.reply().cd == REFUSED
        client.sock.close()
        record = gateway.record()
        assert record["verdict"] == "parent-unreachable"
        assert "listener" in record["hint"]


def test_a_circle_through_another_gateway_ends(chain, lab):
    """At the limits; an attempt that gives way there ends all behind it."""
    one, other = (places.INSIDE, 1080), (places.OUTSIDE, 1081)
    # Of a source there is none: it brings the clients of many.
    wide = {"workers": "1", "limits": "{pending: 100, per_source: {"
            "sessions: 100k, pending: 100k, rate: 1M}}"}
    gateways = [chain(one, parents=f"[{parent('other', other)}]",
                      rules=through("other"), **wide),
                chain(other, parents=f"[{parent('one', one)}]",
                      rules=through("one"), **wide)]
    for cd in CONNECT, BIND:
        client = lab.client.connect(one)
        client.sendall(request((places.SERVER2, 9), cd=cd))
        assert client.recv(9)[:2] == bytes([0, REFUSED])
        client.close()
        wait_for("the end", lambda: not any(
            gateway.counters()["live"] for gateway in gateways))


def test_a_network_that_is_routed_to_this_machine_has_no_parent(chain, lab):
    """From whatever address the gateway would ask it."""
    lab.gateway.ip("route add local 198.51.100.0/24 dev lo"
                   f" src {places.INSIDE}\n")
    gateway = chain(("0.0.0.0", 1080), rules=through("hq"),
                    parents="[%s]" % parent("hq", ("198.51.100.5", 1080)))
    gateway.at = (places.INSIDE, 1080)
    client = gateway.client()
    client.ask((places.SERVER, 80))
    assert client.reply().cd == REFUSED
    client.sock.close()
    record = gateway.record(client_ip=places.CLIENT)
    assert record["verdict"] == "parent-unreachable"
    assert "listener" in record["hint"]


def test_a_parent_is_reached_from_the_rules_egress(chain, lab):
    lab.server.ip("route add 10.4.0.0/24 via %s\n" % places.OUTSIDE)
    listener = lab.server.listen(places.SERVER)
    gateway = chain((places.INSIDE, 1080),
                    rules=through("hq", rest=f", egress: {places.THIRD}"),
                    parents="[%s]" % parent("hq", listener.getsockname()))
    client = gateway.client()
    client.ask((places.SERVER, 80))
    server, peer = lab.server.accept(listener)
    assert peer[0] == places.THIRD
    server.recv(100)
    server.sendall(bytes([0, REFUSED, 0, 0, 0, 0, 0, 0]))
    assert client.reply().cd == REFUSED
    client.sock.close()
    server.close()


def test_an_address_of_version_4_is_no_way_to_a_parent_of_version_6(chain,
                                                                    lab):
    listener = lab.client.listen(places.CLIENT6)
    gateway = chain((places.INSIDE, 1080), egress=f"{{address: {places.THIRD}}}",
                    rules=through("hq", rest=f", egress: {places.THIRD}"),
                    parents='[{name: hq, insecure_plaintext: true, address: "'
                            f'[{places.CLIENT6}]:{listener.getsockname()[1]}"'
                            "}]")
    client = gateway.client()
    client.ask((places.SERVER, 80))
    hq, peer = lab.client.accept(listener)
    assert peer[0] == places.INSIDE6
    hq.recv(100)
    hq.sendall(bytes([0, GRANTED, 0, 0, 0, 0, 0, 0]))
    assert client.reply().cd == GRANTED
    hq.close()
    client.sock.close()


EXPLAINED = """
listen: [{address: 127.0.0.1:1080, name: local, socks4a: true}]
parents:
  - {name: hq, address: 127.0.0.9:1081}
  - {name: backup, address: 127.0.0.9:1082}
rules:
  - {name: a, action: allow, from: [any], to: [192.0.2.1], via: [hq]}
  - {name: b, action: allow, from: [any], to: [any], via: [hq, backup],
     port: [80], egress: [192.0.2.8, 192.0.2.9]}
  - {name: c, action: allow, from: [any], to: [a.test], via: [backup]}
"""


@pytest.mark.parametrize("question, answer", [
    ("--to 192.0.2.1 --port 1", 'allow  rule "a" (gw.yaml:7)  via hq  90'),
    ("--to 192.0.2.2 --port 80",
     'allow  rule "b" (gw.yaml:8)  via hq, backup  from 192.0.2.8, 192.0.2.9'
     "  90"),
    # an address of it might be 192.0.2.1
    ("--to a.test --port 1",
     'depends on its addresses  allow rule "a" (gw.yaml:7), allow rule "c"'
     " (gw.yaml:10)  90 or 91"),
])
def test_explain_says_the_way_out(tmp_path, question, answer):
    (tmp_path / "gw.yaml").write_text(EXPLAINED)
    told = subprocess.run(
        [BINARY, "explain", "-c", "gw.yaml", "--from", "10.0.0.1",
         *question.split()], cwd=tmp_path, capture_output=True, text=True)
    assert told.stdout == answer + "\n"


def test_explain_says_the_way_out_in_json(tmp_path):
    (tmp_path / "gw.yaml").write_text(EXPLAINED)
    told = subprocess.run(
        [BINARY, "explain", "-c", "gw.yaml", "--json", "--from", "10.0.0.1",
         "--to", "192.0.2.2", "--port", "80"],
        cwd=tmp_path, capture_output=True, text=True)
    said = json.loads(told.stdout)
    assert said["via"] == ["hq", "backup"]
    assert said["egress"] == ["192.0.2.8", "192.0.2.9"]


# The stub: everything through one parent


@pytest.fixture
def stub(lab, tmp_path):
    """Starts socks4d --to on the client's machine; where clients find it."""
    made = []

    def start(to, *arguments, at=("127.0.0.1", 1080), warns=True):
        out = tmp_path / f"stub-{len(made)}"
        command = [BINARY, "--to", f"{to[0]}:{to[1]}", *arguments]
        with open(out, "w") as file:
            process = lab.client.popen(
                command if SANDBOX == "try" else unconfined(command, file),
                stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                cwd=tmp_path)
        made.append((process, out))
        wait_for("the stub to be ready", lambda: process.poll() is not None
                 or "event=ready" in out.read_text())
        assert process.poll() is None, out.read_text()
        assert ("everyone on the path" in out.read_text()) == warns
        return at, out

    start.made = made
    def unconfined(command, file):
        """The same as a file: the stub has no setting for its sandbox, in
        which sanitizers make calls that end a worker."""
        config = tmp_path / f"stub-{len(made)}.yaml"
        dumped = subprocess.run([*command, "-T"], stdout=subprocess.PIPE,
                                stderr=file, text=True, check=True,
                                cwd=tmp_path).stdout
        assert "\nsandbox: try\n" in dumped
        config.write_text(dumped.replace("sandbox: try",
                                         f"sandbox: {SANDBOX}"))
        return [BINARY, "-c", config]

    yield start
    for process, out in made:
        process.terminate()
        assert process.wait(20) == 0, out.read_text()
        assert "Sanitizer" not in out.read_text()


def test_the_stub_passes_on_all_that_its_client_asks_for(chain, stub, lab):
    gateway = chain((places.INSIDE, 1080), rules=EVERYTHING, listen=(
        '[{address: "%s:1080", name: inside, insecure_plaintext: true,'
        " socks4a: true, socks5: true}]" % places.INSIDE))
    at, out = stub(gateway.at)
    listener = lab.server.listen(places.SERVER)
    for to, host in ((listener, lab.server),
                     (lab.client.listen(places.CLIENT6), lab.client)):
        client = gateway.client(at=at).sock
        assert socks5.ask(client, to.getsockname()).code == socks5.SUCCEEDED
        server, _ = host.accept(to)
        server.close()
        assert ending(client) == ("fin", b"")
        client.close()
    wait_for("SOCKS5 as SOCKS5", lambda: len(gateway.records(version="5")) == 2)

    client = gateway.client(at=at)
    client.ask(listener.getsockname(), b"ann")
    server, _ = lab.server.accept(listener)
    assert client.reply().cd == GRANTED
    client.send(b"there")
    assert server.recv(5) == b"there"
    client.sock.close()
    server.close()
    assert gateway.record(command="connect", version="4")["userid"] == "ann"

    client = gateway.client(at=at)
    client.ask((places.SERVER, 21), cd=BIND)
    reply = client.reply()
    assert (reply.cd, reply.address) == (GRANTED, places.OUTSIDE)
    peer = lab.server.connect((reply.address, reply.port),
                              source=(places.SERVER, 0))
    assert client.reply().address == places.SERVER
    peer.sendall(b"150 coming")
    assert client.sock.recv(100) == b"150 coming"
    client.sock.close()
    peer.close()

    client = gateway.client(at=at)
    client.ask_name("no.such.example", 80)
    assert client.reply().cd == REFUSED
    client.sock.close()
    assert gateway.record(name="no.such.example")["version"] == "4a"
    wait_for("its records", lambda: out.read_text().count(
        'via="to"') == 5)


def test_the_stub_leads_a_client_of_version_4_through_socks5(chain, stub, lab):
    gateway = chain((places.INSIDE, 1080), rules=EVERYTHING, listen=(
        '[{address: "%s:1080", name: inside, insecure_plaintext: true,'
        " socks5: only}]" % places.INSIDE))
    at, _ = stub(gateway.at, "--socks5")
    client, server = gateway.open(at=at)
    server.sendall(b"there")
    assert client.sock.recv(100) == b"there"
    server.close()
    client.sock.close()
    assert gateway.record()["version"] == "5"


def test_the_stub_signs_in_for_its_client(chain, stub, tmp_path):
    """--user asks in SOCKS5 whatever the client speaks."""
    _, last, password = asking(chain, tmp_path)
    at, out = stub(last.at, "--user", "joe", "--password-file", str(password))
    client, server = last.open(at=at)
    server.sendall(b"there")
    assert client.sock.recv(100) == b"there"
    server.close()
    client.sock.close()
    assert last.record(version="5")["userid"] == "joe"
    assert "secret" not in out.read_text()


def test_the_stub_listens_where_it_is_told_and_serves_names_there(
        stub, scripted, lab):
    def serve(sock):
        sock.sendall(bytes([0, GRANTED, 0, 0, 0, 0, 0, 0]) + b"hello")

    hq = scripted(serve, address=places.SERVER)
    lab.client.ip(f"route add 10.2.0.0/24 via {places.INSIDE}\n")
    lab.server.ip(f"route add 10.1.0.0/24 via {places.OUTSIDE}\n")
    lab.gateway.write("/proc/sys/net/ipv4/ip_forward", "1")
    at, _ = stub(hq.at, "-l", "127.0.0.1:1085", at=("127.0.0.1", 1085))
    sock = lab.client.connect(at)
    sock.sendall(bytes([4, 1, 0, 80, 0, 0, 0, 9]) + b"bob\0a.example\0")
    got = b""
    while len(got) < 13:
        got += sock.recv(100)
    assert got[8:] == b"hello"
    sock.close()
    assert hq.heard == [bytes([4, 1, 0, 80, 0, 0, 0, 9])
                        + b"bob\0a.example\0"]


def tls_parent(chain):
    """A parent that is known by its address and wants a certificate: where, and
    the gateway."""
    authority = tls.authority()
    own = authority.issue("outside", names=f"IP:{places.INSIDE}")
    at = (places.INSIDE, 1443)
    listener = tls.listener(at, certificate=own.certificate, key=own.key,
                            client="require", ca=authority.certificate)
    return at, chain(at, rules=EVERYTHING, listen=f"[{listener}]")


@pytest.mark.feature
def test_the_stub_goes_over_tls_with_a_certificate_of_its_own(chain, stub, lab):
    """What the draft's C.5 asks for, beside a client that knows nothing of
    it. The parent is known by its address here."""
    authority = tls.authority()
    at, gateway = tls_parent(chain)
    ann = tls.issued("ann")
    local, out = stub(at, "--ca", str(authority.certificate),
                      "--certificate", str(ann.certificate),
                      "--key", str(ann.key), warns=False)
    listener = lab.server.listen(places.SERVER)
    client = gateway.client(at=local)
    client.ask(listener.getsockname(), b"ann")
    server, _ = lab.server.accept(listener)
    assert client.reply().cd == GRANTED
    client.send(b"there")
    assert server.recv(5) == b"there"
    client.sock.close()
    server.close()
    assert gateway.record()["certificate"] == "ann.example"
    wait_for("its record", lambda: 'via="to"' in out.read_text())


def test_the_stub_reads_a_renewed_certificate_on_hup(chain, stub, lab,
                                                     tmp_path):
    authority = tls.authority()
    at, gateway = tls_parent(chain)

    def install(pair):
        shutil.copy(pair.certificate, tmp_path / "me.pem")
        shutil.copy(pair.key, tmp_path / "me.key")

    install(tls.issued("ann"))
    local, out = stub(at, "--ca", str(authority.certificate), "--certificate",
                      "me.pem", "--key", "me.key", warns=False)
    listener = lab.server.listen(places.SERVER)

    def reload_and_ask(event, certificate):
        stub.made[0][0].send_signal(signal.SIGHUP)
        wait_for("the reload", lambda: f"event={event} " in out.read_text())
        client = gateway.client(at=local)
        client.ask(listener.getsockname(), b"x")
        server, _ = lab.server.accept(listener)
        assert client.reply().cd == GRANTED
        client.sock.close()
        server.close()
        gateway.record(certificate=certificate)

    reload_and_ask("unchanged", "ann.example")
    install(authority.issue("renewed", names="DNS:renewed.example"))
    reload_and_ask("reloaded", "renewed.example")


@pytest.mark.parametrize("arguments, sentence", [
    (["--to", "gw.example"],
     "--to gw.example: not the address and port of a host; write gw.example:"),
    (["--to", "127.0.0.1:1080"],
     '--to 127.0.0.1:1080: the parent "to" is the listener'),
    (["--to", "gw.example:1", "-l", "10.0.0.1:1080"],
     "-l 10.0.0.1:1080: not on loopback"),
    (["--to", "gw.example:1", "-c", "x.yaml"],
     "--to: is for the built-in default; write parents and via"),
    (["--to", "gw.example:1", "-l", "127.0.0.1:1", "-l", "127.0.0.1:1"],
     "-l 127.0.0.1:1: given twice"),
    (["--to", "gw.example:1", "--ca", "no.pem"],
     "--ca no.pem: No such file"),
    (["--to", "gw.example:1", "--ca", "/"],
     "--ca /: is not a regular file"),
    (["--to", "gw.example:1", "--ca", "/etc/passwd"],
     "--ca /etc/passwd: has no certificate in PEM"),
    (["--to", "gw.example:1", "--ca", "a" * 5000],
     f"--ca {'a' * 80}: wants a file's path"),
    (["--to", "gw.example:1", "--certificate", "no.pem", "--key", "no.key"],
     "--certificate no.pem: No such file"),
    (["--to", "gw.example:1", "--certificate", "/etc/passwd", "--key",
      "no.key"], "--key no.key: No such file"),
    (["--to", "gw.example:1", "--certificate", "none", "--key", "no.key"],
     "--key no.key: a certificate is shown with its key"),
    (["--to", "gw.example:1", "--tls", "--user", "joe", "--password-file",
      "no.pw"],
     "--password-file no.pw: No such file"),
    (["--to", "gw.example:1", "--tls", "--user", "joe", "--password-file",
      "/etc"],
     "--password-file /etc: is not a regular file; name one with the"),
    (["--to", "gw.example:1", "--user", "u" * 256, "--password-file", "pw"],
     f"--user {'u' * 80}: 256 octets; a parent is told at most 255"),
])
def test_what_the_stub_cannot_be_is_said(arguments, sentence):
    """By the option, not by a place in a text that nobody sees."""
    done = subprocess.run([BINARY, "-t", *arguments], capture_output=True,
                          text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(f"socks4d: {sentence}"), done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments, sentence", [
    (["--tls"], "--tls is for --to"), (["--ca", "x"], "--ca is for --to"),
    (["--to", "a.b:1", "--certificate", "x"], "belong together"),
    (["--to", "a.b:1", "--key", "x"], "belong together"),
    (["--to", "a.b:1", "--user", "x"], "belong together"),
    (["--to", "a.b:1", "--password-file", "x"], "belong together"),
    (["--user", "x", "--password-file", "x"], "--user is for --to"),
    (["--to", "a.b:1", "--to", "a.b:2"], "--to is given twice"),
    (["--to", ""], "--to has an empty value"),
])
def test_options_of_the_stub_that_make_no_sense(arguments, sentence):
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True)
    assert done.returncode == 2 and sentence in done.stderr


# TLS to a parent


def over_tls(parent_name, address, **options):
    """A parent over TLS whose certificate our authority has issued."""
    options = {"ca": tls.authority().certificate, "name": "gw.example",
               **options}
    terms = ", ".join(f"{key}: {value}" for key, value in options.items())
    return (f'{{name: {parent_name}, address: "{address[0]}:{address[1]}",'
            f" tls: {{{terms}}}}}")


SECOND = (places.OUTSIDE, 1443)


def second_gateway(start, **options):
    """One with a TLS listener, which is to be a parent."""
    own = tls.issued("gw")
    options = {"certificate": own.certificate, "key": own.key, **options}
    terms = ", ".join(f"{key}: {value}" for key, value in options.items())
    return start(SECOND, rules=EVERYTHING, listen=(
        '[{address: "%s:%d", name: outside, socks4a: true, tls: {%s}}]'
        % (*SECOND, terms)))


@pytest.mark.feature
def test_a_chain_over_tls_verifies_both_ends(chain, lab):
    """The parent by its name, this gateway by a certificate whose key only the
    signer has; CONNECT with both ends of stream, BIND with both replies."""
    tls.authority()
    ann = tls.issued("ann")
    hq = second_gateway(chain, client="require",
                        ca=tls.authority().certificate)
    first = chain((places.INSIDE, 1080), rules=through("hq"),
                  parents="[%s]" % over_tls("hq", SECOND, key=ann.key,
                                            certificate=ann.certificate))
    client, server = first.open(userid=b"bob")
    client.send(b"question")
    assert server.recv(100) == b"question"
    server.sendall(b"answer")
    server.shutdown(socket.SHUT_WR)
    assert client.sock.recv(100) == b"answer"
    assert client.sock.recv(100) == b""
    client.send(b"late")
    client.sock.close()
    assert server.recv(100) == b"late"
    assert server.recv(100) == b""
    server.close()
    record = hq.record(command="connect")
    assert record["certificate"] == "ann.example"
    assert record["tls"].startswith("1.3/") and record["end"] == "fin"
    assert first.record(command="connect")["via"] == "hq"

    client = first.client()
    client.ask((places.SERVER, 21), cd=BIND)
    reply = client.reply()
    assert (reply.cd, reply.address) == (GRANTED, places.OUTSIDE)
    peer = lab.server.connect((reply.address, reply.port),
                              source=(places.SERVER, 0))
    assert client.reply().address == places.SERVER
    peer.sendall(b"150 coming")
    assert client.sock.recv(100) == b"150 coming"
    client.sock.close()
    peer.close()


def test_a_stream_that_is_cut_inside_tls_is_a_reset(chain):
    """The parent dies: no close_notify comes, and no end that looks clean."""
    hq = second_gateway(chain)
    first = chain((places.INSIDE, 1080), rules=through("hq"),
                  parents="[%s]" % over_tls("hq", SECOND))
    client, server = first.open()
    server.sendall(b"half of it")
    assert client.sock.recv(100) == b"half of it"
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                      struct.pack("ii", 1, 0))
    server.close()
    assert ending(client.sock) == ("reset", b"")
    client.gone = True
    assert hq.record()["end"] == "reset"


UNTRUSTED = {
    "another name": ({"name": "other.example"}, "hostname mismatch"),
    "an address that it has not": ({"name": "10.9.9.9"}, "IP address"),
    "the name is the address": ({"name": "auto"}, "IP address"),
    "the machine's CAs": ({"ca": "system"}, "certificate"),
}


def test_a_common_name_is_no_name_of_a_parent(chain):
    """Somebody else's certificate of the same authority may have any."""
    tls.authority().issue("gw.example", names="IP:10.9.9.9")
    other = tls.issued("gw.example")
    hq = second_gateway(chain, certificate=other.certificate, key=other.key)
    is_told_nothing(chain, hq, {}, "hostname mismatch")


@pytest.mark.parametrize("case", UNTRUSTED)
def test_a_parent_that_is_not_the_one_is_told_nothing(chain, case):
    is_told_nothing(chain, second_gateway(chain), *UNTRUSTED[case])


def is_told_nothing(chain, hq, options, reason):
    first = chain((places.INSIDE, 1080), rules=through("hq"),
                  parents="[%s]" % over_tls("hq", SECOND, **options))
    client = first.client()
    client.ask((places.SERVER, 80), b"secret")
    assert client.reply().cd == REFUSED
    client.sock.close()
    record = first.record()
    assert record["verdict"] == "parent-tls" and record["via"] == "hq"
    assert reason in record["hint"]
    wait_for("the parent's record", hq.records)
    assert hq.records()[0]["userid"] is None


def test_a_parent_that_does_not_speak_tls_is_told_nothing(chain, scripted):
    hq = scripted(answering(b"\0\x5b\0\0\0\0\0\0"))
    first = chain((places.INSIDE, 1080), rules=through("hq"),
                  parents="[%s]" % over_tls("hq", hq.at))
    client = first.client()
    client.ask((places.SERVER, 80), b"secret")
    assert client.reply().cd == REFUSED
    client.sock.close()
    assert first.record()["hint"] == "the parent does not speak TLS"
    assert b"secret" not in hq.heard[0]


def test_a_parent_that_wants_a_certificate_says_so(chain):
    second_gateway(chain, client="require",
                   ca=tls.authority().certificate)
    first = chain((places.INSIDE, 1080), rules=through("hq"),
                  parents="[%s]" % over_tls("hq", SECOND))
    client = first.client()
    client.ask((places.SERVER, 80))
    assert client.reply().cd == REFUSED
    client.sock.close()
    record = first.record()
    assert record["verdict"] == "parent-tls", record
    assert record["hint"] == ("the parent wants a certificate of this gateway; "
                              "set parents[].tls.certificate and key")


def test_a_parent_over_tls_is_followed_by_the_next(chain, scripted):
    def serve(sock):
        sock.sendall(bytes([0, GRANTED, 0, 0, 0, 0, 0, 0]))
        sock.recv(100)

    second_gateway(chain)
    backup = scripted(serve)
    first = chain((places.INSIDE, 1080), rules=through("hq", "backup"),
                  parents="[%s, %s]" % (
                      over_tls("hq", SECOND, name="other.example"),
                      parent("backup", backup.at)))
    for _ in range(3):
        client = first.client()
        client.ask((places.SERVER, 80))
        assert client.reply().cd == GRANTED
        client.sock.close()
    assert {record["via"] for record in first.records()} <= {"backup"}


def test_the_parents_files_are_read_again_on_hup(chain, tmp_path):
    """Live sessions stay; a key that does not fit is refused as a whole."""
    tls.authority()
    hq = second_gateway(chain, client="require",
                        ca=tls.authority().certificate)
    mine = tmp_path / "mine"
    mine.mkdir()
    tls.issued("ann").place(mine, "me")
    first = chain((places.INSIDE, 1080), rules=through("hq"),
                  parents="[%s]" % over_tls(
                      "hq", SECOND, certificate=mine / "me.pem",
                      key=mine / "me.key"))
    live, server = first.open()
    other = tls.authority().issue("eve", names="DNS:eve.example")
    (mine / "me.key").write_bytes(other.key.read_bytes())
    first.signal(signal.SIGHUP)
    wait_for("the error", lambda: "is not the key of the certificate"
             in first.log())
    other.place(mine, "me")
    first.signal(signal.SIGHUP)
    wait_for("the reload", lambda: [
        line for line in first.lines() if line["event"] == "reloaded"])
    client, second = first.open()
    client.sock.close()
    second.close()
    live.send(b"still there")
    assert server.recv(100) == b"still there"
    live.sock.close()
    server.close()
    wait_for("both records", lambda: len(hq.records()) == 2)
    assert {record["certificate"] for record in hq.records()} == \
        {"ann.example", "eve.example"}


def test_reloads_without_a_session_take_no_memory(chain):
    """The CAs of a former configuration are those of the machine: a megabyte.
    Nothing but a session that is not connected yet may need them."""
    gateway = chain((places.INSIDE, 1080), workers='"1"', rules=through("hq"),
                    parents='[{name: hq, address: "10.2.0.2:1443", tls: {}}]')

    def grown(first, last):
        for seconds in range(first, last):
            reloaded(gateway, timeouts=f"{{connect: {seconds}s}}")
        return gateway.workers()[0].anonymous_kb()

    before = grown(20, 25)
    assert grown(25, 40) - before < 3000


def test_a_session_that_began_before_a_reload_goes_the_way_it_had(chain, lab):
    """Its configuration has a parent with TLS that the next one has not."""
    hq = second_gateway(chain)
    first = chain((places.INSIDE, 1080), rules=through("hq"),
                  parents="[%s]" % over_tls("hq", SECOND))
    listener = lab.server.listen(places.SERVER)
    client = first.client()
    asked = request(listener.getsockname(), b"ann")
    client.send(asked[:5])
    wait_for("its octets to be read", lambda: first.has_read(client))
    first.settings["parents"] = "[]"
    first.settings["rules"] = EVERYTHING
    first.write_config()
    first.signal(signal.SIGHUP)
    wait_for("the reload", lambda: [
        line for line in first.lines() if line["event"] == "reloaded"])
    client.requested = True
    client.send(asked[5:])
    server, _ = lab.server.accept(listener)
    assert client.reply().cd == GRANTED
    client.sock.close()
    server.close()
    assert first.record()["via"] == "hq"
    wait_for("the parent's record", lambda: hq.records(userid="ann"))
    client, server = first.open()
    client.sock.close()
    server.close()
    wait_for("the second record", lambda: first.records(via=None))


def test_an_upgrade_hands_the_parents_key_over(chain, tmp_path):
    tls.authority()
    ann = tls.issued("ann")
    hq = second_gateway(chain, client="require",
                        ca=tls.authority().certificate)
    binary = copied(BINARY, tmp_path)
    first = chain((places.INSIDE, 1080), rules=through("hq"), binary=binary,
                  parents="[%s]" % over_tls("hq", SECOND, key=ann.key,
                                            certificate=ann.certificate))
    upgraded(first)
    client, server = first.open()
    client.sock.close()
    server.close()
    wait_for("the parent's record", lambda: hq.records(
        certificate="ann.example"))


def test_a_parent_that_dies_under_load_loses_nobody_who_was_not_granted(
        chain, scripted):
    """It stops to listen and resets who waits in its queue, in the middle of
    many requests: all are granted, by it or by the next one."""
    def serve(sock):
        sock.sendall(bytes([0, GRANTED, 0, 0, 0, 0, 0, 0]))

    hq, backup = scripted(serve), scripted(serve, address=places.SERVER2)
    first = chain((places.INSIDE, 1080), rules=through("hq", "backup"),
                  parents="[%s, %s]" % (parent("hq", hq.at),
                                        parent("backup", backup.at)))

    def ask():
        codes = set()
        while len(backup.heard) < 100:
            client = first.client()
            client.ask((places.SERVER, 80))
            codes.add(client.reply().cd)
            client.sock.close()
        return codes

    asking = [beside(ask) for _ in range(4)]
    wait_for("some to be served", lambda: len(hq.heard) > 50)
    hq.die()
    for one in asking:
        assert one.result(60) == {GRANTED}
    wait_for("the line", lambda: [
        line for line in first.lines() if line["event"] == "parent_resting"])
