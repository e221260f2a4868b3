"""The resolver by itself: the test is its monitor and its workers."""
import collections
import ipaddress
import socket
import struct

import lab as places
from role import Role, kind

# struct channel_message, and what only an operator's has
CONTROL = struct.Struct("=IIQ16s16s112x")
QUERY = struct.Struct("=HHIQQB255s")  # struct lookup_query
ANSWER = struct.Struct("=QII128Q")  # struct lookup_answer
V4, V6, BOTH = 1, 2, 3  # enum lookup_family
ASK, CANCEL = 1, 2
FOUND, NO_SUCH_NAME, FAILED, OVERLOADED = 0, 1, 2, 3

# What some C library takes for an address.
NUMBERS = ["127.0.0.1", "127.0.0.1.", "127.1", "0x7f.1", "0X7F000001",
           "017700000001", "2130706433", "0177.0.0.1", "www.1"]
# What is no host name at all.
NO_NAMES = ["::1", "[::1]", "::ffff:127.0.0.1", ".", "a b", "a\\.b",
            "a\\046b", "a\nb", "a\0b", b"\xc3\xa4.example", b"\xff" * 255,
            "a/b", "a*", "x" * 64 + ".example", "a..b", ".a", "a.b..",
            ".".join(["x" * 63] * 4)]

Answer = collections.namedtuple("Answer", "id outcome addresses")


class Link:
    """What a worker has of it."""

    def __init__(self):
        self.sock, self.other = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(places.TIMEOUT)

    def ask(self, number, name, timeout_ms=5000, kind=ASK,
            source=1, families=V4):
        if isinstance(name, str):
            name = name.encode()
        self.sock.send(QUERY.pack(kind, families, timeout_ms, number, source,
                                  len(name), name))

    def cancel(self, number):
        self.sock.send(QUERY.pack(CANCEL, 0, 0, number, 0, 0, b""))

    def answer(self):
        number, outcome, count, *halves = ANSWER.unpack(
            self.sock.recv(65536))
        assert count <= 64 and not any(halves[2 * count:])
        addresses = [ipaddress.IPv6Address(high << 64 | low)
                     for high, low in zip(halves[::2], halves[1::2])]
        return Answer(number, outcome, [str(address.ipv4_mapped or address)
                                        for address in addresses[:count]])

    def is_read(self):
        """Returns when all that was sent has been read: a name that is none
        is answered at once, whatever else is waited for."""
        self.ask(1 << 50, "127.1")
        assert self.answer().id == 1 << 50

    def resolve(self, name, timeout_ms=5000, families=V4):
        """Asks, and waits: (outcome, addresses)."""
        self.ask(77, name, timeout_ms, families=families)
        answer = self.answer()
        assert answer.id == 77
        return answer.outcome, answer.addresses


class Resolver(Role):
    """`servers` as in the configuration; none: the system's."""

    def __init__(self, host, *servers, limit=None, environment=None):
        self.links = 0  # those that stand
        wrapper = ["prlimit", f"--nofile={limit}:{limit}"] if limit else []
        super().__init__(host, "resolver", *servers, wrapper=wrapper,
                         environment=environment)

    def hear(self):
        """(kind, arg)"""
        return CONTROL.unpack(self.control.recv(65536))[:2]

    def link(self, slot=0, serves=True):
        """The link of a worker in that slot, when it is served."""
        link = Link()
        message = CONTROL.pack(kind("LINK"), slot, 0, bytes(16), bytes(16))
        socket.send_fds(self.control, [message], [link.other.fileno()])
        link.other.close()
        if serves:
            self.links += 1
            assert link.resolve("127.1") == (FAILED, [])
        return link
