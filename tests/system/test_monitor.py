"""The monitor: its children, its signals, its log, and what they survive."""
import contextlib
import fcntl
import json
import os
import pathlib
import re
import signal
import struct
import subprocess
import termios
import time

import pytest

import lab as places
from gateway import BINARY, ROOT, Gateway, Process, children, wait_for
from mounts import listen_as_syslogd, mounted, own_dev
from reloads import reloaded, rewrite
from socks4 import ending
from starts import copied

HOSTILE = b"\xff" * 1000  # a USERID: the record has the beginning of it
PIPE = 4096  # octets that a Piped gateway's stderr holds
# Records that wait for a reader of that pipe, which has room for a few: one
# worker has room for all of them (256 KiB), should it get all sessions.
WAITING = 60
REFUSED = (places.SERVER, 0)  # nothing listens there: decided at once


class Heard(Gateway):
    """One whose lines come to the test itself, not to a file.

    `take` returns what came since it was called last."""

    def __init__(self, network, folder, take, **settings):
        super().__init__(network, folder, **settings)
        self.take = take
        self.heard = b""
        self.keeps_records = False

    def log(self):
        self.heard += self.take()
        return self.heard.decode()


def of_role(gateway, role):
    return [process.pid for process in gateway.of_role(role)]


def writer(gateway):
    return wait_for("a log writer", lambda: of_role(gateway, "logwriter"))[0]


def others(gateway, before):
    """As many workers as before, all of them ready, not the same ones."""
    def ready():
        pids = of_role(gateway, "worker")
        lines = status(gateway)
        return (len(pids) == len(before) and set(pids) != set(before)
                and all(line["state"] == "ready" for line in lines) and pids)
    return wait_for("new workers", ready)


def events(gateway, event):
    return [line for line in gateway.lines() if line.get("event") == event]


def event(gateway, name):
    return wait_for(name, lambda: events(gateway, name))[-1]


def status(gateway):
    """USR1: the newest line of each worker."""
    return report(gateway)[:-1]


def report(gateway):
    """USR1: one line a worker, then their total."""
    before = len(events(gateway, "total"))
    gateway.signal(signal.SIGUSR1)
    wait_for("the total", lambda: len(events(gateway, "total")) > before)
    lines = [line for line in gateway.lines()
             if line["event"] in ("status", "total")]
    totals = [at for at, line in enumerate(lines) if line["event"] == "total"]
    start = totals[before - 1] + 1 if before else 0
    return lines[start:totals[before] + 1]


