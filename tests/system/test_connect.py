"""CONNECT: what is granted, what is refused, and when which octet leaves."""
import time

import pytest

import lab as places
from gateway import CLOSE_WAIT, SYN_SENT, wait_for
from socks4 import ending, request
from streams import KB, MB, beside, pull, push, whole

NOBODY = (places.SERVER, 9)  # no one listens there


def nothing_came(sock):
    """Whether there is nothing to be read, not even an end."""
    sock.setblocking(False)
    try:
        sock.recv(1)
        return False
    except BlockingIOError:
        return True
    finally:
        sock.settimeout(places.TIMEOUT)


def nobody_came(listener):
    listener.setblocking(False)
    try:
        listener.accept()
        return False
    except BlockingIOError:
        return True


def wake(lab):
    """The silent address answers from now on; the next SYN gets through."""
    link = lab.server.run(["ip", "-o", "link", "show", "wire"],
                          capture_output=True, text=True).stdout
    address = link.split("link/ether ")[1].split()[0]
    lab.server.ip(f"address add {places.SILENT}/32 dev wire")
    lab.gateway.ip(f"neighbour replace {places.SILENT} lladdr {address}"
                   " dev outside nud permanent")


def pending(gateway, behind=b""):
    """A client whose connect has gone out and is not answered."""
    listener = gateway.lab.server.listen()
    to = (places.SILENT, listener.getsockname()[1])
    client = gateway.client()
    client.ask(to, b"waiting", behind=behind)
    wait_for("a SYN", lambda: gateway.connection_to(to, SYN_SENT))
    return client, listener


# Granted


@pytest.mark.userid
@pytest.mark.feature
def test_a_granted_connect_carries_octets_both_ways(gateway):
    """[V4-1-1] [V4-3.2-2] [V4-3.3-1] [V4-3.3-10] [V4-3.3-11]"""
    client, server = gateway.open(userid=b"mary")
    server.sendall(b"server speaks first")
    assert client.sock.recv(100) == b"server speaks first"
    client.send(b"hello")
    assert server.recv(100) == b"hello"
    client.shut()
    assert ending(server) == ("fin", b"")
    server.close()
    assert ending(client.sock) == ("fin", b"")
    record = gateway.record(userid="mary")
    assert record["verdict"] == "granted" and record["code"] == 90
    assert (record["up"], record["down"]) == (5, 19)
    assert (record["ended_by"], record["end"]) == ("client", "fin")
    gateway.tell(up=5, down=19)


def test_90_comes_only_once_the_connection_stands(gateway):
    """[V4-3.3-4]"""
    client, listener = pending(gateway)
    assert nothing_came(client.sock)
    wake(gateway.lab)
    assert client.reply().cd == 90
    listener.accept()[0].close()


def test_the_reply_names_the_gateways_own_address_and_port(gateway):
    """Dante's client library builds PORT commands from it."""
    listener = gateway.lab.server.listen(places.SERVER)
    client = gateway.client()
    client.ask(listener.getsockname())
    _, peer = gateway.lab.server.accept(listener)
    reply = client.reply()
    assert (reply.address, reply.port) == peer
    assert reply.address == places.OUTSIDE


def test_the_reply_is_zeros_where_that_is_set(start_gateway, lab):
    gateway = start_gateway(connect_reply="zeros")
    listener = lab.server.listen(places.SERVER)
    client = gateway.client()
    client.ask(listener.getsockname())
    reply = client.reply()
    assert (reply.cd, reply.address, reply.port) == (90, "0.0.0.0", 0)


def test_an_ipv6_listener_takes_clients_to_ipv4_servers(start_gateway, lab):
    gateway = start_gateway(
        listen='[{address: "[%s]:1080", name: six, insecure_plaintext: true}]'
               % places.INSIDE6)
    gateway.at = (places.INSIDE6, 1080)
    client, server = gateway.open(userid=b"six")
    client.send(b"over six")
    assert server.recv(100) == b"over six"
    client.sock.close()
    server.close()
    record = gateway.record(userid="six")
    assert record["client"].startswith(f"[{places.CLIENT6}]:")
    assert record["listener"] == "six"


