"""The journal: where systemd has made it stderr, each line is an entry, and
each key of it a field."""
import contextlib
import os
import re
import signal
import subprocess

import pytest

import inside
import lab as places
from gateway import BINARY, ROOT, Process, children, wait_for
from journald import Journald, Journaled, Socket, own_run, stream_of
from laws import laws
from reloads import events, reloaded
from socks4 import ending
from starts import copied
from upgrades import upgraded

REFUSED = (places.SERVER, 9)  # nothing listens there
HOSTILE = b'x" verdict="granted\nPRIORITY=0\n_UID=7\n\xff\\'
PRIORITIES = {"error": "3", "warning": "4", "notice": "5", "info": "6",
              "debug": "7"}


@pytest.fixture
def journald(tmp_path):
    """The real one."""
    with own_run(tmp_path):
        made = Journald()
        yield made
        made.stop()


@pytest.fixture
def heard(tmp_path):
    """The test is the journal."""
    with own_run(tmp_path):
        made = Socket()
        yield made
        with contextlib.suppress(FileNotFoundError):
            made.close()


@pytest.fixture
def gateways(lab, tmp_path):
    """Gateways that write to a journal, held to the laws at the end."""
    started = []

    def start(journal, **settings):
        made = Journaled(lab, tmp_path, journal, **settings)
        started.append(made)
        return made.begin()
    yield start
    for made in started:
        laws(made)


def end(client, server):
    client.shut()
    assert ending(server) == ("fin", b"")
    server.close()
    assert ending(client.sock) == ("fin", b"")


def refused(gateway, userid):
    client = gateway.client()
    client.ask(REFUSED, userid)
    client.refusal()


def writer(gateway):
    [process] = gateway.of_role("logwriter")
    return process.pid


def session(journal, userid):
    """The entry of that record, once it is there."""
    def found():
        return [entry for entry in journal.entries()
                if entry.get("SOCKS4D_EVENT") == "session"
                and entry["SOCKS4D_USERID"] == userid]
    wait_for(f"the record of {userid}", found)
    [entry] = found()
    return entry


def as_fields(record):
    """A record of JSON as the fields of an entry."""
    fields = {}
    for key, value in record.items():
        if isinstance(value, dict):
            for inner, number in value.items():
                fields[f"SOCKS4D_{key}_{inner}".upper()] = str(number)
        elif value is None:
            fields[f"SOCKS4D_{key}".upper()] = "-"
        else:
            fields[f"SOCKS4D_{key}".upper()] = re.sub(
                r'["\\]|[^ -~]', escaped, str(value))
    return fields


def escaped(match):
    octet = match[0]
    return f"\\{octet}" if octet in '"\\' else f"\\x{ord(octet):02x}"


# With the real journal


@pytest.mark.userid
def test_each_line_is_an_entry_with_its_keys_as_fields(
        lab, tmp_path, journald):
    """As under systemd: stderr is a stream of journald's."""
    gateway = Journaled(lab, tmp_path, journald)
    stream = journald.stderr()
    gateway.start(wrapper=("env", stream_of(stream.fileno())), stderr=stream)
    stream.close()
    end(*gateway.open(userid=b"mary"))
    refused(gateway, HOSTILE)
    wait_for("the records", lambda: len(gateway.records()) == 2)
    for line, entry in zip(gateway.lines(), journald.entries(), strict=True):
        ours = {key: value for key, value in entry.items()
                if key.startswith("SOCKS4D_")}
        assert ours == as_fields(line)
        assert entry["PRIORITY"] == PRIORITIES[line["level"]]
        assert entry["_TRANSPORT"] == "journal"
        assert entry["SYSLOG_IDENTIFIER"] == "socks4d"
        assert entry["SYSLOG_FACILITY"] == "3"
    [granted] = journald.entries("SOCKS4D_VERDICT=granted")
    assert granted["SOCKS4D_USERID"] == "mary"
    assert granted["PRIORITY"] == "6"
    [other] = journald.entries("SOCKS4D_VERDICT=connect-refused")
    assert other["PRIORITY"] == "5" and other["_UID"] != "7"
    assert other["SOCKS4D_USERID"] == (
        'x\\" verdict=\\"granted\\x0aPRIORITY=0\\x0a_UID=7\\x0a\\xff\\\\')
    assert journald.entries("-p", "notice", "SOCKS4D_EVENT=session") == [other]
    laws(gateway)
    assert "a-stream" not in str(journald.entries())


