"""Confinement, read off live processes; tried from inside by
tests/unit/confine.c."""
import os
import pathlib
import re
import signal
import subprocess

import pytest

import identd
import lab as places
from etc import own_etc, replace
from gateway import BINARY, Gateway, ROOT, children, wait_for
from identd import Identd
from inside import bounds_ports, landlock_abi
from reloads import failed, reload, reloaded
from socks4 import ending
from starts import copied, serves
from upgrades import upgraded

WITHOUT = str(ROOT / "tests/support/without")
UNSUPPORTED = [] if landlock_abi() else ["landlock"]  # by this kernel


def status(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    lines = dict(line.split(":", 1) for line in text.splitlines())
    return {key: value.split() for key, value in lines.items()}


def is_hidden(pid):
    """Not dumpable: what is below /proc/PID belongs to root."""
    return os.stat(f"/proc/{pid}/maps").st_uid == 0


def is_limited(pid, name):
    text = pathlib.Path(f"/proc/{pid}/limits").read_text()
    return re.search(rf"^{name}\s+0\s+0\s", text, re.M) is not None


def assert_confined(pid):
    wait_for("its filter", lambda: status(pid)["Seccomp"] == ["2"])
    shown = status(pid)
    assert shown["NoNewPrivs"] == ["1"]
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(shown[kind][0], 16) == 0, kind
    assert is_hidden(pid)
    assert is_limited(pid, "Max core file size")
    assert is_limited(pid, "Max processes")


def sandbox_lines(gateway):
    return [line for line in gateway.lines() if line["event"] == "sandbox"]


def missing(gateway):
    """The layers that it does without; in a namespace of an ordinary user the
    change of user is one, on a line of its own."""
    return [layer for line in sandbox_lines(gateway)
            for layer in line["missing"].split()]


@pytest.mark.parametrize("sandbox", ["try", "require"])
def test_every_child_is_confined(start_gateway, sandbox):
    gateway = start_gateway(sandbox=sandbox)
    pids = children(gateway.process.pid)
    assert len(pids) == 3
    for pid in pids:
        assert_confined(pid)
    for worker in gateway.workers():
        assert is_limited(worker.pid, "Max file size")
    serves(gateway)


@pytest.mark.parametrize("sandbox", ["try", "require"])
def test_a_confined_child_has_an_empty_environment(start_gateway, sandbox):
    """Whatever the gateway was started with."""
    gateway = start_gateway(sandbox=sandbox, wrapper=("env", "SECRET=x"))
    pids = children(gateway.process.pid)
    assert len(pids) == 3
    for pid in pids:
        with open(f"/proc/{pid}/environ", "rb") as file:
            assert file.read() == b""


def test_started_as_root_nothing_is_missing(start_gateway, real_root):
    gateway = start_gateway(
        sandbox="require", wrapper=("setpriv", "--groups", "4,20,27", "--"))
    for pid in children(gateway.process.pid):
        shown = status(pid)
        assert int(shown["CapBnd"][0], 16) == 0
        assert shown["Groups"] == []
        assert "0" not in shown["Uid"] + shown["Gid"]
    assert missing(gateway) == UNSUPPORTED


def test_a_child_that_is_started_again_is_confined_as_well(start_gateway):
    gateway = start_gateway(workers="1", sandbox="require")
    before = children(gateway.process.pid)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for("a new worker", lambda: len(
        [line for line in gateway.lines()
         if line["event"] == "worker_ended"]) == 1
        and gateway.counters()["workers"] == 1)
    after = wait_for("both children", lambda: len(
        children(gateway.process.pid)) == 2 and children(gateway.process.pid))
    assert not set(after) & set(before)
    for pid in after:
        assert_confined(pid)


def test_off_leaves_only_the_change_of_user(start_gateway, real_root):
    gateway = start_gateway(sandbox="off")
    for pid in children(gateway.process.pid):
        shown = status(pid)
        assert shown["Seccomp"] == ["0"]
        assert shown["NoNewPrivs"] == ["1"]
        assert "0" not in shown["Uid"]
    assert sandbox_lines(gateway) == []


@pytest.mark.parametrize("known", [False, True], ids=["nobody", "socks4d"])
def test_workers_share_a_user_only_where_there_is_no_other(
        real_root, start_gateway, tmp_path, known):
    """Whatever runs as nobody could kill them: the log says what to do."""
    with own_etc(tmp_path) as etc:
        others = [line for line in (etc / "passwd").read_text().splitlines()
                  if not line.startswith("socks4d:")]
        if known:
            others.append("socks4d:x:4711:4712::/:/usr/sbin/nologin")
        replace(etc / "passwd", "\n".join(others) + "\n")
        gateway = start_gateway()
        lines = [line for line in gateway.lines() if line["event"] == "user"]
        uids = {status(pid)["Uid"][0] for pid in children(gateway.process.pid)}
        if known:
            assert (lines, uids) == ([], {"4711"})
        else:
            [line] = lines
            assert line["level"] == "warning"
            assert "useradd --system" in line["message"]
            assert uids == {"65534"}
        serves(gateway)
        assert gateway.stop() == 0


# What the monitor keeps

KEPT = sum(1 << capability for capability in (
    0,     # CHOWN
    5,     # KILL
    6,     # SETGID
    7,     # SETUID
    10))   # NET_BIND_SERVICE


def capabilities(pid):
    shown = status(pid)
    return {kind: int(shown[kind][0], 16) for kind in
            ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}


@pytest.mark.parametrize("sandbox", ["try", "require"])
def test_the_monitor_keeps_five_capabilities(real_root, start_gateway,
                                             tmp_path, sandbox):
    """Also after an upgrade: the next binary is executed by the one that has
    given up the others, and so are its children."""
    gateway = start_gateway(binary=copied(BINARY, tmp_path), sandbox=sandbox)
    kept = {"CapInh": KEPT, "CapPrm": KEPT, "CapEff": KEPT, "CapBnd": 0,
            "CapAmb": 0}
    assert capabilities(gateway.process.pid) == kept
    before = set(children(gateway.process.pid))
    upgraded(gateway)
    assert capabilities(gateway.process.pid) == kept
    wait_for("the old ones to end",
             lambda: not before & set(children(gateway.process.pid)))
    for pid in children(gateway.process.pid):
        wait_for("its filter", lambda: status(pid)["Seccomp"] == ["2"])
        assert set(capabilities(pid).values()) == {0}
        assert "0" not in status(pid)["Uid"]
    assert set(missing(gateway)) == set(UNSUPPORTED)
    serves(gateway)


def test_a_monitor_without_cap_setpcap_keeps_no_more(real_root,
                                                     start_gateway):
    """The bounding set stays, and is what it was."""
    gateway = start_gateway(wrapper=(
        "setpriv", "--bounding-set=-setpcap", "--inh-caps=-all", "--"))
    shown = capabilities(gateway.process.pid)
    assert shown["CapPrm"] == shown["CapEff"] == KEPT
    assert shown["CapBnd"] != 0
    [line] = sandbox_lines(gateway)
    assert line["missing"].split() == ["bounding-set", *UNSUPPORTED]
    serves(gateway)


@pytest.mark.parametrize("settings", [{"sandbox": "off"}, {"user": "root"}],
                         ids=["off", "root"])
def test_the_monitor_keeps_every_capability_if_it_is_to(start_gateway,
                                                        settings):
    gateway = start_gateway(**settings)
    here, there = capabilities("self"), capabilities(gateway.process.pid)
    assert there["CapPrm"] == there["CapEff"] == here["CapPrm"]
    assert there["CapBnd"] == here["CapBnd"]


@pytest.mark.parametrize("member", [False, True], ids=["file", "set"])
def test_a_file_that_root_may_not_read_is_said_before_a_reload(
        real_root, start_gateway, member):
    gateway = start_gateway()
    secret = gateway.config_path
    if member:
        secret = gateway.folder / "networks"
        secret.write_text("10.1.0.0/16\n")
        reloaded(gateway, sets="{inside: ['file:networks']}",
                 rules="[{action: allow, from: [inside], to: [any]}]")
    os.chown(secret, 12345, 12345)
    secret.chmod(0o600)
    for arguments, expected in (("-t",), 0), (("-t", "--strict"), 1):
        done = subprocess.run([BINARY, *arguments, "-c", gateway.config_path],
                              capture_output=True, text=True)
        assert done.returncode == expected
        assert "warning: a reload will fail: " in done.stderr
        assert f"{secret}: " in done.stderr
    message = failed(gateway)
    assert f"{secret}: " in message and "chown the file to root" in message
    os.chown(secret, 0, 12345)
    done = subprocess.run([BINARY, "-t", "-c", gateway.config_path],
                          capture_output=True, text=True)
    assert done.returncode == 0 and "a reload will fail" not in done.stderr
    assert reload(gateway)["event"] == "unchanged"
    serves(gateway)


# Ports, where the kernel bounds TCP by them


def workers(gateway):
    return {worker.pid for worker in gateway.workers()}


def may_connect(*listeners):
    ports = ", ".join(str(one.getsockname()[1]) for one in listeners)
    return ("[{action: allow, from: [any], to: [any], command: [connect],"
            f" port: [{ports}]}}]")


def test_a_reload_that_needs_other_ports_replaces_the_workers(start_gateway,
                                                              lab):
    """Landlock takes nothing back. An old worker drains with its sessions,
    and serves them."""
    one, other = (lab.server.listen(places.SERVER) for _ in range(2))
    gateway = start_gateway(workers="2", rules=may_connect(one, other))
    first = workers(gateway)
    client, server = gateway.open(one)
    reloaded(gateway, rules=may_connect(one))
    assert workers(gateway) == first  # what they have is enough
    reloaded(gateway, rules=may_connect(one, other))
    assert workers(gateway) == first
    third = lab.server.listen(places.SERVER)
    line = reloaded(gateway, rules=may_connect(one, other, third))
    assert line["workers"] == 2
    assert len(workers(gateway) - first) == (2 if bounds_ports() else 0)
    for listener in one, other, third:
        new, its_server = gateway.open(listener)
        new.shut()
        its_server.close()
        assert ending(new.sock) == ("fin", b"")
    client.send(b"there")
    assert server.recv(5) == b"there"
    client.shut()
    server.close()
    assert ending(client.sock) == ("fin", b"")
    wait_for("the old ones to end", lambda: not bounds_ports()
             or not workers(gateway) & first)


def test_identd_is_asked_where_rules_name_ports(start_gateway, lab):
    """Its own port is one that no rule names."""
    listener = lab.server.listen(places.SERVER)
    rules = may_connect(listener).replace("{", "{ident: require, ")
    gateway = start_gateway(rules=rules)
    asked = Identd(lab.client, identd.user(b"me"), "0.0.0.0")
    client, server = gateway.open(listener, b"me")
    asked.asked()
    asked.close()
    client.shut()
    server.close()
    assert ending(client.sock) == ("fin", b"")


# What cannot be had


@pytest.mark.parametrize("sandbox", ["try", "require"])
def test_what_only_root_can_do_is_named_and_not_demanded(
        lab, open_folder, real_root, sandbox):
    binary = copied(BINARY, open_folder)
    os.chown(open_folder, 12345, 12346)
    gateway = Gateway(lab, open_folder, binary=binary, sandbox=sandbox)
    gateway.start(wrapper=("setpriv", "--reuid", "12345", "--regid",
                           "12346", "--groups", "4,20", "--"))
    [line] = sandbox_lines(gateway)
    assert line["level"] == "warning"
    assert line["missing"].split() == ["bounding-set", "groups", *UNSUPPORTED]
    for pid in children(gateway.process.pid):
        assert_confined(pid)
    serves(gateway)
    assert gateway.stop() == 0


def test_root_by_configuration_is_said_to_be_that(start_gateway, real_root):
    gateway = start_gateway(user="root")
    [line] = [line for line in sandbox_lines(gateway)
              if line["missing"].split() != UNSUPPORTED]
    assert line["missing"] == "user"
    assert "since the configuration says so" in line["message"]
    assert "user: auto" in line["message"]
    serves(gateway)


@pytest.mark.parametrize("sandbox", ["try", "require"])
def test_what_the_kernel_cannot_do_is_named_and_not_demanded(
        start_gateway, sandbox):
    gateway = start_gateway(sandbox=sandbox, wrapper=(
        WITHOUT, "landlock_create_ruleset=ENOSYS", "--"))
    assert "landlock" in missing(gateway)
    assert "seccomp" not in missing(gateway)
    serves(gateway)


def test_try_goes_on_without_a_layer_that_fails(start_gateway):
    gateway = start_gateway(sandbox="try", wrapper=(
        WITHOUT, "landlock_restrict_self=E2BIG", "--"))
    assert "landlock" in missing(gateway)
    serves(gateway)


@pytest.mark.parametrize("target", ["stderr", "file"])
def test_require_does_not_start_without_a_layer_that_fails(
        lab, tmp_path, target):
    """Not a worker is tried again: it ends, and says why and what to do."""
    if UNSUPPORTED:
        pytest.skip("needs landlock")
    log = f"file:{tmp_path}/log" if target == "file" else target
    gateway = Gateway(lab, tmp_path, sandbox="require",
                      log=f'{{target: "{log}"}}')
    gateway.write_config()
    with lab.gateway.network.inside():
        done = subprocess.run(
            [WITHOUT, "landlock_restrict_self=E2BIG", "--", BINARY, "-c",
             str(gateway.config_path)], stdin=subprocess.DEVNULL, timeout=60,
            capture_output=True, text=True)
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines()
            if line.startswith("socks4d: ")]
    assert len(said) == 1, done.stderr
    assert "landlock: Argument list too long" in said[0]
    assert "sandbox: try" in said[0]
    assert "event=ready" not in done.stderr + gateway.log()
    assert not lab.gateway.listens(1080)
