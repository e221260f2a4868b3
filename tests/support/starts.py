"""What tests of a start and of a whole session share."""
import pathlib
import shutil
import subprocess

from socks4 import ending


def refused_start(host, *command, pass_fds=()):
    """The one line on stderr of a start that is to fail."""
    with host.network.inside():
        done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=60,
                              capture_output=True, text=True,
                              pass_fds=pass_fds)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def copied(source, folder):
    """A copy in `folder` that every user can read and execute: the tree may
    lie where only its owner can reach it."""
    copy = pathlib.Path(shutil.copy(source, folder))
    copy.chmod(0o755)
    return copy


def serves(gateway, at=None):
    client, server = gateway.open(at=at)
    client.send(b"there")
    assert server.recv(5) == b"there"
    client.shut()
    assert ending(server) == ("fin", b"")
    server.close()
    assert ending(client.sock) == ("fin", b"")
