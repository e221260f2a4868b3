"""A SOCKS4 client that hides nothing: octets out, eight octets back."""
import collections
import ipaddress
import socket
import struct

GRANTED, REFUSED, NO_IDENTD, OTHER_USER = 90, 91, 92, 93
CONNECT, BIND = 1, 2

Reply = collections.namedtuple("Reply", "vn cd port address")


def request(to, userid=b"", cd=CONNECT, vn=4):
    """The octets of a request [V4-3.1-1]."""
    address, port = to
    return (struct.pack("!BBH", vn, cd, port)
            + ipaddress.IPv4Address(address).packed + userid + b"\0")


def request_by_name(name, port, userid=b"", cd=CONNECT, mark=1):
    """The octets of a SOCKS 4A request [4A-3.1-1]; any mark but 0 will do."""
    name = name.encode() if isinstance(name, str) else name
    return request((f"0.0.0.{mark}", port), userid, cd) + name + b"\0"


def parse_reply(octets):
    vn, cd, port, address = struct.unpack("!BBH4s", octets)
    return Reply(vn, cd, port, str(ipaddress.IPv4Address(address)))


def receive_exactly(sock, count):
    """That many octets, or fewer at the end of the stream."""
    got = b""
    while len(got) < count:
        piece = sock.recv(count - len(got))
        if not piece:
            break
        got += piece
    return got


def ending(sock):
    """How the stream ends from here: ("fin" or "reset", octets before)."""
    got = b""
    try:
        while piece := sock.recv(65536):
            got += piece
    except ConnectionResetError:
        return "reset", got
    return "fin", got


class Client:
    """A connection to the gateway, and what is due on it.

    The laws look at `requested` (a complete request went out), `replies`,
    `due` (a BIND that is let through gets a second one) and `gone` (the test
    itself broke the connection off)."""

    def __init__(self, sock):
        self.sock = sock
        self.requested = False
        self.replies = 0
        self.due = 1
        self.command = CONNECT
        self.gone = False

    def send(self, octets):
        self.sock.sendall(octets)

    def ask(self, to, userid=b"", cd=CONNECT, vn=4, behind=b""):
        """Sends a whole request, and what is to follow it at once."""
        self.requested = True
        self.command = cd
        self.send(request(to, userid, cd, vn) + behind)

    def ask_name(self, name, port, userid=b"", cd=CONNECT, mark=1, behind=b""):
        """The same by name: SOCKS 4A."""
        self.requested = True
        self.command = cd
        self.send(request_by_name(name, port, userid, cd, mark) + behind)

    def reply(self):
        """Reads exactly one reply [V4-3.3-1]."""
        octets = receive_exactly(self.sock, 8)
        assert len(octets) == 8, f"stream ended after {octets!r}"
        reply = parse_reply(octets)
        assert reply.vn == 0 and 90 <= reply.cd <= 93, reply
        self.replies += 1
        if self.command == BIND and reply.cd == GRANTED:
            self.due = 2
        return reply

    def refusal(self, code=REFUSED, close=True):
        """Reads a refusal and the orderly end behind it [V4-3.3-9]."""
        reply = self.reply()
        assert reply.cd == code, reply
        assert ending(self.sock) == ("fin", b"")
        if close:
            self.sock.close()
        return reply

    def closed_silently(self):
        """The end of the stream, and nothing before it."""
        assert ending(self.sock) == ("fin", b"")

    def shut(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        """Breaks it off with RST."""
        self.gone = True
        reset(self.sock)


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))
    sock.close()
