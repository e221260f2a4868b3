"""The relay: whatever enters on one side leaves on the other, as it came.

Every test runs over the copying path, over the splicing one, over TLS and for
clients of SOCKS5; for these those that take long only in the long form."""
import errno
import fcntl
import os
import select
import socket
import struct
import termios
import time

import pytest

import lab as places
import socks4
import tls_socket as tls
from gateway import ROOT, best, wait_for
from socks4 import ending
from streams import KB, MB, beside, digest, piece, pull, push, whole

SIOCATMARK = 0x8905


@pytest.fixture(params=["never", "always", "tls", "socks5"])
def transport(request):
    return request.param


takes_long = pytest.mark.long_with("socks5")
# For what TLS cannot do: urgent data.
plain = pytest.mark.parametrize("transport", ["never", "always"],
                                indirect=True)


@pytest.fixture
def start(start_gateway, transport):
    """Starts a gateway that copies, splices, or has clients that speak TLS."""
    def start_one(**settings):
        if transport == "socks5":
            gateway = start_gateway(
                listen='[{address: "%s:%d", name: inside, socks5: true,'
                       " insecure_plaintext: true}]" % (places.INSIDE, 1080),
                **settings)
            gateway.opens_5 = True
            return gateway
        if transport != "tls":
            return start_gateway(relay="{splice: %s}" % transport, **settings)
        gateway = start_gateway(
            listen=f"[{tls.listener((places.INSIDE, 1080))}]", **settings)
        gateway.tls = tls.client_context()
        return gateway
    return start_one


@pytest.fixture
def gateway(start):
    return start()


def sides(client, server, first):
    """The two sockets, the one that is to act first in front."""
    pair = client.sock, server
    return pair if first == "client" else pair[::-1]


def shut(sock):
    sock.shutdown(socket.SHUT_WR)


def below(sock):
    """The socket below TLS; a plain one is that itself."""
    return getattr(sock, "raw", sock)


def close_below(sock):
    """Without the end that TLS has."""
    below(sock).close()


def send_and_shut(sock, count):
    push(sock, count)
    shut(sock)


# Half-close


