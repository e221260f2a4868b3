"""Ident: the client's host is asked whose the connection is (RFC 1413)."""
import threading

import pytest

import bind
import identd
import lab as places
from gateway import wait_for
from identd import Identd
from socks4 import BIND, CONNECT, GRANTED, NO_IDENTD, OTHER_USER

pytestmark = pytest.mark.userid

PATIENT, HASTY = "{ident: 20s}", "{ident: 500ms}"


def rules(ident="require", terms="", more=""):
    return ("[{name: asked, action: allow, command: [connect, bind],"
            " from: [any], to: [any], ident: %s%s}%s]" % (ident, terms, more))


@pytest.fixture
def start_identd(lab):
    """On the client's host, unless told otherwise."""
    started = []

    def start(manner, host=None, at="0.0.0.0"):
        made = Identd(host or lab.client, manner, at)
        started.append(made)
        return made

    yield start
    for made in started:
        made.close()


@pytest.fixture
def gateway(start_gateway):
    return start_gateway(rules=rules(), timeouts=PATIENT)


@pytest.fixture
def hasty(start_gateway):
    """One that does not wait long."""
    return start_gateway(rules=rules(), timeouts=HASTY)


@pytest.fixture
def server(lab):
    return lab.server.listen(places.SERVER)


def ask(gateway, to, userid=b"me", cd=CONNECT, **options):
    client = gateway.client(**options)
    client.ask(to, userid, cd)
    return client


def refused(gateway, client, code, verdict, ident):
    """That code, and what the record says."""
    client.refusal(code)
    record = gateway.record()
    assert (record["verdict"], record["code"]) == (verdict, code)
    assert record["ident"] == ident
    assert record["rule"] == "asked"
    assert (record["up"], record["down"]) == (0, 0)
    return record


# Agreed, or not

@pytest.mark.feature
def test_the_user_that_identd_names_is_let_through(
        gateway, server, start_identd):
    """[V4-2-4] [V4-3.2-1] [V4-3.3-4]"""
    asked = start_identd(identd.user(b"me"))
    client, far = gateway.open(server, b"me")
    far.sendall(b"hello")
    assert client.sock.recv(100) == b"hello"
    asked.asked()
    far.close()
    client.sock.close()
    record = gateway.record(verdict="granted")
    assert (record["ident"], record["userid"]) == ("me", "me")


@pytest.mark.parametrize("cd", [CONNECT, BIND], ids=["connect", "bind"])
def test_another_user_is_93(gateway, server, start_identd, cd):
    """[V4-3.3-7] [V4-3.2-1] [V4-4.1-6]"""
    start_identd(identd.user(b"somebody"))
    client = ask(gateway, server.getsockname(), cd=cd)
    refused(gateway, client, OTHER_USER, "ident-differs", "somebody")


@pytest.mark.parametrize("userid,name", [
    (b"me", b"Me"), (b"me", b"me "), (b"me", b"m"), (b"m", b"me"),
    (b"", b"me"), (b"me", b"me:me"), (b"\xff", b"\xfe"), (b" me", b"me"),
])
def test_users_are_compared_octet_by_octet(gateway, server, start_identd,
                                           userid, name):
    """[V4-3.3-7]"""
    start_identd(identd.user(name))
    client = ask(gateway, server.getsockname(), userid)
    client.refusal(OTHER_USER)
    assert gateway.record()["verdict"] == "ident-differs"


@pytest.mark.parametrize("userid,answer", [
    (b"me", b"%d, %d:USERID:UNIX:me\n"),
    (b"me", b" %d, %d : USERID : OTHER , US-ASCII :  me\r\n"),
    (b"a b: c ", b"%d, %d : USERID : UNIX : a b: c \r\n"),
    (b"\xff\x80", b"%d, %d : USERID : UNIX : \xff\x80\r\n"),
    (b"me", b"%d, %d : USERID : UNIX : me\r\n"
            b"%d, %d : USERID : UNIX : you\r\n"),
], ids=["dense", "wide", "blanks", "8-bit", "two-lines"])
def test_an_answer_is_read_as_rfc_1413_writes_it(gateway, server,
                                                 start_identd, userid, answer):
    """[V4-2-4] The first line counts, the user-id is all that it holds."""
    start_identd(identd.line(answer))
    gateway.open(server, userid)


# No answer

NAME = b"%d, %d : USERID : UNIX : "

