"""HUP: another configuration while everything goes on."""
import contextlib
import itertools
import os
import random
import re
import signal
import socket
import threading
import time

import pytest

import bind
import dns
import lab as places
from bind import wait
from dns import Dns, a
from gateway import ALLOW_ALL, BINARY, Process, children, wait_for
from reloads import (OUTCOMES, events, failed, ids, place, reload, reloaded,
                     rewrite)
from socks4 import ending, receive_exactly
from test_systemd import Manager

DENY_ALL = "[{name: nobody, action: deny, from: [any], to: [any]}]"
LISTEN = "{address: '%s:%d', name: %s, insecure_plaintext: true}"


def listening(*rows):
    """`listen:` with these (port, name)."""
    return "[%s]" % ", ".join(LISTEN % (places.INSIDE, port, name)
                              for port, name in rows)


def echoes(client, server):
    client.send(b"there")
    assert receive_exactly(server, 5) == b"there"
    server.sendall(b"back")
    assert receive_exactly(client.sock, 4) == b"back"


def end(client, server):
    client.shut()
    assert ending(server) == ("fin", b"")
    server.close()
    assert ending(client.sock) == ("fin", b"")


def pids(gateway):
    return sorted(worker.pid for worker in gateway.workers())


def sockets(gateway):
    """The monitor's listening sockets: {port: inode}."""
    def looked():
        with contextlib.suppress(OSError):  # one was closed meanwhile
            return [Process(gateway.process.pid).listeners()]
    found = {}
    for sock in wait_for("its sockets", looked)[0]:
        with sock:
            found[sock.getsockname()[1]] = os.fstat(sock.fileno()).st_ino
    return found


def more_descriptors(gateway, count):
    """It has so many more listeners than at its start."""
    gateway.base = {pid: base + count for pid, base in gateway.base.items()}


# Rules, and whom they are for


@pytest.mark.feature
def test_new_sessions_get_the_new_rules_and_old_ones_live(start_gateway):
    gateway = start_gateway()
    workers = pids(gateway)
    old = [gateway.open() for _ in range(6)]
    before = ids(gateway)
    line = reloaded(gateway, rules=DENY_ALL)
    assert line["config"] != before[0] and re.fullmatch(
        "[0-9a-f]{8}", line["config"])
    assert ids(gateway) == [line["config"]] * 3 and len(set(before)) == 1
    for _ in range(4):
        client = gateway.client()
        client.ask((places.SERVER, 80))
        client.refusal()
    for client, server in old:
        echoes(client, server)
        end(client, server)
    assert pids(gateway) == workers
    assert reloaded(gateway, rules=ALLOW_ALL)["config"] == before[0]
    echoes(*gateway.open())


def test_a_request_under_way_is_decided_as_it_began(gateway):
    listener = gateway.lab.server.listen(places.SERVER)
    client = gateway.client()
    client.send(b"\x04\x01")
    wait_for("its octets to be read", lambda: gateway.has_read(client))
    reloaded(gateway, rules=DENY_ALL)
    port = listener.getsockname()[1]
    client.requested = True
    client.send(port.to_bytes(2, "big") + socket.inet_aton(places.SERVER)
                + b"\0")
    server, _ = gateway.lab.server.accept(listener)
    assert client.reply().cd == 90
    echoes(client, server)


def test_timeouts_and_limits_are_those_of_the_new_file(gateway):
    held = [gateway.open() for _ in range(3)]
    reloaded(gateway, timeouts="{request: 1s}",
             limits="{per_source: {sessions: 4, rate: 1M}}")
    late = gateway.client()
    assert ending(late.sock)[1] == b""
    gateway.record(verdict="silent")
    held.append(gateway.open())
    with pytest.raises(ConnectionResetError):
        gateway.client().sock.recv(1)  # the fifth
    for client, server in held:
        echoes(client, server)


