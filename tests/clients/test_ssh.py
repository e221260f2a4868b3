"""ssh, scp and sftp, through nc as their ProxyCommand."""
import subprocess

import pytest

import evidence
import lab as places
import programs
from gateway import wait_for
from servers import Tap
from streams import MB, piece

PORT = 22
CONFIG = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
Subsystem sftp internal-sftp
"""

# The machine's accounts are no part of the test: these are all there are.
PASSWD = """root:x:0:0::{folder}:/bin/sh
sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin
nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin
"""
SHADOW = "root:*:19000:0:99999:7:::\n"

START = """
mount --bind passwd /etc/passwd && mount --bind shadow /etc/shadow &&
mount -t tmpfs none /run && mkdir -m 755 /run/sshd &&
exec /usr/sbin/sshd -D -e -f sshd_config
"""


def make_key(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "",
                    "-f", path], check=True, timeout=places.TIMEOUT)
    return path.with_suffix(".pub").read_text()


@pytest.fixture
def server(real_root, lab, tmp_path):
    """An sshd with keys, accounts and a configuration of its own."""
    folder = tmp_path / "sshd"
    folder.mkdir()
    make_key(folder / "user_key")
    make_key(folder / "host_key")
    for name, text in [("sshd_config", CONFIG), ("passwd", PASSWD),
                       ("shadow", SHADOW)]:
        (folder / name).write_text(text.format(folder=folder, port=PORT))
    with open(folder / "log", "wb") as log:
        lab.server.popen(["unshare", "-m", "sh", "-c", START], cwd=folder,
                         stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                         preexec_fn=places.die_with_parent)
    wait_for("sshd", lambda: lab.server.listens(PORT))
    return folder


@pytest.fixture
def tap(lab, server):
    return Tap(lab.server, ("127.0.0.1", PORT))


@pytest.fixture
def options(tap, server, tmp_path):
    """For ssh, scp and sftp alike; only that one host key will do."""
    known = tmp_path / "known_hosts"
    known.write_text("[%s]:%d " % tap.address
                     + (server / "host_key.pub").read_text())
    settings = ["BatchMode=yes", f"Port={tap.address[1]}",
                f"UserKnownHostsFile={known}", "IdentitiesOnly=yes",
                "IdentityAgent=none", "StrictHostKeyChecking=yes",
                f"ProxyCommand={programs.ssh_proxy()}", "LogLevel=ERROR"]
    return ["-F", "none", "-i", server / "user_key",
            *(word for setting in settings for word in ("-o", setting))]


TARGET = f"root@{places.SERVER}"


# How ssh comes to the gateway: its ProxyCommand, and what runs it.
WAYS = {
    "nc": (programs.ssh_proxy(), []),
    "socks4": (programs.ssh_proxy(ours=True), []),
    "run": ("none", programs.run()),
}


@pytest.mark.parametrize("way", WAYS)
def test_ssh_carries_both_directions_and_the_exit_status(gateway, call, tap,
                                                         options, way):
    """[V4-1-2] [V4-1-3] [V4-1-6] The server speaks first, all is sealed."""
    proxy, wrapper = WAYS[way]  # of two settings the first counts
    done = call(*wrapper, "ssh", "-o", f"ProxyCommand={proxy}", *options,
                TARGET, "cat; exit 7", given=piece(0, 3 * MB))
    assert (done.returncode, done.stderr) == (7, b"")
    assert done.stdout == piece(0, 3 * MB)
    evidence.granted(gateway, tap)


@pytest.mark.parametrize("how", [[], ["-O"]], ids=["sftp", "rcp"])
def test_scp_brings_a_file_there_and_back(gateway, call, tap, options, server,
                                          tmp_path, how):
    """[V4-1-3] Over both protocols that scp speaks."""
    (tmp_path / "file").write_bytes(piece(0, 2 * MB))
    for files in [("file", f"{TARGET}:{server}/there"),
                  (f"{TARGET}:{server}/there", "back")]:
        done = call("scp", "-q", *how, *options, *files)
        assert (done.returncode, done.stderr) == (0, b"")
    assert (server / "there").read_bytes() == piece(0, 2 * MB)
    assert (tmp_path / "back").read_bytes() == piece(0, 2 * MB)
    assert tap.count == 2
    evidence.granted(gateway, tap)


def test_sftp_brings_a_file_there_and_back(gateway, call, tap, options, server,
                                           tmp_path):
    """[V4-1-3]"""
    (tmp_path / "file").write_bytes(piece(9, 2 * MB))
    done = call("sftp", "-q", *options, "-b", "-", TARGET, given=(
        f"put file {server}/there\nget {server}/there back\n").encode())
    assert (done.returncode, done.stderr) == (0, b"")
    assert (server / "there").read_bytes() == piece(9, 2 * MB)
    assert (tmp_path / "back").read_bytes() == piece(9, 2 * MB)
    evidence.granted(gateway, tap)
