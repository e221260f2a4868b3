"""USR2: another binary in place of the one that runs."""
import contextlib
import fcntl
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import termios
import time

import pytest

import bind
import dns
import lab as places
import upgrades
from bind import meet, wait
from gateway import ALLOW_ALL, BINARY, Gateway, Process, children, wait_for
from inside import bounds_ports
from laws import laws
from mounts import listen_as_syslogd, own_dev
from reloads import events, ids, reloaded, rewrite
from starts import refused_start
from test_confine import may_connect
from test_monitor import Heard, take_from
from test_passed import inode, listening_inodes, passing
from test_reload import (DENY_ALL, by_name, connecting, echoes, end, listening,
                         pids, resolvers, sockets)
from test_systemd import Manager
from upgrades import ask, failed, upgrade_checks, outcome, place, upgraded


@pytest.fixture
def run(start_gateway, tmp_path):
    """Starts gateways, each from a file of its own, which can be replaced."""
    count = [0]

    def start(*arguments, **settings):
        count[0] += 1
        own = tmp_path / f"socks4d-{count[0]}"
        shutil.copy(BINARY, own)
        return start_gateway(*arguments, binary=own, **settings)
    return start


@pytest.fixture(scope="module")
def fake_binary(tmp_path_factory):
    return upgrades.fake_binary(tmp_path_factory.mktemp("fake_binary"))


def gone(gateway, workers):
    wait_for("the old ones to end",
             lambda: not set(pids(gateway)) & set(workers))


# What goes on


@pytest.mark.feature
def test_sessions_of_every_kind_go_on_in_their_old_workers(run, lab):
    gateway = run(rules=bind.only("peer: any"), timeouts="{connect: 2s}")
    command, old = Process(gateway.process.pid).command(), pids(gateway)
    listener = lab.server.listen(places.SERVER)
    relaying = [gateway.open(listener) for _ in range(4)]
    waiting, at = wait(gateway)
    half = gateway.client()
    half.send(b"\x04\x01")
    pending = gateway.client()
    pending.ask((places.SILENT, 80))
    wait_for("its SYN", lambda: gateway.connection_to(
        (places.SILENT, 80), 2))
    wait_for("its octets to be read", lambda: gateway.has_read(half))
    line = upgraded(gateway)
    assert line["workers"] == 2 and line["from"] == line["to"]
    assert Process(gateway.process.pid).command() == command
    assert Process(gateway.process.pid).status("Name") == "socks4d"
    new = set(pids(gateway)) - set(old)
    assert len(new) == 2
    for client, server in relaying:
        echoes(client, server)
    half.requested = True
    half.send(listener.getsockname()[1].to_bytes(2, "big")
              + socket.inet_aton(places.SERVER) + b"\0")
    server, _ = lab.server.accept(listener)
    assert half.reply().cd == 90
    echoes(half, server)
    peer = meet(waiting, at, lab.server)
    echoes(waiting, peer)
    pending.refusal()
    later = gateway.open(listener)
    echoes(*later)
    for session in (*relaying, (half, server), (waiting, peer), later):
        end(*session)
    gone(gateway, old)
    wait_for("eight records", lambda: len(gateway.records()) == 8)
    wait_for("their ends", lambda: len(events(gateway, "worker_ended")) == 2)
    by = {record["userid"] or record["worker"] for record in gateway.records()}
    assert len(by) >= 2
    assert len({record["id"] for record in gateway.records()}) == 8
    assert gateway.records(verdict="connect-timeout")[0]["worker"] < 2
    assert {line["status"] for line in events(gateway, "worker_ended")} == {0}
    assert set(pids(gateway)) == new


def test_a_connect_in_an_old_worker_counts_for_a_bind_in_a_new_one(run, lab):
    """[V4-4-2] And its end counts as well."""
    gateway = run(rules=bind.only("require_connect: true"))
    old = pids(gateway)
    primary, server = gateway.open(lab.server.listen(places.SERVER))
    upgraded(gateway)
    wait_for("the other to end", lambda: len(pids(gateway)) == 3)
    waiting, _ = wait(gateway)
    end(primary, server)
    gone(gateway, old)
    bind.refused(gateway, "bind-without-connect")
    waiting.sock.close()


