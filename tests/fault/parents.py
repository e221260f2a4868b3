"""Requests that go through parents, which cannot be reached, do not answer,
answer with nonsense, or die."""
import contextlib
import datetime
import os
import signal
import socket
import threading

import gates
import lab as places
import tls_socket
from gateway import children, wait_for
from load import ALL_IN_5, Plan
from reloads import events
from row import Figure, Row
from socks4 import REFUSED
from stage import HONEST_PORT, ROW_PORT

OPEN = ("{sessions: 30k, pending: 30k, per_source:"
        " {sessions: 30k, pending: 30k, rate: 1M}}")
GOOD, FIRST = (places.OUTSIDE, 1082), (places.OUTSIDE, 1083)


def another(stage, at, name, more=""):
    """Another gateway of ours, with more of its listener; it is held to the
    laws too."""
    folder = stage.folder / name
    folder.mkdir(mode=0o755)
    listener = gates.LISTEN % (*at, name)
    gate = gates.Ours(stage.lab, folder, limits=OPEN,
                      listen=f"[{listener[:-1]}{more}}}]")
    gate.at = at
    gate.sums_known = False
    stage.at_end.append(lambda: stage.faults.extend(gate.finish()))
    return gate.start()


def parent(name, at, **settings):
    """Its row in the configuration."""
    settings = {"insecure_plaintext": "true", **settings}
    more = "".join(f", {key}: {value}" for key, value in settings.items()
                   if value)
    return '{name: %s, address: "%s:%d"%s}' % (name, *at, more)


def rule(first, last, *via):
    return ("{action: allow, command: [connect, bind], from: [any], to: [any],"
            " port: [%d-%d], via: [%s]}" % (first, last, ", ".join(via)))


def connections(stage, wanted):
    """Those of the gateway's machine that stand or end, by their ports."""
    listen, syn_sent, time_wait = 10, 2, 6
    return sum(wanted(local, remote) and
               state not in (listen, syn_sent, time_wait)
               for local, remote, state in stage.lab.gateway.connections())


