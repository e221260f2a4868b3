"""The control socket: who may talk to it, and what it says of the gateway."""
import grp
import os
import pathlib
import socket
import stat
import subprocess

import pytest

import lab as places
from control import (CTL, Control, ask, folder,  # noqa: F401
                     next_observer, observer, run, start)
from gateway import BINARY, ROOT, Gateway, wait_for
from mounts import mounted
from reloads import events, place, reload, reloaded
from starts import copied
from upgrades import upgraded

PASSRIGHTS = 83  # SO_PASSRIGHTS


@pytest.fixture
def own_run(real_root):
    """The folder where root's gateways have their socket, for one test."""
    made = pathlib.Path("/run/socks4d")
    was_there = made.exists()
    made.mkdir(exist_ok=True)
    with mounted(made, "-t", "tmpfs", "-o", "mode=0755", "none"):
        yield made
    if not was_there:
        made.rmdir()


def relaying(gateway):
    """The status, once one session relays: its reply comes before that."""
    status = ask(gateway.control, "status")
    return status if status["sessions"]["relay"] == 1 else None


@pytest.mark.feature
def test_status_says_how_the_gateway_does(start):
    gateway = start()
    client, server = gateway.open()
    status = wait_for("the session", lambda: relaying(gateway))
    assert status["workers"] == 2
    assert status["live"] == 1
    assert len(status["processes"]) == 2
    assert {row["pid"] for row in status["processes"]} == {
        worker.pid for worker in gateway.workers()}
    shown = run(gateway.control, "status")
    assert shown.returncode == 0 and status["config"] in shown.stdout
    client.sock.close()
    server.close()


def test_the_socket_is_for_root_and_the_gateways_user_alone(start):
    gateway = start()
    found = gateway.control.stat()
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert gateway.stop() == 0
    assert not gateway.control.exists()


def test_an_observer_that_was_killed_is_replaced(start):
    gateway = start()
    client, server = gateway.open()
    before = observer(gateway).pid
    os.kill(before, 9)
    next_observer(gateway, before)
    assert ask(gateway.control, "status")["live"] == 1
    client.sock.close()
    server.close()


def test_no_descriptor_comes_by_the_socket(start):
    """The observer would wait in close(2) for whatever is prepared in it."""
    gateway = start()
    with Control(gateway.control) as asking:
        try:  # the kernel's own default, which is on
            socket.socketpair()[0].getsockopt(socket.SOL_SOCKET, PASSRIGHTS)
        except OSError:
            pytest.skip("Linux 6.16: SO_PASSRIGHTS")
        assert asking.ask(command="status")["workers"] == 2
        with pytest.raises(PermissionError):
            socket.send_fds(asking.sock, [b"{}\n"], [0])
        assert asking.ask(command="status")["workers"] == 2


def test_a_file_that_a_dead_gateway_left_is_replaced(start, folder):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / "control"))
    gateway = start()
    assert ask(gateway.control, "status")["workers"] == 2


