"""TLS: attempts that never come to an end, streams that are cut, certificates
that change, a signer that is killed or hangs."""
import concurrent.futures
import os
import select
import signal
import socket
import ssl
import threading
import time

import gates
import lab as places
import tls_socket
from descriptors import at_rest
from gateway import Process, children, wait_for
from load import TLS_PORT, Plan
from reloads import OUTCOMES, events
from row import Figure, Row
from socks4 import GRANTED, receive_exactly, request

AT = (places.INSIDE, TLS_PORT)
OPEN_TO_ONE = ("{sessions: 30k, pending: 30k, per_source:"
               " {sessions: 30k, pending: 30k, rate: 1M}}")


def trust():
    return (tls_socket.authority().certificate,)


def own(name="ann"):
    """The words of a client with that certificate."""
    pair = tls_socket.issued(name)
    return (*trust(), pair.certificate, pair.key)


def start(stage, certificate=None, key=None, client=None, crl=None,
          **settings):
    """A gateway with two listeners, of which one is TLS."""
    options = {"certificate": certificate, "key": key, "client": client,
               "crl": crl}
    options = {name: value for name, value in options.items() if value}
    if client:
        options["ca"] = tls_socket.authority().certificate
    listener = tls_socket.listener(AT, "tls", **options)
    gate = stage.start(
        listen=f"[{gates.ONE}, {{socks5: true, {listener[1:]}]", **settings)
    gate.sums_known = False
    return gate


class Attempt:
    """A client's handshake in memory: its octets, as far as it comes."""

    def __init__(self, pair=None):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls_socket.client_context(pair).wrap_bio(
            self.incoming, self.outgoing, server_hostname="gw.example")
        self.step()

    def step(self):
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def flight(self):
        return self.outgoing.read()

    def answer(self, sock):
        """Reads until it has more to send."""
        while not self.step():
            octets = sock.recv(65536)
            if not octets:
                raise ConnectionError("the handshake was ended")
            self.incoming.write(octets)
        return self.flight()


def dial(stage, number=0):
    """Each from another address."""
    sock = stage.lab.client.socket()
    sock.bind((f"10.70.{number >> 8 & 255}.{(number & 255) or 1}", 0))
    sock.connect(AT)
    return sock


def calm(stage, short, **options):
    """The p99 of honest sessions without a fault. A short form has too few of
    them: none."""
    if short:
        return None
    with stage.honest(**options) as honest:
        time.sleep(5)
    return honest[-1].setup["p99"]


def beside(before, honest):
    """The same beside it, and what it makes of that."""
    then = honest[-1].setup["p99"]
    yield Figure("their p99", then, "ms")
    if before is not None:
        yield Figure("their p99 before", before, "ms")
        yield Figure("times as long", then / max(before, 0.001), "", most=2,
                     timing=True)


class Unfinished(Row):
    """A third sends its hello octet by octet, a third says nothing after it,
    and a third sends a hello that does not end."""

    name = "tls-unfinished"
    fault = "ClientHello dripped; 64 KiB of handshake messages"
    unit = "handshakes that do not end"
    full, short = 3000, 300
    seconds = 120

    def measure(self, stage, count, short):
        deadline = 4 if short else 10  # honest clients have it, too
        gate = start(stage, timeouts="{request: %ds}" % deadline,
                     limits=OPEN_TO_ONE)
        before = calm(stage, short, tls=trust())
        hello = Attempt().flight()
        with stage.honest(tls=trust()) as honest:
            least = gate.memory()
            crowd = Crowd(stage, hello, count)
            grown = gate.memory() - least
            lives = crowd.wait(deadline)
        return [
            Figure("cut", len(lives), "clients", least=count),
            Figure("after at most", max(lives), "s", most=deadline + 1,
                   timing=True, loose=deadline + 10),
            Figure("user memory each", grown / count / 1024, "KiB", most=64),
            Figure("honest sessions exact", honest[-1].share(), "%",
                   least=100),
            *beside(before, honest),
        ]