def die(stage, gate, count):
    """All its processes at once; what count() says when they stand still."""
    pids = [gate.process.pid, *children(gate.process.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    standing = count()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    gate.process.wait(places.TIMEOUT)
    gate.left = True  # nothing is held against it
    wait_for("its port", lambda: not stage.lab.gateway.listens(gate.at[1]))
    return standing


class Bad:
    """A parent that answers what it is sent with the same octets each time, a
    message after the other, and ends."""

    def __init__(self, stage, answers):
        self.answers = answers
        self.listener = stage.lab.server.listen(places.SERVER, backlog=4096)
        self.at = self.listener.getsockname()
        if answers is not None:  # else the kernel accepts for it, and no more
            self.thread = threading.Thread(target=self._run, daemon=True)
            self.thread.start()
            stage.at_end.append(self.thread.join)

    def _run(self):
        with contextlib.suppress(OSError):  # closed with the lab's sockets
            self.listener.settimeout(None)
            while True:
                sock, _ = self.listener.accept()
                with sock, contextlib.suppress(OSError):
                    sock.settimeout(places.TIMEOUT)
                    for answer in self.answers:
                        sock.recv(4096)
                        sock.sendall(answer)

    def close(self):
        """The lab closes the socket: here its thread could find another one
        that has its number by then."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)


# What each does: an address where nobody is, or what it answers, in the
# version in which it is asked; the verdict.
NO = bytes([0, REFUSED, 0, 0, 0, 0, 0, 0])
SAYS_NO, SAYS_HALF = [NO], [NO[:4]]
if ALL_IN_5:  # where a refusal is one as soon as it has its code
    SAYS_NO, SAYS_HALF = ([b"\5\0", b"\5\2\0\1\0\0\0\0\0\0"],
                          [b"\5\0", b"\5\0\0\1"])
KINDS = {
    "no-listener": ((places.SERVER, 9), "parent-unreachable"),
    "no-route": ((places.UNREACHABLE, 1080), "parent-unreachable"),
    "swallows-syns": ((places.SILENT, 1080), "parent-timeout"),
    "silent": (None, "parent-timeout"),
    "refuses": (SAYS_NO, "parent-refused"),
    "banner": ([b"SSH-2.0-OpenSSH_9.2\r\n"], "parent-malformed"),
    "half-a-reply": (SAYS_HALF, "parent-malformed"),
    "no-answer": ([b""], "parent-malformed"),
    "no-tls": ([NO], "parent-tls"),
    "no-method": ([b"\5\xff"], "parent-refused"),
    "other-password": ([b"\5\2\1\1"], "parent-refused"),
}
SIGNS_IN = ("no-method", "other-password")  # in SOCKS5, with a password


class Failing(Row):
    """Each of them with a good one behind it, then alone."""

    name = "parents"
    fault = "parent unreachable, silent, refusing, talking nonsense"
    unit = "requests of each kind, twice"
    full, short = 1000, 100
    seconds = 180
    CONNECT = 5  # s

    def measure(self, stage, count, short):
        bad = {name: self.begin(stage, does)
               for name, (does, _) in KINDS.items()}
        good = another(stage, GOOD, "good")
        gate = self.start(stage, bad)
        alone_port = ROW_PORT + len(KINDS)
        with stage.honest() as honest:
            next_one = self.put(stage, ROW_PORT, count)
            servers = next_one[1]
            stage.hold_to(next_one[0], servers, "those with another parent")
            servers.end()
            before = gate.verdicts().copy()
            alone, servers = self.put(stage, alone_port, count)
            reached = servers.settled()
            servers.end()
        wait_for("the records", lambda: sum(
            (gate.verdicts() - before).values()) >= count * len(KINDS))
        told = gate.verdicts() - before
        for one in bad.values():
            if isinstance(one, Bad):
                one.close()
        return [
            *self.apart(told, count),
            Figure("refused", alone.count("refused"), "clients",
                   least=count * len(KINDS)),
            Figure("the last after", alone.refusal["max"] / 1000, "s",
                   most=self.CONNECT + 1, timing=True,
                   loose=self.CONNECT + 10),
            Figure("with another parent behind it exact", next_one[0].exact,
                   "sessions", least=count * len(KINDS)),
            Figure("which took at most", next_one[0].setup["max"] / 1000, "s",
                   most=self.CONNECT, timing=True, loose=self.CONNECT + 10),
            Figure("records of a grant that name another one", sum(
                gate.ways()[name, "granted"] for name in KINDS), "", most=0),
            Figure("reached a server without it", sum(
                plan["sessions"] for name, plan in reached.items()
                if name != "live"), "", most=0),
            Figure("honest sessions through it exact", honest[-1].share(),
                   "%", least=100),
            Figure("their p99", honest[-1].setup["p99"], "ms"),
            Figure("sessions that it saw", good.ledger.read().records),
        ]

    def begin(self, stage, does):
        return does if isinstance(does, tuple) else Bad(stage, does)

    def start(self, stage, bad):
        places_of = {name: one.at if isinstance(one, Bad) else one
                     for name, one in bad.items()}
        rows = [parent("good", GOOD)]
        rules = [rule(HONEST_PORT, HONEST_PORT + 9, "good")]
        for number, (name, at) in enumerate(places_of.items()):
            tls = name == "no-tls" and "{ca: %s, name: gw.example}" % (
                tls_socket.authority().certificate)
            login = name in SIGNS_IN and {
                "protocol": "socks5", "user": "joe",
                "password_file": self.password(stage)}
            rows.append(parent(name, at, retry="refused", tls=tls,
                               insecure_plaintext=not tls and "true",
                               **(login or {})))
            port = ROW_PORT + number
            rules += [rule(port, port, name, "good"),
                      rule(port + len(KINDS), port + len(KINDS), name)]
        return stage.start(limits=OPEN, parents=f"[{', '.join(rows)}]",
                           rules=f"[{', '.join(rules)}]",
                           timeouts="{connect: %ds}" % self.CONNECT)

    @staticmethod
    def password(stage):
        path = stage.folder / "password"
        path.write_text("secret\n")
        return path

    def put(self, stage, port, count):
        """All kinds at the same time: what became of them, and the servers."""
        plans = [Plan(name, 1000, 1000) for name in KINDS]
        servers = stage.serve(plans, port)
        most = min(count * len(KINDS), 3000)
        return stage.sessions(
            plans, port, slots=most, opening=most, count=count * len(KINDS),
            sources="10.70.0.1/20000",
            limit=self.seconds / 3).result(), servers

    def apart(self, told, count):
        for verdict in dict.fromkeys(verdict for _, verdict in KINDS.values()):
            kinds = [name for name, (_, due) in KINDS.items()
                     if due == verdict]
            yield Figure(f"{', '.join(kinds)}: {verdict}", told[verdict],
                         "records", least=count * len(kinds))


class Dies(Row):
    """All its processes at once, with sessions in it, and again when it has
    been taken back."""

    name = "parent-dies"
    fault = "parent dies at 1 000 connects/s"
    unit = "deaths"
    full, short = 10, 1
    seconds = 240
    RATE = 1000

    def measure(self, stage, count, short):
        another(stage, GOOD, "good")
        gate = stage.start(
            limits=OPEN, parents="[%s, %s]" % (parent("first", FIRST),
                                               parent("good", GOOD)),
            rules="[%s, %s]" % (rule(ROW_PORT, ROW_PORT, "first", "good"),
                                rule(HONEST_PORT, HONEST_PORT + 9, "good")))
        gate.sums_known = False  # of those that end with the parent
        plans = [Plan("through", 1000, 1000, piece=200, gap=20)]
        servers = stage.serve(plans)
        first = another(stage, FIRST, "first-0")
        with stage.honest() as honest:
            load = stage.sessions(
                plans, slots=1000, rate=self.RATE, limit=self.seconds - 60,
                sources="10.70.0.1/20000")
            standing = []
            for number in range(1, count + 1):
                standing.append(self.die(stage, first))
                first = another(stage, FIRST, f"first-{number}")
                wait_for("both workers to take it back", lambda n=number:
                         len(events(gate, "parent_back")) >= 2 * n, 60)
            result = load.result(stop=True)
        servers.end()
        early = result.count("refused") + result.count("cut")
        lost = result.count() - result.exact - early
        return [
            Figure("connects", result.count()),
            Figure("a second", result.count() / result.seconds),
            Figure("refused, or ended before the answer", early, "", most=0),
            Figure("sessions lost", lost),
            Figure("stood in the parent when it died", sum(standing), "",
                   least=count),
            Figure("lost beside those", max(0, lost - sum(standing)), "",
                   most=0),
            Figure("went through the other one",
                   gate.ways()["good", "granted"]
                   - honest[-1].count(), "", least=count),
            Figure("rested at most", max(self.rests(gate)), "s", most=6,
                   timing=True, loose=30),
            Figure("honest sessions exact", honest[-1].share(), "%",
                   least=100),
            Figure("their p99", honest[-1].setup["p99"], "ms"),
        ]

    def through_first(self, stage):
        """Connections that the gateway has to it."""
        return connections(stage, lambda local, remote: remote == FIRST[1])

    def rests(self, gate):
        """How long each worker let it rest, each time, s."""
        began = {}
        for line in events(gate, "parent_resting", "parent_back"):
            at = datetime.datetime.fromisoformat(line["time"][:-1])
            if line["event"] == "parent_resting":
                began.setdefault(line["worker"], at)
            else:
                yield (at - began.pop(line["worker"])).total_seconds()

    def die(self, stage, first):
        """How many sessions it takes along, at most."""
        wait_for("sessions through it", lambda: self.through_first(stage) > 20,
                 60)
        return die(stage, first, lambda: self.through_first(stage))