@pytest.mark.userid
def test_fields_are_the_same_from_text(lab, tmp_path, journald, gateways):
    """A record in text does not say its level: the entry has it."""
    gateway = gateways(journald, log_format="text")
    end(*gateway.open(userid=b"mary"))
    refused(gateway, HOSTILE)
    granted = session(journald, "mary")
    assert granted["MESSAGE"].startswith("time=") and granted["PRIORITY"] == "6"
    assert granted["SOCKS4D_VERDICT"] == "granted"
    assert granted["SOCKS4D_MS_TOTAL"].isdigit()
    assert granted["SOCKS4D_VIA"] == "-"
    entry = session(journald, 'x\\" verdict=\\"granted\\x0aPRIORITY=0'
                    '\\x0a_UID=7\\x0a\\xff\\\\')
    assert entry["PRIORITY"] == "5"
    assert entry["SOCKS4D_VERDICT"] == "connect-refused"


def test_every_record_comes_over_a_restart_of_the_journal(
        lab, journald, gateways):
    gateway = gateways(journald)
    end(*gateway.open())
    wait_for("a record", gateway.records)
    journald.stop()
    for _ in range(20):
        end(*gateway.open())
    journald.start()
    wait_for("every record", lambda: len(gateway.records()) == 21)


def test_a_journal_that_stands_still_holds_nobody_up(
        lab, journald, gateways):
    """Its socket is full, and a log writer that waits answers its pings."""
    gateway = gateways(journald)
    end(*gateway.open())
    wait_for("a record", gateway.records)
    pid = writer(gateway)
    journald.process.send_signal(signal.SIGSTOP)
    try:
        for _ in range(600):
            end(*gateway.open())
    finally:
        journald.process.send_signal(signal.SIGCONT)
    wait_for("every record", lambda: len(journald.entries(
        "SOCKS4D_EVENT=session")) == 601)
    assert writer(gateway) == pid


# Where the test is the journal


def test_a_stderr_that_is_not_the_journals_gets_lines(
        start_gateway, heard, tmp_path):
    """Whoever started it has turned stderr elsewhere; systemd's word is there
    still."""
    with open(tmp_path / "other", "w") as other:
        gateway = start_gateway(
            wrapper=("env", stream_of(other.fileno())),
            log="{target: stderr, format: json, level: info}")
    gateway.keeps_records = False
    end(*gateway.open())
    wait_for("the record", lambda: '"event":"session"' in gateway.stderr())
    assert heard.entries() == []


def test_without_a_journal_stderr_gets_lines(lab, tmp_path, heard, gateways):
    heard.close()
    gateway = gateways(heard)
    gateway.keeps_records = False
    end(*gateway.open())
    wait_for("the record", lambda: '"event":"session"' in gateway.stderr())


@pytest.mark.feature
def test_lines_wait_for_a_journal_that_is_gone(lab, heard, gateways):
    gateway = gateways(heard)
    end(*gateway.open())
    wait_for("a record", gateway.records)
    pid = writer(gateway)
    heard.close()
    for _ in range(50):
        end(*gateway.open())
    heard.listen()
    wait_for("every record", lambda: len(gateway.records()) == 51)
    assert gateway.counters()["dropped"] == 0
    assert writer(gateway) == pid


def test_a_journal_that_does_not_read_holds_nobody_up(lab, heard, gateways):
    """What finds no room is counted, and the journal hears of it later."""
    gateway = gateways(heard)
    gateway.keeps_records = False
    count = 6000  # more than the queues of monitor and workers hold
    pid = writer(gateway)
    listener = gateway.lab.server.listen(places.SERVER)
    for _ in range(count):
        client, server = gateway.open(listener)
        client.sock.close()
        server.close()
    listener.close()
    end(*gateway.open())
    wait_for("what is missing", lambda: events(gateway, "dropped"))

    def all_told():
        return len(gateway.records()) + sum(
            line["records"] for line in events(gateway, "dropped")) == count + 1
    wait_for("every record or its count", all_told)
    assert writer(gateway) == pid


