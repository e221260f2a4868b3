"""A SOCKS5 client that hides nothing (RFC 1928)."""
import collections
import ipaddress
import struct

from socks4 import receive_exactly

SUCCEEDED, FAILURE, NOT_ALLOWED, NO_NETWORK, NO_HOST, REFUSED, EXPIRED = range(7)
NO_COMMAND, NO_TYPE = 7, 8
CONNECT, BIND, UDP = 1, 2, 3
GREETING = b"\5\1\0"

Reply = collections.namedtuple("Reply", "code address port")


def packed(host):
    """ATYP and the address: of whatever is no address the name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode()
        return b"\3" + bytes([len(name)]) + name
    return (b"\1" if address.version == 4 else b"\4") + address.packed


def request(to, command=CONNECT):
    host, port = to[:2]
    return bytes([5, command, 0]) + packed(host) + struct.pack("!H", port)


def greet(sock, methods=b"\0"):
    """The method chosen."""
    sock.sendall(bytes([5, len(methods)]) + methods)
    version, method = receive_exactly(sock, 2)
    assert version == 5
    return method


def reply(sock):
    """Reads exactly one."""
    version, code, reserved, kind = receive_exactly(sock, 4)
    assert (version, reserved) == (5, 0) and kind in (1, 4)
    address = ipaddress.ip_address(receive_exactly(sock, 4 if kind == 1 else 16))
    port, = struct.unpack("!H", receive_exactly(sock, 2))
    return Reply(code, str(address), port)


def ask(sock, to, command=CONNECT):
    """A whole request, message by message: its reply."""
    assert greet(sock) == 0
    sock.sendall(request(to, command))
    return reply(sock)
