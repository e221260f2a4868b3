"""The authenticator: who knows passwords, what a flood of them costs, and what
becomes of them when it dies or its file changes."""
import os
import shutil
import signal

import pytest

import lab as places
import socks5
import upgrades
from authenticator import (ACCEPTED, FAILED, LIMITED, QUESTION, REFUSED,
                           Authenticator)
from gateway import BINARY, Process, children, wait_for
from process_memory import memory
from reloads import events, failed, reload, reloaded
from socks4 import receive_exactly

# Of "secret": the first costs a millisecond, the other fifty.
CHEAP = ("$y$j75$PtVzgzAAAAAAAAAAAAAAA1$"
         "eTlhCOSJEvB8Ba5NoXCvZIXasef6k16owV7mzEnV.p6")
DEAR = ("$6$rounds=200000$abcdefgh$nUZSICAH8m.0ZfqBc3RaARNZgI9DlkCHAMWlq7JKXZi9"
        "CiuWXjeB.zm5tT/ShrDn93diyQBmzruwu8XvqmJ5F.")
ASKS = "[{action: allow, from: [any], to: [any], auth: [password]}]"


@pytest.fixture
def authenticator(lab):
    started = Authenticator(lab.gateway)
    yield started
    status, stderr = started.stop()
    assert status == 0, stderr


@pytest.mark.feature
def test_it_knows_passwords_by_the_file_in_force(authenticator):
    link = authenticator.link()
    assert link.check("ann", "secret") == FAILED  # there is none yet
    authenticator.take(f"ann:{CHEAP}\nbob:!{CHEAP}\n")
    assert link.check("ann", "secret") == ACCEPTED
    assert link.check("ann", "secret") == ACCEPTED
    assert link.check("ann", "Secret") == REFUSED
    assert link.check("bob", "secret") == REFUSED
    assert link.check("eve", "secret") == REFUSED
    authenticator.take(f"eve:{CHEAP}\n")
    assert link.check("ann", "secret") == REFUSED
    assert link.check("eve", "secret") == ACCEPTED
    other = authenticator.link(slot=1)
    assert other.check("eve", "secret") == ACCEPTED


def test_a_source_that_floods_it_delays_others_by_one_hash(authenticator):
    authenticator.take(f"ann:{DEAR}\nbob:{CHEAP}\n")
    link = authenticator.link()
    assert link.check("bob", "secret") == ACCEPTED  # it has the link
    process = Process(authenticator.process.pid)
    process.freeze()  # until all have asked
    for number in range(1, 41):
        link.ask(number, f"user {number}", "guess")
    link.ask(1000, "bob", "secret", source=2)
    process.thaw()
    order = [link.answer()[0] for _ in range(4)]
    assert order.index(1000) <= 2, order


def test_who_was_right_before_waits_for_no_hash_of_strangers(authenticator):
    """However many sources they have."""
    authenticator.take(f"ann:{DEAR}\nbob:{CHEAP}\n")
    link = authenticator.link()
    assert link.check("bob", "secret") == ACCEPTED
    process = Process(authenticator.process.pid)
    process.freeze()  # until all have asked
    for number in range(1, 31):
        link.ask(number, "ann", "guess", source=100 + number)
    link.ask(1000, "bob", "secret", source=2)
    link.ask(1001, "bob", "guess", source=3)
    process.thaw()
    order = [link.answer() for _ in range(3)]
    assert (1000, ACCEPTED) in order, order
    assert 1001 not in [number for number, _ in order]


def test_who_guesses_waits_and_others_do_not(authenticator):
    authenticator.take(f"ann:{CHEAP}\n")
    link = authenticator.link()
    guesses = 0
    while link.check("ann", "guess") == REFUSED:
        guesses += 1
    assert 10 <= guesses < 20  # one more each five seconds
    assert link.check("ann", "secret") == LIMITED
    assert link.check("ann", "secret", source=2) == ACCEPTED


def test_what_no_worker_sends_is_ignored(authenticator):
    """And what it reads, it does not keep."""
    authenticator.take(f"ann:{CHEAP}\n")
    link = authenticator.link()
    whole = QUESTION.pack(1, 0, 1, 1, 255, 255, b"\xff" * 255, b"\xff" * 255)
    link.sock.send(whole[:-1])
    link.sock.send(whole + b"\0")
    link.sock.send(QUESTION.pack(2, 0, 1, 1, 3, 3, b"ann", b"x"))
    link.sock.send(QUESTION.pack(77, 0, 1, 1, 3, 3, b"ann", b"x"))
    link.sock.send(whole)  # its time is over at once
    assert link.check("ann", "secret") == ACCEPTED


# --- the whole gateway -------------------------------------------------------


@pytest.fixture
def users(tmp_path):
    path = tmp_path / "users"
    path.write_text(f"ann:{CHEAP}\n")
    path.chmod(0o644)
    return path


def test_one_that_dies_is_replaced_and_a_bad_file_changes_nothing(
        start_gateway, users):
    gateway = start_gateway(auth=f"{{users: {users}}}", rules=ASKS)
    before, = gateway.of_role("authenticator")
    os.kill(before.pid, signal.SIGKILL)
    after, = wait_for("another one", lambda: [
        one for one in gateway.of_role("authenticator")
        if one.pid != before.pid and one.status("Seccomp") == "2"])
    wait_for("the line", lambda: events(gateway, "authenticator_ended"))
    assert reload(gateway)["event"] == "unchanged"
    changed = users.with_suffix(".new")
    changed.write_text("# nobody\nann:secret\n")
    os.replace(changed, users)
    assert f"{users}:2:5: is not a hash" in failed(gateway)
    changed.write_text(f"eve:{CHEAP}\n")
    os.replace(changed, users)
    reloaded(gateway)
    assert gateway.of_role("authenticator")[0].pid == after.pid


