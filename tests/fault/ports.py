"""Ports run out: those of BIND, and the gateway's own."""
import time

import bind
import lab as places
from descriptors import answers, at_rest
from gateway import wait_for
from load import Plan
from row import Figure, Row
from socks4 import BIND, GRANTED, receive_exactly, request

FIRST, PORTS, CAP = 40000, 100, 16


class BindRange(Row):
    name = "bind-range"
    fault = "BIND range exhausted by one client"
    unit = "BINDs of one client"
    full, short = 500, 200
    peers = ("dante", "hpsockd")

    def measure(self, stage, count, short):
        gate = stage.start(
            bind="{ports: %d-%d}" % (FIRST, FIRST + PORTS - 1),
            limits="{per_source: {rate: 1M, pending: 100k}}")
        servers = stage.serve([Plan("unused")])
        granted, refused = binds(stage, "10.70.0.1", count)
        other = [binds(stage, f"10.70.1.{number}", 1)[0]
                 for number in range(1, 11)]
        back_ms = self.leave(stage, granted + sum(other, []))
        figures = [
            Figure("of the one client granted", len(granted), most=CAP),
            Figure("refused", len(refused), least=count - CAP),
            Figure("others served", sum(map(bool, other)), "of 10",
                   least=10)]
        if gate.ours:
            figures += [Figure("ports back", back_ms, "ms", most=1000,
                               timing=True, loose=5000),
                        *self.exhaust(stage)]
        servers.end()
        return figures

    def leave(self, stage, socks):
        began = time.monotonic()
        for sock in socks:
            sock.close()
        if stage.gate.ours:
            wait_for("the ports", lambda: not listening(stage.lab.gateway))
        return 1000 * (time.monotonic() - began)

    def exhaust(self, stage):
        """Many clients take the whole range; then it comes back."""
        granted, refused = [], []
        for number in range(1, 11):
            more = binds(stage, f"10.70.2.{number}", CAP)
            granted += more[0]
            refused += more[1]
        back_ms = self.leave(stage, granted)
        again = binds(stage, "10.70.3.1", 1)[0]
        self.leave(stage, again)
        return [Figure("by ten clients granted", len(granted), least=PORTS),
                Figure("and refused", len(refused),
                       least=10 * CAP - PORTS),
                Figure("all ports back", back_ms, "ms", most=1000,
                       timing=True, loose=5000),
                Figure("granted again", len(again), least=1)]


def binds(stage, source, count):
    """BINDs from one address: (those granted, those refused)."""
    socks = []
    for _ in range(count):
        sock = stage.lab.client.connect(stage.gate.at, (source, 0))
        sock.sendall(request(bind.CONTROL, cd=BIND))
        socks.append(sock)
    granted, refused = [], []
    for sock in answers(socks, 20 if stage.gate.ours else 2):
        octets = receive_exactly(sock, 8)
        (granted if octets[1:2] == bytes([GRANTED]) else refused).append(sock)
    for sock in socks:
        if sock not in granted:
            sock.close()
    return granted, refused


def listening(host):
    return any(FIRST <= local < FIRST + PORTS and state == 10
               for local, _, state in host.connections())


class EphemeralPorts(Row):
    name = "ephemeral-ports"
    fault = "ephemeral ports exhausted"
    unit = "requests without a port"
    full, short = 1000, 100

    HAS = 20  # ports of the gateway's

    def measure(self, stage, count, short):
        gate = stage.start(limits="{per_source: {rate: 1M, pending: 100k}}")
        stage.lab.gateway.write(
            "/proc/sys/net/ipv4/ip_local_port_range",
            f"61000 {61000 + self.HAS - 1}")
        plans = [Plan("held", 1, 1), Plan("honest", 1000, 1000)]
        servers = stage.serve(plans)
        held = stage.sessions(plans[:1], slots=self.HAS, count=self.HAS,
                              hold=True, targets=f"{places.SERVER}/1")
        held.opened()
        with stage.honest(plans=[Plan("elsewhere", 1000, 1000)]) as honest:
            refused = stage.sessions(
                plans[:1], slots=1, count=count, sources="10.70.0.1/50000",
                targets=f"{places.SERVER}/1").result()
        idle = at_rest(gate, 1, 2)
        stand = held.result(stop=True)
        stage.gate.told_of(stand)
        servers.end()
        return [
            Figure("refused", refused.count("refused"), least=count),
            Figure("91 after, p99", refused.refusal["p99"], "ms", most=10,
                   timing=True, loose=1000),
            Figure("counted as no-local-port",
                   gate.verdicts()["no-local-port"], least=count),
            Figure("processor time afterwards", idle, "%", most=2),
            Figure("held sessions exact", stand.exact, least=self.HAS),
            Figure("honest sessions to other servers exact",
                   honest[-1].share(), "%", least=100),
        ]
