"""What root's -t says of files that another user's gateway cannot read."""
import os
import re
import socket
import subprocess
import sys

import pytest

from certificates import Authority
from gateway import BINARY
from lab import TIMEOUT

UID, GID, MORE = 12345, 12345, 12347

# Serves on the control socket as that user, until its input ends.
SERVER = """
import os, socket, sys
path, groups = sys.argv[1], [int(word) for word in sys.argv[3:]]
os.setgroups(groups)
os.setgid({gid})
os.setuid({uid})
with socket.socket(socket.AF_UNIX) as served:
    served.bind(path)
    served.listen()
    print("serves", flush=True)
    sys.stdin.read()
"""


class Server:
    def __init__(self, path, uid=UID, groups=(), config=None):
        config = config or path.parent.parent / "gw.yaml"
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER.format(uid=uid, gid=uid and GID),
             path, config, *map(str, groups)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "serves\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate(timeout=TIMEOUT)


@pytest.fixture
def folder(real_root, open_folder):
    """A configuration whose files everybody can read."""
    (open_folder / "run").mkdir()
    os.chown(open_folder / "run", UID, GID)
    Authority(open_folder / "ca").issue("gw").place(open_folder)
    (open_folder / "ca").chmod(0o700)
    for name, text in (("users", "ann:*\n"), ("blocked", "10.0.0.1\n")):
        (open_folder / name).write_text(text)
    (open_folder / "gw.yaml").write_text(
        "listen: [{address: 127.0.0.1:1443, socks5: true, "
        "tls: {certificate: gw.pem, key: gw.key}}]\n"
        "sets: {blocked: ['file:blocked']}\n"
        "rules:\n"
        "  - {action: deny, from: [any], to: [blocked]}\n"
        "  - {action: allow, from: [private], to: [any], auth: [password]}\n"
        "auth: {users: users}\n"
        f"user: '{UID}'\n"
        f"control: {{socket: {open_folder}/run/control}}\n")
    for name in "gw.yaml", "gw.pem", "gw.key", "users", "blocked":
        os.chown(open_folder / name, 0, GID)
        (open_folder / name).chmod(0o640)
    return open_folder


def check(folder, strict=False):
    done = subprocess.run(
        [BINARY, "-t", *(["--strict"] if strict else []), "-c",
         folder / "gw.yaml"], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


FILES = ["gw.yaml", "gw.pem", "gw.key", "users", "blocked"]
WARNING = rf"socks4d: warning: the gateway that runs is of user {UID}, and its"


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_the_running_gateways_user_cannot_read(folder, name):
    named = "cannot be opened" if name == "gw.yaml" else name
    with Server(folder / "run/control"):
        assert check(folder, strict=True) == (0, "")
        (folder / name).chmod(0o600)
        status, said = check(folder)
        assert status == 0
        assert re.fullmatch(
            rf"{WARNING} reload and its next start will fail: "
            rf"\S*gw.yaml:.*{named}.*permission denied to this user; change the "
            r"group or mode of the file, and of its folders\n", said), said
        assert check(folder, strict=True)[0] == 1


def test_a_log_that_the_running_gateways_user_cannot_write(folder):
    with open(folder / "gw.yaml", "a") as config:
        config.write(f"log: {{target: 'file:{folder}/log'}}\n")
    with Server(folder / "run/control"):
        status, said = check(folder)
        assert status == 0
        assert re.match(rf"{WARNING} .*: log.target: cannot write {folder}/log: "
                        "permission denied", said), said
        (folder / "log").write_text("")
        os.chown(folder / "log", UID, GID)
        assert check(folder) == (0, "")


def test_groups_are_those_of_the_process(folder):
    """A unit may give it some (SupplementaryGroups=) that no file tells of."""
    os.chown(folder / "gw.key", 0, MORE)
    with Server(folder / "run/control"):
        assert "gw.key" in check(folder)[1]
    (folder / "run/control").unlink()
    with Server(folder / "run/control", groups=[MORE]):
        assert check(folder, strict=True) == (0, "")


def test_a_gateway_of_roots_reads_as_root(folder):
    (folder / "gw.key").chmod(0o600)
    with Server(folder / "run/control", uid=0):
        assert check(folder, strict=True) == (0, "")


def test_of_another_configuration_there_is_a_note(folder):
    """A draft, say: the gateway that runs does not read it."""
    with Server(folder / "run/control", config=folder / "users"):
        (folder / "gw.key").chmod(0o600)
        status, said = check(folder, strict=True)
        assert status == 0 and said.startswith("socks4d: note: "), said
        (folder / "gw.yaml").chmod(0o600)
        assert check(folder, strict=True) == (0, "")


def test_where_none_runs_there_is_a_note(folder):
    """Root can start it. Also where a socket was left behind."""
    (folder / "gw.key").chmod(0o600)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / "run/control"))
    status, said = check(folder, strict=True)
    assert status == 0
    assert re.fullmatch(
        rf"socks4d: note: root can start this, but a unit with User={UID} .*: "
        r"\S*gw.yaml:1:\d+: tls.key: \S*gw.key: permission denied to this "
        r"user; .*\n", said), said
    (folder / "gw.yaml").chmod(0o600)  # one that is not in its place yet
    assert check(folder, strict=True) == (0, "")


def test_a_log_that_neither_root_nor_its_gateway_can_write(folder):
    """As root with all its rights this process could."""
    logs = folder / "logs"
    logs.mkdir(mode=0o700)
    os.chown(logs, 54321, 54321)
    with open(folder / "gw.yaml", "a") as config:
        config.write(f"log: {{target: 'file:{logs}/log'}}\n")
    status, said = check(folder)
    assert status == 0
    assert re.match(rf"\S*gw.yaml: warning: log.target: this user cannot write "
                    f"{logs}/log: permission denied to root and to the "
                    "gateway's user", said), said
    assert check(folder, strict=True)[0] == 1
    os.chown(logs, UID, GID)
    assert check(folder, strict=True) == (0, "")
    (logs / "log").symlink_to(folder / "users")
    assert "a symbolic link is on its path" in check(folder)[1]
