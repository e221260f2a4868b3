"""Records: one line a session, whole, escaped, and never in anybody's way."""
import contextlib
import json
import os
import random
import re
import resource
import signal
import socket
import struct
import subprocess
import time

import pytest

import lab as places
from gateway import BINARY, Process, children, wait_for
from mounts import mounted
from reloads import events
from socks4 import ending
from starts import copied

KEYS = ["time", "event", "id", "worker", "listener", "client", "userid",
        "command", "dest", "name", "rule", "ident", "verdict", "code", "up",
        "down", "ms", "ended_by", "end", "version", "proxy", "tls",
        "certificate", "via", "hint", "local", "peer"]
# In JSON only, for programs.
JSON_KEYS = KEYS + ["client_ip", "client_port", "level"]
PHASES = ["request", "resolve", "ident", "connect", "relay", "tls", "auth",
          "total"]

FORGERIES = {
    "newlines": b"a\nevent=session verdict=granted\r\n{}",
    "escape sequences": b"\x1b[2J\x1b]0;owned\x07\x1b[31m",
    "quotes": b'a","verdict":"granted","x":"\\" b=c \'d\'',
    "backslashes": b"\\x41\\u0041\\\\\\n\\",
    "eight bits": bytes(range(0x80, 0x100)),
    "controls": bytes(range(1, 0x20)) + b"\x7f",
    "every octet": bytes(range(1, 0x100)),
    "as long as it may be": bytes(1 + at % 255 for at in range(1023)),
    "the mark of a long one": b"a\\u2026(1023)" + "\u2026(1023)".encode(),
    "UTF-8": "\u202egpj.exe \u2028 caf\u00e9".encode(),
    "blanks": b" leading and = trailing ",
    "none": b"",
}


def refuse_one(gateway, userid=b""):
    client = gateway.client()
    client.ask((places.SERVER, 9), userid)
    client.refusal()


def text_values(line):
    """key: value of a text record, quotes and escapes undone."""
    found = {}
    for key, quoted, plain in re.findall(
            r'(\S+?)=(?:"((?:[^"\\]|\\.)*)"|(\S*))(?: |$)', line):
        found[key] = plain or unescape(quoted)
    return found


def unescape(text):
    return re.sub(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|(.))",
                  lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2]
                  else m[3], text)


def width(octet, json_format):
    """Of the octet, in the log."""
    if octet in b'"\\':
        return 2
    plain = 0x20 <= octet <= 0x7e
    return 1 if plain else 6 if json_format else 4


def written(octets, json_format=True):
    """A value of a record, read: all of it, or where that takes more than 128
    octets those that fit into them, an ellipsis and its length."""
    room, kept = 128, b""
    for octet in octets:
        room -= width(octet, json_format)
        if room < 0:
            return kept.decode("latin-1") + f"\u2026({len(octets)})"
        kept += bytes([octet])
    return kept.decode("latin-1")


def only_printable(text):
    return all(0x20 <= ord(char) <= 0x7e for char in text)


@pytest.mark.userid
@pytest.mark.feature
def test_a_record_has_all_its_keys_in_their_order(gateway):
    client, server = gateway.open(userid=b"mary")
    client.send(b"12345")
    assert server.recv(10) == b"12345"
    client.shut()
    server.sendall(b"123")
    local = server.getpeername()
    server.close()
    assert ending(client.sock) == ("fin", b"123")
    record = gateway.record(userid="mary")
    assert list(record) == JSON_KEYS
    assert list(record["ms"]) == PHASES
    assert record["ms"]["total"] >= record["ms"]["relay"]
    assert record["listener"] == "inside" and record["rule"] == "all"
    assert record["client"] == "%s:%d" % client.sock.getsockname()
    assert record["command"] == "connect"
    assert record["dest"].startswith(places.SERVER + ":")
    assert record["name"] is None and record["ident"] is None
    assert record["version"] == "4" and record["hint"] is None
    assert record["tls"] is None and record["certificate"] is None
    assert record["local"] == "%s:%d" % local
    assert record["peer"] is None
    assert (record["client_ip"], record["client_port"]) == \
        client.sock.getsockname()
    assert record["level"] == "info"
    assert (record["up"], record["down"]) == (5, 3)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
                        record["time"])