def test_the_first_nul_ends_the_request_and_the_rest_is_data(gateway):
    """[V4-2-3] [V4-3.1-7] [V4-3.3-10]"""
    listener = gateway.lab.server.listen(places.SERVER)
    client = gateway.client()
    client.ask(listener.getsockname(), b"mary", behind=b"\0early\0")
    server, _ = gateway.lab.server.accept(listener)
    assert client.reply().cd == 90
    client.shut()
    assert ending(server) == ("fin", b"\0early\0")


@pytest.mark.parametrize("count", [1, 64 * KB, 4 * MB])
def test_data_behind_the_request_arrives_in_order(gateway, count):
    """[V4-3.3-10]"""
    listener = gateway.lab.server.listen(places.SERVER)
    client = gateway.client()
    client.ask(listener.getsockname())
    sending = beside(lambda: (push(client.sock, count), client.shut()))
    server, _ = gateway.lab.server.accept(listener)
    assert pull(server) == whole(count)
    sending.result(places.TIMEOUT)
    assert client.reply().cd == 90


def test_data_sent_while_the_connect_is_pending_arrives(gateway):
    """[V4-3.3-10]"""
    client, listener = pending(gateway, behind=b"first ")
    client.send(b"second ")
    wake(gateway.lab)
    server, _ = gateway.lab.server.accept(listener)
    assert client.reply().cd == 90
    client.send(b"third")
    client.shut()
    assert ending(server) == ("fin", b"first second third")


def test_a_client_that_floods_a_pending_connect_costs_no_memory(start_gateway):
    """[4A-B.4-2] Bounded memory, whatever comes early."""
    gateway = start_gateway(workers="1")
    worker = gateway.workers()[0]
    before = worker.anonymous_kb()
    client, listener = pending(gateway)
    client.sock.settimeout(0.3)
    sent = 0
    try:
        while sent < 64 * MB:
            sent += client.sock.send(bytes(MB))
    except TimeoutError:
        pass
    assert sent < 64 * MB
    assert worker.anonymous_kb() - before <= 256
    client.reset()


@pytest.mark.parametrize("step", [None, 1], ids=["two parts", "single octets"])
def test_a_request_may_come_in_any_pieces(gateway, step):
    """[V4-3.1-1] Every split, each piece read before the next is sent."""
    listener = gateway.lab.server.listen(places.SERVER)
    octets = request(listener.getsockname(), b"ab") + b"xy"
    ways = ([range(at, at + 1) for at in range(1, len(octets))] if step is None
            else [range(1, len(octets))])
    for cuts in ways:
        client = gateway.client()
        start = 0
        for at in [*cuts, len(octets)]:
            client.send(octets[start:at])
            wait_for("the piece to be read", lambda: gateway.has_read(client))
            start = at
        client.requested = True
        server, _ = gateway.lab.server.accept(listener)
        assert client.reply().cd == 90
        client.shut()
        assert ending(server) == ("fin", b"xy")
        server.close()
        assert ending(client.sock) == ("fin", b"")


@pytest.mark.userid
def test_a_userid_of_1023_octets_is_taken(gateway):
    """[V4-2-2] [V4-3.1-6] Any octet but NUL."""
    userid = bytes(1 + at % 255 for at in range(1023))
    client, server = gateway.open(userid=userid)
    client.sock.close()
    server.close()
    wait_for("the record", gateway.records)
    kept, mark, length = gateway.records()[0]["userid"].partition("\u2026")
    assert userid.decode("latin-1").startswith(kept)
    assert mark and length == "(1023)"


# Refused

DENY_NOBODY = "[{name: no, action: deny, from: [any], to: [%s/32]}," \
              " {name: all, action: allow, from: [any]," \
              " to: [any, loopback]}]" % places.SERVER2

REFUSALS = {
    "denied-by-rule": (places.SERVER2, 9),
    "denied-special-address": ("0.0.0.0", 80),
    "denied-special-address 0/8": ("0.1.2.3", 80),
    "denied-special-address 224/4": ("224.0.0.1", 80),
    "denied-special-address 240/4": ("255.255.255.255", 80),
    "denied-port-0": (places.SERVER, 0),
    "denied-own-listener": (places.INSIDE, 1080),
    "connect-refused": NOBODY,
    "connect-unreachable": (places.UNREACHABLE, 80),
    "connect-unreachable later": (places.ABSENT, 80),
    "connect-unreachable no route": ("203.0.113.1", 80),
    "connect-timeout": (places.SILENT, 80),
}