# --- with clients of SOCKS5 ----------------------------------------------------

LISTEN = ('[{address: "%s:1080", name: inside, insecure_plaintext: true,'
          ' socks5: true}]' % places.INSIDE)


@pytest.fixture
def gateway(start_gateway, users):
    return start_gateway(workers="1", auth=f"{{users: {users}}}", rules=ASKS,
                         listen=LISTEN)


def sends(sock, password, user="ann"):
    """RFC 1929, without waiting for the answer."""
    assert socks5.greet(sock, b"\2") == 2
    sock.sendall(bytes([1, len(user)]) + user.encode()
                 + bytes([len(password)]) + password.encode())


def established(gateway, lab, password="secret"):
    """A session as (client, server's socket)."""
    listener = lab.server.listen(places.SERVER)
    client = gateway.client().sock
    sends(client, password)
    assert receive_exactly(client, 2) == b"\1\0"
    client.sendall(socks5.request(listener.getsockname()))
    server, _ = lab.server.accept(listener)
    assert socks5.reply(client).code == socks5.SUCCEEDED
    listener.close()
    return client, server


def echoes(client, server):
    client.sendall(b"ping")
    assert receive_exactly(server, 4) == b"ping"
    server.sendall(b"pong")
    assert receive_exactly(client, 4) == b"pong"


@pytest.mark.feature
def test_a_hash_that_takes_long_stops_no_relay(gateway, lab):
    """However long: the authenticator stands still. When it dies the next one
    is asked again, and the session goes on."""
    client, server = established(gateway, lab)
    authenticator, = gateway.of_role("authenticator")
    os.kill(authenticator.pid, signal.SIGSTOP)
    waits = gateway.client().sock
    sends(waits, "secret")
    wait_for("the question", lambda: gateway.counters()["accepted"] == 2)
    for _ in range(3):
        echoes(client, server)
    waits.setblocking(False)
    with pytest.raises(BlockingIOError):
        waits.recv(1)
    waits.settimeout(places.TIMEOUT)
    os.kill(authenticator.pid, signal.SIGKILL)
    assert receive_exactly(waits, 2) == b"\1\0"
    echoes(client, server)
    for sock in (waits, client, server):
        sock.close()
    record = wait_for("the record", lambda: gateway.records(verdict="granted"))[0]
    assert record["userid"] == "ann" and record["version"] == "5"


def test_an_upgrade_keeps_the_users_in_force(start_gateway, users, lab,
                                             tmp_path):
    """Whatever has become of the file."""
    gateway = start_gateway(
        workers="1", auth=f"{{users: {users}}}", rules=ASKS, listen=LISTEN,
        binary=shutil.copy(BINARY, tmp_path / "socks4d"))
    before, = gateway.of_role("authenticator")
    users.write_text("ann\n")
    upgrades.upgraded(gateway, tail=b"1")
    wait_for("the old one to end", lambda: [
        one.pid for one in gateway.of_role("authenticator")
        if one.pid != before.pid] and before.has_ended())
    wait_for("the line", lambda: events(gateway, "reload_failed"))
    client, server = established(gateway, lab)
    echoes(client, server)
    client.close()
    server.close()


def test_a_wrong_password_is_recorded_without_it(gateway):
    for password, word in ("topsecret1", "other password"), ("x", "other pass"):
        client = gateway.client().sock
        sends(client, password)
        assert receive_exactly(client, 2)[1] != 0
        client.close()
    records = wait_for("both records", lambda: len(gateway.records(
        verdict="auth-failed")) == 2 and gateway.records(verdict="auth-failed"))
    assert all("another password" in record["hint"] for record in records)
    assert "topsecret1" not in gateway.log() + gateway.stderr()


def test_no_process_keeps_a_password(gateway, lab, real_root):
    """Neither a right one nor a wrong one, nor one that was asked twice, that
    did not come whole, or that nobody wanted."""
    client, server = established(gateway, lab)
    wrong = gateway.client().sock
    sends(wrong, "unforgettable-1")
    assert receive_exactly(wrong, 2)[1] != 0
    os.kill(gateway.of_role("authenticator")[0].pid, signal.SIGSTOP)
    again = gateway.client().sock
    sends(again, "unforgettable-2")
    wait_for("it", lambda: gateway.counters()["accepted"] == 3)
    os.kill(gateway.of_role("authenticator")[0].pid, signal.SIGKILL)
    assert receive_exactly(again, 2)[1] != 0
    for greeting, message in (
            (b"\5\1\2", b"\5\3ann\x0funforgettable-3"),  # of another version
            (b"\5\1\2", b"\1\3ann\xffunforgettable-4"),  # not all of it
            (b"\5\1\1", b"\1\3ann\x0funforgettable-5")):  # it is not wanted
        other = gateway.client().sock
        other.sendall(greeting + message)
        assert receive_exactly(other, 1) == b"\5"
        other.close()
    for pid in [gateway.process.pid, *children(gateway.process.pid)]:
        wait_for(f"{Process(pid).command()} to forget", lambda one=pid: not any(
            b"unforgettable-" in region for region in memory(one)))
    for sock in (again, wrong, client, server):
        sock.close()