def test_a_text_record_has_the_same_keys(start_gateway):
    gateway = start_gateway(log_format="text")
    refuse_one(gateway, b"mary")
    wait_for("the record", lambda: "event=session" in gateway.log())
    line = next(line for line in gateway.log().splitlines()
                if "event=session" in line)
    expected = [name for key in KEYS for name in (
        [f"ms.{phase}" for phase in PHASES] if key == "ms" else [key])]
    values = text_values(line)
    assert list(values) == expected
    assert values["userid"] == "mary" and values["code"] == "91"
    assert values["verdict"] == "connect-refused"


@pytest.mark.parametrize("what", FORGERIES)
def test_no_userid_forges_a_json_record(gateway, what):
    """[V4-C.1-1] Untrusted octets, one line, and nothing lost of them that
    has room."""
    refuse_one(gateway, FORGERIES[what])
    wait_for("the record", gateway.records)
    assert len(gateway.records()) == 1
    assert gateway.records()[0]["userid"] == written(FORGERIES[what])
    assert all(only_printable(line) for line in gateway.log().splitlines())


@pytest.mark.parametrize("what", FORGERIES)
def test_no_userid_forges_a_text_record(start_gateway, what):
    """[V4-C.1-1]"""
    gateway = start_gateway(log_format="text")
    refuse_one(gateway, FORGERIES[what])
    wait_for("the record", lambda: "event=session" in gateway.log())
    lines = gateway.log().split("\n")
    assert all(only_printable(line) for line in lines)
    records = [line for line in lines
               if text_values(line).get("event") == "session"]
    assert len(records) == 1
    values = text_values(records[0])
    assert values["userid"] == written(FORGERIES[what], False)
    assert values["verdict"] == "connect-refused"


def refuse_at_once(gateway, count):
    """So many requests that wait when the workers go on."""
    with gateway.frozen():
        clients = [gateway.client() for _ in range(count)]
        for client in clients:
            client.ask((places.SERVER, 0))
    for client in clients:
        client.refusal()
        client.sock.close()


@pytest.mark.feature
def test_many_refusals_of_a_source_share_a_line(start_gateway, lab):
    """Of those within a second, in both workers, a hundred have records; how
    many do is the processors' affair."""
    gateway = start_gateway()
    count = 0
    while not gateway.suppressed():
        assert count < 20 * 300
        refuse_at_once(gateway, 300)
        count += 300
        wait_for("an account of all",
                 lambda: gateway.refusals("denied-port-0") == count)
    line = next(line for line in gateway.lines()
                if line["event"] == "records_suppressed")
    assert list(line) == ["time", "event", "level", "worker", "source",
                          "verdict", "count", "since"]
    assert line["source"] == places.CLIENT and line["level"] == "notice"
    assert line["since"] < line["time"]
    other = gateway.client(lab.stranger)
    other.ask((places.SERVER, 0), b"other")
    other.refusal()
    assert gateway.record(userid="other")["verdict"] == "denied-port-0"


def test_limits_that_a_worker_had_counted_when_it_died_are_said(start_gateway):
    gateway = start_gateway(workers="1", limits="{per_source: {sessions: 1}}")
    with gateway.frozen():
        clients = [gateway.client() for _ in range(50)]
    wait_for("all of them", lambda: gateway.counters()["limited"] == 49)
    worker, = gateway.workers()
    gateway.may_lose = 1
    os.kill(worker.pid, signal.SIGKILL)
    wait_for("its end", lambda: events(gateway, "worker_ended"))
    counted = gateway.counters()
    assert counted["limited"] == gateway.complaints() == 49
    for client in clients:
        client.gone = True


def test_refusals_that_a_worker_had_counted_when_it_died_are_said(
        start_gateway):
    gateway = start_gateway(workers="1")
    refuse_at_once(gateway, 300)
    wait_for("their ends", lambda: gateway.counters()["live"] == 0)
    worker, = gateway.workers()
    os.kill(worker.pid, signal.SIGKILL)
    wait_for("its end", lambda: events(gateway, "worker_ended"))
    counted = gateway.counters()
    assert counted["suppressed"] == gateway.suppressed()
    assert (len(gateway.records()) + counted["dropped"]
            + counted["suppressed"]) == 300


