"""--pid-file: the monitor's process id while it serves, and no other file is
touched."""
import os
import signal

import pytest

import lab as places
from gateway import BINARY, wait_for
from reloads import events
from starts import copied
from upgrades import upgraded


def written(path):
    return wait_for("the file", lambda: path.exists() and path.read_text())


@pytest.mark.feature
def test_the_process_id_is_in_the_file_while_it_serves(start_gateway, tmp_path,
                                                       open_folder):
    path = tmp_path / "pid"
    gateway = start_gateway("--pid-file", str(path),
                            binary=copied(BINARY, open_folder))
    assert written(path) == f"{gateway.process.pid}\n"
    assert path.stat().st_mode & 0o777 == 0o644 & ~umask()
    upgraded(gateway)
    assert path.read_text() == f"{gateway.process.pid}\n"
    gateway.signal(signal.SIGTERM)
    assert gateway.process.wait(places.TIMEOUT) == 0
    assert not path.exists()


def umask():
    old = os.umask(0)
    os.umask(old)
    return old


def test_what_a_killed_gateway_left_is_replaced(start_gateway, tmp_path):
    path = tmp_path / "pid"
    path.write_text("4194304\n")
    gateway = start_gateway("--pid-file", str(path))
    wait_for("the file", lambda: path.read_text() ==
             f"{gateway.process.pid}\n")


def test_a_file_that_is_another_one_by_now_is_left(start_gateway, tmp_path):
    path = tmp_path / "pid"
    gateway = start_gateway("--pid-file", str(path))
    written(path)
    path.rename(tmp_path / "moved")
    path.write_text("1\n")
    gateway.signal(signal.SIGTERM)
    assert gateway.process.wait(places.TIMEOUT) == 0
    assert path.read_text() == "1\n"


def link(path, other):
    path.symlink_to(other)


def link_to_a_folder(path, other):
    path.parent.rename(path.parent.with_name("elsewhere"))
    path.parent.symlink_to(path.parent.with_name("elsewhere"))


def second_name(path, other):
    path.hardlink_to(other)


def pipe(path, other):
    os.mkfifo(path)


def other_content(path, other):
    path.write_text("listen: []\n")


TRAPS = {link: "link", link_to_a_folder: "link", second_name: "second name",
         pipe: "not a regular file", other_content: "something else"}


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.__name__)
def test_nothing_else_is_written_to_and_it_serves(start_gateway, tmp_path,
                                                  trap):
    other = tmp_path / "other"
    other.write_text("17\n")
    path = tmp_path / "run" / "pid"
    path.parent.mkdir()
    trap(path, other)
    before = path.lstat() if path.is_symlink() or path.exists() else None
    gateway = start_gateway("--pid-file", str(path))
    [line] = wait_for("the line", lambda: events(gateway, "pid_file"))
    assert line["file"] == str(path) and line["level"] == "error"
    assert TRAPS[trap] in line["message"]
    client, server = gateway.open()
    client.shut()
    server.close()
    gateway.record()
    gateway.signal(signal.SIGTERM)
    assert gateway.process.wait(places.TIMEOUT) == 0
    assert other.read_text() == "17\n"
    if before:
        assert path.lstat().st_mtime_ns == before.st_mtime_ns
    if trap is other_content:
        assert path.read_text() == "listen: []\n"


def test_a_folder_of_the_gateways_user_takes_it(real_root, start_gateway,
                                                open_folder):
    """Root, without its right to ignore permissions, may not write there."""
    folder = open_folder / "run"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12346)
    path = folder / "pid"
    gateway = start_gateway("--pid-file", str(path), user="12345")
    assert written(path) == f"{gateway.process.pid}\n"
    assert path.stat().st_uid == 12345
    assert gateway.stop() == 0
    assert not path.exists()
