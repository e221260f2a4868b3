"""A gateway's control socket, and socks4ctl."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

import pytest

import lab as places
from gateway import BINARY, wait_for

CTL = os.environ.get("SOCKS4CTL",
                     str(pathlib.Path(BINARY).parents[1] / "tools/socks4ctl"))


def short_folder():
    """The path of a socket has room for a hundred octets."""
    return pathlib.Path(tempfile.mkdtemp(prefix="s4-", dir="/tmp"))


@pytest.fixture
def folder():
    made = short_folder()
    os.chmod(made, 0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def start(start_gateway, folder):
    """Starts a gateway with a control socket, at gateway.control."""
    def begin(*arguments, group="none", name="control", **settings):
        path = folder / name
        gateway = start_gateway(
            *arguments, control=f"{{socket: '{path}', group: {group}}}",
            **settings)
        gateway.control = path
        return gateway
    return begin


def observer(gateway):
    return next(iter(gateway.of_role("observer")), None)


def next_observer(gateway, before):
    """The one that has come after that process."""
    return wait_for("the next observer", lambda: next(
        (one for one in gateway.of_role("observer") if one.pid != before),
        None))


def run(path, *arguments, tool=CTL, **options):
    """socks4ctl with that socket, or those: what it printed, and its status."""
    paths = [path] if isinstance(path, (str, pathlib.Path)) else path
    chosen = [word for each in paths for word in ("-s", str(each))]
    return subprocess.run([tool, *chosen, *map(str, arguments)],
                          capture_output=True, text=True,
                          timeout=places.TIMEOUT, **options)


def follow(path, *arguments):
    """It runs, and follows sessions: its output is lines of JSON."""
    process = subprocess.Popen(
        [CTL, "-s", str(path), "--json", "sessions", "--follow", *arguments],
        stdout=subprocess.PIPE, text=True)
    return process


def ask(path, *arguments):
    """What it prints as JSON; it must have gone well."""
    done = run(path, "--json", *arguments)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return json.loads(done.stdout)


class Control:
    """A raw connection to the socket."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(places.TIMEOUT)
        self.sock.connect(str(path))
        self.left = b""

    def send(self, **request):
        self.sock.sendall(json.dumps(request).encode() + b"\n")

    def line(self):
        """The next one, or None at the end."""
        while b"\n" not in self.left:
            try:
                got = self.sock.recv(65536)
            except ConnectionResetError:
                got = b""
            if not got:
                assert self.left == b""
                return None
            self.left += got
        line, _, self.left = self.left.partition(b"\n")
        return json.loads(line)

    def ask(self, **request):
        self.send(**request)
        return self.line()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()