@pytest.fixture
def strict(start_gateway):
    return start_gateway(rules=DENY_NOBODY,
                         timeouts="{connect: 900ms, request: 5s}")


@pytest.mark.parametrize("why", REFUSALS)
def test_a_refusal_is_91_and_an_orderly_end(strict, why):
    """[V4-3.2-3] [V4-3.3-1..3] [V4-3.3-5] [V4-3.3-9] [V4-D.3-1]
    [V4-B.2-2] [V4-5-1] [4A-4.2-2]"""
    to = REFUSALS[why]
    client = strict.client()
    client.ask(to, b"mary")
    reply = client.refusal()
    assert (reply.address, reply.port) == to
    record = strict.record(userid="mary")
    assert record["verdict"] == why.split()[0]
    assert record["code"] == 91
    assert (record["up"], record["down"]) == (0, 0)
    strict.tell()


@pytest.mark.parametrize("why", ["denied-by-rule", "connect-refused",
                                 "connect-timeout"])
def test_a_refusal_arrives_while_the_client_is_still_sending(strict, why):
    """[V4-3.3-9] Eight megabytes behind the request, and then more."""
    client = strict.client()
    client.ask(REFUSALS[why], b"mary")

    def send():
        try:
            push(client.sock, 8 * MB, step=64 * KB)
        except (ConnectionResetError, BrokenPipeError):
            pass

    sending = beside(send)
    client.refusal(close=False)
    sending.result(places.TIMEOUT)
    assert strict.record(userid="mary")["code"] == 91


def test_data_unread_at_the_refusal_does_not_destroy_it(strict):
    """[V4-3.3-9] The client reads only long after it was refused."""
    client = strict.client()
    client.ask(REFUSALS["denied-by-rule"], b"mary", behind=bytes(60 * KB))
    strict.record(userid="mary")
    client.refusal()


def test_a_refused_client_that_has_closed_already_gets_its_reply(strict):
    client = strict.client()
    client.ask(NOBODY, b"mary")
    client.shut()
    client.refusal()
    assert strict.record(userid="mary")["verdict"] == "connect-refused"


def test_a_refused_client_that_stays_is_closed_after_a_second(strict):
    """[V4-3.3-9] It neither reads nor closes; nothing of it stays."""
    worker_counts = {w.pid: w.descriptors() for w in strict.workers()}
    client = strict.client()
    client.ask(NOBODY, b"mary")
    strict.record(userid="mary")
    wait_for("the descriptor to be gone", lambda: all(
        w.descriptors() <= worker_counts[w.pid] for w in strict.workers()))
    client.refusal()


@pytest.mark.parametrize("target", [places.INSIDE, places.OUTSIDE,
                                    places.THIRD, "127.0.0.1", "127.9.9.9"])
def test_a_wildcard_listener_is_never_a_destination(start_gateway, target):
    """Not by any address that is ours."""
    gateway = start_gateway(
        rules=DENY_NOBODY,
        listen='[{address: "0.0.0.0:1080", name: wild,'
               ' insecure_plaintext: true}]')
    client = gateway.client()
    client.ask((target, 1080), b"mary")
    client.refusal()
    assert gateway.record(userid="mary")["verdict"] == "denied-own-listener"


def test_other_machines_may_have_the_port_of_a_wildcard(start_gateway, lab):
    gateway = start_gateway(
        listen='[{address: "0.0.0.0:1080", name: wild,'
               ' insecure_plaintext: true}]')
    client, _ = gateway.open(lab.server.listen(places.SERVER, 1080))
    client.sock.close()


def test_a_connection_to_itself_is_refused(start_gateway):
    """With one local port there is nothing else it could become."""
    gateway = start_gateway(
        rules="[{action: allow, from: [any], to: [self]}]")
    gateway.lab.gateway.write("/proc/sys/net/ipv4/ip_local_port_range",
                              "30000 30000")
    client = gateway.client()
    client.ask((places.OUTSIDE, 30000), b"mary")
    client.refusal()
    assert gateway.record(userid="mary")["verdict"] == "connect-to-itself"


