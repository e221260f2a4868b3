"""What an operator sees of the sessions, and does to them."""
import contextlib
import ipaddress
import json
import os
import pathlib
import random
import re
import select
import signal
import socket
import subprocess
import time

import pytest

import lab as places
import upgrades
from control import (CTL, Control, ask, folder, follow,  # noqa: F401
                     next_observer, observer, run, start)
from gateway import BINARY, ROOT, wait_for
from reloads import events, place, reloaded
from socks4 import BIND, ending
from starts import copied


def rows(gateway, *arguments):
    answer = ask(gateway.control, "sessions", *arguments)
    assert answer.get("unanswered", 0) == 0, answer
    return answer["rows"]


def leave(*pairs):
    for client, server in pairs:
        client.sock.close()
        server.close()


# --- what is seen

@pytest.mark.userid
@pytest.mark.feature
def test_a_row_says_what_the_record_will(start):
    gateway = start()
    began = time.monotonic()
    client, server = gateway.open(userid=b"joe")
    client.send(b"x" * 1000)
    assert server.recv(1000)
    row, = rows(gateway)
    assert (row["state"], row["up"], row["down"]) == ("relay", 1000, 0)
    assert row["age"] <= time.monotonic() - began + 1
    assert row["ended_by"] is None and row["end"] is None
    leave((client, server))
    record = gateway.record()
    same = set(record) & set(row) - {"ms", "up", "down", "ended_by", "end",
                                     "hint", "level"}
    assert len(same) > 18
    assert {key: row[key] for key in same} == {key: record[key]
                                               for key in same}
    assert not set(record) - set(row) - {"time", "event", "level"}


def test_octets_and_rates_are_those_of_now(start):
    gateway = start()
    client, server = gateway.open()
    sent = 0

    def seen():
        nonlocal sent
        for _ in range(100):
            client.send(b"x" * 1000)
            sent += 1000
            server.recv(1 << 20)
        return rows(gateway)[0]["up"]
    for _ in range(3):
        assert seen() == sent
    stop = time.monotonic() + 20
    with subprocess.Popen([CTL, "-s", str(gateway.control), "--json",
                           "sessions"], stdout=subprocess.PIPE) as asking:
        while asking.poll() is None and time.monotonic() < stop:
            client.send(b"x" * 1000)
            server.recv(1 << 20)
            time.sleep(0.001)
        assert json.load(asking.stdout)["rows"][0]["rate_up"] > 1000
    leave((client, server))


FILTERS = {  # which of the two sessions below match it
    "client=10.1.0.0/24": {"a", "b"},
    "client=10.1.0.2": {"a", "b"},
    "client=192.0.2.0/24": set(),
    "dest=10.2.0.2": {"a"},
    "dest=10.2.0.0/16": {"a", "b"},
    "userid=anna": {"a"},
    "userid=an*": {"a"},
    "userid=ann": set(),
    "rule=first": {"a"},
    "listener=inside": {"a", "b"},
    "listener=other": set(),
    "state=relay": {"a", "b"},
    "state=connect": set(),
    "older=1h": set(),
    "older=0": {"a", "b"},
    "up>99": {"a"},
    "up>100": set(),
    "down>0": set(),
    "certificate=x": set(),
}


@pytest.mark.userid
def test_each_filter_matches_what_it_says(start):
    gateway = start(rules=f"[{{name: first, action: allow, from: [any],"
                    f" to: [{places.SERVER}]}},"
                    " {name: second, action: allow, from: [any], to: [any]}]")
    a = gateway.open(userid=b"anna")
    other = gateway.lab.server.listen(places.SERVER2)
    b = gateway.open(other, userid=b"b\xffb")
    a[0].send(b"x" * 100)
    assert len(a[1].recv(100)) == 100
    names = {"anna": "a", "b\u00ffb": "b"}
    for term, expected in FILTERS.items():
        found = rows(gateway, term)
        assert {names[row["userid"]] for row in found} == expected, term
    port = a[1].getsockname()[1]
    assert [row["userid"] for row in rows(gateway, f"port={port}")] == ["anna"]
    both = rows(gateway, "rule=second", "client=10.1.0.2", "state=relay")
    assert [row["userid"] for row in both] == ["b\u00ffb"]
    assert rows(gateway, "userid=b\u00ff*")[0]["rule"] == "second"
    leave(a, b)