def test_charges_of_old_sessions_count_in_new_workers(run):
    gateway = run(limits="{per_source: {sessions: 3, rate: 1M}}")
    held = [gateway.open() for _ in range(2)]
    upgraded(gateway)
    held.append(gateway.open())
    wait_for("three", lambda: gateway.counters()["live"] == 3)
    with pytest.raises(ConnectionResetError):
        gateway.client().sock.recv(1)  # the fourth
    for session in held:
        echoes(*session)
        end(*session)


def test_a_storm_of_connects_loses_nobody_over_five_upgrades(run, fake_binary):
    gateway = run()
    listener = gateway.lab.server.listen(places.SERVER)
    listener.settimeout(places.TIMEOUT)
    held = []
    with connecting(gateway, listener) as count:
        for round_number in range(6):
            before = count[0]
            if round_number == 3:
                place(gateway, fake_binary, b" exits")
                failed(gateway)
            else:
                upgraded(gateway)
            wait_for("some connects", lambda: count[0] > before + 20)
    held.append(gateway.open(listener))
    echoes(*held[0])
    print(f"{count[0]} connects")
    assert not [line for line in events(gateway, "worker_ended")
                if line["level"] == "error" or line["lost"]]


def test_nothing_piles_up_over_ten_upgrades(run, lab):
    server = dns.Dns(lab.server, places.SERVER)
    named = listening((1080, "inside")).replace("name:", "socks4a: true, name:")
    gateway = run(listen=named, resolver='{servers: ["%s"]}' % server)
    monitor = Process(gateway.process.pid)

    def settled():
        return len(children(monitor.pid)) == 4
    before, memory = monitor.descriptors(), monitor.anonymous_kb()
    for _ in range(11):
        upgraded(gateway)
        wait_for("the old ones to end", settled)
    wait_for("its descriptors", lambda: monitor.descriptors() == before)
    assert gateway.is_sanitized or monitor.anonymous_kb() < memory + 512
    assert events(gateway, "status") == []
    assert {line["worker"] for line in events(gateway, "worker_ended")} == {
        0, 1, 2, 3}
    server.close()


def test_the_old_of_two_upgrades_drain_beside_each_other(run, lab):
    gateway = run()
    listener = lab.server.listen(places.SERVER)
    held, seen = [], []
    for _ in range(3):
        with gateway.frozen(gateway.workers()[-1]):
            held.append(gateway.open(listener))
        seen += [pid for pid in pids(gateway) if pid not in seen]
        upgraded(gateway)
        wait_for("the idle one to end", lambda: len(
            events(gateway, "worker_ended")) == len(held))
    for session in held:
        echoes(*session)
    assert gateway.counters()["live"] == 3
    states = [line["state"] for line in events(gateway, "status")]
    assert sorted(states) == ["draining"] * 3 + ["ready"] * 2
    for session in held:
        end(*session)
    gone(gateway, seen)


def test_a_second_usr2_ends_the_old_workers_at_once(run, lab):
    """After a fix of security no session is left in the old program. One that
    does not listen (it was taken over) is killed."""
    gateway = run()
    listener = lab.server.listen(places.SERVER)
    old = gateway.workers()
    with gateway.frozen(old[0]):
        held = gateway.open(listener)
    with gateway.frozen(old[1]):
        stuck = gateway.open(listener)
    upgraded(gateway)
    new = gateway.open(listener)
    old[1].freeze()
    gateway.may_lose = 1
    gateway.signal(signal.SIGUSR2)
    gone(gateway, [worker.pid for worker in old])
    with pytest.raises(ConnectionResetError):
        held[0].sock.recv(1)
    assert stuck[0].sock.recv(1) == b""  # from the kernel
    wait_for("the lines", lambda: len(events(gateway, "worker_ended")) == 2)
    [line] = events(gateway, "old_workers_stopped")
    assert line["workers"] == 2
    ended = {line["pid"]: line for line in events(gateway, "worker_ended")}
    assert ended[old[0].pid]["status"] == 0
    assert ended[old[1].pid]["signal"] == signal.SIGKILL
    assert events(gateway, "worker_hung") == []  # nobody waits that long
    assert len(events(gateway, "upgraded")) == 1
    echoes(*new)
    end(*new)
    assert upgrades.upgrade(gateway)["event"] == "upgraded"