NO_ANSWER = {
    "no-user": (identd.error(b"NO-USER"), "ident-error", "error: NO-USER"),
    "hidden-user": (identd.error(b"HIDDEN-USER"), "ident-error",
                    "error: HIDDEN-USER"),
    "invalid-port": (identd.error(b"INVALID-PORT"), "ident-error",
                     "error: INVALID-PORT"),
    "unknown-error": (identd.error(b"UNKNOWN-ERROR"), "ident-error",
                      "error: UNKNOWN-ERROR"),
    "x-error": (identd.error(b"X-BUSY"), "ident-error", "error: X-BUSY"),
    "closes": (identd.closes, "ident-closed", "failed: closed"),
    "closes-behind-it": (identd.closes_behind_it, "ident-closed",
                         "failed: closed"),
    "resets": (identd.resets, "ident-closed", "failed: closed"),
    "no-newline": (identd.line(NAME + b"me"), "ident-closed",
                   "failed: closed"),
    "other-ports": (identd.other_ports, "ident-malformed",
                    "failed: malformed"),
    "floods": (identd.floods, "ident-malformed", "failed: malformed"),
    "too-long": (identd.too_long, "ident-malformed", "failed: malformed"),
    "nul": (identd.line(NAME + b"me\0\r\n"), "ident-malformed",
            "failed: malformed"),
    "cr": (identd.line(NAME + b"me\rx\r\n"), "ident-malformed",
           "failed: malformed"),
    "nobody": (identd.line(NAME + b"\r\n"), "ident-malformed",
               "failed: malformed"),
    "http": (identd.line(b"HTTP/1.0 400 Bad Request\r\n\r\n"),
             "ident-malformed", "failed: malformed"),
}


@pytest.mark.parametrize("name", NO_ANSWER)
def test_without_an_answer_it_is_92(gateway, server, start_identd, name):
    """[V4-3.3-6]"""
    manner, verdict, ident = NO_ANSWER[name]
    start_identd(manner)
    client = ask(gateway, server.getsockname())
    refused(gateway, client, NO_IDENTD, verdict, ident)


def test_an_identd_that_drips_is_92_at_the_deadline(hasty, server,
                                                    start_identd):
    """[V4-3.3-6] Each octet is right, and gains it nothing."""
    start_identd(identd.drips)
    client = ask(hasty, server.getsockname())
    refused(hasty, client, NO_IDENTD, "ident-timeout", "failed: timeout")


def test_an_identd_that_hangs_is_92_at_the_deadline(
        hasty, server, start_identd):
    """[V4-3.3-6] And it is left alone then."""
    asked = start_identd(identd.hangs)
    client = ask(hasty, server.getsockname())
    record = refused(hasty, client, NO_IDENTD, "ident-timeout",
                     "failed: timeout")
    assert record["ms"]["ident"] >= 499, record
    wait_for("the question to be over", lambda: asked.done == ["reset"])


def test_a_host_without_identd_is_92(gateway, server):
    """[V4-3.3-6]"""
    client = ask(gateway, server.getsockname())
    refused(gateway, client, NO_IDENTD, "ident-refused",
            "failed: refused")


@pytest.mark.parametrize("what,verdict,ident", [
    ("drop", "ident-timeout", "failed: timeout"),
    ("reject with icmp type host-unreachable", "ident-unreachable",
     "failed: unreachable"),
    ("reject with icmp type admin-prohibited", "ident-unreachable",
     "failed: unreachable"),
], ids=["drop", "unreachable", "prohibited"])
def test_a_host_behind_a_firewall_is_92(start_gateway, server, lab, what,
                                        verdict, ident):
    """[V4-3.3-6]"""
    lab.client.run(["nft", "-f", "-"], text=True, input="""
        table ip firewall {
            chain in {
                type filter hook input priority filter;
                tcp dport 113 %s
            }
        }
    """ % what)
    gateway = start_gateway(
        rules=rules(),
        timeouts=HASTY if verdict == "ident-timeout" else PATIENT)
    client = ask(gateway, server.getsockname())
    refused(gateway, client, NO_IDENTD, verdict, ident)


# Whom it asks, and from where

