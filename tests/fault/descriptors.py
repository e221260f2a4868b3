"""No descriptor is left, and hundreds of clients wait."""
import select
import time

import lab as places
from load import Plan
from row import Figure, Row
from socks4 import request

LIMIT = 1000  # descriptors of each process
RELIEF = 20  # clients that leave


class Descriptors(Row):
    name = "descriptors"
    fault = "descriptors exhausted, 300 clients waiting"
    unit = "clients waiting"
    full, short = 300, 300
    seconds = 90

    def measure(self, stage, count, short):
        gate = stage.start(
            wrapper=["prlimit", f"--nofile={LIMIT}:{LIMIT}"], workers="1",
            limits="{per_source: {pending: 100k, rate: 1M, sessions: 100k}}")
        if gate.ours:
            gate.sums_known = False
        servers = stage.serve([Plan("held", first="client")])
        held, waiting = self.fill(stage, count)
        base, began = lines(gate), time.monotonic()
        idle_cpu = at_rest(gate, 2 if short else 10, 2)
        written = (lines(gate) - base) / (time.monotonic() - began)
        relief_ms = self.relieve(held, waiting)
        for sock in [*held, *waiting]:
            sock.close()
        servers.end()
        stage.notes.append(f"{len(held)} sessions stood with {LIMIT}"
                           " descriptors a process")
        return [
            Figure("waiting", len(waiting), "clients", least=count),
            Figure("processor time meanwhile", idle_cpu, "%", most=2),
            Figure("log lines a second", written, most=1),
            Figure("accepting again", relief_ms, "ms", most=200, timing=True,
                   loose=5000),
        ]

    def fill(self, stage, count):
        """Clients until so many get no answer: (those that did, the rest)."""
        held, waiting = [], []
        for batch in range(12):
            waiting += [ask(stage, batch, number) for number in range(100)]
            for seconds in (0.5, 2):  # some may only be slow to be let in
                answered = answers(waiting, seconds)
                held += answered
                waiting = [sock for sock in waiting if sock not in answered]
                if len(waiting) < count:
                    break
            else:
                break
        return held, waiting

    def relieve(self, held, waiting):
        """From clients that leave to the first that is let in, ms."""
        began = time.monotonic()
        for sock in held[:RELIEF]:
            sock.close()
        answered = answers(waiting, 20, first=True)
        return 1000 * (time.monotonic() - began) if answered else 20000


def ask(stage, batch, number, source=None):
    """A client that has sent its request; each from another address."""
    sock = stage.lab.client.socket()
    sock.bind((source or f"10.70.{batch}.{number + 1}", 0))
    sock.connect(stage.gate.at)
    sock.sendall(request((places.SERVER, 2100)))
    return sock


def answers(socks, seconds, first=False):
    """Those with an answer to read; within that long after the last."""
    poller, by_number, found = select.poll(), {}, []
    for sock in socks:
        poller.register(sock, select.POLLIN)
        by_number[sock.fileno()] = sock
    while by_number:
        ready = poller.poll(1000 * seconds)
        for number, _ in ready:
            poller.unregister(number)
            found.append(by_number.pop(number))
        if not ready or first:
            break
    return found


def busy(gate, seconds):
    """Processor time of the gateway meanwhile, percent of one processor."""
    began, cpu = time.monotonic(), gate.cpu()
    time.sleep(seconds)
    return 100 * (gate.cpu() - cpu) / (time.monotonic() - began)


def at_rest(gate, seconds, most, tries=5):
    """The same, once it is at most that: others may have kept the gateway
    from coming to rest before."""
    for _ in range(tries):
        share = busy(gate, seconds)
        if share <= most:
            break
    return share


def lines(gate):
    return len(gate.ledger.read().lines) if gate.ours else 0