def gone(pid):
    """Whether it has ended, waited for or not."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return text.rpartition(")")[2].split()[0] in "ZX"


def echoes(client, server):
    """Both ways of a session carry octets."""
    client.send(b"there")
    assert server.recv(5) == b"there"
    server.sendall(b"back")
    assert client.sock.recv(4) == b"back"


def end(client, server):
    """Both sides say FIN."""
    client.shut()
    assert ending(server) == ("fin", b"")
    server.close()
    assert ending(client.sock) == ("fin", b"")


def run_here(gateway_host, *arguments):
    """A start that is to fail: (exit status, stderr)."""
    with gateway_host.network.inside():
        done = subprocess.run([BINARY, *arguments], stdin=-3, timeout=60,
                              capture_output=True, text=True)
    return done.returncode, done.stderr


# Workers


def test_who_waits_when_a_worker_is_killed_is_served_by_the_next(
        start_gateway):
    gateway = start_gateway(workers="1")
    old = of_role(gateway, "worker")
    listener = gateway.lab.server.listen(places.SERVER)
    os.kill(old[0], signal.SIGSTOP)
    client = gateway.client()
    client.ask(listener.getsockname(), b"early")
    os.kill(old[0], signal.SIGKILL)
    server, _ = gateway.lab.server.accept(listener)
    assert client.reply().cd == 90
    echoes(client, server)
    line = event(gateway, "worker_ended")
    assert (line["signal"], line["lost"]) == (signal.SIGKILL, 0)
    assert line["level"] == "error"
    assert others(gateway, old)


def test_a_lost_session_has_the_line_of_its_beginning(start_gateway):
    """As docs/records.md finds it."""
    gateway = start_gateway(workers="1")
    reloaded(gateway, log=gateway.settings["log"].replace("}", ", start: on}"))
    first, lost = gateway.open(), gateway.open()
    first[0].shut()
    first[1].close()
    done = gateway.record()
    [worker] = status(gateway)
    os.kill(worker["pid"], signal.SIGKILL)
    line = event(gateway, "worker_ended")
    assert (line["worker"], line["lost"]) == (0, 1)
    gateway.may_lose = 1
    begun = {start["id"]: start for start in events(gateway, "session_start")}
    assert begun.pop(done["id"])["time"] >= line["since"]
    assert events(gateway, "listening")[0]["time"] <= line["since"]
    [start] = begun.values()
    assert start["worker"] == 0 and line["since"] <= start["time"]
    assert start["client"] == "%s:%d" % lost[0].sock.getsockname()
    assert start["dest"] == "%s:%d" % lost[1].getsockname()
    event(gateway, "session_lost")
    page = (ROOT / "docs/records.md").read_text()
    section = page.split("## Sessions without a record\n")[1].split("\n## ")[0]
    short, long = (found_by(command, gateway) for command in re.findall(
        r"^```sh\n(.*?)^```", section, re.M | re.S))
    assert short[1:3] == [start["client"], start["dest"]], short
    assert long[2] == start["client"], long


def found_by(command, gateway):
    """The fields of the line that it prints."""
    text = command.replace("/var/log/socks4d/log", str(gateway.log_path))
    return subprocess.run(["sh", "-c", text], capture_output=True, text=True,
                          check=True).stdout.split("\t")


@pytest.mark.feature
def test_a_killed_worker_takes_its_own_sessions_and_no_others(gateway):
    listener = gateway.lab.server.listen(places.SERVER)
    pairs = [gateway.open(listener) for _ in range(12)]
    before = of_role(gateway, "worker")
    victim = next(line for line in status(gateway) if line["live"] > 0)
    os.kill(victim["pid"], signal.SIGKILL)
    line = event(gateway, "worker_ended")
    assert line["pid"] == victim["pid"]
    assert line["lost"] == victim["live"]
    gateway.may_lose = victim["live"]
    alive = 0
    for client, server in pairs:
        client.sock.setblocking(False)
        try:
            client.sock.recv(1)
        except BlockingIOError:
            client.sock.settimeout(places.TIMEOUT)
            echoes(client, server)
            alive += 1
        except ConnectionResetError:
            pass
    assert alive == len(pairs) - victim["live"]
    others(gateway, before)
    total = report(gateway)[-1]
    assert total["live"] == alive
    assert total["lost"] == victim["live"]


def test_workers_killed_again_and_again_refuse_nobody(start_gateway):
    """Fifteen of two in a row; what they took along is all accounted for."""
    gateway = start_gateway()
    listener = gateway.lab.server.listen(places.SERVER)
    for _ in range(15):
        pids = wait_for("a worker", lambda: of_role(gateway, "worker"))
        os.kill(pids[0], signal.SIGKILL)
        wait_for("its end", lambda: gone(pids[0]))
        for _ in range(3):
            client = gateway.client()  # nobody is refused
            client.ask(listener.getsockname())
            server, _ = gateway.lab.server.accept(listener)
            client.reply()
            client.sock.close()
            server.close()
    wait_for("the word of each", lambda:
             len(events(gateway, "worker_ended")) == 15)
    gateway.may_lose = report(gateway)[-1]["lost"]


def test_a_worker_is_replaced_every_time_and_at_once(start_gateway):
    gateway = start_gateway(workers="1")
    for _ in range(5):
        [old] = of_role(gateway, "worker")
        os.kill(old, signal.SIGKILL)
        others(gateway, [old])
    ended = wait_for("the word of each", lambda:
                     events(gateway, "worker_ended")[4:] and
                     events(gateway, "worker_ended"))
    assert [line["retry_ms"] for line in ended] == [0] * 5
    assert status(gateway)[0]["generation"] == 6


def test_workers_ignore_the_signals_that_are_for_the_monitor(gateway):
    client, server = gateway.open()
    pids = children(gateway.process.pid)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM,
                   signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE):
        for pid in pids:
            os.kill(pid, number)
    echoes(client, server)
    assert children(gateway.process.pid) == pids
    assert not events(gateway, "worker_ended")


def test_workers_end_with_the_monitor_and_not_before_their_sessions(
        lab, tmp_path):
    gateway = Gateway(lab, tmp_path).start()
    client, server = gateway.open()
    pids = children(gateway.process.pid)
    gateway.process.kill()
    gateway.process.wait()
    wait_for("the listener to be closed", lambda: refuses(gateway))
    echoes(client, server)
    end(client, server)
    for pid in pids:
        wait_for("a child to end", lambda: gone(pid))


def refuses(gateway):
    """Whether nobody listens at the gateway's address any more."""
    try:
        gateway.lab.client.connect(gateway.at).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_child_has_the_descriptors_meant_for_it_and_no_others(
        start_gateway):
    # One that the gateway inherits, and must not pass on.
    gateway = start_gateway(wrapper=("sh", "-c", 'exec "$@" 9</', "sh"))
    expected = {0: "/dev/null", 1: "/dev/null", 2: "pipe:", 3: "socket:",
                4: "socket:"}
    assert links(writer(gateway)) == expected | {5: str(gateway.log_path)}
    worker = links(of_role(gateway, "worker")[0])
    expected |= {5: "/memfd:socks4d segment (deleted)",
                 6: "/memfd:socks4d config (deleted)",
                 7: "anon_inode:[eventpoll]", 9: "socket:"}
    assert worker == expected


