"""PROXY headers, octet by octet: what the real kernel shows of them. Real
balancers are in tests/clients/test_balancer.py."""
import json
import os
import signal
import socket
import struct
import subprocess
import time

import pytest

import lab as places
from gateway import BINARY, best, wait_for
from socks4 import ending, receive_exactly, request

LINE = b"PROXY TCP4 192.0.2.7 10.1.0.1 40123 1080\r\n"
TWO = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
       + socket.inet_aton("192.0.2.7") + socket.inet_aton("10.1.0.1")
       + struct.pack("!HH", 40123, 1080))
HEADERS = {"v1": LINE, "v2": TWO,
           # Longer than one segment of the lab's network.
           "long": TWO[:14] + struct.pack("!H", 4080) + TWO[16:]
           + b"\xe0" + struct.pack("!H", 4065) + bytes(4065)}


@pytest.fixture
def start_behind(start_gateway):
    def start(more="", **settings):
        settings.setdefault(
            "rules", "[{name: all, action: allow, from: [192.0.2.7],"
                     " to: [any]}]")
        return start_gateway(
            listen=f'[{{address: "{places.INSIDE}:1080", name: inside,'
                   ' insecure_plaintext: true,'
                   f' proxy_protocol: ["{places.CLIENT}"]{more}}}]',
            **settings)
    return start


@pytest.mark.feature
@pytest.mark.parametrize("header", HEADERS)
def test_a_header_may_come_in_pieces(lab, start_behind, header):
    """[V4-3.1-1] Cut anywhere, and with the request behind it in one piece."""
    gateway = start_behind()
    listener = lab.server.listen(places.SERVER)
    octets = HEADERS[header]
    cuts = sorted({0, 1, 5, 12, 15, 16, 27, len(octets) - 1, len(octets)})
    for cut in cuts:
        client = gateway.client()
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.send(octets[:cut])
        if cut:  # it stays in the socket until the rest is there
            wait_for("the piece", lambda: any(
                unread == cut for _, remote, unread
                in lab.gateway.unread()
                if remote == client.sock.getsockname()[1])
                or cut == len(octets))
        client.requested = True
        client.send(octets[cut:] + request(listener.getsockname()) + b"early")
        server, _ = lab.server.accept(listener)
        assert client.reply().cd == 90
        assert receive_exactly(server, 5) == b"early"
        server.close()
        client.sock.close()
    wait_for("the records", lambda: len(gateway.records()) == len(cuts))
    assert {record["client"] for record in gateway.records()} == \
        {"192.0.2.7:40123"}


def test_a_header_that_is_cut_is_recorded_and_believed_by_nobody(
        lab, start_behind):
    """At every octet, by a FIN and by a reset; the next one is served."""
    gateway = start_behind()
    cuts = [(octets, cut, end) for octets in (LINE, TWO)
            for cut in range(1, len(octets))
            for end in ("fin", "reset")]
    for octets, cut, end in cuts:
        client = gateway.client()
        client.send(octets[:cut])
        if end == "fin":
            client.shut()
            assert ending(client.sock)[1] == b""
        else:
            client.reset()
    listener = lab.server.listen(places.SERVER)
    client = gateway.client()
    client.requested = True
    client.send(LINE + request(listener.getsockname()))
    server, _ = lab.server.accept(listener)
    assert client.reply().cd == 90
    server.close()
    client.sock.close()
    wait_for("every record", lambda: gateway.refusals(
        "proxy-malformed", "client-gone") == len(cuts))
    assert gateway.refusals("proxy-malformed") >= len(cuts) // 2
    assert all(record["proxy"] is None for record in gateway.records()
               if record["verdict"] != "granted")


def test_a_header_has_the_time_of_the_request(lab, start_behind):
    """[V4-B.2-1] Dripping gains nothing."""
    gateway = start_behind(timeouts="{request: 1s}")

    def dripped():
        client = gateway.client()
        began = time.monotonic()
        with pytest.raises(OSError):
            for octet in LINE[:-1] * 5:
                client.send(bytes([octet]))
                time.sleep(0.05)
        return time.monotonic() - began
    best(dripped, 2)
    wait_for("its record", gateway.records)
    assert {record["verdict"] for record in gateway.records()} == \
        {"proxy-malformed"}
    assert all(950 <= record["ms"]["total"] for record in gateway.records())


