"""socks4d passwd: makes, changes and removes entries of a users file."""
import os
import pty
import re
import subprocess

import pytest

from gateway import BINARY
from lab import TIMEOUT

HASH = r"\$y\$j9T\$[./0-9A-Za-z]+\$[./0-9A-Za-z]{43}"


def passwd(*arguments, said=b"secret\n", status=0):
    done = subprocess.run([BINARY, "passwd", *map(str, arguments)],
                          input=said, capture_output=True, timeout=TIMEOUT)
    assert done.returncode == status, done
    return (done.stdout + done.stderr).decode()


@pytest.fixture
def users(tmp_path):
    return tmp_path / "users"


def test_entries_are_made_changed_and_removed(users):
    """The other lines stay, and so do owner and mode; a new file is for its
    owner alone."""
    assert "chmod 640" in passwd(users, "ann")
    assert users.stat().st_mode & 0o777 == 0o600
    assert re.fullmatch(rf"ann:{HASH}\n", users.read_text())
    users.write_text("# first\nann:\nbob:*\nannabel:*\nann:x")
    users.chmod(0o640)
    assert "has another password" in passwd(users, "ann", said=b"other")
    assert re.fullmatch(rf"# first\nann:{HASH}\nbob:\*\nannabel:\*\n",
                        users.read_text())
    assert users.stat().st_mode & 0o777 == 0o640
    passwd("-D", users, "bob")
    assert "bob" not in users.read_text()
    before = users.read_bytes()
    assert 'no user "bob"' in passwd("-D", users, "bob", status=1)
    assert users.read_bytes() == before
    assert os.listdir(users.parent) == ["users"]


def test_a_link_leads_to_what_is_changed(users, tmp_path):
    passwd(users, "ann")
    link = tmp_path / "link"
    link.symlink_to(users)
    passwd(link, "bob")
    assert link.is_symlink() and "bob:" in users.read_text()


@pytest.mark.parametrize("arguments, said, status, why", [
    (["a:b"], b"x\n", 2, "colon"), ([""], b"x\n", 2, "missing"),
    (["#a"], b"x\n", 2, "#"), (["a\n"], b"x\n", 2, "control"),
    (["ann"], b"\n", 1, "empty"), (["ann"], b"", 1, "empty"),
    (["ann"], b"a\0b\n", 1, "NUL"), (["ann"], b"x" * 256, 1, "255"),
    (["ann", "bob"], b"x\n", 2, "usage"), (["-x", "ann"], b"x\n", 2, "-x"),
])
def test_what_is_odd_is_refused_and_nothing_is_made(users, arguments, said,
                                                    status, why):
    option, names = arguments[:-1], arguments[-1:]
    order = ([*option, users, *names] if option[:1] != ["ann"]
             else [users, *arguments])
    assert why in passwd(*order, said=said, status=status)
    assert not users.exists()


def test_a_terminal_is_asked_twice_and_shows_nothing(users):
    for answers, status in ((b"secret", b"secret"), 0), ((b"p4ss", b"w0rd"), 1):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(BINARY, [BINARY, "passwd", str(users), "ann"])
        shown = b""
        for prompt, answer in zip((b"Password: ", b"again: "), answers):
            while not shown.endswith(prompt):
                shown += os.read(terminal, 1024)
            os.write(terminal, answer + b"\n")
        try:
            while more := os.read(terminal, 1024):
                shown += more
        except OSError:  # the end of a terminal
            pass
        os.close(terminal)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == status
        assert not any(answer in shown for answer in answers), shown


def test_a_file_of_another_kind_has_a_hundred_errors(users):
    users.write_text("no colon\n" * 1000)
    config = users.with_name("gw.yaml")
    config.write_text("listen: [{address: '127.0.0.1:1080', socks5: true}]\n"
                      "auth: {users: users}\n"
                      "rules: [{action: allow, from: [loopback], to: [any],"
                      " auth: [password]}]\n")
    done = subprocess.run([BINARY, "-t", "-c", config], capture_output=True,
                          timeout=TIMEOUT)
    assert done.returncode == 1
    assert 50 < done.stderr.count(b"there is no colon") <= 101