def test_so_is_one_of_another_user(start, folder, real_root):
    """Root without the right to every file asks as its owner."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / "control"))
    os.chown(folder / "control", 12345, 12345)
    os.chmod(folder / "control", 0o600)
    gateway = start()
    assert ask(gateway.control, "status")["workers"] == 2


def refused(lab, folder, environment=None, **settings):
    """What a gateway says that does not start."""
    made = Gateway(lab, folder, **settings)
    made.write_config()
    done = subprocess.run([BINARY, "-c", str(made.config_path)],
                          env=os.environ | (environment or {}),
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    return done.stderr


def test_a_socket_of_another_gateway_is_an_error(start, lab, folder):
    gateway = start()
    said = refused(lab, folder, listen="[{address: '127.0.0.1:1081'}]",
                   control=f"{{socket: '{gateway.control}'}}")
    assert "another gateway uses it" in said
    assert ask(gateway.control, "status")["workers"] == 2


def test_a_file_that_is_no_socket_is_left_alone(lab, folder):
    (folder / "control").write_text("mine")
    said = refused(lab, folder, listen="[{address: '127.0.0.1:1081'}]",
                   control=f"{{socket: '{folder}/control'}}")
    assert "not a socket" in said
    assert (folder / "control").read_text() == "mine"


@pytest.mark.parametrize("what", ["link", "file"])
def test_what_others_put_in_its_place_is_not_given_away(lab, folder, what):
    """They can write in its folder, and are fast."""
    swap, victim = folder / "swap.so", folder / "victim"
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", swap,
                    ROOT / "tests/support/swap_socket.c", "-ldl"], check=True,
                   timeout=60)
    victim.write_text("root's")
    victim.chmod(0o600)
    group = grp.getgrgid(os.getgid()).gr_name
    error = refused(lab, folder, sandbox="off", control=(
        f"{{socket: '{folder}/control', group: {group}}}"),
        listen="[{address: '127.0.0.1:1081'}]",
        environment={"LD_PRELOAD": swap, "SWAP": what, "VICTIM": victim})
    assert "somebody else has changed its folder" in error
    assert stat.S_IMODE(victim.stat().st_mode) == 0o600


def test_auto_goes_without_a_socket_that_another_gateway_uses(start_gateway,
                                                              own_run):
    first = start_gateway(control="{socket: auto}")
    assert ask(own_run / "control", "status")["workers"] == 2
    second = start_gateway(
        control="{socket: auto}",
        listen="[{address: '10.1.0.1:1081', name: other,"
               " insecure_plaintext: true}]")
    assert "another gateway uses it" in events(second, "control")[0]["message"]
    assert observer(second) is None
    assert run([], "status").returncode == 0
    assert not events(first, "control")


def test_lines_that_are_no_requests_are_refused(start):
    gateway = start()
    with Control(gateway.control) as raw:
        assert 'did you mean "status"' in raw.ask(command="statu")["error"]
        assert "not an object" in raw.ask(other="status")["error"]
        raw.sock.sendall(b"}{\n")
        assert "not JSON" in raw.line()["error"]
        raw.sock.sendall(b"a" * (1 << 20) + b"\n")
        assert "longer than 65536" in raw.line()["error"]
        assert raw.ask(command="status")["workers"] == 2


def test_socks4ctl_says_by_its_status_what_went_wrong(start, folder):
    gateway = start()
    assert run(gateway.control, "status").returncode == 0
    assert run(gateway.control, "statsu").returncode == 2
    assert run(gateway.control).returncode == 2
    missing = run(folder / "none", "status")
    assert missing.returncode == 3 and "is socks4d running" in missing.stderr
    other = run(folder, "status")
    assert other.returncode == 3 and f"{folder}: is not a socket" in other.stderr


@pytest.mark.parametrize("words", [["status"], ["limits"], ["config"], ["--help"],
                                   ["--json", "sessions"]])
def test_a_full_disk_is_told(start, words):
    gateway = start()
    with open("/dev/full", "w") as full:
        done = subprocess.run([CTL, "-s", gateway.control, *words], stdout=full,
                              stderr=subprocess.PIPE, text=True,
                              timeout=places.TIMEOUT, check=False)
    assert done.returncode == 1
    assert done.stderr == \
        "socks4ctl: standard output: No space left on device\n"


def test_a_reload_moves_the_socket(start, folder):
    gateway = start()
    before = observer(gateway).pid
    reloaded(gateway, control=f"{{socket: '{folder}/other'}}")
    assert not gateway.control.exists()
    wait_for("the other", lambda: run(folder / "other",
                                      "status").returncode == 0)
    assert observer(gateway).pid == before
    off = {**gateway.settings, "control": "{socket: off}"}
    place(gateway, "".join(f"{key}: {value}\n" for key, value in off.items()))
    with Control(folder / "other") as asked:
        with gateway.frozen():  # so that the outcome takes its time
            asked.send(command="reload", wait=True)
            wait_for("the file to go", lambda: not os.listdir(folder))
            asked.sock.settimeout(1.2)
            with pytest.raises(TimeoutError):
                asked.line()
        asked.sock.settimeout(places.TIMEOUT)
        assert "is in force" in str(asked.line())
    wait_for("no observer", lambda: observer(gateway) is None)
    assert not (folder / "other").exists()
    ended = wait_for("its line", lambda: events(gateway, "observer_ended"))
    assert [line["level"] for line in ended] == ["info"]
    reloaded(gateway, control=f"{{socket: '{gateway.control}'}}")
    assert ask(gateway.control, "status")["workers"] == 2


OBSERVED = "{address: '127.0.0.1:%d', agent: '127.0.0.1:%d'}"


def test_a_reload_of_each_of_them_ends_what_the_old_one_let_in(
        start, folder, real_root):
    """The group, the page and the agent, each alone."""
    gateway = start(observe=OBSERVED % (9180, 9181))
    before = observer(gateway).pid
    listens = gateway.lab.gateway.listens
    with Control(gateway.control) as follower, Control(gateway.control) as idle:
        follower.ask(command="sessions", follow=True)
        idle.ask(command="status")
        made = gateway.control.stat()
        reloaded(gateway, control=f"{{socket: '{gateway.control}',"
                                  " group: games}")
        assert follower.line() is None and idle.line() is None
    found = gateway.control.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (
        0o660, grp.getgrnam("games").gr_gid)
    assert made.st_ino != found.st_ino
    assert os.listdir(folder) == ["control"]
    page = gateway.lab.gateway.connect(("127.0.0.1", 9180))
    page.sendall(b"GET /events HTTP/1.1\r\nHost: gw\r\n\r\n")
    assert page.recv(100).startswith(b"HTTP/1.1 200 ")
    reloaded(gateway, observe=OBSERVED % (9180, 9191))
    wait_for("the agent to move", lambda: listens(9191) and not listens(9181))
    assert listens(9180)
    reloaded(gateway, observe=OBSERVED % (9190, 9191))
    wait_for("the page to move", lambda: listens(9190) and not listens(9180))
    wait_for("its end", lambda: page.recv(1 << 16) == b"")
    page.close()
    assert ask(gateway.control, "status")["workers"] == 2
    assert observer(gateway).pid == before


def test_a_reload_that_fails_leaves_the_socket(start, folder):
    gateway = start()
    (folder / "file").write_text("mine")
    for path, why in (("file", "not a socket"), ("none/control", "create it")):
        line = reload(gateway, control=f"{{socket: '{folder}/{path}'}}")
        assert line["event"] == "reload_failed" and why in line["message"]
    line = reload(gateway, control=f"{{socket: '{gateway.control}',"
                  " group: no-such-group}")
    assert "groupadd" in line["message"]
    assert ask(gateway.control, "status")["workers"] == 2
    assert sorted(os.listdir(folder)) == ["control", "file"]


def test_the_socket_outlives_an_upgrade(start, open_folder):
    gateway = start(binary=copied(BINARY, open_folder))
    before = observer(gateway).pid, gateway.control.stat().st_ino
    upgraded(gateway)
    wait_for("the old one to end",
             lambda: len(gateway.of_role("observer")) == 1)
    assert observer(gateway).pid != before[0]
    assert gateway.control.stat().st_ino == before[1]
    wait_for("the old workers to be told", lambda: ask(
        gateway.control, "status")["workers"] == 2)
    assert gateway.stop() == 0
    assert not gateway.control.exists()


def test_an_ordinary_user_has_a_socket_in_the_runtime_folder(
        lab, folder, open_folder, real_root):  # noqa: F811
    os.chown(folder, 54321, 54321)
    config = open_folder / "gw.yaml"
    config.write_text("listen: [{address: '127.0.0.1:1082'}]\n")
    as_user = {"user": 54321, "group": 54321, "extra_groups": [],
               "env": {**os.environ, "XDG_RUNTIME_DIR": str(folder)},
               "cwd": open_folder}
    gateway = lab.gateway.popen([copied(BINARY, open_folder), "-c", config],
                                stderr=subprocess.DEVNULL, **as_user)
    wait_for("the socket", (folder / "socks4d" / "control").exists)
    assert (folder / "socks4d").stat().st_mode & 0o777 == 0o700
    ctl = copied(CTL, open_folder)
    wait_for("an answer", lambda: subprocess.run(
        [ctl, "status"], stdout=subprocess.DEVNULL, timeout=60,
        **as_user).returncode == 0)
    gateway.terminate()
    assert gateway.wait(20) == 0
    assert not (folder / "socks4d" / "control").exists()
