"""Operators, and those who mean to be in their way: the control socket, the
page."""
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import time

import control
import lab as places
import metrics
import namespace
from gateway import wait_for
from load import Plan
from row import Figure, Row
from starts import copied

HELD = "10.70.0.1/10000"
LONGEST = 1 << 20
SERVED = 24  # connections at once
UNREAD = 8  # connections whose answers nobody reads
OTHER_USER = 54321


def controlled(stage, **settings):
    """The gateway, with a control socket."""
    folder = control.short_folder()
    folder.chmod(0o755)
    stage.at_end.append(lambda: shutil.rmtree(folder))
    path = folder / "control"
    gate = stage.start(control=f"{{socket: '{path}'}}", **settings)
    return gate, path


def calm_p99(stage, short):
    with stage.honest() as calm:
        time.sleep(1 if short else 5)
    return calm[-1].setup["p99"]


class Control(Row):
    name = "control"
    fault = ("control socket: 10 000 connections, a reader that never reads, "
             "1 MiB lines, another user")
    unit = "connections"
    full, short = 10000, 1000
    seconds = 180

    def measure(self, stage, count, short):
        gate, path = controlled(stage)
        observer = control.observer(gate)
        before = calm_p99(stage, short)
        began = observer.anonymous_kb()
        with stage.honest() as honest:
            refused = crowd(path, count)
            unread = [never_reads(path) for _ in range(UNREAD)]
            grown = observer.anonymous_kb() - began
            answered = control.run(path, "status").returncode == 0
            long_lines = sum(is_too_long(path) for _ in range(20))
            wait_for("those that do not read to be cut",
                     lambda: all(map(is_cut, unread)))
        for sock in unread:
            sock.close()
        return [
            Figure("refused with a reason", refused, "connections",
                   least=count - SERVED),
            Figure("1 MiB lines refused with a reason", long_lines, least=20),
            Figure("answered beside those that do not read", answered,
                   least=1),
            *another_user(path),
            Figure("memory of the observer grew by", grown / 1024, "MiB",
                   most=16),
            Figure("observers that ended", observer.has_ended(), most=0),
            Figure("honest sessions exact", honest[-1].share(), "%",
                   least=100),
            Figure("their p99", honest[-1].setup["p99"], "ms"),
            Figure("their p99 before", before, "ms"),
        ]


def connect(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(path))  # waits, where the queue is full
    sock.settimeout(60)
    return sock


def crowd(path, count):
    """All at once: how many are told why they are not served."""
    held = [connect(path) for _ in range(count)]
    poll = select.poll()
    for sock in held:
        poll.register(sock, select.POLLIN)
    wait_for("all but those that are served",
             lambda: len(poll.poll(0)) >= count - SERVED)
    told = {fd for fd, _ in poll.poll(0)}
    refused = 0
    for sock in held:
        if sock.fileno() in told:
            refused += b"are open" in sock.recv(4096)
        sock.close()
    return refused


def never_reads(path):
    """Asks for as much as it is let, and reads nothing."""
    sock = connect(path)
    sock.settimeout(0.2)
    with contextlib.suppress(OSError):
        while True:
            sock.sendall(b'{"command":"config"}\n' * 1000)
    return sock