def test_a_connect_made_before_counts_when_a_rule_comes_to_ask_for_it(
        gateway):
    """[V4-4-2] And its end counts when none asks any more."""
    control = gateway.lab.server.listen(places.SERVER)
    primary, server = gateway.open(control)
    reloaded(gateway, rules=bind.only("require_connect: true"))
    wait(gateway)
    reloaded(gateway, rules=ALLOW_ALL)
    end(primary, server)
    wait_for("its record", lambda: gateway.records(command="connect"))
    reloaded(gateway, rules=bind.only("require_connect: true"))
    bind.refused(gateway, "bind-without-connect")


# Listeners


def test_listeners_come_and_go_and_others_are_not_touched(start_gateway):
    gateway = start_gateway(listen=listening((1080, "one"), (1081, "two")))
    before = sockets(gateway)
    kept = gateway.open(at=(places.INSIDE, 1080))
    gone = gateway.open(at=(places.INSIDE, 1081))
    reloaded(gateway, listen=listening((1082, "three"), (1080, "uno")))
    after = sockets(gateway)
    assert after[1080] == before[1080] and sorted(after) == [1080, 1082]
    new = gateway.open(at=(places.INSIDE, 1082))
    again = gateway.open(at=(places.INSIDE, 1080))
    with pytest.raises(ConnectionRefusedError):
        gateway.lab.client.connect((places.INSIDE, 1081))
    for session in (kept, gone, new, again):
        echoes(*session)
        end(*session)
    wait_for("four records", lambda: len(gateway.records()) == 4)
    assert sorted(record["listener"] for record in gateway.records()) == [
        "one", "three", "two", "uno"]
    assert [line["address"] for line in events(gateway, "closed")] == [
        f"{places.INSIDE}:1081"]


def test_who_waits_at_a_listener_that_goes_is_served(start_gateway):
    gateway = start_gateway(listen=listening((1080, "one"), (1081, "two")))
    listener = gateway.lab.server.listen(places.SERVER)
    with gateway.frozen():
        waiting = [gateway.client(at=(places.INSIDE, 1081)) for _ in range(5)]
        for client in waiting:
            client.ask(listener.getsockname())
        rewrite(gateway, listen=listening((1080, "one")), rules=DENY_ALL)
        gateway.signal(signal.SIGHUP)
        wait_for("it to go", lambda: sorted(sockets(gateway)) == [1080])
    for client in waiting:
        server, _ = gateway.lab.server.accept(listener)
        assert client.reply().cd == 90
        server.close()
    wait_for("the reload", lambda: events(gateway, "reloaded"))


def test_one_that_went_can_come_back_when_the_reload_is_over(start_gateway):
    """So it waits for workers that drain, too: they have it open."""
    gateway = start_gateway(listen=listening((1080, "one"), (1081, "two")))
    stays, _ = gateway.workers()
    with gateway.frozen(stays):
        rewrite(gateway, workers="1", listen=listening((1080, "one")))
        gateway.signal(signal.SIGHUP)
        wait_for("it to go", lambda: sorted(sockets(gateway)) == [1080])

        def first_has_it():
            first, _, now = ids(gateway)
            return first == now
        wait_for("the one that stays", first_has_it)
        assert not events(gateway, *OUTCOMES)
    wait_for("the reload", lambda: events(gateway, "reloaded"))
    reloaded(gateway, listen=listening((1080, "one"), (1081, "two")))
    end(*gateway.open(at=(places.INSIDE, 1081)))


def test_one_that_cannot_be_opened_changes_nothing(gateway):
    taken = gateway.lab.gateway.listen(places.INSIDE, 1083)
    config = ids(gateway)
    why = failed(gateway, rules=DENY_ALL, listen=listening(
        (1080, "inside"), (1082, "fine"), (1083, "taken")))
    assert f"{places.INSIDE}:1083" in why and "ss -ltnp" in why, why
    assert ids(gateway) == config and list(sockets(gateway)) == [1080]
    echoes(*gateway.open())
    taken.close()
    more_descriptors(gateway, 2)
    reloaded(gateway)
    client = gateway.client(at=(places.INSIDE, 1083))
    client.ask((places.SERVER, 80))
    client.refusal()