def links(pid):
    folder = f"/proc/{pid}/fd"
    return {int(name): re.sub(r":\[\d+\]$", ":",
                              os.readlink(f"{folder}/{name}"))
            for name in os.listdir(folder)}


def test_workers_get_the_configuration_sealed_and_read_only(gateway):
    pid = of_role(gateway, "worker")[0]
    text = pathlib.Path(f"/proc/{pid}/fd/6").read_text()
    assert places.INSIDE in text
    with pytest.raises(PermissionError):  # by its seals, whoever opens it
        with open(f"/proc/{pid}/fd/6", "r+b", buffering=0) as file:
            file.write(b"x")


def test_what_a_child_says_on_stderr_reaches_the_log_escaped(gateway):
    pid = of_role(gateway, "worker")[0]
    with open(f"/proc/{pid}/fd/2", "wb", buffering=0) as stderr:
        stderr.write(b'event="x" \x1b[2J\ntwo\n')
    wait_for("both lines", lambda: len(events(gateway, "stderr")) == 2)
    first, second = events(gateway, "stderr")
    assert first["message"] == 'event="x" \x1b[2J'
    assert second["message"] == "two"
    assert "\x1b" not in gateway.log()


# Who they are


def test_started_as_root_the_children_are_an_ordinary_user(
        start_gateway, real_root):
    gateway = start_gateway(
        wrapper=("setpriv", "--groups", "4,20,27", "--"))
    pids = children(gateway.process.pid)
    assert len(pids) == 3
    for pid in pids:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
        lines = dict(line.split(":", 1) for line in text.splitlines())
        assert "0" not in lines["Uid"].split() + lines["Gid"].split()
        assert lines["Groups"].split() == []
        assert lines["NoNewPrivs"].split() == ["1"]
        for kind in ("CapPrm", "CapEff", "CapAmb"):
            assert int(lines[kind], 16) == 0
    assert os.stat(f"/proc/{gateway.process.pid}").st_uid == 0


def test_an_ordinary_user_stays_who_they_are(lab, open_folder, real_root):
    binary = copied(BINARY, open_folder)
    os.chown(open_folder, 12345, 12346)
    gateway = Gateway(lab, open_folder, binary=binary)
    gateway.start(wrapper=("setpriv", "--reuid", "12345", "--regid", "12346",
                           "--clear-groups", "--"))
    for pid in children(gateway.process.pid):
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
        assert re.search(r"^Uid:\s+12345\s+12345\s+12345", text, re.M)
        assert re.search(r"^Gid:\s+12346\s+12346\s+12346", text, re.M)
        assert re.search(r"^NoNewPrivs:\s+1", text, re.M)
    client, server = gateway.open()
    echoes(client, server)
    end(client, server)
    assert gateway.stop() == 0


