"""PROXY headers that are cut, forged or missing; nodes behind a balancer."""
import contextlib
import signal
import socket
import struct
import time

import lab as places
import parents
from gateway import wait_for
from reloads import events
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
                   " socks5: true, proxy_protocol: [%s.0.0/16]}]" % (
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


HAPROXY = """
defaults
    mode tcp
    retries 3
    option redispatch 1
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen socks
    bind {address}:{port}
    balance random
    default-server source {address} send-proxy-v2 check-send-proxy
    default-server check inter 200ms fall 1 rise 1
"""


CLOSED = """
table ip closed {
    chain arriving {
        type filter hook input priority 0;
        tcp dport %d tcp flags syn drop
    }
}
"""


class Balancer:
    """HAProxy on the clients' host, in front of these addresses; where a row
    has its gateway."""

    direct = False
    targets = None
    at = (places.CLIENT, 1090)

    def __init__(self, stage, nodes):
        config, log = stage.folder / "haproxy.cfg", stage.folder / "haproxy"
        config.write_text(HAPROXY.format(
            address=self.at[0], port=self.at[1]) + "".join(
                f"    server node-{port} {address}:{port}\n"
                for address, port in nodes))
        with open(log, "wb") as file:
            self.process = stage.lab.client.popen(
                ["haproxy", "-db", "-f", config], stdout=file, stderr=file,
                preexec_fn=places.die_with_parent)
        stage.programs.append(self)
        stage.gate = self
        wait_for("HAProxy", lambda: stage.lab.client.listens(self.at[1]))

    def kill(self):
        self.process.kill()
        self.process.wait(places.TIMEOUT)

    def told_of(self, result):
        pass

    def finish(self):
        return []


class Nodes(Row):
    """In turn each is drained and started again; then each is killed."""

    name = "balancer-nodes"
    fault = "a node of three dies behind the balancer, or is drained"
    unit = "drains, and as many deaths"
    full, short = 10, 1
    seconds = 300
    PLACES = [(places.INSIDE, port) for port in (1081, 1082, 1083)]

    def measure(self, stage, count, short):
        self.starts = 0
        nodes = [self.node(stage, at) for at in self.PLACES]
        Balancer(stage, self.PLACES)
        with stage.honest() as drained:
            for number in range(count):
                nodes[number % 3] = self.drain(stage, nodes[number % 3])
        with stage.honest(judged=False) as honest:
            standing = []
            for number in range(count):
                took, nodes[number % 3] = self.die(stage, nodes[number % 3])
                standing.append(took)
        result = honest[-1]
        lost = result.count() - result.exact
        return [
            Figure("sessions while nodes were drained", drained[-1].count()),
            Figure("of them exact", drained[-1].share(), "%", least=100),
            Figure("sessions while nodes died", result.count()),
            Figure("stood in the node that died", sum(standing), "",
                   least=count),
            Figure("sessions lost", lost),
            Figure("lost beside those", max(0, lost - sum(standing)), "",
                   most=0),
            Figure("never answered", result.count("late"), "", most=0),
        ]

    def node(self, stage, at):
        self.starts += 1
        return parents.another(stage, at, f"node-{self.starts}",
                               f', proxy_protocol: ["{places.CLIENT}"]')

    def is_used(self, stage, node):
        return parents.connections(
            stage, lambda local, _: local == node.at[1])

    def used(self, stage, node):
        """Waits until the balancer has come back to it."""
        wait_for("sessions in it", lambda: self.is_used(stage, node) > 5, 60)

    def drain(self, stage, node):
        self.used(stage, node)
        node.signal(signal.SIGTERM)
        wait_for("the drain", lambda: events(node, "draining"))
        if node.leave(60) != 0:
            stage.faults.append(f"{node.at}: it did not end in order")
        return self.node(stage, node.at)

    def die(self, stage, node):
        """Meanwhile no connection gets to it: what its kernel had accepted
        between the count and its end would be lost, and not counted."""
        self.used(stage, node)
        stage.lab.gateway.run(["nft", "-f", "-"], text=True,
                              input=CLOSED % node.at[1])
        standing = parents.die(stage, node,
                               lambda: self.is_used(stage, node))
        stage.lab.gateway.run(["nft", "delete", "table", "ip", "closed"])
        time.sleep(0.5)  # for the balancer to see that it is gone
        return standing, self.node(stage, node.at)
