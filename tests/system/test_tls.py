"""A listener with TLS: the handshake, its failures, and what a certificate
means. The relay over TLS is in test_relay.py."""
import os
import random
import socket
import ssl
import struct
import subprocess
import time

import pytest

import lab as places
import socks4
import tls_socket as tls
from gateway import best, wait_for
from reloads import reloaded
from socks4 import ending, request
from streams import KB, beside, pull, push, whole

AT = (places.INSIDE, 1080)


@pytest.fixture
def start_tls(start_gateway):
    """Starts a gateway with one TLS listener; `options` are its."""
    def start(options=None, pair=None, **settings):
        gateway = start_gateway(
            listen=f"[{tls.listener(AT, **(options or {}))}]", **settings)
        gateway.tls = tls.client_context(pair)
        return gateway
    return start


def asking(client="require", **more):
    return {"client": client, "ca": tls.authority().certificate, **more}


def refused(gateway, context=None):
    """The alert that a client is told, behind a handshake of its own."""
    sock = gateway.lab.client.connect(AT)
    with pytest.raises(ssl.SSLError) as caught:
        made = tls.TlsSocket(sock, context or tls.client_context())
        made.recv(1)  # of TLS 1.3 the client's certificate comes last
    sock.close()
    return caught.value.reason


# The handshake


@pytest.mark.feature
def test_a_record_names_version_and_cipher(start_tls):
    """[V4-C.5-2] [4A-B.7-1] A request inside TLS, and what the record says of it."""
    gateway = start_tls()
    client, server = gateway.open(userid=b"ann")
    client.send(b"ping")
    assert server.recv(10) == b"ping"
    server.sendall(b"pong")
    assert client.sock.recv(10) == b"pong"
    client.shut()
    assert ending(server) == ("fin", b"")
    server.close()
    assert ending(client.sock) == ("fin", b"")
    record = gateway.record(userid="ann")
    assert record["tls"] == "1.3/" + client.sock.tls.cipher()[0]
    assert record["certificate"] is None and record["verdict"] == "granted"
    assert record["end"] == "fin" and record["ms"]["tls"] >= 0
    assert (record["up"], record["down"]) == (4, 4)


def test_a_request_may_come_together_with_the_handshake(start_tls):
    """The client's last message and its request in one segment."""
    gateway = start_tls()
    listener = gateway.lab.server.listen(places.SERVER)
    for _ in range(20):
        client = gateway.client()
        client.ask(listener.getsockname(), behind=b"early")
        server, _ = gateway.lab.server.accept(listener)
        assert client.reply().cd == 90
        assert socks4.receive_exactly(server, 5) == b"early"


