#!/usr/bin/python3
"""ctypes_client.py LIBRARY GATEWAY PORT ADDRESS PORT WORD

The client of client.h from Python: the structures are the header's, the
socket is Python's.
"""
import ctypes
import ipaddress
import socket
import sys

SEND, REPLY, PEER, OPEN, REFUSED, FAILED = range(1, 7)


class Request(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint8), ("command", ctypes.c_uint8),
                ("dstport", ctypes.c_uint16), ("dstip", ctypes.c_uint32),
                ("userid", ctypes.c_char_p), ("userid_len", ctypes.c_size_t),
                ("domain", ctypes.c_char_p), ("domain_len", ctypes.c_size_t)]


class Reply(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint8), ("code", ctypes.c_uint8),
                ("dstport", ctypes.c_uint16), ("dstip", ctypes.c_uint32)]


class Client(ctypes.Structure):
    _fields_ = [("state", ctypes.c_uint8), ("command", ctypes.c_uint8),
                ("lenient", ctypes.c_uint8), ("code", ctypes.c_uint8),
                ("error", ctypes.c_int), ("forgave", ctypes.c_uint),
                ("reply", Reply), ("gateway_ip", ctypes.c_uint32),
                ("bound_ip", ctypes.c_uint32), ("bound_port", ctypes.c_uint16),
                ("private", ctypes.c_uint8 * 64)]


class Library:
    def __init__(self, path):
        self.c = ctypes.CDLL(path)
        for name in ("unsent", "wants", "take"):
            getattr(self.c, f"socks4_client_{name}").restype = ctypes.c_size_t
        for name in ("code", "error"):
            getattr(self.c, f"socks4_{name}_text").restype = ctypes.c_char_p

    def connect(self, gateway, address, port):
        """A connection through the gateway, or an exception."""
        request = Request(command=1, dstport=port,
                          dstip=int(ipaddress.IPv4Address(address)))
        client, room = Client(), ctypes.create_string_buffer(16)
        if self.c.socks4_client_start(ctypes.byref(client),
                                      ctypes.byref(request), room, 16):
            raise ValueError(self.error(client))
        sock = socket.create_connection(gateway, 10)
        self.send(sock, client)
        self.receive(sock, client)
        if client.state == OPEN:
            return sock
        sock.close()
        raise ConnectionError(self.error(client))

    def send(self, sock, client):
        octets = ctypes.c_void_p()
        count = self.c.socks4_client_unsent(ctypes.byref(client),
                                            ctypes.byref(octets))
        sock.sendall(ctypes.string_at(octets, count))
        self.c.socks4_client_sent(ctypes.byref(client), ctypes.c_size_t(count))

    def receive(self, sock, client):
        """Reads no octet behind the reply: those are the application's."""
        while wanted := self.c.socks4_client_wants(ctypes.byref(client)):
            got = sock.recv(wanted)
            if got:
                self.c.socks4_client_take(ctypes.byref(client), got,
                                          ctypes.c_size_t(len(got)))
            else:
                self.c.socks4_client_end(ctypes.byref(client))

    def error(self, client):
        text = self.c.socks4_code_text(client.code) \
            if client.state == REFUSED \
            else self.c.socks4_error_text(client.error)
        return text.decode()


def main():
    library, gateway, gateway_port, address, port, word = sys.argv[1:]
    try:
        sock = Library(library).connect((gateway, int(gateway_port)), address,
                                        int(port))
    except OSError as fault:
        sys.exit(f"ctypes: {fault}")
    with sock:
        sock.sendall(word.encode())
        sock.shutdown(socket.SHUT_WR)
        while got := sock.recv(4096):
            sys.stdout.buffer.write(got)


main()