def test_old_workers_end_whatever_was_reloaded_meanwhile(run, lab):
    """A reload that replaces the current workers makes old ones of nobody."""
    listeners = [lab.server.listen(places.SERVER) for _ in range(2)]
    gateway = run(rules=may_connect(listeners[0]))
    old, held = pids(gateway), gateway.open(listeners[0])
    upgraded(gateway)
    current = [worker for worker in gateway.workers() if worker.pid not in old]
    with gateway.frozen(*current):
        kept = gateway.open(listeners[0])
    reloaded(gateway, rules=may_connect(*listeners))
    gateway.signal(signal.SIGUSR2)
    gone(gateway, old)
    with pytest.raises(ConnectionResetError):
        held[0].sock.recv(1)
    assert len(events(gateway, "upgraded")) == 1
    echoes(*kept)
    end(*kept)
    wait_for("those that the reload replaced to end",
             lambda: not bounds_ports()
             or all(worker.has_ended() for worker in current))
    end(*gateway.open(listeners[1]))


def test_a_usr2_for_another_program_is_an_upgrade_while_old_ones_drain(
        run, lab):
    gateway = run()
    held = gateway.open(lab.server.listen(places.SERVER))
    upgraded(gateway)
    upgraded(gateway)
    echoes(*held)
    gateway.signal(signal.SIGUSR2)
    with pytest.raises(ConnectionResetError):
        held[0].sock.recv(1)
    wait_for("the current ones alone", lambda: len(pids(gateway)) == 2)
    wait_for("the line", lambda: len(
        events(gateway, "old_workers_stopped")) == 1)


def test_a_record_that_was_received_is_not_missed_by_the_next(run, lab):
    """An old worker dies: what it took along is reckoned right."""
    gateway = run(workers="1")
    listener = lab.server.listen(places.SERVER)
    for _ in range(3):
        end(*gateway.open(listener))
    wait_for("their records", lambda: len(gateway.records()) == 3)
    held, [old] = gateway.open(listener), pids(gateway)
    upgraded(gateway)
    os.kill(old, signal.SIGKILL)
    gone(gateway, [old])
    wait_for("its end", lambda: [line for line in events(
        gateway, "worker_ended") if line["pid"] == old])
    gateway.may_lose = 1
    counted = gateway.counters()
    assert (counted["lost"], counted["dropped"]) == (1, 0)
    held[0].sock.close()


def test_half_a_line_of_a_worker_is_heard_to_its_end(run, lab):
    gateway = run(workers="1")
    held, [old] = gateway.open(), pids(gateway)
    with open(f"/proc/{old}/fd/2", "wb", buffering=0) as stderr:
        stderr.write(b"half of ")
        wait_for("it to be heard", lambda: unread(stderr) == 0)
        upgraded(gateway)
        stderr.write(b"a line\n")
        wait_for("the line", lambda: events(gateway, "stderr"))
    assert events(gateway, "stderr")[0]["message"] == "half of a line"
    end(*held)


def unread(pipe):
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD,
                                          b"\0\0\0\0"))[0]


# What is no good


BAD = [  # file, tail, mode, what the line says
    (None, b" exits", 0o755, "ended with status 3"),
    (None, b" dies", 0o755, "killed by signal 9"),
    (None, b" complains", 0o755, "no mood for it"),
    (None, b" speaks-another", 0o755, "restart instead"),
    (None, b" other-sizes", 0o755, "restart instead"),
    (None, b" babbles", 0o755, "not understood"),
    (None, b" skips", 0o755, "not understood"),
    (None, b"", 0o644, "chmod"),
    ("/bin/true", b"", 0o755, "status 0; is it a socks4d"),
    ("/bin/sleep", b"", 0o755, "status 1: Try"),
    ("/etc/passwd", b"", 0o755, "cannot be executed"),
    ("/usr/bin/ldd", b"", 0o755, "cannot be executed"),
    ("/dev/null", b"", 0o755, "cannot be executed"),
]


