"""The log file as root: whatever lies in its place, nothing else is written,
and the monitor never waits for it."""
import os
import signal

import pytest

from gateway import Gateway, wait_for
from socks4 import ending
from test_monitor import events, run_here


@pytest.fixture
def secret(tmp_path):
    """A file of root's that the gateway's user would like to append to."""
    path = tmp_path / "secret"
    path.write_text("root's own\n")
    return path


def link(path, secret):
    path.symlink_to(secret)


def link_to_a_folder(path, secret):
    path.parent.rename(path.parent.with_name("elsewhere"))
    path.parent.symlink_to(path.parent.with_name("elsewhere"))


def second_name(path, secret):
    path.hardlink_to(secret)


def pipe(path, secret):
    os.mkfifo(path)


def folder(path, secret):
    path.mkdir()


TRAPS = {link: "link", link_to_a_folder: "link", second_name: "second name",
         pipe: "not a regular file", folder: "not a regular file"}
each_trap = pytest.mark.parametrize("trap", TRAPS,
                                    ids=lambda trap: trap.__name__)


@each_trap
def test_a_start_says_what_is_wrong_with_the_log_file(lab, tmp_path, secret,
                                                      trap):
    path = tmp_path / "log" / "file"
    path.parent.mkdir()
    trap(path, secret)
    config = tmp_path / "gateway.yaml"
    config.write_text(f'log: {{target: "file:{path}"}}\n')
    status, said = run_here(lab.gateway, "-c", str(config))
    assert status == 1
    assert str(path) in said and TRAPS[trap] in said
    assert secret.read_text() == "root's own\n"


@each_trap
def test_a_log_file_that_was_replaced_is_left_alone(gateway, secret, trap):
    path = gateway.log_path
    if trap == link_to_a_folder:
        gateway.log_path = path.parent.with_name("elsewhere") / path.name
    else:
        gateway.log_path = path.rename(path.with_name("old"))
    trap(path, secret)
    gateway.signal(signal.SIGHUP)
    line = wait_for("the outcome", lambda: [
        line for line in events(gateway, "reopened")
        if line["level"] == "error"])[-1]
    assert line["file"] == str(path)
    assert TRAPS[trap] in line["message"]
    client, server = gateway.open()  # it goes on, and writes to the old one
    client.shut()
    server.close()
    assert ending(client.sock) == ("fin", b"")
    wait_for("the record", lambda: events(gateway, "session"))
    assert secret.read_text() == "root's own\n"


@pytest.mark.parametrize("mode, told", [
    (0o644, "permission denied to root and to the gateway's user"),
    (0o666, "belongs to neither root nor the gateway's user")],
    ids=["readable", "writable"])
def test_a_file_of_another_user_is_not_written(real_root, lab, tmp_path, mode,
                                               told):
    path = tmp_path / "file"
    path.write_text("")
    path.chmod(mode)
    os.chown(path, 12345, 12345)
    config = tmp_path / "gateway.yaml"
    config.write_text(f'log: {{target: "file:{path}"}}\n')
    status, said = run_here(lab.gateway, "-c", str(config))
    assert status == 1
    assert told in said and "(chown)" in said
    assert path.read_text() == ""


# A folder of the gateway's user, which root alone may not write


@pytest.fixture
def own_folder(real_root, open_folder):
    folder = open_folder / "logs"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12346)
    return folder


def test_a_folder_of_the_gateways_user_takes_the_log(lab, own_folder):
    path = own_folder / "log"
    gateway = Gateway(lab, own_folder.parent, user="12345",
                      log=f'{{target: "file:{path}", format: json}}')
    gateway.log_path = path
    gateway.start()
    old = path.rename(own_folder / "old")
    gateway.signal(signal.SIGUSR1)
    wait_for("the new file", lambda: path.exists()
             and events(gateway, "reopened"))
    for file in old, path:
        found = file.stat()
        assert (found.st_uid, found.st_mode & 0o777) == (12345, 0o640)
    monitor = os.stat(f"/proc/{gateway.process.pid}/maps")
    assert monitor.st_uid == 0
    client, server = gateway.open()
    client.shut()
    server.close()
    assert ending(client.sock) == ("fin", b"")
    assert gateway.stop() == 0


@each_trap
def test_that_user_leads_the_monitor_to_no_other_file(lab, own_folder, secret,
                                                      trap):
    path = own_folder / "log" / "file"
    path.parent.mkdir(mode=0o700)
    trap(path, secret)
    os.chown(path.parent, 12345, 12346, follow_symlinks=False)
    config = own_folder.parent / "gateway.yaml"
    config.write_text(f"user: '12345'\nlog: {{target: \"file:{path}\"}}\n")
    status, said = run_here(lab.gateway, "-c", str(config))
    assert status == 1
    assert str(path) in said
    assert secret.read_text() == "root's own\n"


def test_a_file_of_roots_in_that_folder_names_the_remedy(lab, own_folder):
    path = own_folder / "log"
    path.write_text("")
    path.chmod(0o640)
    config = own_folder.parent / "gateway.yaml"
    config.write_text(f"user: '12345'\nlog: {{target: \"file:{path}\"}}\n")
    status, said = run_here(lab.gateway, "-c", str(config))
    assert status == 1
    assert "permission denied to root and to the gateway's user" in said
    assert "(chown)" in said