def test_what_is_no_filter_is_refused_with_the_remedy(start):
    gateway = start()
    for term, why in (("clien=10.0.0.1", 'did you mean "client"'),
                      ("client=10.0.0.1/8", "client=10.0.0.0/8"),
                      ("client=gw", "write client="),
                      ("port=0", "write port=443"), ("up=7", "up>"),
                      ("state=rely", 'did you mean "relay"'),
                      ("older=5", "write older=10m"), ("up>x", "write up>1M"),
                      ("userid=", "write userid="), ("x", "known: client=")):
        done = run(gateway.control, "sessions", term)
        assert (done.returncode, done.stdout) == (2, ""), term
        assert why in done.stderr, done.stderr
    done = run(gateway.control, "sessions", "port=1", "port=2")
    assert "twice" in done.stderr


def test_the_states_are_those_of_the_page_and_of_the_completion(start):
    said = run(start().control, "sessions", "state=there-is-none").stderr
    states = said.partition("known: ")[2].replace(",", "").split()
    assert len(states) > 10
    page = (ROOT / "docs/man/socks4ctl.1").read_text().replace("\\-", "-")
    listed = page.partition("What it waits for: ")[2].partition(".\n")[0]
    assert re.findall(r"[a-z0-9-]+", listed.replace(" or ", " ")) == states
    bash = (ROOT / "tools/completions/socks4ctl.bash").read_text()
    assert bash.partition("states='")[2].partition("'")[0].split() == states


def test_the_oldest_200_are_shown_and_all_are_counted(start):
    """The second worker has the older ones."""
    gateway = start()
    listener = gateway.lab.server.listen(places.SERVER, backlog=512)
    pairs = []
    for worker in reversed(gateway.workers()):
        with gateway.frozen(worker, unwatched=True):
            pairs += [gateway.open(listener) for _ in range(115)]
    answer = ask(gateway.control, "sessions")
    assert (len(answer["rows"]), answer["total"], answer["more"]) == (
        200, 230, 30)
    ids = [row["id"] for row in answer["rows"]]
    assert ids == list(range(ids[0], ids[0] + 200))
    shown = run(gateway.control, "sessions").stdout.splitlines()
    assert shown[-1] == "200 of 230 sessions are shown"
    assert len(shown) == 202
    assert run(gateway.control, "kill", "userid=nobody").returncode == 0
    leave(*pairs)


@pytest.mark.userid
def test_what_clients_say_reaches_no_terminal(start):
    gateway = start()
    pair = gateway.open(userid=b"\x1b[31m\"\\\x9b\r\n<b>")
    done = run(gateway.control, "sessions")
    assert all(" " <= octet <= "~" or octet == "\n" for octet in done.stdout)
    assert "\\x1b[31m\"\\\\x9b\\x0d\\x0a<b>" in done.stdout  # as in the record
    assert rows(gateway)[0]["userid"] == "\x1b[31m\"\\\x9b\r\n<b>"
    events_of = follow(gateway.control)
    leave(pair)
    events_of.kill()
    events_of.wait()


@pytest.mark.parametrize("closed, answer", [
    (">&-", {"text": "#" * 100000}), ("<&- >&-", {"text": "#" * 100000}),
    ("2>&-", {"error": "no more"}), (">&- 2>&-", {"error": "no more"})])
def test_nothing_is_printed_on_the_socket(folder, closed, answer):
    """It would have the number of a standard output that is closed."""
    path, listener = folder / "control", socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    asking = subprocess.Popen(
        ["sh", "-c", f'exec "$0" -s "$1" config {closed}', CTL, path])
    line, _ = listener.accept()
    line.settimeout(places.TIMEOUT)
    assert json.loads(line.recv(65536))["command"] == "config"
    line.sendall(json.dumps(answer).encode() + b"\n")
    assert line.recv(65536) == b""
    assert asking.wait(places.TIMEOUT) == ("error" in answer)
    line.close()
    listener.close()