def test_the_question_leaves_from_the_address_that_was_reached(
        start_gateway, server, start_identd, lab):
    """[V4-2-4] Whichever leg that is: identd knows no other connection."""
    lab.gateway.ip("address add 10.1.0.9/24 dev inside")
    gateway = start_gateway(
        rules=rules(), listen='[{address: "0.0.0.0:1080", name: all,'
                              ' insecure_plaintext: true}]')
    asked = start_identd(identd.user(b"me"))
    reached = [places.INSIDE, "10.1.0.9", places.OUTSIDE, places.THIRD]
    for count, address in enumerate(reached, 1):
        client, _ = gateway.open(server, b"me", at=(address, 1080))
        question = asked.asked(count)
        assert (question.peer, question.at) == (address, places.CLIENT)
        assert (question.client, question.server) == (
            client.sock.getsockname()[1], 1080)
        assert question.octets == b"%d, %d\r\n" % (question.client, 1080)


def test_a_client_is_asked_at_the_address_it_came_from(
        gateway, server, start_identd, lab):
    """[V4-2-4]"""
    lab.client.ip("address add 10.1.0.7/24 dev wire")
    asked = start_identd(identd.user(b"me"), at="10.1.0.7")
    gateway.open(server, b"me", source=("10.1.0.7", 0))
    assert asked.asked().at == "10.1.0.7"


def test_a_client_over_ipv6_is_asked_over_ipv6(start_gateway, server,
                                               start_identd):
    """[V4-2-4]"""
    gateway = start_gateway(
        rules=rules(), listen='[{address: "[%s]:1080", name: six,'
                              ' insecure_plaintext: true}]' % places.INSIDE6)
    asked = start_identd(identd.user(b"me"), at="::")
    client, _ = gateway.open(server, b"me", at=(places.INSIDE6, 1080))
    question = asked.asked()
    assert (question.peer, question.at) == (places.INSIDE6, places.CLIENT6)
    assert question.client == client.sock.getsockname()[1]


def test_the_rule_that_decides_says_whether_it_is_asked(
        start_gateway, server, start_identd):
    """[V4-3.2-1] No later rule helps whom identd contradicts, and who is
    refused anyway is not asked about."""
    gateway = start_gateway(timeouts=PATIENT, rules=rules(
        terms=", user: [me]", more=", {name: never, action: deny,"
        " from: [any], to: [any], user: [never]},"
        " {name: others, action: allow, from: [any], to: [any]}"))
    asked = start_identd(identd.user(b"you"))
    gateway.open(server, b"you")
    ask(gateway, server.getsockname(), b"never").refusal()
    assert asked.questions == []
    ask(gateway, server.getsockname(), b"me").refusal(OTHER_USER)
    asked.asked()
    assert gateway.record(userid="me")["rule"] == "asked"
    assert gateway.record(userid="never")["ident"] is None


# What waits for the answer, and what does not

def test_nothing_is_dialled_before_identd_has_agreed(
        gateway, server, start_identd):
    """[V4-3.2-1]"""
    agreed = threading.Event()
    asked = start_identd(identd.after(agreed, identd.user(b"me")))
    client = ask(gateway, server.getsockname())
    asked.asked()
    port = server.getsockname()[1]
    assert port not in remote_ports(gateway)
    agreed.set()
    gateway.lab.server.accept(server)
    assert client.reply().cd == GRANTED
    assert port in remote_ports(gateway)


def remote_ports(gateway):
    return {remote for _, remote, _ in gateway.lab.gateway.connections()}


def listening(gateway):
    return [local for local, _, state in gateway.lab.gateway.connections()
            if state == 10]


@pytest.mark.feature
def test_a_bind_listens_only_once_identd_has_agreed(
        gateway, start_identd, lab):
    """[V4-4.1-6] [V4-4.2-1] [V4-2-4]"""
    agreed = threading.Event()
    asked = start_identd(identd.after(agreed, identd.user(b"me")))
    before = listening(gateway)
    client = bind.ask(gateway, userid=b"me")
    asked.asked()
    assert listening(gateway) == before
    agreed.set()
    reply = client.reply()
    assert reply.cd == GRANTED
    bind.meet(client, (reply.address, reply.port), lab.server)


def test_a_bind_without_an_answer_is_92(gateway):
    """[V4-3.3-6] [V4-4.1-6] Nothing was listened on for it."""
    client = bind.ask(gateway, userid=b"me")
    record = refused(gateway, client, NO_IDENTD, "ident-refused",
                     "failed: refused")
    assert record["command"] == "bind"
    assert listening(gateway) == [gateway.at[1]]