def test_a_failed_request_says_what_is_known_of_it(gateway):
    client = gateway.client()
    client.send(b"\4\1\0")
    client.shut()
    assert ending(client.sock)[1][:2] == b"\0\x5b"
    wait_for("the record", gateway.records)
    record = gateway.records()[0]
    assert list(record) == JSON_KEYS
    assert record["dest"] is None and record["rule"] is None


def test_a_level_of_warning_writes_no_line_a_session(start_gateway):
    gateway = start_gateway(log_level="warning")
    refuse_one(gateway)
    client, server = gateway.open()
    client.sock.close()
    server.close()
    assert gateway.stop() == 0
    assert "session" not in gateway.log()


def test_a_level_of_notice_writes_refusals_only(start_gateway):
    gateway = start_gateway(log_level="notice")
    client, server = gateway.open(userid=b"granted")
    client.sock.close()
    server.close()
    refuse_one(gateway, b"refused")
    assert gateway.stop() == 0
    assert [record["userid"] for record in gateway.records()] == ["refused"]


@pytest.fixture
def in_memory(tmp_path):
    """The log, too: a disk that others use as well may let the log writer wait
    for a second, and lines are dropped then."""
    with mounted(tmp_path, "-t", "tmpfs", "-o", "mode=0755", "none"):
        yield


# Sessions: more records than a worker and its channel hold.
BURST = min(8000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2 - 500)


@contextlib.contextmanager
def still(gateway):
    """The monitor and its children stand still: none of them is missed."""
    family = [gateway.process.pid, *children(gateway.process.pid)]
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in family:
            os.kill(pid, signal.SIGCONT)


def time_out(gateway, sessions):
    """All have been idle for too long when the worker goes on."""
    with still(gateway):
        time.sleep(6)  # the timeout itself


def reset_all(gateway, sessions):
    with gateway.frozen():
        for _, server in sessions:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            server.close()


def drain(gateway, sessions):
    gateway.signal(signal.SIGTERM)


def stop(gateway, sessions):
    gateway.signal(signal.SIGTERM)
    gateway.signal(signal.SIGTERM)


RESET = struct.pack("ii", 1, 0)
BURSTS = {time_out: "timeout", reset_all: "reset", drain: "drain",
          stop: "drain"}


@pytest.mark.parametrize("how", BURSTS, ids=lambda how: how.__name__)
def test_sessions_that_end_together_all_have_records(in_memory, start_gateway,
                                                     how):
    """In one turn of the worker's loop, or nearly. Where the worker is told
    twice to stop it has a second; they are fewer."""
    idle = "6s" if how is time_out else "1h"
    burst = BURST // 4 if how is stop else BURST
    gateway = start_gateway(workers="1",
                            timeouts=f"{{idle: {idle}, drain: 100ms}}")
    listener = gateway.lab.server.listen(places.SERVER)
    sessions = []
    for _ in range(burst):
        client, server = gateway.open(listener)
        client.gone = True
        sessions.append((client, server))
    how(gateway, sessions)
    wait_for("all records", lambda: gateway.log().count(
        '"event":"session"') == burst)
    ends = {record["end"] for record in gateway.records()}
    print(ends)
    assert BURSTS[how] in ends
    assert '"event":"dropped"' not in gateway.log()


@pytest.mark.feature
def test_each_session_that_is_lost_with_its_worker_has_a_line(start_gateway):
    """What the worker had told of it before."""
    gateway = start_gateway(workers="1")
    sessions = [gateway.open() for _ in range(4)]
    asks = gateway.client()
    asks.send(b"\4\1\0")
    wait_for("it to be read", lambda: gateway.has_read(asks))
    client, server = sessions.pop(0)  # no other one gets its entry
    client.sock.close()
    server.close()
    wait_for("its record", gateway.records)
    worker, = gateway.workers()
    before = time.time()
    gateway.may_lose = 4
    os.kill(worker.pid, signal.SIGKILL)
    lines = wait_for("the lines", lambda: len(lost(gateway)) == 4
                     and lost(gateway))
    by_client = {line["client"]: line for line in lines}
    for client, server in sessions:
        line = by_client.pop("%s:%d" % client.sock.getsockname())
        assert list(line) == ["time", "event", "level", "worker", "id",
                              "client", "dest", "since"]
        assert line["dest"] == "%s:%d" % server.getsockname()
        assert (line["level"], line["worker"]) == ("notice", 0)
        assert stamp(before - 60) < line["since"] <= line["time"]
        client.gone = True
    (at, line), = by_client.items()
    assert at == "%s:%d" % asks.sock.getsockname() and "dest" not in line
    assert sorted(line["id"] for line in lines) == [1, 2, 3, 4]