def test_no_other_command_is_granted(gateway):
    """[V4-3.1-3] [V4-1-7] [V4-D.2-1] All 254 of them."""
    listener = gateway.lab.server.listen(places.SERVER)
    for cd in range(256):
        if cd in (1, 2):
            continue
        client = gateway.client()
        client.ask(listener.getsockname(), cd=cd)
        client.refusal()
    assert nobody_came(listener)
    wait_for("the records",
             lambda: gateway.refusals("unknown-command") == 254)


def test_an_unknown_command_is_refused_at_the_eighth_octet(gateway):
    """The NUL is not waited for."""
    client = gateway.client()
    client.send(request(NOBODY, cd=9)[:8])
    client.refusal()


def test_no_other_version_gets_a_reply(gateway):
    """[V4-3.1-2] [V4-D.1-1] [4A-4.1-2] All 255 of them, at the first octet."""
    for vn in range(256):
        if vn == 4:
            continue
        client = gateway.client()
        client.send(bytes([vn]))
        if vn == 5 or vn in b"GHDCOT":
            assert ending(client.sock) == ("fin", ANSWERS[vn == 5])
        else:
            client.closed_silently()
        client.sock.close()
    wait_for("the records", lambda: gateway.refusals("not-socks4") == 255)


ANSWERS = {
    True: b"\5\xff",
    False: b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
           b"Connection: close\r\n\r\n"
           b"This is a SOCKS 4 gateway, not a web server or an HTTP proxy.\n"}