def test_a_bad_binary_leaves_the_old_one_serving(run, fake_binary):
    gateway = run()
    held, old, config = gateway.open(), family(gateway), ids(gateway)
    descriptors = Process(gateway.process.pid).descriptors()
    for source, tail, mode, said in BAD:
        place(gateway, source or fake_binary, tail, mode)
        why = failed(gateway)
        assert said in why, (source, tail, why)
    place(gateway, fake_binary, b" naps")
    before = ask(gateway)
    wait_for("the upgrade check", lambda: upgrade_checks(gateway))
    ask(gateway)  # once more, after it
    pathlib.Path(gateway.binary).chmod(0o750)
    for each in range(2):
        assert "status 3" in outcome(gateway, before + each)["message"]
    os.unlink(gateway.binary)
    assert "No such file" in failed(gateway)
    os.mkfifo(gateway.binary)
    assert "not a file that can be executed" in failed(gateway)
    os.unlink(gateway.binary)
    assert (family(gateway), ids(gateway)) == (old, config)
    assert Process(gateway.process.pid).descriptors() == descriptors
    echoes(*held)
    upgraded(gateway)
    echoes(*held)
    end(*held)


def test_a_binary_of_the_first_version_is_told_that_the_versions_differ():
    """It executes us as its trial, and reads the version before all else."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(60)
    check = subprocess.Popen(
        [BINARY, "--trial"], stderr=subprocess.DEVNULL, pass_fds=(3,),
        preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
    theirs.close()
    message = ours.recv(65536)
    assert len(message) == 40  # as that version knows it
    assert struct.unpack_from("=II", message) == (20, 4)
    assert check.wait(10) != 0


# Without a sandbox children have the monitor's environment.
@pytest.mark.parametrize("sandbox", ["try", "off"])
def test_an_exec_that_fails_leaves_everything_as_it_was(
        start_gateway, fake_binary, tmp_path, sandbox):
    """Descriptors and variables that were to go along, too: whoever is
    started after it has what he would have had."""
    own, manager = tmp_path / "own", Manager(str(tmp_path / "notify"))
    shutil.copy(BINARY, own)
    gateway = start_gateway(binary=own, workers="1", sandbox=sandbox,
                            wrapper=manager.wrapper())
    held, [worker] = gateway.open(), gateway.workers()
    place(gateway, fake_binary, b" obliges")
    before = ask(gateway)
    wait_for("the upgrade check", lambda: upgrade_checks(gateway))
    own.chmod(0o644)
    assert "Permission denied" in outcome(gateway, before)["message"]
    assert [manager.hear_of("STATUS")["STATUS"] for _ in range(3)][1:] == [
        "upgrading", "1 workers serve"]
    echoes(*held)
    end(*held)
    gateway.record()
    os.kill(worker.pid, signal.SIGKILL)
    wait_for("another", lambda: pids(gateway) not in ([], [worker.pid]))
    end(*gateway.open())
    [other] = gateway.workers()
    wait_for("its descriptors to be what another's were",
             lambda: other.descriptors() == gateway.base[worker.pid])
    with open(f"/proc/{other.pid}/environ", "rb") as file:
        text = file.read()
    assert b"NOTIFY_SOCKET" not in text and b"SOCKS4D_HANDOVER" not in text
    own.chmod(0o755)
    upgraded(gateway)
    manager.socket.close()


def family(gateway):
    return [gateway.process.pid, *children(gateway.process.pid)]


def test_one_that_hangs_is_killed_and_workers_that_do_not_come_are_awaited(
        run, fake_binary, tmp_path):
    """Two gateways at once, since it takes its time: the first one's binary
    hangs that is checked; the other one's workers do not begin afterwards."""
    hung, flag = run(), tmp_path / "flag"
    # confined children would not get the variables
    no_workers = run(wrapper=("env", f"LD_PRELOAD={upgrades.no_workers(tmp_path)}",
                              f"NO_WORKERS={flag}"),
                     sandbox="off", listen=listening((1090, "other")))
    flag.touch()
    there = no_workers.open(at=(places.INSIDE, 1090))
    old = pids(no_workers)
    place(hung, fake_binary, b" hangs")
    place(no_workers)
    begun, before = time.monotonic(), ask(hung)
    no_workers.signal(signal.SIGUSR2)
    wait_for("the upgrade check", lambda: upgrade_checks(hung))
    hung.signal(signal.SIGUSR2)  # once more, after it
    rewrite(hung, rules=DENY_ALL)
    hung.signal(signal.SIGHUP)  # waits
    victim = pids(hung)[0]
    os.kill(victim, signal.SIGKILL)
    wait_for("another worker", lambda: victim not in pids(hung)
             and len(pids(hung)) == 2)
    place(hung, fake_binary, b" exits")
    early = events(hung, "reloaded", *upgrades.OUTCOMES)
    assert not early or time.monotonic() - begun > 4.5
    assert "within 4900 ms" in outcome(hung, before)["message"]
    assert time.monotonic() - begun > 4.5
    wait_for("the second", lambda: len(events(hung, "upgrade_failed")) == 2)
    wait_for("the reload", lambda: events(hung, "reloaded"))
    assert upgrade_checks(hung) == []

    wait_for("the line that says so", lambda: events(no_workers, "upgrade_overdue"))
    assert set(old) <= set(pids(no_workers))
    echoes(*there)
    end(*no_workers.open(at=(places.INSIDE, 1090)))
    wait_for("the other to end", lambda: no_workers.counters()["live"] == 1)
    rewrite(no_workers, listen=listening((1090, "other")), rules=DENY_ALL)
    no_workers.signal(signal.SIGHUP)
    flag.unlink()
    wait_for("the upgrade", lambda: events(no_workers, "upgraded"))
    wait_for("the reload", lambda: events(no_workers, "reloaded"))
    echoes(*there)
    end(*there)
    gone(no_workers, old)