def test_a_user_that_does_not_exist_is_an_error_with_a_remedy(
        lab, tmp_path):
    gateway = Gateway(lab, tmp_path, user="nobody-of-that-name")
    gateway.write_config()
    code, text = run_here(lab.gateway, "-c", str(gateway.config_path))
    assert code == 1
    assert text.count("\n") == 1
    assert "nobody-of-that-name" in text and "useradd" in text


# Addresses


def test_an_address_that_is_taken_is_an_error_with_a_remedy(gateway):
    code, text = run_here(gateway.lab.gateway, "-c", str(gateway.config_path))
    assert code == 1
    assert text.count("\n") == 1
    assert "%s:%d: the address is taken" % gateway.at in text
    assert f"choose another under listen in {gateway.config_path}" in text
    taken = gateway.lab.gateway.listen("127.0.0.1")
    code, text = run_here(gateway.lab.gateway, "-l",
                          "127.0.0.1:%d" % taken.getsockname()[1])
    assert code == 1 and "choose another with -l ADDR:PORT" in text
    taken.close()


def test_an_address_of_another_machine_is_an_error_with_a_remedy(
        lab, tmp_path):
    gateway = Gateway(
        lab, tmp_path, listen='[{address: "%s:1080", insecure_plaintext: '
        'true}]' % places.SERVER)
    gateway.write_config()
    code, text = run_here(lab.gateway, "-c", str(gateway.config_path))
    assert code == 1
    assert text.count("\n") == 1
    assert "not an address of this machine" in text and "ip address" in text


def test_every_address_is_told_before_it_is_ready(start_gateway):
    gateway = start_gateway(
        listen='[{address: "%s:1080", name: a, insecure_plaintext: true},'
               ' {address: "[%s]:1081", name: b, insecure_plaintext: true}]'
               % (places.INSIDE, places.INSIDE6))
    told = [(line["event"], line.get("address"), line.get("listener"))
            for line in gateway.lines() if line["event"] != "user"]
    assert told[:3] == [
        ("listening", f"{places.INSIDE}:1080", "a"),
        ("listening", f"[{places.INSIDE6}]:1081", "b"),
        ("ready", None, None)]
    assert events(gateway, "ready")[0]["workers"] == 2


def test_starts_with_its_standard_descriptors_closed(start_gateway):
    gateway = start_gateway(
        wrapper=("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"))
    for number in (0, 1, 2):
        assert links(gateway.process.pid)[number] == "/dev/null"
    client, server = gateway.open()
    echoes(client, server)


# Signals


@pytest.mark.feature
def test_term_lets_sessions_finish_and_takes_no_new_ones(gateway):
    client, server = gateway.open()
    gateway.signal(signal.SIGTERM)
    assert event(gateway, "draining")["live"] == 1
    wait_for("the listener to be closed", lambda: refuses(gateway))
    echoes(client, server)
    assert gateway.process.poll() is None
    client.shut()
    assert ending(server) == ("fin", b"")
    server.close()
    assert gateway.process.wait(20) == 0
    assert gateway.record(command="connect")["end"] == "fin"
    assert gateway.lines()[-1]["event"] == "ended"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_term_without_sessions_ends_at_once(gateway, number):
    gateway.signal(number)
    assert gateway.process.wait(20) == 0
    assert len(events(gateway, "worker_ended")) == 2
    assert all(line["status"] == 0 for line in events(gateway, "worker_ended"))


def test_term_serves_who_has_connected_before_it(start_gateway):
    gateway = start_gateway(workers="1")
    [worker] = of_role(gateway, "worker")
    os.kill(worker, signal.SIGSTOP)
    listener = gateway.lab.server.listen(places.SERVER)
    client = gateway.client()
    client.ask(listener.getsockname())
    gateway.signal(signal.SIGTERM)
    event(gateway, "draining")
    os.kill(worker, signal.SIGCONT)
    server, _ = gateway.lab.server.accept(listener)
    assert client.reply().cd == 90
    echoes(client, server)
    end(client, server)
    assert gateway.process.wait(20) == 0


