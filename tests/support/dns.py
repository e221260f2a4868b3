"""A DNS server of the tests' own, UDP and TCP: what it says to each name is
scripted, and what it was asked is counted.

    dns = Dns(lab.server, "10.2.0.2")
    dns["www.example"] = a("10.2.0.3", ttl=60)
    dns["mute.example"] = silent
    dns[".dead.example"] = silent  # all names below it

A script is called with the query and returns the octets to be sent, or None.
A name without one does not exist."""
import collections
import contextlib
import ipaddress
import itertools
import socket
import struct
import threading
import time

A, CNAME, AAAA = 1, 5, 28
NOERROR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 0, 2, 3, 4, 5
TRUNCATED = 0x0200

# name: lower case, without its final dot; asked: as it stood in the question
Query = collections.namedtuple("Query", "id name asked type tcp port")


# Octets

def labels(name):
    """A name on the wire."""
    return b"".join(bytes([len(label)]) + label.encode("latin1")
                    for label in name.split(".") if label) + b"\0"


def parse(octets, tcp, port):
    """The one question of a query, or None where it is none."""
    try:
        number, _, count = struct.unpack_from("!HHH", octets)
        at, found = 12, []
        while octets[at]:
            found.append(octets[at + 1:at + 1 + octets[at]].decode("latin1"))
            at += 1 + octets[at]
        kind, _ = struct.unpack_from("!HH", octets, at + 1)
    except (IndexError, struct.error):
        return None
    asked = ".".join(found)
    return Query(number, asked.lower(), asked, kind, tcp, port)


def reply(query, records=(), rcode=NOERROR, flags=0, number=None, name=None):
    """`records`: (owner, type, ttl, rdata)."""
    body = b"".join(
        labels(owner) + struct.pack("!HHIH", kind, 1, ttl, len(rdata)) + rdata
        for owner, kind, ttl, rdata in records)
    return (struct.pack("!HHHHHH", query.id if number is None else number,
                        0x8180 | flags | rcode, 1, len(records), 0, 0)
            + labels(query.asked if name is None else name)
            + struct.pack("!HH", query.type, 1) + body)


def address(owner, text, ttl=60):
    return owner, A, ttl, ipaddress.IPv4Address(text).packed


def alias(owner, target, ttl=60):
    return owner, CNAME, ttl, labels(target)


# Scripts

def a(*texts, ttl=60):
    return lambda query: reply(
        query, [address(query.asked, text, ttl) for text in texts])


def six(*texts, ttl=60):
    """IPv6 addresses, even if nobody asked for one."""
    return lambda query: reply(query, [(
        query.asked, AAAA, ttl, ipaddress.IPv6Address(text).packed)
        for text in texts])


def both(script, script6):
    """What it says to A, and to AAAA."""
    def either(query):
        return (script6 if query.type == AAAA else script)(query)
    if "later" in (script.__name__, script6.__name__):
        either.__name__ = "later"
    return either


def many(count, ttl=60):
    """10.9.0.0 and those after it, more than a datagram holds."""
    first = int(ipaddress.IPv4Address("10.9.0.0"))
    return truncated([ipaddress.IPv4Address(first + i) for i in range(count)],
                     ttl)


def truncated(texts, ttl=60):
    """Nothing but the word that there is more over TCP, then all of it."""
    def script(query):
        if not query.tcp:
            return reply(query, flags=TRUNCATED)
        return reply(query, [address(query.asked, text, ttl)
                             for text in texts])
    return script


def chain(length, text, ttl=60):
    """Through so many aliases, to an address of either family."""
    def script(query):
        names = [query.asked] + [f"a{i}.chain" for i in range(length)]
        return reply(query, [alias(owner, target, ttl) for owner, target
                             in zip(names, names[1:])]
                     + [(names[-1], AAAA if ":" in text else A, ttl,
                         ipaddress.ip_address(text).packed)])
    return script


def loop(query):
    """An alias of an alias of itself."""
    return reply(query, [alias(query.asked, "turn.example"),
                         alias("turn.example", query.asked)])


def code(number):
    return lambda query: reply(query, rcode=number)


def nodata(query):
    return reply(query)


def silent(query):
    del query


def slow(seconds, script):
    def later(query):
        time.sleep(seconds)
        return script(query)
    return later


def after(event, script):
    """Not before that, a threading.Event."""
    def later(query):
        event.wait(20)
        return script(query)
    return later


def turns(*scripts):
    """Another one each time, round and round."""
    rest = itertools.cycle(scripts)
    return lambda query: next(rest)(query)


def wrong_id(query):
    return reply(query, [address(query.asked, "10.2.0.66")],
                 number=query.id ^ 0x5555)


def wrong_question(query):
    return reply(query, [address("other.example", "10.2.0.66")],
                 name="other.example")


def garbage(query):
    return struct.pack("!H", query.id) + b"\xff" * 40


# The server

class Dns:
    def __init__(self, host, at, port=53):
        self.host = host
        self.scripts = {}
        self.queries = []
        family = socket.AF_INET6 if ":" in at else socket.AF_INET
        self.datagrams = host.socket(family, socket.SOCK_DGRAM)
        self.datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.datagrams.bind((at, port))
        self.datagrams.settimeout(None)
        self.at = (at, port)
        self.listener = host.listen(*self.at)
        self.listener.settimeout(None)
        self.threads = [threading.Thread(target=serve, daemon=True)
                        for serve in (self._serve_udp, self._serve_tcp)]
        for thread in self.threads:
            thread.start()

    def __setitem__(self, name, script):
        self.scripts[name] = script

    def __str__(self):
        return "%s:%d" % self.at

    def asked(self, name):
        """The queries for it so far."""
        return [query for query in self.queries if query.name == name]

    def close(self):
        """Nobody listens at its port any more. The sockets are closed when no
        thread waits for them, which could find others with their numbers."""
        with contextlib.suppress(OSError):
            self.datagrams.shutdown(socket.SHUT_RDWR)  # wakes who reads
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(60)
        self.datagrams.close()
        self.listener.close()

    def _script(self, octets, tcp, port):
        query = parse(octets, tcp, port)
        if query is None:
            return None, None
        self.queries.append(query)
        zone = query.name[query.name.find("."):]
        return query, self.scripts.get(
            query.name, self.scripts.get(zone, code(NXDOMAIN)))

    def _serve_udp(self):
        while True:
            try:
                octets, source = self.datagrams.recvfrom(65536)
            except OSError:
                return
            if source is None:  # closed
                return
            query, script = self._script(octets, False, source[1])
            if query is None:
                continue
            if getattr(script, "__name__", "") == "later":  # one that sleeps
                threading.Thread(target=self._answer, daemon=True,
                                 args=(query, script, source)).start()
            else:
                self._answer(query, script, source)

    def _answer(self, query, script, source):
        octets = script(query)
        if octets is not None:
            with contextlib.suppress(OSError):
                self.datagrams.sendto(octets, source)

    def _serve_tcp(self):
        while True:
            try:
                sock, source = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_stream, daemon=True,
                             args=(sock, source)).start()

    def _serve_stream(self, sock, source):
        with sock:
            sock.settimeout(60)
            with contextlib.suppress(OSError):
                while octets := self._read(sock):
                    query, script = self._script(octets, True, source[1])
                    answer = script(query) if query else None
                    if answer is not None:
                        sock.sendall(struct.pack("!H", len(answer)) + answer)

    @staticmethod
    def _read(sock):
        head = sock.recv(2, socket.MSG_WAITALL)
        if len(head) < 2:
            return b""
        return sock.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)
