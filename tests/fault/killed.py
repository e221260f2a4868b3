"""A worker is killed, again and again."""
import itertools
import os
import signal
import time

from descriptors import answers, ask
from gateway import Process, wait_for
from load import Plan
from reloads import events
from row import Figure, Row
from socks4 import GRANTED, receive_exactly

CAP = 16  # sessions of one source
WAITING = 20  # connections in the queue when a worker dies


class Killed(Row):
    name = "killed"
    fault = "worker killed, 50 times"
    unit = "workers killed"
    full, short = 50, 5

    def measure(self, stage, count, short):
        gate = stage.start(log_level="debug", limits=(
            "{per_source: {sessions: %d, rate: 1M}}" % CAP))
        gate.sums_known = False  # of one that ended with its worker
        servers = stage.serve([Plan("held", first="client")])
        greedy = Greedy(stage, "10.71.0.1")
        greedy.fill()
        with stage.honest(judged=False) as honest:
            rounds = [self.kill(stage, greedy, number)
                      for number in range(count)]
        greedy.leave()
        servers.end()
        gate.same_base()
        ended = events(gate, "worker_ended")
        gate.may_lose = sum(line["lost"] for line in ended)
        return self.figures(gate, count, rounds, greedy, honest[-1], ended)

    def kill(self, stage, greedy, number):
        """One of the workers, when all stand still and clients wait: how many
        of these were served, when the next worker was there in ms, and
        whether the source was charged as it should be."""
        gate = stage.gate
        pids = gate.pids()
        victim = Process(pids[number % len(pids)])
        ready = len(events(gate, "worker_ready"))
        with gate.frozen():
            waiting = [ask(stage, number, at) for at in range(WAITING)]
            began = time.monotonic()
            os.kill(victim.pid, signal.SIGKILL)
            wait_for("its end", victim.has_ended)
        wait_for("the next", lambda: len(events(gate, "worker_ready")) > ready)
        took_ms = 1000 * (time.monotonic() - began)
        served = sum(map(is_granted, answers(waiting, 20)))
        for sock in waiting:
            sock.close()
        return served, took_ms, greedy.fill() == CAP

    def figures(self, gate, count, rounds, greedy, honest, ended):
        served, took_ms, charged = zip(*rounds)
        seen = greedy.lost + honest.count() - honest.exact
        return [
            Figure("of those that waited served", sum(served), "connections",
                   least=WAITING * count),
            Figure("replaced after, at most", max(took_ms), "ms", most=1000,
                   timing=True, loose=10000),
            Figure("workers ended", len(ended), most=count),
            Figure("sessions they took along", gate.may_lose, least=1),
            Figure("sessions that ended beside those",
                   max(0, seen - gate.may_lose), most=0),
            Figure("honest sessions refused", honest.count("refused"),
                   most=0),
            Figure("foreign octets seen by", honest.count("foreign"),
                   "ends", most=0),
            Figure("never answered", honest.count("late"), most=0),
            Figure("charges given back", sum(charged), "times",
                   least=count),
        ]


class Greedy:
    """A source that always has as many sessions as it may."""

    def __init__(self, stage, source):
        self.stage, self.source = stage, source
        self.held = []
        self.lost = 0  # with their worker

    def fill(self):
        """Until one is not let in: how many stand, or more than it may."""
        gone = answers(self.held, 0)
        self.lost += len(gone)
        self.held = [sock for sock in self.held if sock not in gone]
        for _ in itertools.repeat(None, CAP + 1):
            sock = self.let_in()
            if not sock:
                break
            self.held.append(sock)
        return len(self.held)

    def let_in(self):
        """One more, or nothing: it is reset."""
        try:
            sock = ask(self.stage, 0, 0, self.source)
        except ConnectionError:
            return None
        return sock if is_granted(sock) else None

    def leave(self):
        for sock in self.held:
            sock.close()


def is_granted(sock):
    """Whether its reply is a 90: reads it."""
    try:
        return receive_exactly(sock, 8)[1:2] == bytes([GRANTED])
    except ConnectionError:
        return False
