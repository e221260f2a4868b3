"""A process of the gateway by itself: the test is its monitor."""
import os
import re
import socket
import struct
import subprocess

import lab as places
from gateway import BINARY, ROOT, SANDBOX, Process

# enum confine_mode.
MODES = ("try", "require", "off")


def kind(name):
    """Its number in channel.h, so that ours cannot lag behind."""
    text = ROOT.joinpath("gateway/channel.h").read_text()
    text = text[text.index("CHANNEL_READY"):]
    number = 0
    for found, given in re.findall(r"^(?: {4})?CHANNEL_(\w+)(?: = (\d+))?,",
                                   text, re.M):
        number = int(given) if given else number + 1
        if found == name:
            return number
    raise KeyError(name)


class Role:
    """`argv` is what comes behind the role's first arguments."""

    def __init__(self, host, name, *argv, wrapper=(), environment=None):
        self.control, theirs = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(places.TIMEOUT)
        theirs.setblocking(False)  # as channel_pair makes it
        taken = os.open("/dev/null", os.O_RDONLY)  # 3 is in use: dup2 may

        def place():
            places.die_with_parent()
            os.dup2(theirs.fileno(), 3)

        self.process = host.popen(
            [*wrapper, BINARY, f"--{name}", str(os.getuid()), str(os.getgid()),
             str(MODES.index(SANDBOX)), *map(str, argv)],
            pass_fds=(3,), preexec_fn=place, stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE, env={**os.environ, **(environment or {})})
        os.close(taken)
        theirs.close()
        assert struct.unpack_from("=I", self.control.recv(65536))[0] == \
            kind("READY")

    @property
    def at(self):
        return Process(self.process.pid)

    def stop(self):
        """The end of its control channel is its end: (status, stderr)."""
        self.control.close()
        _, stderr = self.process.communicate(timeout=places.TIMEOUT)
        return self.process.returncode, stderr.decode()