def test_a_second_term_ends_live_sessions_now(gateway):
    client, server = gateway.open()
    gateway.signal(signal.SIGTERM)
    event(gateway, "draining")
    gateway.signal(signal.SIGTERM)
    assert gateway.process.wait(20) == 0
    assert ending(client.sock) == ("reset", b"")
    assert ending(server) == ("reset", b"")
    assert gateway.record()["ended_by"] == "gateway"


def test_a_worker_that_does_not_hear_a_second_term_is_killed(gateway):
    pids = of_role(gateway, "worker")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    gateway.signal(signal.SIGTERM)
    event(gateway, "draining")
    start = time.monotonic()
    gateway.signal(signal.SIGTERM)
    assert gateway.process.wait(20) == 0
    assert time.monotonic() - start > 0.9
    assert [line["signal"] for line in events(gateway, "worker_ended")] \
        == [signal.SIGKILL] * 2


@pytest.mark.long
def test_a_worker_that_does_not_end_after_the_drain_is_killed(start_gateway):
    gateway = start_gateway(timeouts="{drain: 100ms}")
    for pid in of_role(gateway, "worker"):
        os.kill(pid, signal.SIGSTOP)
    start = time.monotonic()
    gateway.signal(signal.SIGTERM)
    assert gateway.process.wait(20) == 0
    assert time.monotonic() - start > 5
    assert event(gateway, "worker_ended")["signal"] == signal.SIGKILL


@pytest.mark.feature
def test_usr1_reports_gauges_and_counters(gateway):
    pairs = [gateway.open() for _ in range(3)]
    refused = gateway.client()
    refused.ask(REFUSED)
    refused.refusal()
    wait_for("the refused one to be gone",
             lambda: gateway.counters()["live"] == len(pairs))
    *workers, total = report(gateway)
    assert [line["worker"] for line in workers] == [0, 1]
    assert total["workers"] == 2
    for name in ("live", "pending", "pipes", "accepted", "granted", "refused",
                 "early", "lost", "up", "down", "records", "dropped",
                 "accept_paused"):
        assert total[name] == sum(line[name] for line in workers)
    assert total["accepted"] == 4
    assert total["granted"] - total["live"] in (0, -3)
    assert total["live"] == len(pairs)
    assert total["refused"] == 1


# The log


@pytest.mark.feature
def test_hup_opens_the_log_file_anew(gateway):
    def refuse():
        client = gateway.client()
        client.ask(REFUSED)
        client.refusal()

    refuse()
    first = gateway.record()
    old = gateway.log_path.with_name("log.1")
    gateway.log_path.rename(old)
    refuse()
    wait_for("a record in the old file",
             lambda: old.read_text().count('"event":"session"') == 2)
    assert not gateway.log_path.exists()
    gateway.signal(signal.SIGHUP)
    event(gateway, "reopened")
    before = old.read_text()
    refuse()
    assert gateway.record()["id"] not in (first["id"],)
    assert old.read_text() == before
    assert gateway.log_path.stat().st_mode & 0o777 == 0o640 & ~umask()
    gateway.keeps_records = False  # they are in two files


def test_usr1_opens_the_log_file_again_and_leaves_the_configuration(gateway):
    """A half-edited file must not come into force when the log is rotated."""
    old = gateway.log_path.with_name("log.1")
    gateway.log_path.rename(old)
    gateway.config_path.write_text("listen: [half a fi")
    gateway.signal(signal.SIGUSR1)
    event(gateway, "total")
    [line] = events(gateway, "reopened")
    assert line["file"] == str(gateway.log_path)
    assert "total" not in old.read_text()
    client, server = gateway.open()
    client.shut()
    server.close()
    gateway.record()
    for outcome in ("reload_failed", "reloaded", "unchanged"):
        assert not events(gateway, outcome)


def umask():
    old = os.umask(0)
    os.umask(old)
    return old


def test_a_log_file_that_cannot_be_opened_anew_stays(gateway):
    folder = gateway.log_path.with_name("elsewhere")
    gateway.log_path.rename(folder)
    gateway.log_path.mkdir()
    gateway.signal(signal.SIGHUP)
    wait_for("an error in the old file",
             lambda: '"event":"reopened","level":"error"' in folder.read_text())
    wait_for("the same on stderr", lambda: (
        "cannot open the log file again: it is not a regular file"
        in gateway.stderr()))
    gateway.log_path.rmdir()
    folder.rename(gateway.log_path)