def test_who_must_send_one_and_who_must_not(lab, start_behind):
    """[V4-3.2-1] Nobody is believed for what he sends, only for who he is."""
    gateway = start_behind()
    missing = gateway.client()
    missing.send(request((places.SERVER, 80)))
    assert ending(missing.sock)[1] == b""
    lab.client.ip("address add 10.1.0.9/24 dev wire")
    for octets in LINE, TWO:
        other = gateway.client(source=("10.1.0.9", 0))
        other.send(octets + request((places.SERVER, 80)))
        assert ending(other.sock)[1] == b""
    assert gateway.record(verdict="proxy-missing")["client"].startswith(
        places.CLIENT + ":")
    wait_for("two records", lambda: len(
        gateway.records(verdict="proxy-unexpected")) == 2)


def test_where_no_balancer_is_named_a_header_is_unexpected(gateway):
    """[V4-3.1-2]"""
    for octets in LINE, TWO:
        client = gateway.client()
        client.send(octets)
        assert ending(client.sock)[1] == b""
    wait_for("two records", lambda: len(
        gateway.records(verdict="proxy-unexpected", code=0)) == 2)


def test_through_another_gateway_the_header_still_reaches_the_server(
        lab, start_gateway):
    """Behind the parent's reply, and in front of the client's octets."""
    start_gateway(listen='[{address: "127.0.0.1:1081", name: second}]')
    gateway = start_gateway(
        parents='[{name: second, address: "127.0.0.1:1081"}]',
        rules="[{name: all, action: allow, from: [any], to: [any],"
              " via: [second], send_proxy: v2}]")
    listener = lab.server.listen(places.SERVER)
    to = listener.getsockname()
    client = gateway.client()
    client.ask(to, behind=b"early")
    server, _ = lab.server.accept(listener)
    source = client.sock.getsockname()
    wanted = TWO[:16] + socket.inet_aton(source[0]) + socket.inet_aton(
        to[0]) + struct.pack("!HH", source[1], to[1])
    assert receive_exactly(server, len(wanted) + 5) == wanted + b"early"
    assert client.reply().cd == 90
    server.close()
    client.sock.close()
    record = gateway.record(via="second")
    assert (record["verdict"], record["up"]) == ("granted", 5)


@pytest.mark.parametrize("command, text, sent", [
    ("connect", "  send_proxy v1  90", "v1"), ("bind", "  90", "v1")])
def test_explain_says_what_the_server_gets(tmp_path, command, text, sent):
    """A BIND sends nothing, though its rule could."""
    config = tmp_path / "gw.yaml"
    config.write_text("rules: [{name: a, action: allow, from: [any],"
                      " command: [connect, bind], to: [any], send_proxy: v1}]")
    words = [BINARY, "explain", "-c", config, "--from", "192.0.2.7", "--to",
             "192.0.2.8", "--port", "80", "--command", command]
    told = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert told.stdout == f'allow  rule "a" ({config}:1){text}\n'
    told = subprocess.run([*words, "--json"], capture_output=True, text=True,
                          timeout=60)
    assert json.loads(told.stdout)["send_proxy"] == sent


def test_a_killed_workers_sessions_have_the_true_client(lab, start_behind):
    """The line session_lost, which the monitor writes."""
    gateway = start_behind(workers="1")
    listener = lab.server.listen(places.SERVER)
    client = gateway.client()
    client.requested = True
    client.send(LINE + request(listener.getsockname()))
    lab.server.accept(listener)
    assert client.reply().cd == 90
    worker, = gateway.workers()
    gateway.may_lose = 1
    client.gone = True
    os.kill(worker.pid, signal.SIGKILL)
    wait_for("the line", lambda: [
        line for line in gateway.lines() if line["event"] == "session_lost"])
    line, = [line for line in gateway.lines()
             if line["event"] == "session_lost"]
    assert line["client"] == "192.0.2.7:40123"