SIZES = [pytest.param(0, id="0"), pytest.param(1, id="1"),
         pytest.param(MB, id="1 MB"),
         pytest.param(100 * MB, id="100 MB", marks=pytest.mark.long)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("first", ["client", "server"])
def test_who_closes_first_still_gets_the_answer(gateway, first, size):
    """[V4-3.3-11] Half-close: who first, how much each way."""
    client, server = gateway.open(userid=b"half")
    asking, answering = sides(client, server, first)
    sent = beside(send_and_shut, asking, size)
    assert pull(answering) == whole(size)
    sent.result(places.TIMEOUT)
    sent = beside(send_and_shut, answering, size)
    assert pull(asking) == whole(size)
    sent.result(places.TIMEOUT)
    record = gateway.record(userid="half")
    assert (record["up"], record["down"]) == (size, size)
    assert (record["ended_by"], record["end"]) == (first, "fin")
    gateway.tell(up=size, down=size)


@pytest.mark.parametrize("first", ["client", "server"])
def test_data_flows_for_long_against_a_closed_direction(gateway, first):
    """The other half is alive: question and answer never met here."""
    client, server = gateway.open()
    closing, living = sides(client, server, first)
    shut(closing)
    assert living.recv(1) == b""
    for at in range(50):
        living.sendall(piece(at, 1))
        assert closing.recv(10) == piece(at, 1)
    shut(living)
    assert ending(closing) == ("fin", b"")


@pytest.mark.feature
def test_both_directions_carry_at_once(gateway):
    """[V4-1-2] [V4-1-3] [V4-1-6] [V4-2-1] [V4-C.2-1] Any octets, untouched."""
    client, server = gateway.open(userid=b"both")
    sending = [beside(send_and_shut, client.sock, 8 * MB),
               beside(send_and_shut, server, 8 * MB)]
    reading = beside(pull, client.sock)
    assert pull(server) == whole(8 * MB)
    assert reading.result(places.TIMEOUT) == whole(8 * MB)
    for one in sending:
        one.result(places.TIMEOUT)
    record = gateway.record(userid="both")
    assert (record["up"], record["down"]) == (8 * MB, 8 * MB)
    gateway.tell(up=8 * MB, down=8 * MB)


@pytest.mark.parametrize("error", ["ENOSYS", "EINVAL", "EPERM"])
def test_where_splice_fails_everything_is_copied(start_gateway, error):
    """A kernel without splice, or a filter of a container's that refuses it:
    each transfer is whole, and one line of each worker says so."""
    gateway = start_gateway(
        workers="1", relay="{splice: always}", wrapper=(
            str(ROOT / "tests/support/without"), f"splice={error}", "--"))
    for userid in (b"first", b"second"):
        client, server = gateway.open(userid=userid)
        sending = [beside(send_and_shut, client.sock, MB),
                   beside(send_and_shut, server, MB)]
        reading = beside(pull, client.sock)
        assert pull(server) == whole(MB)
        assert reading.result(places.TIMEOUT) == whole(MB)
        for one in sending:
            one.result(places.TIMEOUT)
        record = gateway.record(userid=userid.decode())
        assert (record["up"], record["down"], record["end"]) == (MB, MB, "fin")
    gateway.tell(up=2 * MB, down=2 * MB)
    [line] = [line for line in gateway.lines()
              if line["event"] == "splice_failed"]
    assert line["error"] == os.strerror(getattr(errno, error))
    assert "copies" in line["message"]


@takes_long
def test_a_slow_reader_gets_everything_before_the_end(gateway):
    """The FIN waits behind what is held for the reader."""
    client, server = gateway.open(receive_buffer=4096)
    sent = beside(send_and_shut, server, 512 * KB)
    count = 0
    while got := client.sock.recv(1500):
        assert got == piece(count, len(got))
        count += len(got)
        time.sleep(0.001)
    assert count == 512 * KB
    sent.result(places.TIMEOUT)


def test_single_octets_go_back_and_forth(gateway):
    client, server = gateway.open()
    for at in range(500):
        client.send(piece(at, 1))
        assert server.recv(10) == piece(at, 1)
        server.sendall(piece(at + 7, 1))
        assert client.sock.recv(10) == piece(at + 7, 1)


def test_bulk_turns_small_and_bulk_again(gateway):
    """A direction changes its mind: copied, spliced, copied, spliced."""
    client, server = gateway.open()
    at = 0
    for count in [10, 3 * MB, *[1] * 40, 2 * MB, *[100] * 40, MB, 1]:
        sent = beside(push, client.sock, count, MB, at)
        got = b""
        while len(got) < count:
            got += server.recv(count - len(got))
        assert got == piece(at, count)
        sent.result(places.TIMEOUT)
        at += count
    client.shut()
    assert ending(server) == ("fin", b"")


# Reset


@pytest.mark.feature
@pytest.mark.parametrize("who", ["client", "server"])
def test_a_reset_is_passed_on_as_a_reset(gateway, who):
    """[V4-3.3-11] An abort never looks like a clean end."""
    client, server = gateway.open(userid=b"cut")
    breaking, other = sides(client, server, who)
    breaking.sendall(b"some")
    assert other.recv(10) == b"some"
    socks4.reset(breaking)
    assert ending(other) == ("reset", b"")
    record = gateway.record(userid="cut")
    assert (record["ended_by"], record["end"]) == (who, "reset")
    assert record["verdict"] == "granted"


def stuff(sock, quiet=0.3):
    """Sends until nothing is taken any more; how much went."""
    sock.settimeout(quiet)
    sent = 0
    try:
        while True:
            sent += sock.send(piece(sent, 256 * KB))
    except TimeoutError:
        sock.settimeout(places.TIMEOUT)
    return sent


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_reset_shows_when_the_next_call_is_a_write(gateway, who):
    """The gateway has octets in hand for the leg that breaks: its write
    fails, and the read after it returns 0, which is no FIN."""
    client, server = gateway.open(userid=b"cut")
    breaking, other = sides(client, server, who)
    stuff(other)
    socks4.reset(breaking)
    assert ending(other) == ("reset", b"")
    assert gateway.record(userid="cut")["end"] == "reset"


def acknowledged(sock, sent):
    """How many of the octets sent the other end's kernel has taken."""
    unacked = fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0\0\0\0")
    return sent - struct.unpack("i", unacked)[0]


def await_acknowledged(sock):
    """A reset destroys what its kernel has not sent."""
    wait_for("the acknowledgement", lambda: acknowledged(sock, 0) == 0)


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_reset_behind_a_stalled_direction_comes_after_its_octets(
        gateway, who):
    """[V4-1-2] Its reader takes nothing at first, and everything later."""
    client, server = gateway.open(userid=b"cut")
    breaking, other = sides(client, server, who)
    taken = acknowledged(breaking, stuff(breaking))
    socks4.reset(breaking)
    count, got, end = pull(other)
    assert end == "reset"
    if breaking is not below(breaking):  # these were octets of records
        taken -= taken // 100 + 16 * KB
    assert count >= taken
    assert got == digest(count)
    record = gateway.record(userid="cut")
    assert (record["ended_by"], record["end"]) == (who, "reset")


TIMES = 30  # a race that is lost in one of two would be won as often by chance


@takes_long
@pytest.mark.feature
@pytest.mark.parametrize("size", [1, 100, 40 * KB])
@pytest.mark.parametrize("who", ["client", "server"])
def test_what_came_before_a_reset_is_delivered(gateway, who, size):
    """[V4-1-2] The side that breaks leaves octets unread, so that its kernel
    sends what it was given, and then a reset: an HTTP server's 413."""
    for at in range(TIMES):
        client, server = gateway.open(userid=b"cut%d" % at)
        breaking, other = sides(client, server, who)
        other.sendall(bytes(5000))
        assert breaking.recv(5000, socket.MSG_PEEK | socket.MSG_WAITALL)
        breaking.sendall(piece(0, size))
        await_acknowledged(breaking)
        client.gone = who == "client"
        close_below(breaking)
        assert pull(other) == (size, digest(size), "reset")
        other.close()
        record = gateway.record(userid=f"cut{at}")
        assert (record["ended_by"], record["end"]) == (who, "reset")


@takes_long
@pytest.mark.parametrize("who", ["client", "server"])
def test_who_still_sends_gets_what_came_before_a_reset(gateway, who):
    """[V4-1-2] A request that is longer than anybody takes, answered early:
    what goes towards the broken side is dropped, and holds nobody up."""
    for _ in range(5):
        client, server = gateway.open()
        breaking, other = sides(client, server, who)
        sending = beside(push_until_reset, other, 64 * MB)
        assert breaking.recv(5000, socket.MSG_PEEK | socket.MSG_WAITALL)
        breaking.sendall(b"413")
        client.gone = who == "client"
        close_below(breaking)
        end, octets = ending(other)
        assert octets == b"413"
        # The kernel reports a reset once, to the reader or to the writer.
        assert sending.result(places.TIMEOUT) or end == "reset"


def push_until_reset(sock, count):
    """Whether the writer was told of a reset."""
    try:
        push(sock, count)
    except ConnectionResetError:
        return True
    except BrokenPipeError:
        pass
    return False


@plain
@pytest.mark.parametrize("who", ["client", "server"])
def test_urgent_data_before_a_reset_stays_urgent(gateway, who):
    client, server = gateway.open(userid=b"cut")
    breaking, other = sides(client, server, who)
    other.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    breaking.sendall(b"ab")
    breaking.send(b"!", socket.MSG_OOB)
    breaking.sendall(b"cd")
    await_acknowledged(breaking)
    client.gone = who == "client"
    socks4.reset(breaking)
    assert ending(other) == ("reset", b"ab!cd")


def test_a_server_that_resets_at_once_has_stood(gateway):
    """[V4-1-2] A direct client's connect succeeds, whatever comes then."""
    listener = gateway.lab.server.listen(places.SERVER)
    for at in range(TIMES):
        client = gateway.client()
        gateway.ask(client, listener.getsockname(), b"cut%d" % at)
        server, _ = gateway.lab.server.accept(listener)
        server.sendall(b"too many")
        socks4.reset(server)
        gateway.granted(client)
        assert ending(client.sock) == ("reset", b"too many")
        client.sock.close()
        assert gateway.record(userid=f"cut{at}")["verdict"] == "granted"


def test_a_reader_that_stays_away_holds_a_broken_session_for_half_closed(
        start_gateway):
    gateway = start_gateway(timeouts="{half_closed: 1s}")
    client, server = gateway.open(userid=b"cut")
    stuff(server, 1)
    socks4.reset(server)
    record = gateway.record(userid="cut")
    assert (record["ended_by"], record["end"]) == ("gateway", "timeout")
    assert pull(client.sock)[2] == "reset"


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_reset_after_a_half_close_is_a_reset(gateway, who):
    client, server = gateway.open(userid=b"cut")
    breaking, other = sides(client, server, who)
    shut(other)
    assert breaking.recv(1) == b""
    breaking.sendall(b"part of the answer")
    assert other.recv(100) == b"part of the answer"
    socks4.reset(breaking)
    assert ending(other) == ("reset", b"")


def test_a_server_that_closes_with_octets_unread_resets(gateway):
    """What a target's kernel does by itself is passed on too."""
    client, server = gateway.open(userid=b"cut")
    client.send(bytes(100 * KB))
    assert server.recv(1)
    server.close()
    assert ending(client.sock) == ("reset", b"")


# Urgent data


def take_urgent(sock):
    """Reads to the end with urgent octets in line: what, and where marks
    stood in it."""
    got = bytearray()
    marks = []
    while True:
        select.select([sock], [], [], places.TIMEOUT)
        mark = struct.unpack(
            "i", fcntl.ioctl(sock, SIOCATMARK, b"\0\0\0\0"))[0]
        if mark and (not marks or marks[-1] != len(got)):
            marks.append(len(got))
        piece_of_it = sock.recv(64 * KB)
        if not piece_of_it:
            return bytes(got), marks
        got += piece_of_it


def listen_in_line(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)


@plain
@pytest.mark.feature
@pytest.mark.parametrize("who", ["client", "server"])
@pytest.mark.parametrize("before", [0, 6, 4 * MB])
@pytest.mark.parametrize("behind", [b"", b"behind"])
def test_urgent_data_stays_urgent_and_in_its_place(
        gateway, who, before, behind):
    """[V4-3.3-11] telnet's Synch: also behind bulk that was being spliced,
    also with the FIN right behind it."""
    client, server = gateway.open(userid=b"synch")
    telling, hearing = sides(client, server, who)
    listen_in_line(hearing)

    def tell():
        push(telling, before)
        telling.send(b"!", socket.MSG_OOB)
        telling.sendall(behind)
        shut(telling)

    told = beside(tell)
    got, marks = take_urgent(hearing)
    told.result(places.TIMEOUT)
    assert got == piece(0, before) + b"!" + behind
    assert marks == [before]


@plain
def test_urgent_data_waits_for_a_reader_that_does_not_read(gateway):
    """Bulk stands in the gateway when it comes."""
    client, server = gateway.open()
    listen_in_line(server)
    sent = stuff(client.sock)

    def tell():
        client.sock.send(b"!", socket.MSG_OOB)
        client.send(b"behind")
        client.shut()

    told = beside(tell)
    got, marks = take_urgent(server)
    told.result(places.TIMEOUT)
    assert got == piece(0, sent) + b"!behind"
    assert marks == [sent]


@plain
def test_urgent_data_of_both_sides_crosses(gateway):
    client, server = gateway.open()
    for sock in (client.sock, server):
        listen_in_line(sock)
        sock.sendall(b"one")
        sock.send(b"!", socket.MSG_OOB)
        sock.sendall(b"two")
        shut(sock)
    assert take_urgent(client.sock) == (b"one!two", [3])
    assert take_urgent(server) == (b"one!two", [3])


@plain
def test_bulk_goes_on_after_urgent_data(gateway):
    client, server = gateway.open()
    listen_in_line(server)

    def tell():
        push(client.sock, 2 * MB)
        client.sock.send(b"!", socket.MSG_OOB)
        push(client.sock, 2 * MB)
        client.shut()

    told = beside(tell)
    got, marks = take_urgent(server)
    told.result(places.TIMEOUT)
    assert got == piece(0, 2 * MB) + b"!" + piece(0, 2 * MB)
    assert marks == [2 * MB]


# Back pressure and timers


# More than two receive buffers and two send buffers of the kernel's take (6 MB
# and 4 MB at most, see lab.py).
TOO_MUCH = 40 * MB


@takes_long
@pytest.mark.feature
@pytest.mark.parametrize("reader", ["client", "server"])
def test_a_reader_that_stops_costs_neither_memory_nor_time(
        start, reader):
    """[V4-C.4-1] 64 KiB of user memory a direction at most."""
    gateway = start(workers="1")
    worker = gateway.workers()[0]
    client, server = gateway.open()
    reading, writing = sides(client, server, reader)
    writing.sendall(b"x")
    assert reading.recv(1) == b"x"
    memory = worker.anonymous_kb()
    sent = beside(send_and_shut, writing, TOO_MUCH)
    wait_for("the writer to be stopped", lambda: is_stalled(gateway))
    busy = best(worker.cost, 0.02)
    grown = worker.anonymous_kb() - memory
    print(f"memory +{grown} KiB (limit 128), processor {busy} s (limit 0.02)")
    if not gateway.is_sanitized:
        assert grown <= 128
    assert not sent.done()
    assert pull(reading) == whole(TOO_MUCH)
    sent.result(places.TIMEOUT)


def is_stalled(gateway):
    """Nothing moved for a tenth of a second."""
    before = sorted(gateway.lab.gateway.unread())
    time.sleep(0.1)
    return before == sorted(gateway.lab.gateway.unread()) and any(
        octets for _, _, octets in before)


@takes_long
def test_a_session_without_traffic_is_reset_at_the_idle_timer(
        start):
    gateway = start(timeouts="{idle: 400ms}")
    client, server = gateway.open(userid=b"idle")
    assert ending(client.sock) == ("reset", b"")
    assert ending(server) == ("reset", b"")
    record = gateway.record(userid="idle")
    assert record["ms"]["relay"] >= 399
    assert (record["ended_by"], record["end"]) == ("gateway", "timeout")


def both_ways(gateway, **options):
    """Two sessions, (who acts first, the other): client and server in one,
    server and client in the other."""
    return [sides(*gateway.open(**options), first)
            for first in ("client", "server")]


@takes_long
def test_traffic_in_either_direction_holds_the_idle_timer(
        start):
    gateway = start(timeouts="{idle: 1500ms}")
    sessions = both_ways(gateway)
    for _ in range(9):
        for telling, hearing in sessions:
            telling.sendall(b"x")
            assert hearing.recv(1) == b"x"
        time.sleep(0.2)  # traffic, but seldom
    for telling, hearing in sessions:
        shut(telling)
        assert ending(hearing) == ("fin", b"")


@takes_long
def test_a_half_closed_session_has_its_own_timer(start):
    gateway = start(timeouts="{half_closed: 1s}")
    sessions = both_ways(gateway, userid=b"half")
    time.sleep(1.1)  # no timer runs while both halves live
    for closing, living in sessions:
        shut(closing)
        assert living.recv(1) == b""
    for _ in range(6):
        for closing, living in sessions:
            living.sendall(b"x")
            assert closing.recv(1) == b"x"
        time.sleep(0.2)  # octets that move hold it
    for closing, living in sessions:
        assert ending(closing) == ("reset", b"")
        was_reset(living)
    records = wait_for("both records", lambda: gateway.records()[1:]
                       and gateway.records())
    for record in records:
        assert (record["ended_by"], record["end"]) == ("gateway", "timeout")


def was_reset(sock):
    """Its own reading had ended before: a reset shows without a write."""
    poller = select.poll()
    poller.register(sock, 0)
    assert poller.poll(places.TIMEOUT * 1000)
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        sock.send(b"x")


def test_both_legs_have_no_delay_and_urgent_data_in_line(start):
    """Small octets go at once; urgent data stays in its place."""
    gateway = start(workers="1")
    client, server = gateway.open()
    client.send(b"x")
    assert server.recv(1) == b"x"
    legs = gateway.workers()[0].sockets()
    assert sorted(leg.getpeername()[0] for leg in legs) == [
        places.CLIENT, places.SERVER]
    for leg in legs:
        assert leg.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE)
        assert leg.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        leg.close()