def test_the_command_line_still_replaces_the_listeners(lab, start_gateway):
    """-l and --socks4a count at a reload as at the start."""
    gateway = start_gateway("-l", "127.0.0.1:1090", "--socks4a",
                            rules="[{action: allow, from: [any],"
                                  " to: [any, www.example]}]")
    assert failed(gateway, rules="[{action: allow, from: [any], to: [any],"
                                 " listener: [inside]}]").startswith(
        "socks4d: -l: replaces the listeners")
    reloaded(gateway, rules=DENY_ALL, listen=listening((1085, "other")))
    assert list(sockets(gateway)) == [1090]
    assert events(gateway, "listening")[-1]["address"] == "127.0.0.1:1090"


# A bad file


def test_a_bad_file_changes_nothing_and_one_line_says_where(gateway):
    config = ids(gateway)
    gateway.settings["rules"] = "[{action: alow, from: [any], to: [any]}]"
    why = failed(gateway, workers="1")
    assert re.match(rf"{gateway.config_path}:4:\d+: .*did you mean", why), why
    assert "shows all" not in why
    why = failed(gateway, workers="1", timeouts="{idle: 5}")
    assert why.endswith(" (and 1 more; `socks4d -t' shows all)"), why
    gateway.config_path.unlink()
    assert "cannot be opened" in failed(gateway)
    os.mkfifo(gateway.config_path)
    assert "not a regular file" in failed(gateway)
    assert ids(gateway) == config and len(gateway.workers()) == 2
    echoes(*gateway.open())


def test_what_is_odd_in_a_file_is_said_when_it_is_taken(gateway):
    reloaded(gateway, rules="[]")
    [line] = events(gateway, "reload_warning")
    assert line["message"] == (f"{gateway.config_path}: warning: no rules:"
                               " every request will be refused")