def test_a_configuration_that_a_reload_would_refuse_refuses_it(run):
    gateway = run()
    old, config = pids(gateway), ids(gateway)
    place(gateway)
    rules = "[{action: alow, from: [any], to: [any]}]"
    for settings, said in (({"rules": rules}, "did you mean"),
                           ({"rules": ALLOW_ALL, "user": "games"}, "user: "),
                           ({"sandbox": "require", "user": "auto"},
                            "sandbox: ")):
        rewrite(gateway, **settings)
        why = failed(gateway)
        assert said in why and (rules in settings.values()
                                or "restart" in why), why
    os.unlink(gateway.config_path)
    os.mkfifo(gateway.config_path)
    assert "not a regular file" in failed(gateway)
    os.unlink(gateway.config_path)
    assert (pids(gateway), ids(gateway)) == (old, config)
    rewrite(gateway, sandbox=Gateway(gateway.lab, gateway.folder)
            .settings["sandbox"])
    upgraded(gateway)


def test_the_file_as_it_is_then_is_taken_over(run):
    gateway = run()
    held = gateway.open()
    rewrite(gateway, rules=DENY_ALL, listen=listening((1081, "other")))
    upgraded(gateway)
    wait_for("the reload", lambda: events(gateway, "reloaded"))
    assert list(sockets(gateway)) == [1081]
    client = gateway.client(at=(places.INSIDE, 1081))
    client.ask((places.SERVER, 80))
    client.refusal()
    echoes(*held)
    end(*held)


def test_the_command_line_counts_as_before(run):
    gateway = run("-l", "127.0.0.1:1090", "--socks4a")
    upgraded(gateway)
    reloaded(gateway, timeouts="{idle: 1h}", listen=listening((1081, "other")))
    assert list(sockets(gateway)) == [1090]
    gateway.stop()
    gateway.process = None


# Signals