# Many


@takes_long
@pytest.mark.feature
def test_many_transfers_at_once_are_all_exact(gateway):
    """[V4-1-5] [V4-1-7]"""
    count, size = 32, 512 * KB
    listener = gateway.lab.server.listen(places.SERVER)
    work = []
    for at in range(count):
        client, server = gateway.open(listener, userid=b"%d" % at)
        work += [(beside(send_and_shut, client.sock, size),
                  beside(pull, server)),
                 (beside(send_and_shut, server, size),
                  beside(pull, client.sock))]
    expected = whole(size)
    for sending, reading in work:
        assert reading.result(places.TIMEOUT) == expected
        sending.result(places.TIMEOUT)
    gateway.tell(up=count * size, down=count * size)


@takes_long
def test_a_bulk_transfer_leaves_others_their_turn(start):
    """One worker, three streams at full speed beside one that talks."""
    gateway = start(workers="1")
    listener = gateway.lab.server.listen(places.SERVER)
    bulk = [gateway.open(listener) for _ in range(3)]
    talker, server = gateway.open(listener)
    sending = [beside(send_and_shut, client.sock, 48 * MB)
               for client, _ in bulk]
    reading = [beside(pull, end) for _, end in bulk]
    trips = []
    while not all(one.done() for one in reading):
        began = time.monotonic()
        talker.send(b"x")
        assert server.recv(1) == b"x"
        server.sendall(b"y")
        assert talker.sock.recv(1) == b"y"
        trips.append(time.monotonic() - began)
    for sent, read in zip(sending, reading):
        sent.result(places.TIMEOUT)
        assert read.result()[::2] == (48 * MB, "fin")
        assert read.result()[1] == digest(48 * MB)
    trips.sort()
    middle = trips[len(trips) // 2]
    print(f"{len(trips)} round trips beside bulk, median {middle * 1e3:.1f} ms"
          " (limit 500)")
    assert len(trips) >= 5 and middle < 0.5


@takes_long
def test_no_octet_of_one_session_appears_in_another(gateway):
    """Pipes and buffers are used again: after resets in mid-transfer the
    next sessions get their own octets and no others."""
    gateway.keeps_pipes = False
    listener = gateway.lab.server.listen(places.SERVER)
    for at in range(15):
        client, server = gateway.open(listener)
        stuff(client.sock, 0.05)
        if at % 2 == 0:  # what the gateway holds for it goes nowhere
            socks4.reset(server)
            assert ending(client.sock) == ("reset", b"")
            client.sock.close()
        else:
            client.reset()
            assert pull(server)[2] == "reset"
            server.close()
        client, server = gateway.open(listener)
        sent = beside(send_and_shut, client.sock, 300 * KB)
        assert pull(server) == whole(300 * KB)
        sent.result(places.TIMEOUT)
        server.close()
        client.sock.close()