class Crowd:
    """Clients whose handshakes do not end. It looks for those that were cut
    also while others connect: on a busy machine that takes longer than the
    gateway waits for one."""

    RATE = 400  # a second: a storm of handshakes is another row
    EACH = 20  # between two looks

    def __init__(self, stage, hello, count):
        self.poller = select.poll()
        self.left, self.began = {}, {}  # by descriptor
        self.drips, self.lives = [], []
        start = time.monotonic()
        for number in range(count):
            self.begin(dial(stage, number), hello, number % 3)
            if number % self.EACH == 0:
                self.look_until(start + number / self.RATE)

    def begin(self, sock, hello, kind):
        self.began[sock.fileno()] = time.monotonic()
        self.left[sock.fileno()] = sock
        self.poller.register(sock, select.POLLIN | select.POLLRDHUP)
        sock.setblocking(False)  # what is sent first finds room
        if kind == 0:
            sock.sendall(hello[:1])
            self.drips.append((sock, iter(hello[1:])))
        elif kind == 1:
            sock.sendall(hello)
        else:
            endless(sock)

    def look_until(self, moment):
        """At least once."""
        early = 0
        while early >= 0:
            self.look(max(0, 1000 * early))
            early = moment - time.monotonic()

    def look(self, patience_ms):
        """Notes how long those lived that were cut meanwhile."""
        for number, _ in self.poller.poll(patience_ms):
            sock = self.left[number]
            if ended(sock):
                self.lives.append(time.monotonic() - self.began[number])
                self.poller.unregister(number)
                del self.left[number]
                sock.close()

    def drip(self):
        for at, (sock, octets) in enumerate(self.drips):
            if at % self.EACH == 0:
                self.look(0)
            if sock.fileno() in self.left:
                try:
                    sock.send(bytes([next(octets, 0)]))
                except OSError:
                    pass

    def wait(self, deadline):
        """How long each lives that is cut."""
        end = time.monotonic() + deadline + 20
        while self.left and time.monotonic() < end:
            self.look(100)
            self.drip()
        return self.lives


def endless(sock):
    """A hello of 16 MB, as much of it as goes; a hello's own bound is less."""
    record = b"\x16\x03\x01\x40\x00"
    try:
        sock.send(record + b"\x01\xff\xff\xff" + bytes(16380))
        for _ in range(8):
            sock.send(record + bytes(16384))
    except OSError:
        pass


def ended(sock):
    """Whether it has; what comes before that is dropped."""
    try:
        while sock.recv(65536):
            pass
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


