"""Others are asked, and answer badly or not at all: DNS servers, identd."""
import contextlib
import time

import dns
import identd
import lab as places
from dns import Dns, a
from gateway import wait_for
from identd import Identd
from load import Plan
from row import Figure, Row
from socks4 import (GRANTED, NO_IDENTD, OTHER_USER, REFUSED, ending,
                    receive_exactly, request, request_by_name)

OTHER = 2200  # a port that no load goes to
UNLIMITED = "{per_source: {pending: 100k, rate: 1M, sessions: 100k}}"


class Asked(Row):
    """A number of requests for each manner, all at once; beside them the
    honest load, whose answers hang on nobody, and sessions from before."""

    full, short = 200, 20
    seconds = 180

    def manner(self, stage, name):
        """In force while the block runs."""
        return contextlib.nullcontext()

    def measure(self, stage, count, short):
        self.timer = 2 if short else 3
        gate = self.begin(stage)
        plans = [Plan("held", 1000, 1000)]
        servers = stage.serve(plans)
        live = stage.sessions(plans, slots=500, count=500, hold=True,
                              rate=4000, sources="10.72.0.1/1000").opened()
        with stage.honest(slots=40) as calm:
            time.sleep(1 if short else 5)
        with stage.honest(slots=40) as honest:
            took = dict(self.put(stage, count))
        after = self.works_again(stage)
        result = live.result(stop=True)
        stage.hold_to(result, servers, "those from before")
        servers.end()
        gate.sums_known = False  # of who was served in the end
        return [
            *self.figures(took, count),
            *self.beside(calm[-1], honest[-1]),
            Figure("sessions from before exact", result.exact, "sessions",
                   least=500),
            Figure("right again afterwards", after, least=1),
        ]

    def put(self, stage, count):
        """Each manner in turn: (its name, what became of the requests)."""
        for name, code in self.manners():
            with self.manner(stage, name):
                yield name, Answers(self, stage, name, count, code)

    def figures(self, took, count):
        for name, answers in took.items():
            yield Figure(f"{name}: answered {answers.code}", answers.right,
                         "requests", least=count)
            yield Figure(f"{name}: the last after", answers.last, "s",
                         most=self.timer + 1, timing=True,
                         loose=self.timer + 10)

    def beside(self, calm, honest):
        yield Figure("honest sessions exact", honest.share(), "%", least=100)
        yield Figure("their p99", honest.setup["p99"], "ms")
        yield Figure("their p99 before", calm.setup["p99"], "ms")


class Answers:
    """What so many requests of one manner got, and when the last one did."""

    def __init__(self, row, stage, name, count, code):
        self.code = code
        began = time.monotonic()
        clients = [row.ask(stage, name, number) for number in range(count)]
        self.right = sum(map(self.is_right, clients))
        self.last = time.monotonic() - began

    def is_right(self, client):
        """The code that is due, then an orderly end, and nothing else."""
        try:
            octets = receive_exactly(client, 8)
            return octets[:2] == bytes([0, self.code]) and ending(client) == (
                "fin", b"")
        except ConnectionError:
            return False
        finally:
            client.close()


class Names(Asked):
    name = "dns"
    fault = "DNS silent, slow, garbage, forged"
    unit = "names of each kind"

    SCRIPTS = {
        "silent": lambda _: dns.silent,
        "slow": lambda timer: dns.slow(timer + 1, a(places.SERVER)),
        "garbage": lambda _: dns.garbage,
        "another id": lambda _: dns.wrong_id,
        "another question": lambda _: dns.wrong_question,
    }

    def begin(self, stage):
        self.server = Dns(stage.lab.server, places.SERVER)
        self.server["good.example"] = a(places.SERVER, ttl=0)
        return stage.start(
            limits=UNLIMITED, timeouts="{resolve: %ds}" % self.timer,
            resolver='{servers: ["%s"]}' % self.server,
            listen="[{address: '%s:1080', name: inside, socks4a: true,"
                   " socks5: true, insecure_plaintext: true}]" % places.INSIDE)

    def manners(self):
        return [(name, REFUSED) for name in self.SCRIPTS]

    def ask(self, stage, name, number):
        host = f"{name.replace(' ', '-')}{number}.example"
        self.server[host] = self.SCRIPTS[name](self.timer)
        return asker(stage, number, request_by_name(host, 2100))

    def works_again(self, stage):
        granted = is_granted(stage, request_by_name("good.example", OTHER))
        self.server.close()
        return granted


class Ident(Asked):
    name = "ident"
    fault = "identd refuses, hangs, drips, floods, lies"
    unit = "requests of each kind"

    MANNERS = {
        "refuses": (None, NO_IDENTD),
        "hangs": (identd.hangs, NO_IDENTD),
        "drips": (identd.drips, NO_IDENTD),
        "floods": (identd.floods, NO_IDENTD),
        "lies about the ports": (identd.other_ports, NO_IDENTD),
        "names another": (identd.user(b"somebody"), OTHER_USER),
    }
    ASKED = "10.70.0.0/16"  # whom the rule is about

    def begin(self, stage):
        return stage.start(
            limits=UNLIMITED, timeouts="{ident: %ds}" % self.timer,
            rules="[{name: asked, action: allow, ident: require,"
                  " from: [%s], to: [any]}, {name: others, action: allow,"
                  " command: [connect, bind], from: [any], to: [any]}]"
                  % self.ASKED)

    def manners(self):
        return [(name, code) for name, (_, code) in self.MANNERS.items()]

    @contextlib.contextmanager
    def manner(self, stage, name):
        manner = self.MANNERS[name][0]
        daemon = manner and Identd(stage.lab.client, manner, backlog=1024)
        try:
            yield
        finally:
            if daemon:
                daemon.close()
                wait_for("its end", lambda: not stage.lab.client.listens(113))

    def ask(self, stage, name, number):
        return asker(stage, number, request((places.SERVER, 2100), b"me"))

    def works_again(self, stage):
        daemon = Identd(stage.lab.client, identd.user(b"me"))
        granted = is_granted(stage, request((places.SERVER, OTHER), b"me"))
        daemon.close()
        return granted


def asker(stage, number, octets):
    """A client, each from another address, that has sent this."""
    sock = stage.lab.client.connect(
        stage.gate.at, (f"10.70.{number // 250}.{number % 250 + 1}", 0))
    sock.sendall(octets)
    return sock


def is_granted(stage, octets):
    """Whether this request to OTHER gets its 90."""
    with stage.lab.server.listen(places.SERVER, OTHER), \
            asker(stage, 0, octets) as sock:
        return receive_exactly(sock, 8)[:2] == bytes([0, GRANTED])