@pytest.mark.feature
def test_t_prints_the_id_that_the_reload_has(gateway):
    """Whatever limit on descriptors it is run under."""
    rewrite(gateway, timeouts="{idle: 3h}")
    checked = gateway.lab.gateway.run(
        ["sh", "-c", 'ulimit -n 256; exec "$@"', "sh", BINARY, "-t", "-c",
         str(gateway.config_path)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    line = reload(gateway)
    assert line["event"] == "reloaded"
    assert checked.stdout == (
        f"{gateway.config_path}: ok, config={line['config']}\n")


def test_term_ends_a_reload_that_still_waits(gateway):
    with gateway.frozen(gateway.workers()[0]):
        rewrite(gateway, timeouts="{idle: 1h}")
        gateway.signal(signal.SIGHUP)
        wait_for("its beginning", lambda: events(gateway, "reopened"))
        gateway.signal(signal.SIGTERM)
        gateway.signal(signal.SIGHUP)
        wait_for("the drain", lambda: events(gateway, "draining"))
    assert gateway.process.wait(places.TIMEOUT) == 0
    assert not events(gateway, *OUTCOMES)


@pytest.mark.parametrize("setting", ["sandbox", "user"])
def test_what_needs_a_restart_is_refused_by_name(gateway, setting):
    other = {"sandbox": "require", "user": "games"}[setting]
    why = failed(gateway, **{setting: other, "rules": DENY_ALL})
    assert why.startswith(f"{setting}: ") and "restart" in why
    echoes(*gateway.open())


def test_an_address_that_covers_one_in_use_is_not_somebody_else_s(gateway):
    """`ss' would show this gateway, which is not to be ended."""
    at = f"{gateway.at[0]}:{gateway.at[1]}"
    wide = f"0.0.0.0:{gateway.at[1]}"
    why = failed(gateway, listen=(
        f'[{{address: "{wide}", insecure_plaintext: true}}]'))
    assert why == (f"cannot listen on {wide} in place of {at}: both cannot be "
                   "open at once; restart to apply. Nothing was changed")
    why = failed(gateway, listen=(
        '[{address: "192.0.2.9:1080", insecure_plaintext: true}]'))
    assert "not an address of this machine" in why and "restart" not in why
    echoes(*gateway.open())


SPOILT = b"""limits:
  sessions: 7654321
  pending: 1234567
  userid: 1023
  memory: 1234567890
timeouts: {connect: 117s}
"""


def spoilt(text, start):
    """Cut, and with a bit turned over, at places all over it: the same ones in
    every folder."""
    dice = random.Random(7)
    for at in range(start, len(text), 7):
        yield text[:at]
        at = start + dice.randrange(len(text) - start)
        other = bytearray(text)
        other[at] ^= 1 << dice.randrange(7)
        yield bytes(other)


def test_a_spoilt_file_is_never_half_in_force(gateway):
    """Cut short, and with a bit turned over. Either nothing changes, or it is
    what the text says: then it parses by itself, too."""
    log = f"log: {gateway.settings.pop('log')}\n".encode()
    del gateway.settings["limits"]
    rest = "".join(f"{key}: {value}\n" for key, value in
                   gateway.settings.items()).encode() + SPOILT
    held = gateway.open()
    known = ids(gateway)[0]
    outcomes = dict.fromkeys(OUTCOMES, 0)
    for text in spoilt(log + rest, len(log)):
        place(gateway, text)
        line = reload(gateway)
        outcomes[line["event"]] += 1
        if line["event"] == "reload_failed":
            assert line["config"] == known and len(line["message"]) > 20, line
        elif line["config"] != known:
            known = line["config"]
            assert ids(gateway)[-1] == known
    assert outcomes["reload_failed"] > 30, outcomes
    assert outcomes["reloaded"] > 5, outcomes
    place(gateway, log + rest)
    assert reload(gateway)["event"] in ("reloaded", "unchanged")
    echoes(*held)
    echoes(*gateway.open())


# The same file, and very many


def test_the_same_file_changes_nothing_but_the_log_is_opened_again(gateway):
    gateway.log_path.rename(gateway.folder / "old")
    place(gateway, "# a remark\n" + gateway.config_path.read_text())
    workers, before = pids(gateway), sockets(gateway)
    line = reload(gateway)
    assert line["event"] == "unchanged"
    assert ids(gateway) == [line["config"]] * 3
    assert (pids(gateway), sockets(gateway)) == (workers, before)
    gateway.keeps_records = False


def storm(gateway, is_enough):
    """HUPs as fast as files can be written, each another configuration."""
    kinds = itertools.cycle([
        {"rules": ALLOW_ALL, "timeouts": "{idle: 1h}"},
        {"listen": listening((1080, "inside"), (1081, "other"))},
        {"timeouts": "{connect: 7s}"}, {"workers": "3"},
        {"listen": listening((1080, "again"))}, {"workers": "2"},
    ])
    count = 0

    def one_more():
        nonlocal count
        rewrite(gateway, **next(kinds))
        gateway.signal(signal.SIGHUP)
        count += 1
        return count % 10 == 0 and is_enough(count)
    wait_for("enough of them", one_more, 120)
    return count


@contextlib.contextmanager
def connecting(gateway, listener):
    """Short sessions, one after the other, all the time; yields their
    number, as a list of one."""
    count, over, faults = [0], threading.Event(), []

    def one():
        client = gateway.client()
        client.ask(listener.getsockname())
        server, _ = listener.accept()
        with server, client.sock:
            server.settimeout(places.TIMEOUT)
            assert client.reply().cd == 90
            echoes(client, server)

    def work():
        try:
            while not over.is_set():
                one()
                count[0] += 1
        except Exception as fault:  # pylint: disable=broad-except
            faults.append(fault)

    worker = threading.Thread(target=work)
    worker.start()
    yield count
    over.set()
    worker.join()
    assert not faults, faults


@pytest.mark.parametrize("sessions, times", [
    (40, 1), pytest.param(500, 10, marks=pytest.mark.long)])
def test_a_storm_of_changes_loses_nobody(start_gateway, sessions, times):
    gateway = start_gateway(limits="{per_source: {pending: 100k, rate: 1M,"
                                   " sessions: 100k}}")
    listener = gateway.lab.server.listen(places.SERVER)
    listener.settimeout(places.TIMEOUT)
    held = [gateway.open(listener) for _ in range(sessions)]
    with connecting(gateway, listener) as count:
        sent = storm(gateway, lambda sent: (
            sent >= 100 * times and count[0] > 50 * times
            and len(events(gateway, "reloaded")) > 30 * times))
    rewrite(gateway, workers="2", listen=listening((1080, "inside")))
    gateway.signal(signal.SIGHUP)

    def settled():
        line = events(gateway, *OUTCOMES)[-1]
        return (len(gateway.workers()) == 2 and list(sockets(gateway)) == [1080]
                and set(ids(gateway)) == {line["config"]})
    for client, server in held:
        echoes(client, server)
        end(client, server)
    wait_for("the last of them", settled)
    print(f"{sent} HUPs, {len(events(gateway, 'reloaded'))} reloads,"
          f" {count[0]} connects")
    assert not events(gateway, "reload_failed", "worker_behind")
    assert [line for line in events(gateway, "worker_ended")
            if line["level"] == "error"] == []


def test_hups_during_a_reload_lead_to_one_more(gateway):
    with gateway.frozen(gateway.workers()[0]):
        rewrite(gateway, timeouts="{idle: 1h}")
        gateway.signal(signal.SIGHUP)
        wait_for("its beginning", lambda: events(gateway, "reopened"))
        rewrite(gateway, timeouts="{idle: 2h}")
        for _ in range(20):
            gateway.signal(signal.SIGHUP)
            time.sleep(0.005)
        assert not events(gateway, *OUTCOMES)
    wait_for("two", lambda: len(events(gateway, *OUTCOMES)) == 2)
    first, second = events(gateway, *OUTCOMES)
    assert len(events(gateway, "reopened")) == 2  # USR1 does that, too
    assert ids(gateway)[-1] == second["config"] != first["config"]


# Workers


def test_workers_come_and_go(start_gateway):
    gateway = start_gateway()
    listener = gateway.lab.server.listen(places.SERVER)
    held = [gateway.open(listener) for _ in range(12)]
    before = [worker.pid for worker in gateway.workers()]
    assert reloaded(gateway, workers="3")["workers"] == 3
    assert set(before) < set(pids(gateway)) and len(pids(gateway)) == 3
    assert reloaded(gateway, workers="1")["workers"] == 1
    assert len(ids(gateway)) >= 2
    for client, server in held:
        echoes(client, server)
        end(client, server)
    wait_for("the others to be gone", lambda: len(
        events(gateway, "worker_ended")) == 2)
    assert pids(gateway) == before[:1]
    assert {line["status"] for line in events(gateway, "worker_ended")} == {0}
    end(*gateway.open(listener))
    wait_for("its end", lambda: gateway.counters()["live"] == 0)
    os.kill(pids(gateway)[0], signal.SIGKILL)
    wait_for("the next", lambda: pids(gateway) not in (before[:1], []))
    end(*gateway.open(listener))
    assert reloaded(gateway, workers="2")["workers"] == 2


def test_a_worker_that_does_not_take_it_is_replaced(gateway):
    deaf, other = gateway.workers()
    with gateway.frozen(other):
        session = gateway.open()
    rewrite(gateway, timeouts="{idle: 1h}")
    with gateway.unwatched():  # else the heartbeat may miss it before
        wait_for("it to have answered", lambda: deaf.status("State") == "S")
        deaf.freeze()
        gateway.signal(signal.SIGHUP)
    line = wait_for("the reload", lambda: events(gateway, "reloaded"))[0]
    assert line["ms"] >= 4900 and not events(gateway, "worker_hung")
    assert [line["pid"] for line in events(gateway, "worker_behind")] == [
        deaf.pid]
    assert other.pid in pids(gateway) and len(pids(gateway)) == 2
    assert ids(gateway) == [line["config"]] * 3
    echoes(*session)


@pytest.mark.feature
def test_a_set_that_is_the_first_to_be_sorted_ends_no_worker(gateway):
    """The C library may ask the kernel something when it sorts."""
    before = pids(gateway)
    session = gateway.open()
    nets = ", ".join(f"100.64.{n}.9" for n in reversed(range(200)))
    reloaded(gateway, rules="[{action: deny, from: [any], to: [%s]},"
             " {action: allow, from: [any], to: [any]}]" % nets)
    assert pids(gateway) == before
    assert not events(gateway, "worker_ended")
    echoes(*session)
    end(*session)


def test_a_large_set_is_taken_by_the_workers_that_are(gateway, tmp_path):
    """250 000 networks and names: nobody is taken for one that hangs."""
    before = pids(gateway)
    session = gateway.open()
    blocked = tmp_path / "blocked.txt"
    count = 20000 if "asan" in BINARY else 125000
    blocked.write_text("".join(
        f"100.{64 + n % 64}.{n // 64 % 256}.{n // 64 // 256}\n"
        f"n{n}.ads{n % 97}.example.org\n" for n in range(count)))
    reloaded(gateway, workers="2",
             sets='{blocked: ["file:%s"]}' % blocked, rules="["
             "{name: no, action: deny, from: [any], to: [blocked]},"
             " {action: allow, from: [any], to: [any]}]")
    assert pids(gateway) == before
    for event in ("worker_behind", "worker_hung", "worker_ended"):
        assert not events(gateway, event)
    client = gateway.client()
    client.ask(("100.64.0.0", 80), b"mary")
    client.refusal()
    assert gateway.record(userid="mary")["rule"] == "no"
    echoes(*session)
    end(*session)


def test_a_worker_without_a_descriptor_to_spare_asks_again(start_gateway):
    """What comes with a message at the limit is lost: MSG_CTRUNC."""
    gateway = start_gateway(workers="1", wrapper=("prlimit", "--nofile=140"))
    listener = gateway.lab.server.listen(places.SERVER)
    held = [gateway.open(listener) for _ in range(50)]
    rows = [(1080, "inside")] + [(2000 + i, f"l{i}") for i in range(40)]
    rewrite(gateway, listen=listening(*rows))
    gateway.signal(signal.SIGHUP)
    wait_for("it to be told", lambda: len(sockets(gateway)) == 41)
    time.sleep(0.3)  # it has asked a few times
    assert not events(gateway, *OUTCOMES)
    for client, server in held[:20]:
        end(client, server)
    wait_for("the reload", lambda: events(gateway, "reloaded"))
    assert not events(gateway, "worker_behind")
    more_descriptors(gateway, 40)
    held.append(gateway.open(listener, at=(places.INSIDE, 2039)))
    for client, server in held[20:]:
        echoes(client, server)


# The log, the resolver, the service manager


def test_the_log_changes_its_looks_and_its_place(gateway):
    target = f"file:{gateway.log_path}"
    end(*gateway.open())
    gateway.record()
    reload_text = "{target: '%s', format: %s, level: %s}"
    rewrite(gateway, log=reload_text % (target, "text", "info"))
    gateway.signal(signal.SIGHUP)
    wait_for("a line of text", lambda: "event=reloaded" in gateway.log())
    end(*gateway.open())
    wait_for("a record of text", lambda: "event=session" in gateway.log())
    rewrite(gateway, log=reload_text % ("stderr", "json", "warning"))
    gateway.signal(signal.SIGHUP)
    gateway.signal(signal.SIGUSR1)
    wait_for("figures there", lambda: '"event":"total"' in gateway.stderr())
    end(*gateway.open())
    size = len(gateway.log())
    assert "does not exist" in failed_at_stderr(gateway, reload_text)
    rewrite(gateway, log=reload_text % ("syslog", "json", "info"))
    gateway.signal(signal.SIGHUP)
    wait_for("syslog", lambda: syslog_waits(gateway))
    rewrite(gateway, log=reload_text % (target, "json", "info"))
    gateway.signal(signal.SIGHUP)
    wait_for("it back", lambda: '"event":"reloaded"' in gateway.log()[size:])
    assert "session" not in gateway.stderr()
    gateway.keeps_records = False


def test_lines_go_where_the_last_word_before_them_said(gateway, tmp_path):
    """A writer that comes late finds four words and the lines behind them."""
    [late] = [pid for pid in children(gateway.process.pid)
              if "--logwriter" in Process(pid).command()]
    paths = [tmp_path / str(number) for number in range(4)]
    gateway.keeps_records = False
    with contextlib.ExitStack() as stack:
        os.kill(late, signal.SIGSTOP)
        stack.callback(os.kill, late, signal.SIGCONT)
        for path in paths:
            rewrite(gateway, log=f'{{target: "file:{path}", format: json}}')
            gateway.signal(signal.SIGHUP)
            wait_for("the file", path.exists)
        end(*gateway.open())
    last = paths.pop()
    wait_for("the record", lambda: '"event":"session"' in last.read_text())
    assert '"event":"reloaded"' in last.read_text()
    assert [path.read_text() for path in paths] == ["", "", ""]


def failed_at_stderr(gateway, form):
    """A file that cannot be opened: the old target says so."""
    rewrite(gateway, log=form % ("file:/nowhere/log", "json", "info"))
    gateway.signal(signal.SIGHUP)
    wait_for("the failure", lambda: "reload_failed" in gateway.stderr())
    return gateway.stderr()


def syslog_waits(gateway):
    """Nothing goes to stderr any more."""
    before = gateway.stderr()
    gateway.signal(signal.SIGUSR1)
    time.sleep(0.1)
    return gateway.stderr() == before


def resolvers(gateway):
    return [pid for pid in children(gateway.process.pid)
            if "--resolver" in Process(pid).command()]


def by_name(gateway, listener):
    client = gateway.client()
    client.ask_name("www.example", listener.getsockname()[1])
    server, _ = gateway.lab.server.accept(listener)
    assert client.reply().cd == 90
    client.sock.close()
    server.close()


def test_the_resolver_comes_changes_and_goes(start_gateway, lab):
    one, two = Dns(lab.server, places.SERVER), Dns(lab.server, places.SERVER2)
    for server in (one, two):
        server["www.example"] = a(places.SERVER, ttl=0)
    gateway = start_gateway(timeouts="{request: 4s, resolve: 2s}")
    listener = lab.server.listen(places.SERVER)
    assert resolvers(gateway) == []
    more_descriptors(gateway, 1)  # its line
    named = gateway.settings["listen"].replace("name:", "socks4a: true, name:")
    reloaded(gateway, listen=named, resolver='{servers: ["%s"]}' % one)
    by_name(gateway, listener)
    [first] = resolvers(gateway)
    reloaded(gateway, resolver='{servers: ["%s"]}' % two)
    wait_for("another", lambda: resolvers(gateway) not in ([first], []))
    one["www.example"] = dns.silent
    by_name(gateway, listener)
    late = gateway.client()  # who came while names were asked for
    late.send(b"\x04\x01")
    wait_for("its octets to be read", lambda: gateway.has_read(late))
    [second] = resolvers(gateway)
    reloaded(gateway, listen=named.replace("true, name", "false, name"))
    late.requested = True
    late.send(listener.getsockname()[1].to_bytes(2, "big")
              + b"\0\0\0\1\0www.example\0")
    server, _ = lab.server.accept(listener)
    assert late.reply().cd == 90
    server.close()
    assert resolvers(gateway) == [second]
    wait_for("its end", lambda: len(events(gateway, "resolver_ended")) == 2)
    assert {line["level"] for line in events(gateway, "resolver_ended")} == {
        "info"}
    assert resolvers(gateway) == []
    one.close()
    two.close()


def test_the_service_manager_hears_of_it(start_gateway, tmp_path):
    manager = Manager(str(tmp_path / "notify"))
    gateway = start_gateway(wrapper=manager.wrapper())
    assert "READY" in manager.hear()
    for text in (DENY_ALL, DENY_ALL, "nonsense"):
        before = time.monotonic_ns() // 1000
        reload(gateway, rules=text)
        heard = manager.hear()
        assert heard["RELOADING"] == "1"
        assert before <= int(heard["MONOTONIC_USEC"]) <= (
            time.monotonic_ns() // 1000)
        heard = manager.hear()
        assert heard["READY"] == "1"
        assert heard["STATUS"].startswith("2 workers serve")
    manager.socket.close()


@pytest.mark.feature
def test_the_service_manager_hears_why_it_failed_until_a_good_one(
        start_gateway, tmp_path):
    """And so does whoever reads stderr; the log is a file."""
    manager = Manager(str(tmp_path / "notify"))
    gateway = start_gateway(wrapper=manager.wrapper())

    def status():
        return manager.hear_of("READY")["STATUS"]

    assert status() == "2 workers serve"
    good = gateway.config_path.read_text()
    place(gateway, "workers: many\n")
    said = reload(gateway)["message"]
    assert said.startswith(f"{gateway.config_path}:1:10: ")
    shown = said if len(said) < 160 else said[:156] + "..."
    assert status() == f"2 workers serve; the last reload failed: {shown}"
    assert f"socks4d: reload failed: {said}\n" in gateway.stderr()
    place(gateway, good)
    assert reload(gateway)["event"] == "unchanged"
    assert status() == "2 workers serve"
    place(gateway, "x" * 3000 + ": 1\n")
    reload(gateway)
    assert status().endswith("...")
    reloaded(gateway, rules=DENY_ALL)
    assert status() == "2 workers serve"
    manager.socket.close()


def test_a_reload_that_fails_waits_for_no_reader_of_stderr(start_gateway):
    read, write = os.pipe()
    os.set_blocking(write, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write, b"x" * 4096)
    os.set_blocking(write, True)
    # Without a warning: the start itself waits for its reader.
    gateway = start_gateway(
        stderr=write, rules="[{action: allow, from: [private], to: [any]}]")
    place(gateway, "workers: many\n")
    assert reload(gateway)["event"] == "reload_failed"
    end(*gateway.open())
    os.close(read)
    os.close(write)


def test_a_set_s_file_is_read_again(gateway, tmp_path):
    """Networks, one a line; the workers have no file."""
    blocked = tmp_path / "blocked.txt"
    blocked.write_text("# nothing yet\n")
    reloaded(gateway, sets='{blocked: ["file:%s"]}' % blocked, rules="["
             "{name: no, action: deny, from: [any], to: [blocked, 192.0.2.1]},"
             " {action: allow, from: [any], to: [any]}]")
    client, server = gateway.open()
    client.sock.close()
    server.close()
    blocked.write_text(f"{places.SERVER}  # no more\n")
    reloaded(gateway)
    client = gateway.client()
    client.ask((places.SERVER, 80), b"mary")
    client.refusal()
    assert gateway.record(userid="mary")["rule"] == "no"