def is_cut(sock):
    poll = select.poll()
    poll.register(sock, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def is_too_long(path):
    with connect(path) as sock:
        sock.sendall(b"x" * LONGEST + b"\n")
        return "longer than" in json.loads(sock.recv(4096))["error"]


def another_user(path):
    """None is there to become in the namespace of an ordinary user."""
    if not namespace.real_root():
        return []
    done = control.run(path, "status", **as_user(OTHER_USER, path.parent))
    return [Figure("another user let in", done.returncode == 0, most=0)]


def as_user(uid, folder):
    """Options of control.run: the tool, where every user can reach it."""
    def become():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    return {"preexec_fn": become, "tool": copied(control.CTL, folder)}


class Page(Row):
    name = "page"
    fault = ("a scraper that never reads, slow headers, 1 000 connections to "
             "the page; its process killed again and again")
    unit = "connections"
    full, short = 1000, 200
    seconds = 180
    AT = places.INSIDE, 9180
    SERVED = 8
    WHOLE = b"GET /metrics HTTP/1.1\r\nHost: gw\r\n\r\n"

    def measure(self, stage, count, short):
        host = stage.lab.client
        gate = stage.start(observe="{address: '%s:%d'}" % self.AT)
        before = calm_p99(stage, short)
        began = control.observer(gate).anonymous_kb()
        kills = 5 if short else 50
        with stage.honest() as honest:
            bad = [host.connect(self.AT, receive_buffer=4096)
                   for _ in range(self.SERVED)]
            for number, sock in enumerate(bad):
                sock.sendall(self.WHOLE * 1000 if number % 2
                             else self.WHOLE[:-2])
            crowd = [host.connect(self.AT) for _ in range(count)]
            refused = sum(sock.recv(100).startswith(b"HTTP/1.1 503 ")
                          for sock in crowd)
            for sock in crowd:
                sock.close()
            grown = control.observer(gate).anonymous_kb() - began
            cut = [] if short else [self.is_cut_after(host)]
            for _ in range(kills):
                self.kill(gate, host)
            for sock in bad:
                sock.close()
        return [
            Figure("refused", refused, "connections", least=count),
            *cut,
            Figure("memory of the observer grew by", grown / 1024, "MiB",
                   most=16),
            Figure("killed and replaced", kills, "times", least=kills),
            Figure("honest sessions exact", honest[-1].share(), "%",
                   least=100),
            Figure("their p99", honest[-1].setup["p99"], "ms"),
            Figure("their p99 before", before, "ms"),
        ]

    def is_cut_after(self, host):
        began = time.monotonic()
        wait_for("a place", lambda: self.serves(host), 60)
        return Figure("those that do not read or write cut after",
                      time.monotonic() - began, "s", most=11, timing=True)

    def serves(self, host):
        with contextlib.suppress(OSError):
            return metrics.get(host, "/health", at=self.AT)[0] == 200

    def kill(self, gate, host):
        victim = control.observer(gate).pid
        os.kill(victim, signal.SIGKILL)
        wait_for("another", lambda: getattr(
            control.observer(gate), "pid", victim) != victim)
        wait_for("the page", lambda: self.serves(host))


class OperatorKill(Row):
    name = "operator-kill"
    fault = "10 000 sessions killed by the operator at once"
    unit = "sessions"
    full, short = 10000, 1000

    def measure(self, stage, count, short):
        gate, path = controlled(stage, workers="4")
        gate.sums_known = False  # those that are killed were in the middle
        plans = [Plan("held", 1000, 1000)]
        servers = stage.serve(plans)
        before = calm_p99(stage, short)
        with stage.honest() as honest:
            held = stage.sessions(plans, slots=count, count=count, hold=True,
                                  rate=2000, sources=HELD)
            held.opened()
            began = time.monotonic()
            killed = control.ask(path, "kill", "client=10.70.0.0/16")["killed"]
            took_ms = 1000 * (time.monotonic() - began)
            ended = held.result(stop=True)
        seen = servers.settled()["held"]
        servers.end()
        wait_for("their records", lambda: gate.ledger.read().enders[
            "operator"] >= count)
        return [
            Figure("killed", killed, "sessions", least=count, most=count),
            Figure("within", took_ms, "ms", most=2000, timing=True,
                   loose=20000),
            Figure("clients that saw a reset", ended.count("reset"),
                   least=count),
            Figure("servers that saw a reset", seen["reset"], least=count),
            Figure("records that say who", gate.ledger.enders["operator"],
                   least=count, most=count),
            Figure("honest sessions exact", honest[-1].share(), "%",
                   least=100),
            Figure("their p99", honest[-1].setup["p99"], "ms"),
            Figure("their p99 before", before, "ms"),
        ]


class Listed(Row):
    name = "listed"
    fault = "20 000 idle sessions listed"
    unit = "sessions"
    full, short = 20000, 2000
    seconds = 180

    def measure(self, stage, count, short):
        gate, path = controlled(stage, workers="4")
        plans = [Plan("held", 1000, 1000)]
        halves = []
        for half in range(2):
            port = 2200 + 10 * half
            servers = stage.serve(plans, port)
            held = stage.sessions(
                plans, port, slots=count // 2, count=count // 2, hold=True,
                rate=2000, limit=170, sources=f"10.7{half}.0.1/10000")
            halves.append((servers, held.opened()))
        calm = calm_p99(stage, short)
        times, found = [], []
        with stage.honest() as honest:
            for _ in range(4 if short else 20):
                began = time.monotonic()
                answer = control.ask(path, "sessions", "client=10.64.0.0/10")
                times.append(1000 * (time.monotonic() - began))
                found.append(answer)
            top = control.ask(path, "top")
        for servers, held in halves:
            result = held.result(stop=True)
            stage.hold_to(result, servers, "those that were listed")
            servers.end()
        return [
            Figure("rows", min(len(answer["rows"]) for answer in found),
                   least=200),
            Figure("counted, at least",
                   min(answer["total"] for answer in found), "sessions",
                   least=count),
            Figure("listed within, at most", max(times), "ms", most=2000,
                   timing=True, loose=20000),
            Figure("clients in top", top["total"], least=count),
            Figure("p99 of other sessions meanwhile",
                   honest[-1].setup["p99"], "ms", most=max(2 * calm, 1),
                   timing=True),
            Figure("before", calm, "ms"),
        ]