def test_openssl_s_client_is_served(start_tls):
    gateway = start_tls()
    listener = gateway.lab.server.listen(places.SERVER)
    process = gateway.lab.client.popen(
        ["openssl", "s_client", "-quiet", "-no_ign_eof", "-connect",
         "%s:%d" % AT, "-CAfile", str(tls.authority().certificate), "-verify_return_error",
         "-verify_hostname", "gw.example"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL)
    process.stdin.write(request(listener.getsockname(), b"ossl"))
    process.stdin.flush()
    server, _ = gateway.lab.server.accept(listener)
    server.sendall(b"hello")
    got = b""
    while len(got) < 13:
        got += os.read(process.stdout.fileno(), 100)
    assert got[:2] == b"\0\x5a" and got[8:] == b"hello"
    process.stdin.close()
    assert ending(server) == ("fin", b"")
    server.close()
    process.wait(places.TIMEOUT)
    assert gateway.record(userid="ossl")["verdict"] == "granted"


def test_a_plain_client_is_recorded_in_clear_words(start_tls):
    gateway = start_tls()
    for octets, word in [(request((places.SERVER, 80)), "SOCKS 4"),
                         (b"\5\1\0" + bytes(8), "SOCKS5"),
                         (b"GET / HTTP/1.0\r\n\r\n", "HTTP")]:
        sock = gateway.lab.client.connect(AT)
        sock.sendall(octets)
        _, got = ending(sock)
        sock.close()
        assert not got or got[0] == 0x15, got  # an alert at most
        record = wait_for("the record", lambda: [
            one for one in gateway.records(verdict="tls-failed")
            if word in one["hint"]])[0]
        assert "without TLS" in record["hint"] and record["code"] == 0


def test_a_tls_client_on_a_plain_listener_is_recorded_in_clear_words(gateway):
    sock = gateway.lab.client.connect(AT)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        tls.TlsSocket(sock)
    sock.close()
    record = gateway.record(verdict="not-socks4")
    assert record["hint"] == "looks like TLS"


def test_an_empty_connection_is_no_failure(start_tls):
    """A health check; and one that says nothing for too long."""
    gateway = start_tls(timeouts="{request: 500ms}")
    gateway.lab.client.connect(AT).close()
    assert gateway.record(verdict="no-request")["code"] == 0
    silent = gateway.lab.client.connect(AT)
    assert ending(silent)[0] == "fin"
    assert gateway.record(verdict="silent")["end"] == "timeout"


def test_a_handshake_that_drips_ends_when_a_request_would(start_tls):
    """Absolute from accept, whatever comes."""
    gateway = start_tls(timeouts="{request: 700ms}")
    sock = gateway.lab.client.connect(AT)
    hello, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    dripping = tls.client_context().wrap_bio(hello, out,
                                             server_hostname="gw.example")
    with pytest.raises(ssl.SSLWantReadError):
        dripping.do_handshake()
    octets = out.read()
    sock.settimeout(0.05)
    for at in range(len(octets)):
        try:
            sock.send(octets[at:at + 1])
            if not sock.recv(1):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    record = gateway.record(verdict="tls-failed")
    assert record["end"] == "timeout" and "timeouts.request" in record["hint"]
    assert 690 <= record["ms"]["total"] < 5000


def test_tls_1_2_where_it_is_allowed(start_tls):
    gateway = start_tls({"min_version": '"1.2"'})
    gateway.tls.maximum_version = ssl.TLSVersion.TLSv1_2
    client, server = gateway.open(userid=b"old")
    client.close = client.sock.close
    client.close()
    assert ending(server) == ("fin", b"")
    server.close()
    record = gateway.record(userid="old")
    assert record["tls"].startswith("1.2/TLS_ECDHE_")
    assert "GCM" in record["tls"] or "POLY1305" in record["tls"]
    weak = tls.client_context()
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    weak.set_ciphers("ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA")
    assert "FAILURE" in refused(gateway, weak)


def test_tls_1_2_is_refused_elsewhere(start_tls):
    gateway = start_tls()
    old = tls.client_context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert "VERSION" in refused(gateway, old)
    assert gateway.record(verdict="tls-failed")["hint"] == \
        "unsupported protocol"


@pytest.mark.parametrize("name, hint", [
    (None, "the client does not know the CA of our certificate: give it that, "
     "or look at the chain"),
    ("other.example", "the client refuses our certificate: it may know the "
     "gateway by a name that is not in it")])
def test_a_client_that_refuses_the_certificate(start_tls, tmp_path,
                                               name, hint):
    """OpenSSL would say `sslv3 alert bad certificate'."""
    gateway = start_tls()
    ca = tls.authority() if name else tls.Authority(tmp_path / "another")
    context = ssl.create_default_context(cafile=ca.certificate)
    sock = gateway.lab.client.connect(AT)
    with pytest.raises(ssl.SSLError, match="VERIFY_FAILED"):
        tls.TlsSocket(sock, context, name or "gw.example")
    assert gateway.record(verdict="tls-failed")["hint"] == hint
    sock.close()


@pytest.mark.parametrize("options, sessions", [
    ({}, 2), ({"tickets": 1}, 1), ({"tickets": 0}, 0)])
def test_tickets_bring_a_client_back_to_any_worker(start_tls, options,
                                                   sessions):
    gateway = start_tls(options)
    context = gateway.tls
    reused = []
    session = None
    for at in range(4):
        sock = gateway.lab.client.connect(AT)
        made = tls.TlsSocket(sock, context, session=session)
        client = socks4.Client(made)
        gateway.clients.append(client)
        listener = gateway.lab.server.listen(places.SERVER)
        client.ask(listener.getsockname())
        server, _ = gateway.lab.server.accept(listener)
        assert client.reply().cd == 90
        reused.append(made.tls.session_reused)
        session = made.tls.session
        assert session.has_ticket == (sessions > 0)
        made.close()
        assert ending(server) == ("fin", b"")
        server.close()
    assert reused == [False] + [sessions > 0] * 3


def test_a_ticket_lives_no_longer_than_the_certificate(start_tls):
    """A client that resumes, with each time's new ticket, would never end."""
    gateway = start_tls(asking(tickets=2))
    listener = gateway.lab.server.listen(places.SERVER)
    end = time.time() + 4
    pair = tls.authority().issue(
        "short", start="20200101000000Z",
        end=time.strftime("%Y%m%d%H%M%SZ", time.gmtime(end)))
    gateway.tls = tls.client_context(pair)
    session, reused = None, 0
    while time.time() < end - 1 or not reused:
        made = tls.TlsSocket(gateway.lab.client.connect(AT), gateway.tls,
                             session=session)
        client = socks4.Client(made)
        client.ask(listener.getsockname())
        gateway.lab.server.accept(listener)[0].close()
        assert client.reply().cd == 90
        session, reused = made.tls.session, made.tls.session_reused
        made.close()
    wait_for("its end", lambda: time.time() > end + 1)
    made = tls.TlsSocket(gateway.lab.client.connect(AT), gateway.tls,
                         session=session)
    with pytest.raises(ssl.SSLError, match="EXPIRED"):
        made.recv(1)
    made.close()
    record = gateway.record(verdict="tls-certificate")
    assert record["hint"] == "certificate has expired"


# Ends


@pytest.mark.feature
def test_an_end_without_close_notify_is_passed_on_as_an_abort(start_tls):
    gateway = start_tls()
    client, server = gateway.open(userid=b"cut")
    client.send(b"half of it")
    client.sock.raw.shutdown(socket.SHUT_WR)
    assert ending(server) == ("reset", b"half of it")
    record = gateway.record(userid="cut")
    assert (record["end"], record["ended_by"]) == ("truncated", "client")
    assert record["up"] == 10


def test_close_notify_alone_ends_a_direction(start_tls):
    """No FIN behind it; the other direction lives on."""
    gateway = start_tls()
    client, server = gateway.open(userid=b"half")
    client.send(b"question")
    client.sock.close_notify()
    assert ending(server) == ("fin", b"question")
    server.sendall(b"answer")
    assert client.sock.recv(10) == b"answer"
    server.close()
    assert ending(client.sock) == ("fin", b"")
    assert gateway.record(userid="half")["end"] == "fin"


def test_the_servers_reset_comes_without_close_notify(start_tls):
    gateway = start_tls()
    client, server = gateway.open(userid=b"cut")
    server.sendall(b"some")
    socks4.reset(server)
    got = b""
    with pytest.raises((ConnectionResetError, tls.Truncated)):
        while piece := client.sock.recv(100):
            got += piece
    assert got == b"some"
    assert gateway.record(userid="cut")["end"] == "reset"


def test_an_urgent_octet_goes_on_in_its_place(start_tls):
    """TLS cannot say that it is urgent."""
    gateway = start_tls()
    client, server = gateway.open()
    server.sendall(b"ab")
    server.send(b"!", socket.MSG_OOB)
    server.sendall(b"cd")
    assert socks4.receive_exactly(client.sock, 5) == b"ab!cd"


STREAMS = 1000
LONG_STREAMS = 10000


@pytest.mark.parametrize("count", [
    STREAMS, pytest.param(LONG_STREAMS, marks=pytest.mark.long)])
def test_a_stream_cut_at_any_octet_is_no_end(start_tls, count):
    """Each is a reset on the other side, after a beginning of what was sent,
    and `end=truncated`. The cut is anywhere in the records."""
    gateway = start_tls()
    listener = gateway.lab.server.listen(places.SERVER)
    sent = bytes(range(256)) * 40
    seed = random.randrange(1 << 30)
    chosen = random.Random(seed)
    print("seed", seed)
    for at in range(count):
        client = gateway.client()
        client.ask(listener.getsockname(), b"cut")
        server, _ = gateway.lab.server.accept(listener)
        assert client.reply().cd == 90
        sock = client.sock
        for piece in range(0, len(sent), 2000):
            sock.tls.write(sent[piece:piece + 2000])
        octets = sock.outgoing.read()
        sock.raw.sendall(octets[:chosen.randrange(len(octets) + 1)])
        sock.raw.shutdown(socket.SHUT_WR)
        how, got = ending(server)
        assert how == "reset" and sent.startswith(got), (seed, at, how)
        server.close()
        sock.raw.close()
    wait_for("the records", lambda: len(gateway.records()) == count)
    assert {record["end"] for record in gateway.records()} == {"truncated"}


# Storms


def test_a_storm_of_key_updates_ends_its_session_alone(start_tls):
    """What makes others spin: the worker goes on, and so does its neighbour."""
    gateway = start_tls(workers="1")
    client, server = gateway.open(userid=b"neighbour")
    listener = gateway.lab.server.listen(places.SERVER)
    sock = gateway.lab.client.connect(AT)
    storm = beside(tls.storm, sock, request(listener.getsockname(), b"storm"))
    other, _ = gateway.lab.server.accept(listener)
    assert ending(other)[0] == "reset"
    record = gateway.record(userid="storm")
    assert record["hint"] == "the client renews the keys too often"
    client.send(b"still")
    assert server.recv(10) == b"still"
    assert storm.result(places.TIMEOUT) > 32
    best(gateway.workers()[0].cost, 0.05)


def test_keys_are_renewed_while_a_record_waits(start_tls):
    """By a client that does not read: the gateway has sent half a record."""
    gateway = start_tls(workers="1")
    listener = gateway.lab.server.listen(places.SERVER)
    sent = bytes(range(256)) * 4 * 8192
    client = tls.renew(gateway.lab.client.connect(AT),
                       request(listener.getsockname(), b"renew"), 4,
                       8 + len(sent))
    next(client)
    server, _ = gateway.lab.server.accept(listener)
    sending = beside(server.sendall, sent)
    wait_for("it to stall", lambda: gateway.counters()["queued"] > 0)
    next(client)
    received = beside(next, client)
    assert received.result(places.TIMEOUT)[8:] == sent
    sending.result(places.TIMEOUT)
    server.close()
    assert gateway.record(userid="renew")["verdict"] == "granted"


def test_garbage_in_the_stream_is_an_abort_with_a_reason(start_tls):
    gateway = start_tls()
    client, server = gateway.open(userid=b"bad")
    client.send(b"good")
    client.sock.raw.sendall(struct.pack("!BHH", 23, 0x303, 32) + bytes(32))
    assert ending(server) == ("reset", b"good")
    record = gateway.record(userid="bad")
    assert record["end"] == "reset" and "mac" in record["hint"]


# Certificates


def test_a_certificate_is_wanted_where_it_is_required(start_tls):
    gateway = start_tls(asking())
    reason = refused(gateway)
    assert "CERTIFICATE_REQUIRED" in reason
    record = gateway.record(verdict="tls-certificate")
    assert record["hint"] == "the client sent no certificate"
    assert record["code"] == 0 and record["certificate"] is None


@pytest.mark.feature
@pytest.mark.parametrize("which, alert, hint", [
    ("expired", "EXPIRED", "certificate has expired"),
    ("revoked", "REVOKED", "certificate revoked"),
    ("foreign", "UNKNOWN_CA", "unable to get local issuer certificate")])
def test_a_certificate_that_is_none_is_refused(start_tls, tmp_path, which,
                                               alert, hint):
    """The client is told by an alert, which no reset destroys."""
    ca = tls.Authority(tmp_path / "own")
    pairs = {
        "expired": lambda: ca.issue("old", end="20210101000000Z"),
        "revoked": lambda: ca.issue("gone"),
        "foreign": lambda: tls.Authority(
            tmp_path / "other", name="other CA").issue("eve"),
    }
    pair = pairs[which]()
    if which == "revoked":
        ca.revoke(pair)
    crl = ca.revocations(tmp_path / "crl.pem")
    gateway = start_tls(asking(ca=ca.certificate, crl=crl))
    assert alert in refused(gateway, tls.client_context(pair))
    assert gateway.record(verdict="tls-certificate")["hint"] == hint
    good = ca.issue("good", names="DNS:good.example")
    gateway.tls = tls.client_context(good)
    client, server = gateway.open()
    client.sock.close()
    server.close()
    assert gateway.record(verdict="granted")["certificate"] == "good.example"


@pytest.mark.feature
def test_a_list_may_be_as_long_as_a_file(start_tls, tmp_path):
    """Almost a megabyte of PEM: whom it does not name is served."""
    ca = tls.Authority(tmp_path / "own")
    gone, good = ca.issue("gone"), ca.issue("good", names="DNS:good.example")
    ca.revoke(gone)
    ca.revoke_others(25000)
    crl = ca.revocations(tmp_path / "crl.pem")
    assert 700_000 < crl.stat().st_size < 1 << 20
    gateway = start_tls(asking(ca=ca.certificate, crl=crl), pair=good)
    client, server = gateway.open()
    client.sock.close()
    server.close()
    assert gateway.record(verdict="granted")["certificate"] == "good.example"
    assert "REVOKED" in refused(gateway, tls.client_context(gone))


@pytest.mark.feature
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_client_sends_the_certificates_between_its_own_and_the_ca(
        start_tls, tmp_path, version):
    """Which the gateway does not know: they lead to the one that it does, and
    may be revoked."""
    root = tls.Authority(tmp_path / "root", "root")
    middle = tls.Authority(tmp_path / "middle", "middle")
    issued = root.issue("middle", names=None, key=middle.key,
                        extra="basicConstraints=critical,CA:TRUE\n")
    middle.certificate = issued.certificate
    leaf = middle.issue("ann", names="DNS:ann.example")
    both = tmp_path / "both.pem"
    both.write_text(leaf.certificate.read_text()
                    + issued.certificate.read_text())
    crl = tmp_path / "crl.pem"

    def revocations():
        parts = [one.revocations(tmp_path / one.folder.name / "crl.pem")
                 for one in (root, middle)]
        crl.write_text("".join(part.read_text() for part in parts))

    revocations()
    gateway = start_tls(asking(ca=root.certificate, crl=crl,
                               min_version="1.2"))
    context = tls.client_context(tls.Pair(both, leaf.key))
    if version == "1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    gateway.tls = context
    client, server = gateway.open()
    client.sock.close()
    server.close()
    record = gateway.record(verdict="granted")
    assert record["certificate"] == "ann.example"
    assert record["tls"].startswith(version)
    alone = tls.client_context(leaf)
    assert "UNKNOWN_CA" in refused(gateway, alone)
    root.revoke(issued)
    revocations()
    reloaded(gateway)
    assert "REVOKED" in refused(gateway, context)


RULES = """
  - {name: lab, action: allow, from: [any], to: [any], certificate: [.lab.example, "ftp*"]}
  - {name: ann, action: allow, from: [any], to: [any], certificate: [ann@lab.example]}
  - {name: known, action: allow, from: [any], to: [any], port: [81], certificate: [any]}
"""


@pytest.mark.parametrize("names, rule, shown", [
    ("DNS:x.Lab.Example", "lab", "x.lab.example"),
    ("DNS:lab.example", None, "lab.example"),
    ("DNS:ftp-7,email:ann@lab.example", "lab", "ftp-7"),
    ("URI:spiffe://x/y,email:ann@lab.example", "ann", "ann@lab.example"),
    ("IP:10.0.0.1", None, None),
    (None, None, "named"),
])
def test_rules_name_certificates(start_tls, tmp_path, names, rule, shown):
    """[V4-C.1-1] A name that was verified, beside a USERID that says more."""
    ca = tls.authority()
    pair = ca.issue("named", names=names)
    gateway = start_tls(asking("request"), pair=pair, rules=RULES)
    if rule:
        client, server = gateway.open(userid=b"x.lab.example")
        client.sock.close()
        server.close()
        record = gateway.record(verdict="granted")
        assert record["rule"] == rule
    else:
        client = gateway.client()
        client.ask((places.SERVER, 80), b"x.lab.example")
        client.refusal()
        record = gateway.record(verdict="denied-no-rule")
    assert record["certificate"] == shown
    gateway.tls = tls.client_context()
    client = gateway.client()
    client.ask((places.SERVER, 81), b"ann@lab.example")
    client.refusal()


def test_userid_is_a_name_of_the_certificate(start_tls):
    """[V4-C.1-1] [V4-3.3-7] With user: certificate it means something."""
    gateway = start_tls(asking(user="certificate"), pair=tls.issued("ann"))
    client, server = gateway.open(userid=b"ann@lab.example")
    client.sock.close()
    server.close()
    record = gateway.record(verdict="granted")
    assert record["certificate"] == "ann@lab.example"
    for userid in (b"", b"ann", b"ann@lab.exampl", b"ANN.example",
                   b"ann.example.x"):
        client = gateway.client()
        client.ask((places.SERVER, 80), userid)
        client.refusal(93)
    wait_for("the records", lambda: len(gateway.records(
        verdict="userid-not-certificate", code=93)) == 5)


def test_odd_octets_of_a_name_are_escaped(start_tls):
    """Newlines, quotes and UTF-8: a line of the log stays one."""
    ca = tls.authority()
    name = 'a"b\\c\u00e9\u202e'
    pair = ca.issue("odd", names=None)
    request_ = ca.folder / "odd.csr"
    config = ca.folder / "odd.cnf"
    config.write_text("[req]\ndistinguished_name=dn\nprompt=no\nutf8=yes\n"
                      "string_mask=utf8only\n[dn]\nCN=a\\\"b\\\\c\u00e9\u202e\n")
    from certificates import openssl
    openssl("req", "-new", "-config", config, "-key", pair.key, "-out",
            request_)
    openssl("x509", "-req", "-in", request_, "-CA", ca.certificate, "-CAkey",
            ca.key, "-set_serial", "77", "-days", "5", "-out",
            pair.certificate)
    gateway = start_tls(asking(), pair=pair)
    client, server = gateway.open()
    client.sock.close()
    server.close()
    record = gateway.record(verdict="granted")
    assert record["certificate"] == name.encode().decode("latin-1")
    line = [one for one in gateway.log().splitlines() if '"session"' in one]
    assert all(0x20 <= ord(char) <= 0x7e for char in line[0])


def test_explain_takes_the_name_of_a_certificate(start_tls):
    gateway = start_tls(asking(user="certificate"), rules=RULES)
    for name, userid, told in [
            ("x.lab.example", "x.lab.example", 'allow  rule "lab"'),
            ("ann@lab.example", "ann@lab.example", 'allow  rule "ann"'),
            ("x.lab.example", "ann", "deny  default (the listener has"),
            (None, "ann", "deny  default (the listener has")]:
        process = gateway.lab.gateway.popen(
            [gateway.binary, "explain", "-c", str(gateway.config_path),
             "--from", places.CLIENT, "--to", places.SERVER, "--port", "80",
             "--user", userid, *(("--certificate", name) if name else ())],
            stdout=subprocess.PIPE, text=True)
        answer, _ = process.communicate(timeout=places.TIMEOUT)
        assert answer.startswith(told), answer
        assert answer.strip().endswith(
            "90" if told.startswith("allow") else "93")


# Memory


MANY = 200


def test_an_idle_session_takes_little_memory(start_tls):
    gateway = start_tls(asking(), pair=tls.issued("ann"), workers="1")
    worker = gateway.workers()[0]
    listener = gateway.lab.server.listen(places.SERVER, backlog=1024)
    kept = []

    def open_some(count):
        for _ in range(count):
            client, server = gateway.open(listener)
            kept.append((client, server))
        return worker.anonymous_kb()

    before = open_some(50)
    grown = open_some(MANY) - before
    print(f"{grown / MANY:.1f} KiB a session (limit 28)")
    if not gateway.is_sanitized:
        assert grown / MANY <= 28  # of pages; tests/unit/tls.c counts octets
    for client, server in kept:
        client.sock.close()
        server.close()


def test_a_bulk_transfer_over_tls_is_exact_beside_a_slow_one(start_tls):
    gateway = start_tls(workers="1")
    slow, slow_server = gateway.open()
    stuck = beside(push, slow_server, 8192 * KB)
    client, server = gateway.open(userid=b"bulk")
    sent = beside(push, client.sock, 8192 * KB)
    assert pull(server, 8192 * KB) == (8192 * KB, whole(8192 * KB)[1], "fin")
    sent.result(places.TIMEOUT)
    assert pull(slow.sock, 8192 * KB)[0] == 8192 * KB
    stuck.result(places.TIMEOUT)