def test_hup_and_usr2_at_once_both_come_about(run):
    gateway = run()
    Process(gateway.process.pid).freeze()
    rewrite(gateway, timeouts="{idle: 1h}")
    for number in (signal.SIGUSR2, signal.SIGHUP, signal.SIGUSR1):
        gateway.signal(number)
    Process(gateway.process.pid).thaw()
    wait_for("both", lambda: events(gateway, "reloaded")
             and events(gateway, "upgraded"))
    wait_for("figures", lambda: events(gateway, "total"))
    end(*gateway.open())


def test_term_during_a_trial_wins(run, fake_binary):
    gateway = run()
    place(gateway, fake_binary, b" hangs")
    ask(gateway)
    wait_for("the upgrade check", lambda: upgrade_checks(gateway))
    [pid] = upgrade_checks(gateway)
    begun = time.monotonic()
    assert gateway.stop() == 0
    assert time.monotonic() - begun < 4.5  # before it would be given up
    wait_for("its end", Process(pid).has_ended)
    assert not events(gateway, *upgrades.OUTCOMES)


def test_term_at_any_moment_ends_it(run):
    """Before the new binary runs, while it takes over, and after it."""
    for at_ms in range(0, 24, 2):
        gateway = run(listen=listening((1100 + at_ms, "inside")))
        place(gateway)
        ask(gateway)
        time.sleep(at_ms / 1000)
        assert gateway.stop() == 0
        assert events(gateway, "ended"), at_ms
        assert {line["status"] for line in events(gateway, "worker_ended")} == {
            0}


def test_the_monitor_killed_right_after_it_lets_all_workers_drain(run):
    gateway = run()
    held = gateway.open()
    upgraded(gateway)
    new = gateway.open()
    workers = gateway.workers()
    os.kill(gateway.process.pid, signal.SIGKILL)
    gateway.process.wait(20)
    for session in (held, new):
        echoes(*session)
        end(*session)
    wait_for("all of them to end",
             lambda: all(worker.has_ended() for worker in workers))
    gateway.process = None


def test_a_variable_of_somebody_elses_is_an_error_with_a_remedy(lab, tmp_path):
    gateway = Gateway(lab, tmp_path)
    gateway.write_config()
    for value in ("", "0", "7", "word", "99999"):
        said = refused_start(lab.gateway, "env", f"SOCKS4D_HANDOVER={value}",
                             BINARY, "-c", str(gateway.config_path))
        assert "SOCKS4D_HANDOVER" in said and "unset it" in said


def mischief(gateway, fake_binary, dice):
    """Something an operator or an accident may do, at random."""
    signals = [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2]
    kind = dice.choice(["signal", "kill", "stop", "file", "binary"])
    if kind == "signal":
        gateway.signal(dice.choice(signals))
    elif kind == "stop":
        gateway.signal(signal.SIGSTOP)
        gateway.signal(signal.SIGCONT)
    elif kind == "file":
        rewrite(gateway, workers=dice.choice("123"))
    elif kind == "binary":
        place(gateway, *dice.choice([(), (fake_binary, b" exits")]))
    elif family(gateway)[1:]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(dice.choice(family(gateway)[1:]), signal.SIGKILL)
    time.sleep(dice.choice([0, 0.001, 0.01, 0.05]))


@pytest.mark.parametrize("seconds", [
    2, pytest.param(60, marks=pytest.mark.long)])