def test_lines_wait_for_the_next_writer_when_one_is_killed(gateway):
    old = writer(gateway)
    Process(old).freeze()
    for _ in range(5):  # within the five seconds that it may hang
        client = gateway.client()
        client.ask(REFUSED)
        client.refusal()
    assert gateway.records() == []
    os.kill(old, signal.SIGKILL)
    wait_for("all records", lambda: len(gateway.records()) == 5)
    line = event(gateway, "writer_ended")
    assert (line["pid"], line["signal"]) == (old, signal.SIGKILL)
    assert writer(gateway) != old


def flood(gateway, count, at=None):
    """That many sessions, with lines of half a KB."""
    listener = gateway.lab.server.listen(places.SERVER)
    for _ in range(count):
        client, server = gateway.open(listener, HOSTILE, at=at)
        client.sock.close()
        server.close()
    listener.close()


def account(gateway, sessions):
    """Every session is recorded, or counted among those that are not."""
    def told():
        return sum(line["records"] for line in events(gateway, "dropped"))
    wait_for("an account of every session",
             lambda: len(gateway.records()) + told() == sessions)
    assert report(gateway)[-1]["dropped"] == told() > 0


class Piped(Heard):
    """One whose stderr is a small pipe that we read, or not."""

    def __init__(self, network, folder, **settings):
        self.reader, self.written = os.pipe()
        fcntl.fcntl(self.written, fcntl.F_SETPIPE_SZ, PIPE)
        os.set_blocking(self.reader, False)
        super().__init__(network, folder, self.read,
                         log="{target: stderr, format: json, level: info,"
                         " start: true}", **settings)

    def read(self):
        with contextlib.suppress(BlockingIOError):
            return os.read(self.reader, 1 << 20)
        return b""

    def is_torn(self):
        """Whether the pipe is full, up to within a line: then it stays so until
        we read. Reads what else is there."""
        unread = struct.unpack("i", fcntl.ioctl(self.reader, termios.FIONREAD,
                                                b"\0\0\0\0"))[0]
        if unread == PIPE:
            return True
        self.log()
        return False

    def start(self):
        path = f"/proc/{os.getpid()}/fd/{self.written}"
        super().start(wrapper=("sh", "-c", f'exec "$@" 2>{path}', "sh"))
        os.close(self.written)
        return self


def test_a_reader_of_stderr_that_stops_reading_stops_nothing(lab, tmp_path):
    gateway = Piped(lab, tmp_path).start()
    client, server = gateway.open()
    flood(gateway, 1600)
    wait_for("the monitor to read on", gateway.has_all_lines)
    echoes(client, server)
    end(client, server)

    wait_for("the end of what was held",
             lambda: '"event":"dropped"' in gateway.log(), 60)
    account(gateway, 1601)
    assert gateway.stop() == 0
    os.close(gateway.reader)


def test_lines_that_wait_for_a_reader_go_where_a_reload_says(lab, tmp_path):
    """The one that was begun goes there whole."""
    gateway = Piped(lab, tmp_path).start()
    flood(gateway, WAITING)
    wait_for("a line that was begun", gateway.is_torn)
    file = tmp_path / "after"
    rewrite(gateway, log=f'{{target: "file:{file}", format: json}}')
    gateway.signal(signal.SIGHUP)
    wait_for("the reload", lambda: file.exists()
             and '"event":"reloaded"' in file.read_text())
    *whole, _torn = gateway.log().split("\n")
    assert 0 < len(whole) < 2 * WAITING

    def of_event(name):
        lines = whole + file.read_text().splitlines()
        return [line for line in map(json.loads, lines)
                if line["event"] == name]
    wait_for("all records", lambda: len(of_event("session")) == WAITING)
    assert not of_event("dropped")
    gateway.log_path = file
    gateway.log = file.read_text
    assert gateway.stop() == 0
    os.close(gateway.reader)


