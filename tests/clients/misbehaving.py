"""A gateway that does as it is told, well or badly, on the lab's gateway."""
import contextlib
import socket
import struct
import time

import lab as places
from servers import start_thread
from socks4 import receive_exactly, reset

GRANTED, REJECTED = b"\0\x5a" + bytes(6), b"\0\x5b" + bytes(6)


def reply(code, to=("0.0.0.0", 0), version=0):
    """Eight octets."""
    return (struct.pack("!BBH", version, code, to[1])
            + socket.inet_aton(to[0]))


class Script:
    """Serves connections, each with the same steps: octets are said, a
    number is so many octets read, `drip(octets)`, `reset`, `hold`."""

    def __init__(self, host, *steps):
        self.host, self.steps = host, steps
        self.listener = host.listen(places.INSIDE)
        self.listener.settimeout(None)
        self.address = "%s:%d" % self.listener.getsockname()
        self.heard = []
        start_thread(self._accept)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                start_thread(self._serve, self.host.accept(self.listener)[0])

    def _serve(self, sock):
        with contextlib.suppress(OSError, ValueError):
            for step in self.steps:
                if isinstance(step, bytes):
                    sock.sendall(step)
                elif isinstance(step, int):
                    self.heard.append(receive_exactly(sock, step))
                else:
                    step(sock)
            sock.close()


def drip(octets):
    def step(sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in octets:
            sock.sendall(bytes([octet]))
            time.sleep(0.01)  # so that it is a segment of its own
    return step


def hold(sock):
    """Says nothing, until the client goes."""
    while sock.recv(65536):
        pass


__all__ = ["GRANTED", "REJECTED", "Script", "drip", "hold", "reply", "reset"]