def test_whatever_happens_at_once_it_serves_on(run, lab, fake_binary, seconds):
    server = dns.Dns(lab.server, places.SERVER)
    server["www.example"] = dns.a(places.SERVER, ttl=0)
    named = listening((1080, "inside")).replace("name:", "socks4a: true, name:")
    gateway = run(listen=named, resolver='{servers: ["%s"]}' % server)
    gateway.keeps_records = False  # the writer is killed, too
    monitor, listener = Process(gateway.process.pid), lab.server.listen(
        places.SERVER)
    descriptors, dice = monitor.descriptors(), random.Random(seconds)
    end_at = time.monotonic() + seconds

    def enough():
        mischief(gateway, fake_binary, dice)
        assert gateway.process.poll() is None, gateway.stderr()
        return time.monotonic() > end_at and events(gateway, "upgraded")
    wait_for("an upgrade among them", enough, seconds + 60)
    rewrite(gateway, workers="2")
    place(gateway)
    before = len(events(gateway, "upgraded"))

    def one_more():
        gateway.signal(signal.SIGUSR2)
        time.sleep(0.2)
        return len(events(gateway, "upgraded")) > before
    wait_for("an upgrade", one_more)
    wait_for("four children", lambda: len(family(gateway)) == 5
             and monitor.descriptors() == descriptors)
    end(*gateway.open(listener))
    by_name(gateway, listener)
    print(f"{before} upgrades, {len(events(gateway, 'upgrade_failed'))} not")
    gateway.base = {}
    gateway.may_lose = gateway.counters()["lost"]
    server.close()


# The log, names, the service manager


def test_lines_before_a_stuck_log_come_in_their_order(run):
    """Who reads the log stands still, the old writer with it."""
    reader, writer = os.pipe()
    with open(writer, "wb", closefd=False) as file:
        gateway = run(stderr=file, log="{target: stderr, format: json,"
                      " level: debug}")
    for _ in range(500):
        figures(gateway)
    old = pids(gateway)
    place(gateway)
    gateway.signal(signal.SIGUSR2)
    wait_for("new workers", lambda: set(pids(gateway)) - set(old))
    wait_for("new processes", lambda: len(writers(gateway)) == 2)
    for _ in range(20):
        figures(gateway)
    os.set_blocking(reader, False)
    text = b""

    def upgraded_line():
        nonlocal text
        with contextlib.suppress(BlockingIOError):
            text += os.read(reader, 1 << 20)
        return b'"event":"upgraded"' in text
    wait_for("the upgrade", upgraded_line)
    wait_for("one writer", lambda: upgraded_line()
             and len(writers(gateway)) == 1)
    gone(gateway, old)
    figures(gateway)
    wait_for("the last", lambda: upgraded_line()
             and text.count(b'"total"') >= 521 and text.endswith(b"\n"))
    lines = [json.loads(line) for line in text.splitlines()]
    times = [line["time"] for line in lines]
    assert times == sorted(times)
    assert not [line for line in lines if line["event"] == "dropped"]
    totals = [line for line in lines if line["event"] == "total"]
    assert len(totals) == 521
    os.close(writer)
    gateway.keeps_records = False
    assert gateway.stop() == 0
    os.close(reader)


def figures(gateway):
    """Asks for them, and waits until it has heard."""
    monitor = Process(gateway.process.pid)
    gateway.signal(signal.SIGUSR1)
    wait_for("it to hear", lambda: not int(monitor.status("ShdPnd"), 16)
             & 1 << signal.SIGUSR1 - 1)


def writers(gateway):
    return [pid for pid in children(gateway.process.pid)
            if "--logwriter" in Process(pid).command()]


def test_without_room_for_another_set_of_workers_the_old_one_serves(run):
    gateway = run(workers=128)
    there = gateway.open()
    upgraded(gateway)
    place(gateway)
    before = ask(gateway)
    assert "128 workers are to come" in outcome(gateway, before)["message"]
    end(*gateway.open())
    end(*there)
    wait_for("room", lambda: len(events(gateway, "worker_ended")) == 128)
    upgraded(gateway)


def test_a_syslogd_hears_every_line_of_both(lab, tmp_path):
    own = tmp_path / "socks4d"
    shutil.copy(BINARY, own)
    with own_dev(tmp_path):
        daemon = listen_as_syslogd()
        gateway = Heard(lab, tmp_path, lambda: take_from(daemon), binary=own,
                        log="{target: syslog, format: json, level: info}")
        gateway.start()
        there = gateway.open()
        end(*gateway.open())
        upgraded(gateway)
        end(*gateway.open())
        end(*there)
        wait_for("the records", lambda: len(gateway.records()) == 3)
        assert gateway.stop() == 0
        wait_for("the end", lambda: events(gateway, "ended"))
        daemon.close()


