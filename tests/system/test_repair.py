"""Children that hang, and a gateway that was stopped and goes on."""
import os
import signal
import time

import dns
import lab as places
from gateway import children, wait_for
from reloads import events, reloaded
from test_monitor import Piped, flood, gone, writer
from test_reload import by_name, echoes, end, pids, resolvers


def family(gateway):
    """The monitor and its children."""
    return [gateway.process.pid, *children(gateway.process.pid)]


def test_who_hangs_is_replaced_and_who_was_stopped_with_all_is_not(
        start_gateway, lab, tmp_path):
    """Three gateways at once, since it takes its time. Of one a worker, the
    resolver and the log writer stand still; of the other everything does, and
    goes on; of the third nobody reads what the log writer writes."""
    server = dns.Dns(lab.server, places.SERVER)
    server["www.example"] = dns.a(places.SERVER, ttl=0)
    listener = lab.server.listen(places.SERVER)
    hung = start_gateway(resolver='{servers: ["%s"]}' % server, listen=(
        "[{address: '%s:1080', name: inside, socks4a: true,"
        " insecure_plaintext: true}]" % places.INSIDE))
    other = start_gateway(listen="[{address: '%s:1090', name: other,"
                          " insecure_plaintext: true}]" % places.INSIDE)
    unread = Piped(lab, tmp_path, listen="[{address: '%s:1091', name: unread,"
                   " insecure_plaintext: true}]" % places.INSIDE).start()
    flood(unread, 200, (places.INSIDE, 1091))
    waiting = writer(unread)
    there = other.open(listener, at=(places.INSIDE, 1090))
    victim, healthy = hung.workers()
    with hung.frozen(victim):
        lost = hung.open(listener)
    with hung.frozen(healthy):
        held = hung.open(listener)
    [resolver] = resolvers(hung)
    stopped = family(other)
    begun = time.monotonic()
    lines = writer(hung)
    for pid in [victim.pid, resolver, lines, *stopped]:
        os.kill(pid, signal.SIGSTOP)
    wait_for("both to be replaced", lambda: (
        events(hung, "worker_ended") and events(hung, "resolver_ended")
        and len(pids(hung)) == 2 and resolvers(hung) not in ([resolver], [])))
    took = time.monotonic() - begun
    assert took > 4, took
    assert [line["pid"] for line in events(hung, "writer_hung")] == [lines]
    assert gone(lines) and writer(hung) != lines
    assert [line["pid"] for line in events(hung, "worker_hung")] == [victim.pid]
    assert [line["pid"] for line in events(hung, "resolver_hung")] == [resolver]
    assert events(hung, "worker_ended")[0]["lost"] == 1
    hung.may_lose = 1
    echoes(*held)
    end(*held)
    by_name(hung, listener)
    reloaded(hung, timeouts="{idle: 1h}")
    for sock in (lost[0].sock, lost[1]):
        sock.close()

    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    echoes(*there)
    time.sleep(1.5)  # another question, and another
    assert family(other) == stopped
    assert not events(other, "worker_hung", "worker_ended")
    end(*there)
    server.close()
    assert writer(unread) == waiting
    assert unread.stop() == 0
    os.close(unread.reader)