@pytest.mark.parametrize("octets, what", [
    (b"\5\1\0", "SOCKS5"),
    (b"\x16\3\1\0\xf4\1\0\0\xf0\3\3", "TLS"),
    (b"GET / HTTP/1.1\r\n\r\n", "HTTP"),
    (b"CONNECT example.com:443 HTTP/1.1\r\n\r\n", "HTTP"),
    (b"POST / HTTP/1.1\r\n\r\n", "HTTP"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
    (b"\xff\xfd\3\xff\xfb\x18", "telnet"),
    (b"\3\0\0\x2b\x26\xe0\0\0\0\0\0", "RDP"),
], ids=lambda value: value if isinstance(value, str) else None)
def test_the_record_says_what_it_looked_like(gateway, octets, what):
    client = gateway.client()
    client.send(octets)
    told = ANSWERS[what == "SOCKS5"] if what in ("SOCKS5", "HTTP") else b""
    assert ending(client.sock)[1] == told
    client.sock.close()
    wait_for("the record", gateway.records)
    record = gateway.records()[0]
    assert (record["verdict"], record["code"]) == ("not-socks4", 0)
    assert what in record["hint"]


def test_a_userid_over_the_limit_is_refused_without_its_nul(gateway):
    """[V4-C.4-1] [4A-B.4-1] At the first octet too many; nothing is cut."""
    listener = gateway.lab.server.listen(places.SERVER)
    client = gateway.client()
    client.requested = True
    client.send(request(listener.getsockname(), b"u" * 1023)[:-1])
    wait_for("it to be read", lambda: gateway.has_read(client))
    assert nothing_came(client.sock)
    client.send(b"u")
    client.refusal()
    assert nobody_came(listener)
    wait_for("the record", gateway.records)
    assert gateway.records()[0]["verdict"] == "userid-too-long"


def test_the_limit_of_userids_can_be_set(start_gateway, lab):
    gateway = start_gateway(limits="{userid: 4}")
    listener = lab.server.listen(places.SERVER)
    client = gateway.client()
    client.ask(listener.getsockname(), b"four")
    assert client.reply().cd == 90
    client = gateway.client()
    client.ask(listener.getsockname(), b"five5")
    client.refusal()


def test_the_end_of_the_stream_inside_a_request_is_refused(gateway):
    """[4A-A.2.2-2] At every octet of it."""
    octets = request(NOBODY, b"ab")
    for count in range(1, len(octets)):
        client = gateway.client()
        client.requested = True
        client.send(octets[:count])
        client.shut()
        client.refusal()
    wait_for("the records", lambda: len(
        gateway.records(verdict="request-cut-short")) == len(octets) - 1)


def test_a_client_that_says_nothing_and_goes_is_let_go(gateway):
    client = gateway.client()
    client.shut()
    client.closed_silently()
    wait_for("the record", gateway.records)
    assert gateway.records()[0]["verdict"] == "no-request"


def test_a_dripping_client_gains_no_time(start_gateway):
    """[V4-B.2-1] [4A-B.4-2] The deadline counts from accept."""
    gateway = start_gateway(timeouts="{request: 600ms}")
    began = time.monotonic()
    client = gateway.client()
    client.requested = True
    client.send(request(NOBODY)[:8])
    client.sock.settimeout(0.05)
    while True:
        try:
            client.reply()
            break
        except TimeoutError:
            client.send(b"u")
        assert time.monotonic() - began < places.TIMEOUT
    assert time.monotonic() - began > 0.5
    client.sock.settimeout(places.TIMEOUT)
    assert ending(client.sock) == ("fin", b"")
    wait_for("the record", gateway.records)
    assert gateway.records()[0]["verdict"] == "request-timeout"


def test_a_client_that_never_spoke_gets_no_reply_at_the_deadline(start_gateway):
    gateway = start_gateway(timeouts="{request: 300ms}")
    client = gateway.client()
    client.closed_silently()
    wait_for("the record", gateway.records)
    assert gateway.records()[0]["verdict"] == "silent"


def test_the_connect_timer_counts_from_the_connect(start_gateway):
    """[V4-5-1] [V4-5-2] [V4-B.2-2] [V4-B.2-3]"""
    gateway = start_gateway(timeouts="{connect: 500ms}")
    client = gateway.client()
    client.ask((places.SILENT, 80), b"waiting")
    client.refusal()
    assert not gateway.connection_to((places.SILENT, 80), SYN_SENT)
    record = gateway.record(userid="waiting")
    assert record["verdict"] == "connect-timeout"
    assert record["ms"]["connect"] >= 499


# While the connect is pending


def test_a_client_that_resets_cancels_its_connect(gateway):
    client, listener = pending(gateway)
    to = (places.SILENT, listener.getsockname()[1])
    client.reset()
    wait_for("the SYN to be given up",
             lambda: not gateway.connection_to(to, SYN_SENT))
    record = gateway.record(userid="waiting")
    assert (record["ended_by"], record["end"]) == ("client", "reset")


def test_a_client_that_closes_its_sending_side_keeps_its_connect(gateway):
    """[V4-3.3-11] nc -N and socat do that."""
    client, listener = pending(gateway, behind=b"question")
    client.shut()
    wait_for("the FIN to arrive", lambda: gateway.connection_to(
        client.sock.getsockname(), CLOSE_WAIT))
    assert nothing_came(client.sock)
    wake(gateway.lab)
    server, _ = gateway.lab.server.accept(listener)
    assert client.reply().cd == 90
    assert ending(server) == ("fin", b"question")
    server.sendall(b"answer")
    server.close()
    assert ending(client.sock) == ("fin", b"answer")


# SOCKS 4A is not spoken


@pytest.mark.parametrize("last", [1, 2, 127, 255])
def test_a_4a_request_is_refused_at_the_nul_of_its_userid(gateway, last):
    """[V4-A-1] [V4-A-3] The name is neither waited for nor data."""
    client = gateway.client()
    client.ask((f"0.0.0.{last}", 80), b"mary")
    client.refusal()
    record = gateway.record(userid="mary")
    assert record["verdict"] == "socks4a-off" and "socks4a: true" in record["hint"]


def test_the_name_of_a_4a_request_reaches_nobody(gateway):
    """[V4-A-3] [4A-4.2-3]"""
    listener = gateway.lab.server.listen(places.SERVER)
    port = listener.getsockname()[1]
    client = gateway.client()
    client.ask(("0.0.0.1", port), b"mary",
               behind=places.SERVER.encode() + b"\0and data")
    client.refusal()
    assert nobody_came(listener)
    record = gateway.record(userid="mary")
    assert (record["up"], record["down"]) == (0, 0)
    gateway.tell()