def test_the_end_waits_a_second_for_a_log_that_nobody_reads(lab, tmp_path):
    gateway = Piped(lab, tmp_path).start()
    [last] = of_role(gateway, "logwriter")
    flood(gateway, WAITING)
    start = time.monotonic()
    assert gateway.stop() == 0
    assert time.monotonic() - start > 0.9
    wait_for("the writer to be gone", lambda: gone(last))
    os.close(gateway.reader)


def test_a_reader_of_stderr_that_is_gone_stops_nothing(lab, tmp_path):
    gateway = Piped(lab, tmp_path).start()
    [first] = of_role(gateway, "logwriter")
    os.close(gateway.reader)
    flood(gateway, 5)
    client, server = gateway.open()
    echoes(client, server)
    assert of_role(gateway, "logwriter") == [first]
    gateway.log = lambda: ""
    assert gateway.process.poll() is None
    end(client, server)
    assert gateway.stop() == 0


def test_a_full_disk_costs_records_which_are_counted(lab, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(disk, "-t", "tmpfs", "-o", "size=256k,mode=0777", "none"):
        gateway = Gateway(lab, tmp_path, log=f'{{target: "file:{disk}/log",'
                          ' format: json, level: info}')
        gateway.log_path = disk / "log"
        ballast = disk / "ballast"
        gateway.start()
        ballast.write_bytes(bytes(200 * 1024))
        flood(gateway, 150)
        client, server = gateway.open()
        echoes(client, server)
        wait_for("the disk to be full",
                 lambda: os.statvfs(disk).f_bavail <= 1)
        flood(gateway, 50)  # it may have been full by the last record
        ballast.unlink()
        client.shut()
        assert ending(server) == ("fin", b"")
        server.close()
        line = event(gateway, "dropped")
        assert line["message"] == "No space left on device"
        account(gateway, 201)
        assert gateway.stop() == 0


def take_from(daemon):
    """What waits in it, one line a datagram."""
    got = b""
    daemon.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            datagram = daemon.recv(1 << 16)
            assert re.match(rb"<(29|30|28|27)>\w{3} [ \d]\d \d\d:\d\d:\d\d "
                            rb"socks4d\[\d+\]: {", datagram), datagram
            got += datagram.split(b": ", 1)[1] + b"\n"
    return got


def test_syslog_gets_a_datagram_a_line_also_when_it_was_gone(lab, tmp_path):
    with own_dev(tmp_path):
        daemon = [listen_as_syslogd()]
        gateway = Heard(lab, tmp_path, lambda: take_from(daemon[0]),
                        log="{target: syslog, format: json, level: info}")
        gateway.start()
        flood(gateway, 30)
        wait_for("every record", lambda: len(gateway.records()) == 30)
        daemon[0].close()
        os.unlink("/dev/log")
        flood(gateway, 30)
        client, server = gateway.open()
        echoes(client, server)
        end(client, server)
        daemon[0] = listen_as_syslogd()
        wait_for("every record", lambda: len(gateway.records()) == 61)
        assert gateway.stop() == 0
        wait_for("the end", lambda: events(gateway, "ended"))
        daemon[0].close()


def test_the_level_leaves_lines_out(start_gateway, tmp_path):
    path = tmp_path / "gateway-0/log"
    gateway = start_gateway(log=f'{{target: "file:{path}", format: json,'
                            ' level: notice}')
    gateway.keeps_records = False
    client, server = gateway.open()
    client.shut()
    server.close()
    ending(client.sock)
    refused = gateway.client()
    refused.ask(REFUSED, b"refused")
    refused.refusal()
    gateway.stop()
    assert [line["userid"] for line in gateway.records()] == ["refused"]
    assert not events(gateway, "worker_ready")  # debug
    assert not events(gateway, "worker_ended")  # info, where it was asked to


def test_text_lines_have_the_same_keys(lab, tmp_path):
    gateway = Gateway(lab, tmp_path, log=f'{{target: "file:{tmp_path}/log"}}')
    gateway.start()
    assert re.search(
        r"^time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z event=listening "
        r"level=notice address=10\.1\.0\.1:1080 listener=inside$",
        gateway.log(), re.M)
    assert gateway.stop() == 0