def test_lines_that_wait_for_syslogd_wait_on_in_the_next(run):
    """And can go elsewhere from there, by its own writer."""
    gateway = run(log_level="warning", log="{target: syslog, format: json}")
    old = pids(gateway)
    place(gateway)
    gateway.signal(signal.SIGUSR2)
    wait_for("new workers", lambda: len(pids(gateway)) == 2
             and not set(pids(gateway)) & set(old))
    rewrite(gateway, log="{target: 'file:%s', format: json}"
            % gateway.log_path)
    gateway.signal(signal.SIGHUP)
    wait_for("it to go there", lambda: events(gateway, "reloaded"))
    assert len(writers(gateway)) == 1
    assert [line["event"] for line in gateway.lines()
            if line["event"] in ("listening", "ready", "upgraded")] == [
        "listening", "ready", "upgraded"]
    end(*gateway.open())
    gateway.record()


def test_names_are_resolved_all_the_time(run, lab):
    server = dns.Dns(lab.server, places.SERVER)
    server["www.example"] = dns.a(places.SERVER, ttl=0)
    named = listening((1080, "inside")).replace("name:", "socks4a: true, name:")
    gateway = run(listen=named, resolver='{servers: ["%s"]}' % server)
    listener = lab.server.listen(places.SERVER)
    by_name(gateway, listener)
    [old] = resolvers(gateway)
    half = gateway.client()
    half.send(b"\x04\x01")
    wait_for("its octets to be read", lambda: gateway.has_read(half))
    upgraded(gateway)
    wait_for("another resolver",
             lambda: resolvers(gateway) not in ([], [old])
             and len(resolvers(gateway)) == 1)
    half.requested = True
    half.send(listener.getsockname()[1].to_bytes(2, "big")
              + b"\0\0\0\1\0www.example\0")
    taken, _ = lab.server.accept(listener)
    assert half.reply().cd == 90
    taken.close()
    by_name(gateway, listener)
    assert not events(gateway, "resolver_hung", "worker_hung")
    server.close()


def test_sockets_from_systemd_and_its_watchdog_outlive_it(lab, tmp_path):
    manager = Manager(str(tmp_path / "notify"))
    sock = lab.gateway.listen(places.INSIDE, 1080)
    own = tmp_path / "socks4d"
    shutil.copy(BINARY, own)
    options = passing(sock)
    options["wrapper"] = (*manager.wrapper("WATCHDOG_USEC=400000"),
                          *options["wrapper"])
    gateway = Gateway(lab, tmp_path, binary=own).start(**options)
    assert manager.hear() == {"READY": "1", "STATUS": "2 workers serve"}
    count = len(family(gateway))
    upgraded(gateway)
    heard = [manager.hear_of("STATUS") for _ in range(2)]
    assert [one.get("RELOADING") for one in heard] == ["1", None]
    assert heard[0]["STATUS"] == "upgrading"
    assert heard[1] == {"READY": "1", "STATUS": "2 workers serve"}
    for _ in range(3):
        assert manager.hear_of("WATCHDOG")
    assert set(listening_inodes(gateway)) == {inode(sock)}
    upgraded(gateway)
    wait_for("the old ones to end", lambda: len(family(gateway)) == count)
    for pid in children(gateway.process.pid):
        with open(f"/proc/{pid}/environ", "rb") as file:
            assert b"NOTIFY_" not in (text := file.read())
            assert b"SOCKS4D_HANDOVER" not in text and b"WATCHDOG_" not in text
    end(*gateway.open())
    laws(gateway)
    manager.socket.close()
    sock.close()


def test_a_symbolic_link_may_lead_to_another_binary(start_gateway, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shutil.copy(BINARY, tmp_path / name / "socks4d")
    link = tmp_path / "now"
    link.symlink_to("one")
    gateway = start_gateway(binary=link / "socks4d")
    link.unlink()
    link.symlink_to("two")
    assert upgrades.upgrade(gateway)["event"] == "upgraded"
    assert os.path.samefile(f"/proc/{gateway.process.pid}/exe",
                            tmp_path / "two/socks4d")
