"""PROXY headers that are cut, forged or missing."""
import contextlib
import socket
import struct

import lab as places
from gateway import wait_for
from load import Plan
from row import Figure, Row
from socks4 import GRANTED, ending, receive_exactly, request

BALANCERS, ELSEWHERE = "10.71", "10.70"
CLAIMED = "10.72.0.7"  # which the rules let in
TO = (places.SERVER, 2100)

ONE = b"PROXY TCP4 %s %s 40123 1080\r\n" % (
    CLAIMED.encode(), places.INSIDE.encode())
TWO = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton(CLAIMED)
       + socket.inet_aton(places.INSIDE) + struct.pack("!HH", 40123, 1080))


class Headers(Row):
    """Half are a balancer's and cut at each octet, by a FIN and by a reset; a
    quarter is whole and from elsewhere; a quarter is missing."""

    name = "proxy-headers"
    fault = "PROXY header cut at every octet, forged from elsewhere"
    unit = "connections"
    full, short = 10000, 1000
    seconds = 180

    def measure(self, stage, count, short):
        gate = stage.start(
            listen="[{address: '%s:%d', name: inside, insecure_plaintext: true,"
                   " proxy_protocol: [%s.0.0/16]}]" % (
                       places.INSIDE, 1080, BALANCERS),
            rules="[{action: allow, command: [connect, bind],"
                  " from: [10.64.0.0/16, 10.72.0.0/16], to: [any]}]")
        gate.sums_known = False
        self.closed = 0
        servers = stage.serve([Plan("never", 1, 1)])
        with stage.honest(rate=100) as honest:
            self.put(stage, 0, count // 2)
            half = gate.memory()
            self.put(stage, count // 2, count)
            grown = gate.memory() - half
        whole = [self.served(stage, header) for header in (ONE, TWO)]
        counts = servers.settled()["never"]
        servers.end()
        wait_for("the records", lambda: sum(
            number for verdict, number in gate.verdicts().items()
            if verdict != "granted") >= count)
        verdicts = gate.verdicts()
        return [
            Figure("ended without a word", self.closed, "",
                   least=count - count // 4),
            Figure("cut: proxy-malformed, or gone", verdicts["proxy-malformed"]
                   + verdicts["client-gone"], "records", least=count // 2),
            Figure("forged: proxy-unexpected", verdicts["proxy-unexpected"],
                   "records", least=count // 4),
            Figure("missing: proxy-missing", verdicts["proxy-missing"],
                   "records", least=count // 4),
            Figure("reached a server", counts["sessions"] - sum(whole), "",
                   most=0),
            Figure("served with a whole one afterwards", sum(whole), "of 2",
                   least=2),
            Figure("memory grown in the second half", grown / 1024, "KiB",
                   most=1024),
            Figure("honest sessions exact", honest[-1].share(), "%",
                   least=100),
            Figure("their p99", honest[-1].setup["p99"], "ms"),
        ]

    def put(self, stage, begin, end):
        for number in range(begin, end):
            header = ONE if number % 8 < 4 else TWO
            if number % 2 == 0:
                cut = 1 + number // 8 % (len(header) - 1)
                self.send(stage, BALANCERS, number, header[:cut],
                          resets=number % 4 == 0)
            elif number % 4 == 1:
                self.send(stage, ELSEWHERE, number, header + request(TO))
            else:
                self.send(stage, BALANCERS, number, request(TO))

    def send(self, stage, network, number, octets, resets=False):
        with self.dial(stage, network, number) as sock:
            sock.sendall(octets)
            if resets:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                b"\1\0\0\0\0\0\0\0")
                return
            with contextlib.suppress(OSError):  # it is closed already
                sock.shutdown(socket.SHUT_WR)
            self.closed += ending(sock)[1] == b""

    def dial(self, stage, network, number):
        sock = stage.lab.client.socket()
        sock.bind((f"{network}.{number >> 8 & 255}.{number & 255 or 1}", 0))
        sock.connect(stage.gate.at)
        return sock

    def served(self, stage, header):
        """Whether a balancer's client gets its 90."""
        with self.dial(stage, BALANCERS, 1) as sock:
            sock.sendall(header + request(TO))
            return receive_exactly(sock, 8)[:2] == bytes([0, GRANTED])