class HandshakeCuts(Row):
    """Cut behind each octet of the client's, by a FIN and by a reset."""

    name = "tls-handshake-cuts"
    fault = "10 000 handshakes cut at every octet"
    unit = "handshakes cut"
    full, short = 10000, 1000
    seconds = 180

    def measure(self, stage, count, short):
        gate = start(stage, limits=OPEN_TO_ONE)
        attempt = Attempt()
        self.hello = attempt.flight()
        with dial(stage) as sock:
            sock.sendall(self.hello)
            self.octets = len(self.hello) + len(attempt.answer(sock))
        with stage.honest(tls=trust(), rate=50) as honest:
            for number in range(count // 2):
                self.cut(stage, number)
            half = gate.memory()
            for number in range(count // 2, count):
                self.cut(stage, number)
            grown = gate.memory() - half
        wait_for("their records", lambda: sum(
            number for verdict, number in gate.verdicts().items()
            if verdict != "granted") >= count + 1)
        return [
            Figure("octets of a client's handshake", self.octets),
            Figure("memory grown in the second half", grown / 1024, "KiB",
                   most=1024),
            Figure("honest sessions exact", honest[-1].share(), "%",
                   least=100),
        ]

    def cut(self, stage, number):
        octets = number % (self.octets + 1)
        with dial(stage, number) as sock:
            if octets <= len(self.hello):
                sock.sendall(self.hello[:octets])
            else:
                attempt = Attempt()
                sock.sendall(attempt.flight())
                octets -= len(self.hello)
                sock.sendall(attempt.answer(sock)[:octets])
            if number & 1:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                b"\1\0\0\0\0\0\0\0")
            else:
                sock.shutdown(socket.SHUT_WR)


class Cuts(Row):
    name = "tls-cuts"
    fault = "10 000 TLS streams cut at a random octet"
    unit = "streams cut"
    full, short = 10000, 1000

    def measure(self, stage, count, short):
        gate = start(stage)
        plans = [Plan("cut", 20000, 0, cuts="yes", first="client")]
        servers = stage.serve(plans)
        with stage.honest(tls=trust()) as honest:
            load = stage.sessions(plans, slots=100, count=count, tls=trust(),
                                  sources="10.70.0.1/20000",
                                  limit=self.seconds - 40).result()
        counts = servers.settled()["cut"]
        servers.end()
        wait_for("the records",
                 lambda: sum(gate.verdicts().values()) >= count)
        return [
            Figure("resets with all octets before them", counts["exact"], "",
                   least=count),
            Figure("cuts that looked like an end",
                   counts["clean"] + counts["short"] + counts["early"], "",
                   most=0),
            Figure("foreign octets seen by", counts["foreign"], "ends",
                   most=0),
            Figure("records with end=truncated", gate.ends()["truncated"], "",
                   least=count),
            Figure("honest sessions exact", honest[-1].share(), "%",
                   least=100),
            Figure("streams a second", count / load.seconds),
        ]


class Stopped(Row):
    """Half of a record comes, and nothing for a while."""

    name = "tls-stopped"
    fault = "clients that stop in the middle of a record"
    unit = "clients"
    full, short = 1000, 100
    SIZE = 12000

    def measure(self, stage, count, short):
        gate = start(stage, limits=OPEN_TO_ONE)
        listener = stage.lab.server.listen(places.SERVER, backlog=4096)
        open_sessions = [self.open(stage, number, listener)
                         for number in range(count)]
        before = gate.memory()
        halves = []
        for number, (sock, attempt, _) in enumerate(open_sessions):
            attempt.tls.write(self.octets(number))
            record = attempt.flight()
            sock.sendall(record[:len(record) // 2])
            halves.append(record[len(record) // 2:])
        wait_for("the halves", lambda: not any(
            octets for *_, octets in stage.lab.gateway.unread()))
        cpu = at_rest(gate, 1 if short else 10, 1)
        grown = gate.memory() - before
        exact = sum(self.finish(number, one, half) for number, (one, half)
                    in enumerate(zip(open_sessions, halves)))
        return [
            Figure("processor time meanwhile", cpu, "%", most=1),
            Figure("user memory each", grown / count / 1024, "KiB", most=48),
            Figure("exact afterwards", exact, "clients", least=count),
        ]

    def octets(self, number):
        return bytes([number & 255]) * self.SIZE

    def open(self, stage, number, listener):
        sock, attempt = dial(stage, number), Attempt()
        sock.sendall(attempt.flight())
        sock.sendall(attempt.answer(sock))
        attempt.tls.write(request(listener.getsockname()))
        sock.sendall(attempt.flight())
        server, _ = stage.lab.server.accept(listener)
        while True:
            try:
                assert attempt.tls.read(8)[1] == GRANTED
                return sock, attempt, server
            except ssl.SSLWantReadError:
                attempt.incoming.write(sock.recv(65536))

    def finish(self, number, one, half):
        sock, attempt, server = one
        sock.sendall(half)
        got = receive_exactly(server, self.SIZE)
        server.close()
        sock.close()
        return got == self.octets(number)


class Rotation(Row):
    """A third of the pairs do not belong together."""

    name = "tls-rotation"
    fault = "certificate rotated 1 000 times under load, some pairs bad"
    unit = "rotations"
    full, short = 1000, 100
    seconds = 600

    def measure(self, stage, count, short):
        folder = stage.folder / "keys"
        folder.mkdir(mode=0o755)
        ca = tls_socket.authority()
        pairs = [ca.issue(f"gw-{name}") for name in ("even", "odd")]
        pairs.append(tls_socket.Pair(pairs[0].certificate, pairs[1].key))
        pairs[0].place(folder)
        gate = start(stage, folder / "gw.pem", folder / "gw.key")
        plans = [Plan("connect", 100, 100)]
        servers = stage.serve(plans)
        load = stage.sessions(plans, slots=20, rate=200, tls=trust(),
                              sources="10.70.0.1/20000",
                              limit=self.seconds - 60).opened()
        began = time.monotonic()
        for number in range(1, count + 1):
            pairs[number % 3].place(folder)
            taken = len(events(gate, *OUTCOMES))
            gate.signal(signal.SIGHUP)
            wait_for("an outcome",
                     lambda n=taken: len(events(gate, *OUTCOMES)) > n)
        took = time.monotonic() - began
        result = load.result(stop=True)
        stage.hold_to(result, servers, "the handshakes")
        servers.end()
        return self.figures(gate, count, took, result)

    def figures(self, gate, count, took, result):
        refused = events(gate, "reload_failed")
        bad = count // 3 + (count % 3 == 2)
        return [
            Figure("handshakes", result.count(), "", least=count),
            Figure("of them failed", result.count() - result.exact, "",
                   most=0),
            Figure("pairs taken", len(events(gate, "reloaded")), "",
                   least=count - bad),
            Figure("bad pairs refused, with the file that is wrong",
                   sum("gw." in line["message"] for line in refused), "",
                   least=bad),
            Figure("handshakes took, p99", result.setup["p99"], "ms"),
            Figure("a rotation took", 1000 * took / count, "ms"),
        ]


def give_way():
    """A thread that takes what processor time the others leave: attackers
    have machines of their own."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


class Storms(Row):
    """Clients that renew their keys as fast as they can."""

    name = "tls-renewals"
    fault = "KeyUpdate storm"
    unit = "clients"
    full, short = 50, 5

    def measure(self, stage, count, short):
        gate = start(stage)
        listener = stage.lab.server.listen(places.SERVER, backlog=128)
        before = calm(stage, short, tls=trust())
        with stage.honest(tls=trust()) as honest:
            with concurrent.futures.ThreadPoolExecutor(
                    5, initializer=give_way) as pool:
                sent = list(pool.map(lambda _: tls_socket.storm(
                    stage.lab.client.connect(AT),
                    request(listener.getsockname(), b"storm"), 100000),
                    range(count)))
        listener.close()
        wait_for("their records", lambda: gate.ends()["reset"] >= count)
        return [
            Figure("renewals sent", sum(sent)),
            Figure("clients cut", gate.ends()["reset"], "", least=count),
            Figure("honest sessions exact", honest[-1].share(), "%",
                   least=100),
            *beside(before, honest),
        ]


class Handshakes(Row):
    """At first with fewer: where clients and gateway share the processors,
    a thousand a second may be more than these can do."""

    name = "tls-handshakes"
    fault = "1 000 handshakes a second beside relays"
    unit = "seconds"
    full, short = 20, 2

    def measure(self, stage, count, short):
        start(stage)
        before = calm(stage, short)
        figures = self.beside(stage, 300, count, before)
        if not short:
            figures += self.beside(stage, 1000, count, before)
        return figures

    def beside(self, stage, rate, count, before):
        plans = [Plan("shake", 1, 1)]
        servers = stage.serve(plans, 2100 + rate // 100)
        with stage.honest() as honest:
            load = stage.sessions(plans, 2100 + rate // 100, slots=200,
                                  opening=100, rate=rate, count=rate * count,
                                  tls=trust(), sources="10.70.0.1/20000",
                                  limit=self.seconds - 40).result()
        stage.hold_to(load, servers, "the handshakes")
        servers.end()
        figures = [
            Figure("handshakes a second", load.count() / load.seconds),
            Figure("relays' sessions exact", honest[-1].share(), "%",
                   least=100),
            *beside(before, honest)]
        for figure in figures:
            figure.what = f"{rate} a second asked for: {figure.what}"
        return figures


class Signer(Row):
    """Killed while handshakes wait for it; then it stands still, until the
    monitor replaces it."""

    name = "tls-signer"
    fault = "signer killed, hung"
    unit = "signers killed"
    full, short = 50, 5
    seconds = 180
    HELD = 100

    def measure(self, stage, count, short):
        gate = start(stage)
        held_plans = [Plan("held", 1000, 1000)]
        plans = [Plan("connect", 100, 100)]
        held_by, servers = (stage.serve(held_plans),
                            stage.serve(plans, 2101))
        held = stage.sessions(held_plans, slots=self.HELD, count=self.HELD,
                              hold=True, tls=trust(), limit=self.seconds,
                              sources="10.72.0.1/1000").opened()
        load = stage.sessions(plans, 2101, slots=20, rate=100, tls=trust(),
                              sources="10.70.0.1/20000",
                              limit=self.seconds - 60).opened()
        replaced_ms = [self.kill(stage, gate) for _ in range(count)]
        waited = self.hang(stage, gate, short)
        result = load.result(stop=True)
        gate.told_of(result)
        stand = held.result(stop=True)
        stage.hold_to(stand, held_by, "the live sessions")
        held_by.end()
        servers.end()
        return [
            Figure("live sessions lost", self.HELD - stand.exact,
                   f"of {self.HELD}", most=0),
            Figure("replaced after, at most", max(replaced_ms), "ms",
                   most=2000, timing=True, loose=10000),
            Figure("handshakes meanwhile", result.count()),
            Figure("of them failed", result.count() - result.exact, "",
                   most=0),
            Figure("never answered", result.count("late"), "", most=0),
            Figure("a handshake with a hung signer waits", waited, "s",
                   most=7, timing=True, loose=10),
        ]

    def signer(self, gate):
        for pid in children(gate.process.pid):
            if "--signer" in Process(pid).command():
                return Process(pid)
        return None

    def kill(self, stage, gate):
        """How soon a handshake succeeds with the next one, ms."""
        os.kill(self.signer(gate).pid, signal.SIGKILL)
        began = time.monotonic()
        wait_for("a handshake", lambda: self.handshakes(stage))
        return 1000 * (time.monotonic() - began)

    def hang(self, stage, gate, short):
        """How long a handshake waits for it, or for the next one."""
        victim = self.signer(gate)
        victim.freeze()
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waits = pool.submit(self.handshakes, stage)
            if short:
                time.sleep(0.5)
                victim.thaw()
            assert waits.result(), "it failed"
        return time.monotonic() - began

    def handshakes(self, stage):
        with dial(stage) as sock:
            attempt = Attempt()
            sock.settimeout(60)
            try:
                sock.sendall(attempt.flight())
                sock.sendall(attempt.answer(sock))
            except (OSError, ssl.SSLError):
                return False
        return True


class Certificates(Row):
    """Each kind as often as the others, and good ones beside."""

    name = "tls-certificates"
    fault = "client certificates that are wrong, expired, revoked, none"
    unit = "refusals"
    full, short = 2000, 200

    def measure(self, stage, count, short):
        ca = tls_socket.authority()
        ca.issue("old", end="20210101000000Z")
        ca.revoke(ca.issue("gone"))
        crl = ca.revocations(ca.folder / "crl.pem")
        other = tls_socket.Authority(stage.folder / "other", name="other CA")
        eve = other.issue("eve")
        gate = start(stage, client="require", crl=crl)
        plans = [Plan("never", 100, 100)]
        servers = stage.serve(plans)
        kinds = {"expired": own("old"), "revoked": own("gone"),
                 "another CA's": (*trust(), eve.certificate, eve.key),
                 "none": trust()}
        each = count // len(kinds)
        refused = {}
        with stage.honest(tls=own()) as honest:
            loads = {kind: stage.sessions(
                plans, slots=10, count=each, tls=words,
                sources="10.70.0.1/20000", limit=self.seconds - 40)
                for kind, words in kinds.items()}
            for kind, load in loads.items():
                refused[kind] = load.result().count("cut")
        servers.end()
        return [
            *(Figure(kind, number, "refused", least=each)
              for kind, number in refused.items()),
            Figure("records with tls-certificate",
                   gate.verdicts()["tls-certificate"], "",
                   least=each * len(kinds)),
            Figure("honest sessions exact", honest[-1].share(), "%",
                   least=100),
            Figure("their p99", honest[-1].setup["p99"], "ms"),
        ]