ESCAPES = "x\x1b]0;owned\x07\u202e\x9b31m\r\xe4"


@pytest.mark.parametrize("answer, words", [
    ({"error": ESCAPES}, ["status"]), ({"done": ESCAPES}, ["reload"]),
    ({"text": ESCAPES}, ["config"]), ({"sessions": {ESCAPES: 3}}, ["status"]),
    ({"by": ESCAPES, "rows": [{ESCAPES: "a"}], "total": 1}, ["top"]),
    ({"event": ESCAPES, "client": ESCAPES}, ["sessions", "--follow"]),
], ids=["error", "done", "config", "states", "by", "event"])
def test_what_a_gateway_says_reaches_no_terminal(folder, answer, words):
    """It may have been taken over, and the terminal may be root's."""
    path, listener = folder / "control", socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    asking = subprocess.Popen([CTL, "-s", path, *words], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    line, _ = listener.accept()
    line.recv(65536)
    line.sendall(json.dumps(answer).encode() + b"\n")
    line.close()
    shown = "".join(asking.communicate(timeout=places.TIMEOUT))
    assert all(" " <= octet <= "~" or octet == "\n" for octet in shown), shown
    listener.close()


@pytest.mark.userid
def test_top_adds_up(start):
    gateway = start()
    listener = gateway.lab.server.listen(places.SERVER)
    pairs = [gateway.open(listener, userid=name)
             for name in (b"anna", b"ben", b"anna")]
    for client, server in pairs:
        client.send(b"12345")
        assert server.recv(5) == b"12345"
    for by, expected in (("client", [("10.1.0.2", 3, 15)]),
                         ("dest", [("10.2.0.2", 3, 15)]),
                         ("rule", [("all", 3, 15)]),
                         ("userid", [("anna", 2, 10), ("ben", 1, 5)]),
                         ("certificate", [(None, 3, 15)])):
        answer = ask(gateway.control, "top", "--by", by)
        assert [(row[by], row["sessions"], row["up"])
                for row in answer["rows"]] == expected
        assert (answer["total"], answer["more"]) == (len(expected), 0)
    assert run(gateway.control, "top", "--by", "x").returncode == 2
    assert "10.1.0.2" in run(gateway.control, "top").stdout
    leave(*pairs)


def test_a_worker_that_hangs_keeps_nobody_waiting(start):
    gateway = start(workers="1")
    pair = gateway.open()
    with gateway.frozen(unwatched=True):
        done = run(gateway.control, "--json", "sessions")
        assert "1 worker did not answer" in done.stderr
        assert json.loads(done.stdout)["unanswered"] == 1
    assert len(rows(gateway)) == 1
    leave(pair)


def test_listeners_limits_and_parents_are_those_of_the_configuration(start):
    gateway = start(
        limits="{sessions: 500, per_source: {sessions: 7, rate: 1M}}",
        parents="[{name: hq, address: ['10.2.0.2:1080', '10.2.0.3:1081'],"
                " insecure_plaintext: true}]")
    pairs = [gateway.open() for _ in range(3)]
    wait_for("them to relay", lambda: len(rows(gateway, "state=relay")) == 3)
    row, = ask(gateway.control, "listeners")["rows"]
    assert (row["listener"], row["address"], row["sessions"], row["tls"],
            row["certificate_days"]) == ("inside", "10.1.0.1:1080", 3, False,
                                         None)
    limits = {row["limit"]: row
              for row in ask(gateway.control, "limits")["rows"]}
    assert (limits["sessions"]["used"], limits["sessions"]["most"],
            limits["sessions"]["percent"]) == (3, 500, 0.6)
    assert (limits["per_source.sessions"]["most"],
            limits["per_source.sessions"]["met"]) == (7, 0)
    for _ in range(4):
        pairs.append(gateway.open())
    with contextlib.suppress(ConnectionResetError):  # within connect, too
        over = gateway.client()
        over.gone = True
        ending(over.sock)
    wait_for("it", lambda: [
        row["met"] for row in ask(gateway.control, "limits")["rows"]
        if row["limit"] == "per_source.sessions"] == [1])
    parent, = ask(gateway.control, "parents")["rows"]
    assert (parent["parent"], parent["address"], parent["tls"],
            parent["answers"]) == ("hq", "10.2.0.2:1080 10.2.0.3:1081",
                                   False, 0)
    for command in "listeners", "limits", "parents":
        assert run(gateway.control, command).stdout.count("\n") >= 2
    leave(*pairs)


def test_config_prints_what_is_in_force(start):
    gateway = start()
    text = ask(gateway.control, "config")["text"]
    assert len(text) > 1000
    assert set(text.splitlines()) <= set(gateway.dump().splitlines())
    assert run(gateway.control, "config").stdout == text


def test_who_does_not_read_the_answers_costs_no_memory(start):
    gateway = start()
    process = observer(gateway)
    ask(gateway.control, "config")
    began = process.anonymous_kb()
    with Control(gateway.control) as raw:
        raw.sock.settimeout(0.5)
        with contextlib.suppress(OSError):
            for _ in range(10):
                raw.sock.sendall(b'{"command":"config"}\n' * 1000)
        for _ in range(40):
            assert (gateway.is_sanitized
                    or process.anonymous_kb() < began + 2048)
            time.sleep(0.05)  # it would go on
        assert ask(gateway.control, "status")["workers"] == 2


# --- what is followed

def next_event(process):
    ready, _, _ = select.select([process.stdout], [], [], places.TIMEOUT)
    assert ready
    return json.loads(process.stdout.readline())


@pytest.mark.userid
def test_sessions_that_begin_and_end_are_followed(start):
    gateway = start()
    with Control(gateway.control) as all_of_them, \
            Control(gateway.control) as few:
        few.send(command="sessions", follow=True, filter=["userid=joe"])
        all_of_them.send(command="sessions", follow=True)
        assert few.line() == all_of_them.line() == {"following": True}
        wait_for("both", lambda: rows(gateway) == [])
        other = gateway.open(userid=b"jane")
        assert all_of_them.line()["userid"] == "jane"
        pair = gateway.open(userid=b"joe")
        assert all_of_them.line()["userid"] == "joe"
        began = few.line()
        assert (began["event"], began["userid"]) == ("begin", "joe")
        assert began["state"] == "relay" and began["ended_by"] is None
        pair[0].send(b"12")
        assert pair[1].recv(2) == b"12"
        leave(pair)
        ended = few.line()
        record = gateway.record(userid="joe")
        for key in ("id", "up", "ended_by", "end", "verdict", "code", "ms",
                    "hint", "local", "dest"):
            assert ended[key] == record[key], key
        leave(other)
        assert all_of_them.line()["event"] == "end"


def test_refusals_are_followed_too(start):
    gateway = start(rules="[]")
    process = follow(gateway.control)

    def is_followed():
        """Nothing says when it begins to follow."""
        client = gateway.client()
        client.ask((places.SERVER, 80))
        client.refusal()
        return select.select([process.stdout], [], [], 0.1)[0]
    wait_for("an event", is_followed)
    ended = next_event(process)
    assert (ended["event"], ended["verdict"]) == ("end", "denied-no-rule")
    process.kill()
    process.wait()


@pytest.mark.userid
def test_who_follows_and_does_not_read_loses_events_alone(start):
    gateway = start(workers="1")
    with Control(gateway.control) as raw:
        raw.send(command="sessions", follow=True)
        assert raw.line() == {"following": True}
        listener = gateway.lab.server.listen(places.SERVER)
        for _ in range(700):
            leave(gateway.open(listener))
        wait_for("all records", lambda: len(gateway.records()) == 700)
        lines = []
        with contextlib.suppress(TimeoutError):
            raw.sock.settimeout(1)  # so that there is room again
            while line := raw.line():
                lines.append(line)
        raw.sock.settimeout(places.TIMEOUT)
        leave(gateway.open(listener, userid=b"last"))
        while not lines or lines[-1]["userid"] != "last":
            lines.append(raw.line())
        dropped = sum(line.get("dropped", 0) for line in lines)
        assert 0 < dropped < 1400
        assert lines[-1]["event"] == "begin"
        assert len(lines) + dropped == 1400 + 1
        assert "dropped" not in raw.line()
    assert rows(gateway) == []


def test_four_follow_and_a_fifth_is_refused(start):
    gateway = start()
    followers = [Control(gateway.control) for _ in range(4)]
    for raw in followers:
        assert raw.ask(command="sessions", follow=True) == {"following": True}
    with Control(gateway.control) as raw:
        assert "end one" in raw.ask(command="sessions", follow=True)["error"]
        followers.pop().sock.close()
        wait_for("room", lambda: "error" not in raw.ask(
            command="sessions", follow=True))
    for raw in followers:
        raw.sock.close()


# --- what is ended

def operator_lines(gateway, action, count=1):
    """At least so many: they are written after the operator has the answer."""
    def found():
        return [line for line in events(gateway, "operator")
                if line["action"] == action]
    wait_for(f"the line of {action}", lambda: len(found()) >= count)
    return found()


@pytest.mark.feature
def test_a_session_that_is_killed_is_reset_on_both_sides(start):
    gateway = start()
    (client, server), other = gateway.open(), gateway.open()
    client.gone = True
    number = rows(gateway)[0]["id"]
    done = run(gateway.control, "kill", number)
    assert (done.returncode, done.stdout) == (0, "1 session killed\n")
    assert ending(client.sock)[0] == ending(server)[0] == "reset"
    record = gateway.record(id=number)
    assert (record["verdict"], record["ended_by"], record["end"]) == (
        "granted", "operator", "reset")
    line, = operator_lines(gateway, "kill")
    assert (line["uid"], line["sessions"], line["filter"]) == (
        os.getuid(), 1, str(number))
    assert line["pid"] > 1
    assert len(rows(gateway)) == 1
    again = run(gateway.control, "kill", number)
    assert (again.returncode, again.stdout) == (1, "0 sessions killed\n")
    leave(other)


def test_a_session_that_waits_for_its_server_is_refused(start):
    """One reply, and the verdict says who."""
    gateway = start()
    client = gateway.client()
    client.ask((places.SILENT, 80))
    wait_for("it", lambda: rows(gateway, "state=connect"))
    assert ask(gateway.control, "kill", "state=connect")["killed"] == 1
    assert client.reply().cd == 91
    assert ending(client.sock) == ("fin", b"")
    record = gateway.record()
    assert (record["verdict"], record["code"], record["ended_by"]) == (
        "operator", 91, "operator")


def test_an_unfinished_request_and_a_waiting_bind_can_be_killed(start):
    gateway = start(rules="[{action: allow, from: [any], to: [any],"
                    " command: [bind]}]")
    half = gateway.client()
    half.send(b"\x04\x01")
    bind = gateway.client()
    bind.ask((places.SERVER, 80), cd=BIND)
    assert bind.reply().cd == 90
    bind.due = 2
    wait_for("both", lambda: len(rows(gateway)) == 2)
    assert ask(gateway.control, "kill", "client=10.1.0.0/16")["killed"] == 2
    assert bind.reply().cd == 91
    for client in half, bind:
        ending(client.sock)
    wait_for("records", lambda: len(gateway.records(verdict="operator")) == 2)


def test_kill_takes_a_filter_or_ids_and_never_nothing(start):
    gateway = start()
    pair = gateway.open()
    with Control(gateway.control) as raw:
        assert "kill takes" in raw.ask(command="kill")["error"]
        assert "kill takes" in raw.ask(command="kill", filter=[])["error"]
        assert "at most 200" in raw.ask(command="kill",
                                        ids=list(range(201)))["error"]
        assert "numbers" in raw.ask(command="kill", ids=["x"])["error"]
        assert "lists" in raw.ask(command="kill", filter="x")["error"]
    assert run(gateway.control, "kill", "7", "userid=x").returncode == 2
    assert run([gateway.control] * 2, "kill", "7").returncode == 2
    missing = run(gateway.control, "kill", "77", "78")
    assert missing.returncode == 1 and missing.stdout == "0 sessions killed\n"
    assert "2 of 2 ids are of no session" in missing.stderr
    assert len(rows(gateway)) == 1
    leave(pair)


def test_all_of_a_client_are_killed_whatever_they_do(start):
    gateway = start()
    listener = gateway.lab.server.listen(places.SERVER, backlog=512)
    pairs = [gateway.open(listener) for _ in range(300)]
    for client, server in pairs[::3]:
        client.send(b"x" * 100)
    assert ask(gateway.control, "kill", "client=10.1.0.2")["killed"] == 300
    for client, server in pairs:
        client.gone = True
        assert ending(client.sock)[0] == ending(server)[0] == "reset"
    wait_for("the records", lambda: len(gateway.records(
        ended_by="operator", end="reset")) == 300)


# --- what is traced

@pytest.mark.userid
def test_a_trace_writes_every_step_for_its_time_whatever_the_level(start):
    gateway = start(log_level="warning")
    gateway.keeps_records = False
    done = run(gateway.control, "trace", "userid=joe", "--for", "60s")
    assert done.returncode == 0, done.stderr
    leave(gateway.open(userid=b"joe"))
    leave(gateway.open(userid=b"jane"))
    wait_for("the end", lambda: any(
        line["state"] == "end" for line in events(gateway, "trace")))
    steps = [(line["left"], line["state"]) for line in events(gateway, "trace")]
    assert steps[0] == ("request", "connect") and ("connect", "relay") in steps
    assert len({line["id"] for line in events(gateway, "trace")}) == 1
    line, = operator_lines(gateway, "trace")
    assert (line["seconds"], line["filter"]) == (60, "userid=joe")
    assert run(gateway.control, "trace").returncode == 2
    assert run(gateway.control, "trace", "up>1", "--for", "2h").returncode == 2
    assert run(gateway.control, "trace", "up>1").returncode == 0
    third = run(gateway.control, "trace", "up>1")
    assert third.returncode == 1 and "two traces already" in third.stderr


def test_a_trace_ends_with_the_observer_that_was_asked_for_it(start):
    """One that was taken over leaves no lines behind, nor places taken."""
    gateway = start()
    everything = "client=10.0.0.0/8"
    for _ in range(2):
        assert run(gateway.control, "trace", everything, "--for",
                   "1h").returncode == 0
    ended = observer(gateway)
    os.kill(ended.pid, signal.SIGKILL)
    next_observer(gateway, ended.pid)
    assert ask(gateway.control, "sessions").get("unanswered", 0) == 0
    for userid in b"jane", b"joe":
        if userid == b"joe":
            assert run(gateway.control, "trace", "userid=joe").returncode == 0
        leave(gateway.open(userid=userid))
    wait_for("the end", lambda: any(
        line["state"] == "end" for line in events(gateway, "trace")))
    assert len({line["id"] for line in events(gateway, "trace")}) == 1
    assert run(gateway.control, "trace", everything).returncode == 0


# --- the gateway itself

def test_a_reload_that_is_waited_for_says_what_came_of_it(start):
    gateway = start()
    done = run(gateway.control, "reload", "--wait")
    assert done.returncode == 0 and done.stdout.startswith("unchanged; ")
    text = gateway.config_path.read_text()
    place(gateway, text + "timeouts: {idle: 7m}\n")
    done = run(gateway.control, "reload", "--wait")
    assert done.returncode == 0 and done.stdout.startswith("reloaded; ")
    assert ask(gateway.control, "status")["config"] in done.stdout
    place(gateway, text + "timeouts: {idle: 7q}\nlimits: {pending: x}\n")
    done = run(gateway.control, "reload", "--wait")
    lines = text.count("\n") + 1
    assert done.returncode == 1
    assert f"gw.yaml:{lines}:" in done.stderr
    assert f"gw.yaml:{lines + 1}:" in done.stderr or "limits" in done.stderr
    line = operator_lines(gateway, "reload", 3)[-1]
    assert line["uid"] == os.getuid() and line["pid"] > 1
    place(gateway, text)
    assert run(gateway.control, "reload").returncode == 0
    wait_for("it", lambda: len(events(gateway, "reloaded")) == 2)


def test_who_asks_during_a_reload_hears_of_the_next(start):
    """The first is not over while a worker stands still."""
    gateway = start()
    text = gateway.config_path.read_text()
    with Control(gateway.control) as first, Control(gateway.control) as second:
        with gateway.frozen(gateway.workers()[0]):
            place(gateway, text + "timeouts: {idle: 7m}\n")
            first.send(command="reload", wait=True)
            operator_lines(gateway, "reload")
            place(gateway, text + "timeouts: {idle: 7q}\n")
            second.send(command="reload", wait=True)
            operator_lines(gateway, "reload", 2)
        assert first.line()["done"].startswith("reloaded")
        assert "7q" in second.line()["error"]


def test_many_who_reload_at_once_all_hear_of_it(start):
    gateway = start()
    waiting = [Control(gateway.control) for _ in range(12)]
    for raw in waiting:
        raw.send(command="reload", wait=True)
    for raw in waiting:
        assert raw.line()["done"].startswith("unchanged")
        raw.sock.close()


@pytest.mark.feature
def test_an_upgrade_that_is_waited_for_says_what_came_of_it(start, open_folder):
    gateway = start(binary=copied(BINARY, open_folder))
    pair = gateway.open()
    upgrades.place(gateway, "/bin/true")
    done = run(gateway.control, "upgrade", "--wait")
    assert done.returncode == 1 and "is it a socks4d that" in done.stderr
    upgrades.place(gateway)
    done = run(gateway.control, "upgrade", "--wait")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("upgraded from ")
    # The old worker that has no session may end just when it is asked.
    found = wait_for("an answer of all workers", lambda: next(
        (answer["rows"] for answer in [ask(gateway.control, "sessions")]
         if "unanswered" not in answer), None))
    assert len(found) == 1
    pair[0].send(b"still")
    assert pair[1].recv(5) == b"still"
    leave(pair)


def test_a_drain_ends_the_gateway_when_its_sessions_have(start):
    gateway = start()
    pair = gateway.open()
    done = run(gateway.control, "drain")
    assert done.returncode == 0 and "live sessions: 1" in done.stdout
    assert "already" in run(gateway.control, "drain").stdout
    failed = run(gateway.control, "reload", "--wait")
    assert failed.returncode == 1 and "about to end" in failed.stderr
    leave(pair)
    assert gateway.process.wait(places.TIMEOUT) == 0
    assert operator_lines(gateway, "drain")[0]["uid"] == os.getuid()


# --- who may

def as_user(uid, groups, folder):
    """Options of run: the tool, where every user can reach it."""
    def become():
        os.setgroups(groups)
        os.setgid(groups[0] if groups else uid)
        os.setuid(uid)
    return {"preexec_fn": become, "tool": copied(CTL, folder)}


def test_members_of_the_group_may_look_and_no_more(start, folder, real_root):
    gateway = start(group="games")
    games = gateway.control.stat().st_gid
    assert gateway.control.stat().st_mode & 0o777 == 0o660
    looker = as_user(54321, [12345, games], folder)
    pair = gateway.open()
    page = (ROOT / "docs/man/socks4ctl.1").read_text()
    listed = page.partition("those that only look:\n")[2].partition(".\nThe")[0]
    looks = set(re.findall("[a-z]+", listed)) - {"and"}
    assert looks > {"sessions", "top", "migration"}
    for command in looks:
        assert run(gateway.control, command, **looker).returncode == 0, command
    changes = (["kill", "client=10.0.0.0/8"], ["reload"], ["drain"],
               ["upgrade"], ["trace", "up>0"])
    assert set(re.findall("^  ([a-z]+) ", run(gateway.control, "--help").stdout,
                          re.M)) == looks | {words[0] for words in changes}
    for command in changes:
        done = run(gateway.control, *command, **looker)
        assert done.returncode == 1 and "may look" in done.stderr
    denied = operator_lines(gateway, "denied", 5)
    assert [line["filter"] for line in denied] == ["kill", "reload", "drain",
                                                  "upgrade", "trace"]
    assert {line["uid"] for line in denied} == {54321}
    other = run(gateway.control, "status", **as_user(54321, [12345], folder))
    assert other.returncode == 3 and "control.group" in other.stderr
    assert len(rows(gateway)) == 1
    leave(pair)


def test_who_is_no_member_is_told_so_even_if_the_file_lets_them_in(
        start, folder, real_root):
    gateway = start()
    os.chmod(gateway.control, 0o666)
    done = run(gateway.control, "status", **as_user(54321, [12345], folder))
    assert done.returncode == 1 and "user 54321 may not" in done.stderr


# --- several gateways

def test_several_gateways_are_shown_as_one(start):
    one, two = start(name="one"), start(
        name="two", listen="[{address: '10.1.0.1:1081', name: other,"
        " insecure_plaintext: true}]")
    two.at = (places.INSIDE, 1081)
    pairs = [one.open(), one.open(), two.open()]
    both = [one.control, two.control]
    answer = ask(both, "sessions")
    assert answer["total"] == 3
    assert [row["host"] for row in answer["rows"]] == [
        str(one.control)] * 2 + [str(two.control)]
    top = ask(both, "top")
    assert [(row["client"], row["sessions"]) for row in top["rows"]] == [
        ("10.1.0.2", 3)]
    states = ask(both, "status")["gateways"]
    assert [state["live"] for state in states] == [2, 1]
    shown = run(both, "status").stdout
    assert shown.count("uptime") == 2
    assert shown.startswith("# The configurations differ:\n" + "".join(
        f"#   {state['config']}  {state['host']}\n" for state in states))
    one_of_two = run([one.control, one.control.parent / "none"], "status")
    assert one_of_two.stdout.startswith("# 1 of 2 answered, with configuration ")
    missing = run([*both, one.control.parent / "none"], "sessions")
    assert missing.returncode == 3 and "3 sessions" in missing.stdout
    assert ask(both, "kill", "client=10.1.0.2")["killed"] == 3
    for client, server in pairs:
        client.gone = True
        assert ending(client.sock)[0] == "reset"
        server.close()


# --- the observer itself

def test_operators_are_answered_without_the_library_of_the_page(
        start_gateway, folder):
    """Of a gateway that runs where libmicrohttpd is not, as in the image."""
    library = pathlib.Path("/usr/lib/x86_64-linux-gnu/libmicrohttpd.so.12")
    assert library.exists()
    gateway = start_gateway(
        control=f"{{socket: '{folder}/control', group: none}}", wrapper=[
            "unshare", "--mount", "sh", "-c",
            f"mount --bind /dev/null {library.resolve()} && exec \"$0\" \"$@\""])
    for command in ["status"], ["reload", "--wait"], ["status"]:
        done = run(folder / "control", *command)
        assert done.returncode == 0, done
    assert not events(gateway, "observer_ended")


def test_no_session_notices_that_the_observer_hangs(start):
    gateway = start()
    client, server = gateway.open()
    hung = observer(gateway)
    hung.freeze()
    for _ in range(20):
        client.send(b"ping")
        assert server.recv(4) == b"ping"
    next_observer(gateway, hung.pid)
    wait_for("the line", lambda: events(gateway, "observer_hung"))
    assert len(rows(gateway)) == 1
    leave((client, server))


def test_a_configuration_that_takes_more_memory_has_another_observer(
        start, tmp_path):
    """It has a ceiling, by the configuration that it was started with."""
    gateway = start()
    first = observer(gateway)
    networks = tmp_path / "networks"
    for count, is_first in (20_000, True), (300_000, False):
        networks.write_text("".join(
            f"{ipaddress.IPv4Address(at << 6)}/32\n"
            for at in random.Random(count).sample(range(1 << 24, 1 << 25),
                                                  count)))
        line = reloaded(gateway, sets=f"{{big: ['file:{networks}']}}",
                        rules="[{action: allow, from: [any], to: [big]}]")
        wait_for("its answer", lambda: run(
            gateway.control, "status").returncode == 0 and ask(
                gateway.control, "status")["config"] == line["config"])
        assert (observer(gateway).pid == first.pid) == is_first
    ended, = events(gateway, "observer_ended")
    assert (ended["status"], ended["level"]) == (0, "info")