def lost(gateway):
    return [line for line in gateway.lines()
            if line["event"] == "session_lost"]


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def test_what_a_worker_says_of_lost_sessions_is_bounded(in_memory,
                                                        start_gateway):
    """Any worker can write to the table of another, and anything."""
    gateway = start_gateway(workers="1")
    worker = claims_all(gateway)
    os.kill(worker.pid, signal.SIGKILL)
    wait_for("the lines", lambda: len(lost(gateway)) == TABLE // 64)
    assert all(only_printable(line) for line in gateway.log().splitlines())
    wait_for("the next worker", lambda: gateway.workers() and
             gateway.workers()[0].pid != worker.pid)
    client, server = gateway.open()
    worker, = gateway.workers()
    gateway.may_lose = 1
    os.kill(worker.pid, signal.SIGKILL)  # has none of them
    wait_for("its line", lambda: len(lost(gateway)) == TABLE // 64 + 1)
    client.gone = True


TABLE = 16384 * 64  # gateway/segment.h


def claims_all(gateway):
    """Its worker, whose table says that it has as many sessions as there can
    be: their lines take three times the log queue."""
    gateway.keeps_table = False
    worker, = gateway.workers()
    with open(f"/proc/{worker.pid}/fd/5", "r+b") as segment:
        size = os.fstat(segment.fileno()).st_size
        segment.seek(size - 256 * TABLE)  # at the end, one a slot
        segment.write(random.Random(1).randbytes(TABLE))
    return worker


def dies_and(gateway, number):
    """The worker dies, and the monitor finds this signal (0: none) beside
    it."""
    worker = claims_all(gateway)
    monitor = Process(gateway.process.pid)
    monitor.freeze()
    try:
        os.kill(worker.pid, signal.SIGKILL)
        gateway.signal(number)
    finally:
        monitor.thaw()


def test_lines_of_lost_sessions_come_after_a_quiet_second(in_memory,
                                                          start_gateway):
    """The log has been idle for longer than it may be with lines waiting, and
    they come in the turn in which the monitor finds the worker dead."""
    gateway = start_gateway(workers="1")
    time.sleep(1.1)
    dies_and(gateway, 0)
    wait_for("the lines", lambda: len(lost(gateway)) == TABLE // 64)


def test_lines_of_lost_sessions_come_before_the_end(in_memory, start_gateway):
    gateway = start_gateway(workers="1")
    dies_and(gateway, signal.SIGTERM)
    assert gateway.process.wait(20) == 0
    assert len(lost(gateway)) == TABLE // 64
    assert gateway.lines()[-1]["event"] == "ended"


def test_the_next_binary_writes_lines_of_lost_sessions(
        in_memory, start_gateway, tmp_path):
    gateway = start_gateway(binary=copied(BINARY, tmp_path), workers="1")
    dies_and(gateway, signal.SIGUSR2)
    wait_for("the upgrade", lambda: events(gateway, "upgraded"))
    wait_for("the lines", lambda: len(lost(gateway)) == TABLE // 64)


def test_a_log_that_nobody_reads_delays_no_end(start_gateway):
    """The lines of lost sessions are left out then."""
    gateway = start_gateway(workers="1")
    writer, = (Process(pid) for pid in children(gateway.process.pid)
               if "--logwriter" in Process(pid).command())
    writer.freeze()
    try:
        dies_and(gateway, signal.SIGTERM)
        assert gateway.process.wait(20) == 0
    finally:
        writer.thaw()


def test_hup_opens_the_file_again(gateway):
    """As logrotate does it: renamed, then told."""
    refuse_one(gateway, b"before")
    gateway.record(userid="before")
    old = gateway.log_path.rename(gateway.log_path.with_suffix(".1"))
    gateway.signal(signal.SIGHUP)
    wait_for("the new file to be in use", gateway.lines)
    refuse_one(gateway, b"after")
    gateway.record(userid="after")
    assert '"userid":"before"' in old.read_text()
    # The laws count over both files.
    gateway.log_path.write_text(old.read_text() + gateway.log())


def test_records_go_to_stderr(start_gateway):
    gateway = start_gateway(log="{target: stderr, format: json}")
    gateway.log_path = gateway.stderr_path
    refuse_one(gateway, b"mary")
    assert gateway.record(userid="mary")["code"] == 91


SYSLOG_HOST = """
dev=$1 && shift && mkdir "$dev" && mount -t tmpfs tmpfs "$dev" &&
for name in null zero full random urandom; do
    touch "$dev/$name" && mount --bind "/dev/$name" "$dev/$name" || exit 1
done
ln -s "$0" "$dev/log" && mount --rbind "$dev" /dev && exec "$@"
"""


def test_records_go_to_syslog(start_gateway, tmp_path):
    """A syslogd of our own, at /dev/log of a mount namespace of its own."""
    path = str(tmp_path / "syslog")
    syslogd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    syslogd.bind(path)
    os.chmod(path, 0o666)
    syslogd.settimeout(places.TIMEOUT)
    gateway = start_gateway(
        wrapper=["unshare", "--mount", "/bin/sh", "-c", SYSLOG_HOST, path,
                 str(tmp_path / "dev")],
        stderr=subprocess.PIPE, log="{target: syslog, format: json}")
    gateway.keeps_records = False
    client = gateway.client()
    client.ask((places.SERVER, 9), b"mary\n<0>forged")
    client.refusal()
    while b'"event":"session"' not in (line := syslogd.recv(65536)):
        pass
    match = re.fullmatch(rb"<(\d+)>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d "
                         rb"socks4d\[\d+\]: (\{.*\})\n?", line)
    assert match, line
    facility, severity = divmod(int(match[1]), 8)
    assert facility == 3 and severity in (5, 6)  # daemon; notice, info
    record = json.loads(match[2])
    assert record["userid"] == "mary\n<0>forged"
    syslogd.close()


def test_a_sink_that_nobody_reads_stalls_nothing(start_gateway):
    """What does not fit is counted; what is written later is whole."""
    reading, writing = os.pipe()
    gateway = start_gateway(stderr=writing,
                            log="{target: stderr, format: json}")
    os.close(writing)
    gateway.keeps_records = False
    count, slowest = 3000, 0
    listener = gateway.lab.server.listen(places.SERVER)
    for _ in range(count):
        began = time.monotonic()
        client, server = gateway.open(listener, b"\1" * 1000)
        client.sock.close()
        server.close()
        slowest = max(slowest, time.monotonic() - began)
    print(f"slowest of {count} sessions {slowest * 1e3:.0f} ms")
    wait_for("the monitor to read on", gateway.has_all_lines)
    written, dropped = read_until_all(gateway, reading, count)
    print(f"{written} of {count} written, {dropped} dropped")
    assert dropped > 0
    assert written + dropped == count
    os.close(reading)


def read_until_all(gateway, reading, count):
    """(written, dropped): the log is read at last, and the figures asked for,
    until they make `count` sessions; again where an answer found no room."""
    os.set_blocking(reading, False)
    text, written, dropped, asked = "", 0, 0, 0

    def are_all():
        nonlocal text, written, dropped, asked
        try:
            while piece := os.read(reading, 65536):
                text += piece.decode()
        except BlockingIOError:
            pass
        *whole, text = text.split("\n")
        lines = [json.loads(line) for line in whole]
        written += sum(line["event"] == "session" for line in lines)
        totals = [line for line in lines if line["event"] == "total"]
        if totals:
            dropped = totals[-1]["dropped"]
        if totals or time.monotonic() > asked + 1:
            gateway.signal(signal.SIGUSR1)
            asked = time.monotonic()
        return written + dropped >= count

    wait_for(f"{count} sessions, written or dropped", are_all)
    return written, dropped
