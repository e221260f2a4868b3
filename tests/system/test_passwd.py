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


def test_a_byte_order_mark_is_no_part_of_a_name(users):
    users.write_bytes(b"\xef\xbb\xbfann:!\n")
    config = users.with_name("gw.yaml")
    config.write_text("listen: [{address: '127.0.0.1:1080', socks5: true}]\n"
                      "auth: {users: users}\n"
                      "rules: [{action: allow, from: [loopback], to: [any],"
                      " auth: [password]}]\n")
    done = subprocess.run([BINARY, "-t", "-c", config], capture_output=True,
                          timeout=TIMEOUT)
    assert done.returncode == 1
    assert b"users:1:1: a byte order mark; save" in done.stderr


# --- users that rules name ---------------------------------------------------

def warned(folder, listener, rule):
    """What -t warns of, without the files' places."""
    (folder / "users").write_text("ann:*\nanton:*\n")
    (folder / "users").chmod(0o600)
    (folder / "gw.yaml").write_text(
        f"listen: [{{address: 127.0.0.1:1080, {listener}}}]\n"
        "auth: {users: users}\n"
        "rules:\n"
        "  - {name: first, action: allow, from: [10.0.0.1], to: [any], auth: "
        "[password], version: [5]}\n"
        f"  - {{name: r, action: allow, from: [any], to: [any], {rule}}}\n")
    done = subprocess.run([BINARY, "-t", "-c", folder / "gw.yaml"],
                          capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 0, done
    return re.findall(r'gw.yaml:5:5: warning: rule "r" (.* for the user .*)',
                      done.stderr)


LACKS = (r'{} for the user "{}": only a password names a user to it, and '
         r"\S*/users has no such user; add it with `socks4d passwd', or "
         "correct the name")


@pytest.mark.parametrize("listener, rule, lacking", [
    ("socks5: true", "auth: [password], user: [ann, 'ant*', '*']", []),
    ("socks5: true", "auth: [password], user: [bob]", ["bob"]),
    ("socks5: true", "auth: [password], user: [ann, 'bo*', an, bob]",
     ["bo*", "an", "bob"]),
    ("socks5: true", "auth: [password], user: [Ann]", ["Ann"]),
    # A USERID may be anything.
    ("socks5: true", "user: [bob]", []),
    ("socks5: true", "auth: [none, password], user: [bob]", []),
    ("socks5: only", "auth: [none, password], user: [bob]", ["bob"]),
    ("socks5: only", "user: [bob]", ["bob"]),
    ("socks5: true", "version: [5], user: [bob]", ["bob"]),
    ("socks5: true", "version: [4, 5], user: [bob]", []),
    # A certificate of a balancer's client, too.
    ("socks5: only, proxy_protocol: [10.0.0.1], proxy_certificate: true",
     "user: [bob]", []),
])
def test_a_rule_for_a_user_who_has_no_password_is_warned_of(
        tmp_path, listener, rule, lacking):
    said = warned(tmp_path, listener, rule)
    alone = rule.count("user: [bob]") + rule.count("user: [Ann]")
    assert len(said) == len(lacking), said
    for line, user in zip(said, lacking):
        verb = "never matches" if alone else "does not match"
        assert re.fullmatch(LACKS.format(verb, re.escape(user)), line), line


def test_a_rule_for_a_user_whom_nothing_names_is_warned_of(tmp_path):
    """SOCKS5 has no user without a password or a certificate."""
    file = tmp_path / "gw.yaml"
    for user, warns in (("[ann]", True), ("['*']", False)):
        file.write_text(
            "listen: [{address: 127.0.0.1:1080, socks5: only}]\n"
            "rules: [{name: r, action: allow, from: [10.0.0.0/8], to: [any], "
            f"user: {user}}}]\n")
        done = subprocess.run([BINARY, "-t", "-c", file], capture_output=True,
                              text=True, timeout=TIMEOUT)
        assert done.returncode == 0
        assert ('rule "r" never matches: only SOCKS5 reaches it'
                in done.stderr) == warns, done.stderr