@pytest.mark.userid
def test_reloads_go_elsewhere_and_come_back(lab, tmp_path, heard, gateways):
    gateway = gateways(heard)
    gateway.keeps_records = False
    path = tmp_path / "elsewhere"
    gateway.settings["log"] = f'{{target: "file:{path}", format: json}}'
    gateway.write_config()
    gateway.signal(signal.SIGHUP)
    wait_for("the file", lambda: path.exists() and "reloaded" in path.read_text())
    end(*gateway.open(userid=b"there"))
    wait_for("the record", lambda: "there" in path.read_text())
    gateway.settings["log"] = "{target: stderr, format: json}"
    gateway.write_config()
    gateway.signal(signal.SIGHUP)
    wait_for("it back", lambda: events(gateway, "reloaded"))
    end(*gateway.open(userid=b"here"))
    session(heard, "here")
    assert not [entry for entry in heard.entries()
                if entry.get("SOCKS4D_USERID") == "there"]


@pytest.mark.parametrize("gone", [False, True])
def test_an_upgrade_loses_no_entry(lab, tmp_path, heard, gateways, gone):
    """Also one in whose midst the journal is gone."""
    gateway = gateways(heard, binary=copied(BINARY, tmp_path))
    there = gateway.open()
    end(*gateway.open())
    wait_for("a record", gateway.records)
    if gone:
        heard.close()
        end(*gateway.open())
        gateway.signal(signal.SIGUSR2)
        old = writer(gateway)
        wait_for("the next log writer", lambda: Process(old).has_ended() or len(
            [pid for pid in children(gateway.process.pid)
             if "--logwriter" in Process(pid).command()]) == 2)
        heard.listen()
        wait_for("the upgrade", lambda: events(gateway, "upgraded"))
    else:
        upgraded(gateway)
        reloaded(gateway, timeouts="{idle: 100s}")
    end(*gateway.open())
    end(*there)
    wait_for("the records",
             lambda: len(gateway.records()) == (4 if gone else 3))
    assert gateway.stop() == 0
    assert events(gateway, "ended")


def test_the_log_writer_sends_to_nobody_else(lab, tmp_path, heard, gateways):
    """One that was taken over has a socket that could send to any other."""
    if os.environ.get("SOCKS4D_SANDBOX") == "off":
        pytest.skip("needs the sandbox")
    gateway = gateways(heard)
    pid = writer(gateway)
    number = next(int(name) for name in os.listdir(f"/proc/{pid}/fd")
                  if int(name) > 4 and os.readlink(
                      f"/proc/{pid}/fd/{name}").startswith("socket:"))
    address = b"\x01\x00/run/systemd/notify\0"
    program = inside.build(tmp_path)
    assert inside.call(program, pid, "sendto", number, b"MESSAGE=x\n", 10, 0,
                       address, len(address)) == signal.SIGSYS


@pytest.mark.userid
def test_the_recipes_of_the_page_find_what_they_say(
        lab, journald, gateways):
    gateway = gateways(journald, log_format="text", log=(
        "{target: stderr, format: text, level: info, start: true}"),
        workers="1")
    listener = lab.server.listen(places.SERVER)
    client, server = gateway.open(listener, userid=b"mary")
    client.send(b"five!")
    assert server.recv(5) == b"five!"
    end(client, server)
    session(journald, "mary")
    for _ in range(2):
        refused(gateway, b"mary")
    wait_for("the records", lambda: len(
        journald.entries("SOCKS4D_EVENT=session")) == 3)
    os.kill(writer(gateway), signal.SIGKILL)
    wait_for("its end", lambda: journald.entries("SOCKS4D_EVENT=writer_ended"))
    page = (ROOT / "docs/records.md").read_text()
    found = [recipe(command, "%s:%d" % listener.getsockname()) for command in
             re.findall(r"^```journal\n(.*?)^```", page, re.M | re.S)]
    one_user, one_session, wrong, reasons, at_server = found
    assert len(one_user) == 2 and all(
        ' userid="mary" ' in line and " code=91 " in line for line in one_user)
    assert [re.search(r" event=(\w+) ", line)[1] for line in one_session] == [
        "session_start", "session"]
    assert "event=writer_ended" in wrong[0]
    assert [line.split() for line in reasons] == [["2", "connect-refused"]]
    [[_, address, up, down]] = [line.split("\t") for line in at_server]
    assert (address.split(":")[0], up, down) == (places.CLIENT, "5", "0")


def recipe(command, server):
    """The lines that it prints, of the test's own journal."""
    assert "-u socks4d" in command
    command = command.replace("-u socks4d", f"-D {Journald.folder()} -q "
                              "--no-pager -t socks4d")
    done = subprocess.run(
        ["sh", "-c", command.replace("192.0.2.80:443", server)
         .replace("ID=17", "ID=0")],
        capture_output=True, text=True, timeout=places.TIMEOUT)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.splitlines()