def test_a_client_that_leaves_takes_its_question_along(
        start_gateway, server, start_identd):
    """Long before the deadline."""
    gateway = start_gateway(rules=rules(), timeouts="{ident: 1m}")
    asked = start_identd(identd.hangs)
    client = ask(gateway, server.getsockname())
    asked.asked()
    client.reset()
    wait_for("the question to be over", lambda: asked.done == ["reset"])
    assert gateway.record()["verdict"] == "client-gone"


def test_a_client_that_has_said_all_may_wait_for_the_answer(
        gateway, server, start_identd):
    """Its FIN is half of a half-close."""
    agreed = threading.Event()
    asked = start_identd(identd.after(agreed, identd.user(b"me")))
    client = ask(gateway, server.getsockname())
    client.shut()
    asked.asked()
    agreed.set()
    far, _ = gateway.lab.server.accept(server)
    assert client.reply().cd == GRANTED
    far.sendall(b"hello")
    assert client.sock.recv(100) == b"hello"


def test_an_identd_that_hangs_delays_nobody_else(start_gateway, server,
                                                 start_identd, lab):
    """One worker, 50 questions open; another client's host answers."""
    gateway = start_gateway(rules=rules(), workers="1",
                            timeouts="{ident: 1m}")
    asked = start_identd(identd.hangs)
    waiting = [ask(gateway, server.getsockname()) for _ in range(50)]
    wait_for("them to be asked about", lambda: len(asked.questions) == 50)
    start_identd(identd.user(b"me"), lab.stranger)
    for _ in range(20):
        gateway.open(server, b"me", host=lab.stranger)
    assert all(record["client"].startswith(places.STRANGER)
               for record in gateway.records())
    for client in waiting:
        client.reset()
    wait_for("the questions to be over",
             lambda: asked.done == ["reset"] * 50)


# ident: log

@pytest.mark.parametrize("manner,ident", [
    (identd.user(b"me"), "me"), (identd.user(b"somebody"), "somebody"),
    (identd.error(b"NO-USER"), "error: NO-USER"),
    (identd.floods, "failed: malformed"), (None, "failed: refused"),
], ids=["agrees", "differs", "error", "floods", "refused"])
def test_a_rule_may_ask_for_the_record_alone(start_gateway, server,
                                             start_identd, manner, ident):
    """[V4-C.1-1] Whatever the answer, the request is granted."""
    gateway = start_gateway(rules=rules("log"), timeouts=PATIENT)
    asked = start_identd(manner) if manner else None
    client, far = gateway.open(server, b"me")
    if asked:
        wait_for("identd to have answered", lambda: asked.done)
    wait_for("the question to be over",
             lambda: identd.PORT not in remote_ports(gateway))
    far.close()
    client.sock.close()
    record = gateway.record()
    assert (record["verdict"], record["ident"]) == ("granted", ident)


def test_an_identd_that_hangs_does_not_delay_a_rule_that_logs(
        start_gateway, server, start_identd):
    """The reply is there while the question is open; the session's end ends
    the question."""
    gateway = start_gateway(rules=rules("log"), timeouts="{ident: 1m}")
    asked = start_identd(identd.hangs)
    client, far = gateway.open(server, b"me")
    asked.asked()
    assert asked.done == []
    far.sendall(b"hello")
    assert client.sock.recv(100) == b"hello"
    far.close()
    client.sock.close()
    assert gateway.record()["ident"].startswith("failed: ")
    wait_for("the question to be over", lambda: asked.done == ["reset"])


# What stands in the log

FORGED = b'\x1b[2J\x7f\xff"\\ event=session verdict=granted\t\x01'
ESCAPED = (rb' ident="\x1b[2J\x7f\xff\"\\ event=session verdict=granted'
           rb'\x09\x01"')


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_identd_says_is_escaped_in_the_log(start_gateway, server,
                                                start_identd, form):
    """[V4-C.1-1] A user-id may hold any octet but three."""
    gateway = start_gateway(rules=rules(), log_format=form)
    start_identd(identd.user(FORGED))
    ask(gateway, server.getsockname()).refusal(OTHER_USER)
    wait_for("the record", lambda: "ident-differs" in gateway.log())
    log = gateway.log_path.read_bytes()
    assert all(octet == 10 or 0x20 <= octet < 0x7f for octet in log)
    if form == "json":
        assert gateway.record()["ident"].encode("latin-1") == FORGED
    else:
        assert ESCAPED + b' verdict="ident-differs"' in log
