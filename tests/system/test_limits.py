"""What one source may take, what all may, and what is left to the others."""
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

import lab as places
from bind import BOTH, ask
from gateway import CLOSE_WAIT, ROOT, best, wait_for
from socks4 import GRANTED, ending, receive_exactly, request

TARGET = (places.SERVER, 80)


def per_source(**limits):
    """With nothing in the way of one address but these."""
    found = {"sessions": "100k", "pending": "100k", "rate": "1M"} | limits
    return "{per_source: {%s}}" % ", ".join(
        f"{key}: {value}" for key, value in found.items())


def is_reset(gateway, host=None, **options):
    """At once, and without an octet."""
    try:
        client = gateway.client(host, **options)
    except ConnectionResetError:
        return True
    client.gone = True
    return ending(client.sock) == ("reset", b"")


def gone(gateway, **gauges):
    """Waits for these figures."""
    wait_for(gauges, lambda: gauges.items() <= gateway.counters().items())


def answering(host, address=places.SERVER, port=80):
    """Somebody who takes every connection and sends one octet."""
    listener = host.listen(address, port, backlog=4096)

    def run():
        try:
            while True:
                sock, _ = listener.accept()
                sock.sendall(b"!")
                sock.close()
        except OSError:
            pass  # closed with the lab

    listener.settimeout(None)
    threading.Thread(target=run, daemon=True).start()
    return listener


def asks(gateway, host):
    """One session that works, whole."""
    client = gateway.client(host)
    client.ask(TARGET)
    assert client.reply().cd == GRANTED
    assert client.sock.recv(10) == b"!"
    client.sock.close()


# Rate


FLOOD = """
import contextlib, select, socket, sys
count = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    with socket.socket() as sock, contextlib.suppress(ConnectionResetError):
        count += 1
        sock.connect((sys.argv[1], int(sys.argv[2])))
print(count)
"""


class Flood:
    """A process that connects without end, and without a word, until it is
    told."""

    def __init__(self, host, at):
        self.process = host.popen(
            [sys.executable, "-c", FLOOD, at[0], str(at[1])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def stop(self):
        """How many there were."""
        return int(self.process.communicate(timeout=60)[0])


@pytest.mark.feature
def test_one_source_floods_and_others_do_not_notice(start_gateway, lab):
    """[V4-C.4-1] It gets its rate; the honest one gets everything. The log
    has a line a second and a worker, and they say how many."""
    gateway = start_gateway(limits=per_source(rate=100))
    answering(lab.server)
    began = time.monotonic()
    flood = Flood(lab.client, gateway.at)
    wait_for("the limit", lambda: gateway.complaints())
    waits = []
    for _ in range(150):
        before = time.monotonic()
        asks(gateway, lab.stranger)
        waits.append(time.monotonic() - before)
        time.sleep(0.01)  # its own rate is the same
    count = flood.stop()
    gone(gateway, live=0, accepted=count + len(waits))
    took = time.monotonic() - began
    limited = gateway.counters()["limited"]
    let_in = count - limited
    waits.sort()
    print(f"{count} of a flood in {took:.1f} s, {let_in} let in; "
          f"150 of 150 honest ones served, p99 {waits[148] * 1e3:.1f} ms")
    assert let_in <= 100 * (took + 1.2)
    assert limited > 0
    wait_for("the last line",
             lambda: gateway.complaints("limits.per_source.rate") == limited)
    lines = [line for line in gateway.lines() if line.get("event") == "limit"]
    assert {line["source"] for line in lines} == {places.CLIENT}
    assert len(lines) <= 2 * (took + 3)


def test_the_kernels_filter_drops_what_floods(start_gateway, lab):
    """dist/examples/flood.nft, as it is: what is beyond it never becomes a
    connection, and others do not notice."""
    gateway = start_gateway()
    answering(lab.server)
    lab.gateway.run(["nft", "-f", str(ROOT / "dist/examples/flood.nft")])
    before, began = lab.gateway.passive_opens(), time.monotonic()
    for _ in range(4000):
        sock = lab.client.socket()
        sock.setblocking(False)
        sock.connect_ex(gateway.at)
    asks(gateway, lab.stranger)
    came = lab.gateway.passive_opens() - before - 1
    took = time.monotonic() - began
    lab.client.close_sockets()
    print(f"{came} of 4000 SYNs became connections in {took:.1f} s")
    assert 400 <= came <= 400 * (took + 1.1)


# Sessions


def test_a_source_has_so_many_sessions_in_all_workers(start_gateway, lab):
    """And another one as many."""
    gateway = start_gateway(limits=per_source(sessions=4))
    listener = lab.server.listen(places.SERVER)
    for worker in gateway.workers():
        with gateway.frozen(worker):
            for _ in range(2):
                gateway.open(listener)
    for worker in gateway.workers():
        with gateway.frozen(worker):
            assert is_reset(gateway)
    gateway.open(listener, host=lab.stranger)
    gone(gateway, limited=2)


@pytest.mark.feature
def test_a_killed_workers_charges_are_given_back(start_gateway, lab):
    gateway = start_gateway(limits=per_source(sessions=4))
    listener = lab.server.listen(places.SERVER)
    first, second = gateway.workers()
    with gateway.frozen(first):
        lost = [gateway.open(listener)[0] for _ in range(3)]
    with gateway.frozen(second):
        gateway.open(listener)
        assert is_reset(gateway)
        gateway.may_lose += len(lost)
        os.kill(first.pid, signal.SIGKILL)
        wait_for("its end", lambda: [line for line in gateway.lines()
                                     if line["event"] == "worker_ended"])
        for client in lost:
            assert ending(client.sock)[1] == b""
        for _ in range(3):
            gateway.open(listener)
        assert is_reset(gateway)


def test_a_network_of_ipv6_is_one_source(start_gateway, lab):
    """Every address of a /64; and the next /64 is another source."""
    lab.client.ip("".join(
        f"address add {host}/128 dev wire nodad\n"
        for host in ("fd00:1::3", "fd00:1::ffff:2:3:4", "fd00:1:0:1::2")))
    lab.gateway.ip("route add fd00:1:0:1::/64 via fd00:1::2 dev inside")
    gateway = start_gateway(
        listen='[{address: "[fd00:1::1]:1080", name: six,'
               ' insecure_plaintext: true}]',
        limits=per_source(sessions=2))
    at = (places.INSIDE6, 1080)
    listener = lab.server.listen(places.SERVER)
    for host in ("fd00:1::3", "fd00:1::ffff:2:3:4"):
        gateway.open(listener, at=at, source=(host, 0))
    assert is_reset(gateway, at=at, source=("fd00:1::2", 0))
    gateway.open(listener, at=at, source=("fd00:1:0:1::2", 0))


def test_who_has_taken_everything_keeps_nobody_out(start_gateway, lab):
    """The last twentieth is for sources that have nothing else."""
    gateway = start_gateway(limits=per_source().replace(
        "{", "{sessions: 100, pending: 100, ", 1))
    listener = lab.server.listen(places.SERVER, backlog=200)
    for _ in range(95):
        gateway.open(listener)
    for _ in range(10):
        assert is_reset(gateway)
    gateway.open(listener, host=lab.stranger)
    assert is_reset(gateway, lab.stranger)
    wait_for("the log", lambda: gateway.complaints("limits.sessions") == 11)


# Pending


def test_the_oldest_unfinished_request_gives_way(start_gateway, lab):
    """[V4-3.2-3] [V4-B.2-1] A hundred half requests stand; each honest one
    is served at once, and each costs the oldest its place."""
    gateway = start_gateway(workers="1", limits=per_source().replace(
        "{", "{pending: 20, ", 1))
    answering(lab.server)
    halves = []
    for _ in range(100):
        client = gateway.client()
        client.send(request(TARGET)[:6])
        halves.append(client)
    gone(gateway, shed=81)
    for client in halves[:81]:
        assert receive_exactly(client.sock, 8)[1] == 91
        assert ending(client.sock)[1] == b""
    for _ in range(5):
        asks(gateway, lab.stranger)
    shed = gateway.counters()["shed"]
    assert shed >= 81
    records = wait_for("a record of each", lambda: gateway.records(
        verdict="limits.pending", code=91, end="limit")[shed - 1:])
    assert len(records) == 1
    for client in halves:
        client.sock.close()
    wait_for("the log", lambda:
             gateway.complaints("limits.pending") == shed)


def test_connects_without_an_answer_are_pending(start_gateway, lab):
    """What a source has of its own leaves room for others."""
    gateway = start_gateway(limits=per_source(pending=10))
    asking = [gateway.client() for _ in range(10)]
    for client in asking:
        client.ask((places.SILENT, 80))
    gone(gateway, pending=10)
    gateway.open(host=lab.stranger)
    gone(gateway, pending=10)
    lab.end_silence()
    for client in asking:
        client.refusal()
    gateway.open()


def test_connects_to_dead_hosts_keep_their_source_out_no_longer(
        start_gateway, lab):
    """[V4-C.4-1] A source that has all its pending ones at dead hosts, first
    with clients that have left and then with others, is served at once; each
    time one of its own attempts is refused, those left behind first."""
    gateway = start_gateway(workers="1", limits=per_source(pending=20))
    answering(lab.server)
    dead = [gateway.client() for _ in range(20)]
    for client in dead:
        client.ask((places.SILENT, 80))
    gone(gateway, pending=20)
    for client in dead[10:]:
        ended = client.sock.getsockname()
        client.sock.close()
        client.gone = True
        wait_for("its FIN",
                 lambda: gateway.connection_to(ended, CLOSE_WAIT))
    for _ in range(10):
        asks(gateway, lab.client)
        dead.append(gateway.client())
        dead[-1].ask((places.SILENT, 80))
    gone(gateway, pending=20, shed=10, limited=0)
    asks(gateway, lab.client)
    dead[0].refusal()
    records = wait_for("their records", lambda: gateway.records(
        verdict="limits.per_source.pending", code=91, end="limit")[10:])
    assert len(records) == 1
    lab.end_silence()
    for client in dead[1:10] + dead[20:]:
        client.refusal()
    gone(gateway, live=0, shed=11)


def test_a_refusal_names_the_limit(start_gateway, lab):
    """[V4-B.2-7] Where a request was read it is answered."""
    gateway = start_gateway(rules=BOTH, limits=per_source(binds=1))
    ask(gateway).reply()
    client = ask(gateway, userid=b"second")
    client.refusal()
    record = gateway.record(userid="second")
    assert record["verdict"] == "limits.per_source.binds"
    assert (record["code"], record["end"]) == (91, "limit")


# Many sources


def test_thousands_of_sources_take_no_memory(start_gateway, lab):
    """A table of fixed size: what it needs at most is there at once."""
    lab.client.ip("route add local 10.7.0.0/16 dev lo")
    lab.gateway.ip(f"route add 10.7.0.0/16 via {places.CLIENT}")
    gateway = start_gateway(workers="1", rules=(
        "[{name: all, action: allow, from: [any], to: [any]}]"))
    worker, = gateway.workers()

    def come(first, count=100):
        """At most so many at once."""
        for number in range(first, first + count):
            source = f"10.7.{number >> 8}.{number & 255}"
            lab.client.connect(gateway.at, (source, 0)).close()
            lab.client.sockets.pop()

    def are_gone():
        return not any(local == gateway.at[1] and state != 10 for local, _,
                       state in lab.gateway.connections())
    for first in range(1, 1500, 100):
        with gateway.frozen(unwatched=True):  # all of them at once
            come(first)
        wait_for("their end", are_gone)
    gone(gateway, live=0)
    before = worker.anonymous_kb(), shared_kb(worker)
    for first in range(1501, 6000, 100):
        come(first)
        wait_for("their end", are_gone)
    gone(gateway, live=0)
    after = worker.anonymous_kb(), shared_kb(worker)
    print(f"4500 sources: {after[0] - before[0]} KiB of its own,"
          f" {after[1] - before[1]} KiB shared (limits 64 and 512)")
    if not gateway.is_sanitized:
        assert after[0] - before[0] <= 64
    assert after[1] - before[1] <= 512
    assert gateway.counters()["limited"] == 0


def shared_kb(worker):
    return int(worker.status("RssShmem"))


# Descriptors


def test_without_descriptors_clients_wait_and_nothing_spins(
        start_gateway, lab):
    """300 wait while a worker is full; when one session ends the next is
    served within 200 ms. One line a second at most tells of it."""
    gateway = start_gateway(
        workers="1", wrapper=("prlimit", "--nofile=128:128"),
        limits=per_source().replace(
            "{", "{sessions: 10k, pending: 10k, ", 1))
    listener = lab.server.listen(places.SERVER, backlog=500)
    worker, = gateway.workers()
    inside = []
    for _ in range(budget(gateway)):
        inside.append(gateway.open(listener))
    assert worker.descriptors() <= 128 - 9  # messages, and one in reserve
    waiting = []
    for _ in range(300):
        client = gateway.client()
        client.ask(listener.getsockname())
        waiting.append(client)
    wait_for("the line", lambda: gateway.complaints("descriptors") > 0)
    began, lines = time.monotonic(), len(gateway.lines())
    busy = best(worker.cost, 0.02)
    lines = len(gateway.lines()) - lines
    print(f"{len(inside)} inside, 300 wait: {busy * 100:.0f} % CPU,"
          f" {lines} lines")
    assert lines <= time.monotonic() - began
    took = best(lambda: max(relief(inside, lab.server, listener)
                            for _ in range(3)), 0.2)
    print(f"the next was served after {took * 1e3:.0f} ms (limit 200)")
    for client in waiting:
        client.gone = True


def relief(inside, host, listener):
    """From the end of one to the beginning of the next: seconds."""
    client, server = inside.pop()
    began = time.monotonic()
    client.sock.close()
    server.close()
    host.accept(listener)
    return time.monotonic() - began


def budget(gateway):
    """Sessions a worker has descriptors for, as -T says."""
    text = gateway.dump()
    return int(re.search(r"enough for (\d+) sessions", text)[1])
