"""The laws that hold after every test of a gateway."""
import contextlib
import time

from gateway import CLOSE_WAIT, ENDED, FIN_WAIT2, WAIT

RESIDUE = 5  # s; until everything is back at the base line


def laws(gateway):
    """Ends the gateway; whatever it left undone is an assertion."""
    if gateway.process is None:
        return  # it never started, which is its own failure
    replies(gateway)
    gateway.lab.close_sockets()
    if gateway.process.poll() is None:
        residue(gateway)
        accounts(gateway)
    assert gateway.stop() == 0, gateway.stderr()
    assert not gateway.reports(), gateway.log() + gateway.stderr()


def replies(gateway):
    """Every complete request gets exactly one reply [V4-3.2-3]; a BIND that
    was let through may be left waiting for its second one [V4-4.3-1]."""
    for client in gateway.clients:
        if client.requested and not client.gone:
            assert 1 <= client.replies <= client.due, client.sock


def residue(gateway):
    """Nothing stays behind, but for pipes that wait a second for another
    session; of a gateway that is not to keep them not even those."""
    end = time.monotonic() + RESIDUE
    while True:
        left = remains(gateway)
        if left and gateway.keeps_pipes and gateway.keeps_records:
            left = remains(gateway, pipes(gateway))
        if not left:
            return
        late = time.monotonic() - end
        assert late < 0 or late < WAIT and is_busy(gateway), left
        time.sleep(0.02)


def is_busy(gateway):
    """Whether a worker still works, or waits for a processor: on a machine
    that has none for it, it is not late."""
    with contextlib.suppress(*ENDED):
        return any(worker.status("State") != "S"
                   for worker in gateway.workers())
    return True


def pipes(gateway):
    """How many each worker holds: {pid: count}."""
    gateway.counters()
    return {line["pid"]: line["pipes"] for line in gateway.lines()
            if line.get("event") == "status"}


def remains(gateway, kept=()):
    """In words. `kept`: pipes that may be there."""
    kept = dict(kept)
    left = []
    for worker in gateway.workers():
        base = gateway.base.get(worker.pid)
        now = worker.descriptors() - 2 * kept.get(worker.pid, 0)
        if base is not None and now > base:
            left.append(f"worker {worker.pid}: {now} descriptors, not {base}")
    for local, remote, state in gateway.lab.gateway.connections():
        if state in (CLOSE_WAIT, FIN_WAIT2):
            left.append(f"port {local} to {remote} in state {state}")
    return left


def accounts(gateway):
    """accepted = granted + refused + early + limited + live + lost, and a
    record for each that became a session."""
    if not gateway.keeps_records:
        return
    end = time.monotonic() + WAIT
    while True:
        counted = gateway.counters()
        records = gateway.records()
        wrong = mistakes(gateway, counted, records)
        if not wrong:
            return
        assert time.monotonic() < end, (wrong, counted)
        time.sleep(0.05)


def mistakes(gateway, counted, records):
    """Which accounts do not agree."""
    ended = counted["granted"] + counted["refused"] + counted["early"]
    sums = {key: sum(record[key] for record in records)
            for key in ("up", "down")}
    checks = {
        "no session is left": counted["live"] == 0,
        "accepted = ended + limited + lost":
            counted["accepted"] == ended + counted["limited"]
            + counted["lost"],
        "limited and shed as the log says":
            counted["dropped"] > 0
            or counted["limited"] + counted["shed"] == gateway.complaints(),
        "records + dropped + quiet + suppressed = sessions":
            len(records) + counted["dropped"] + counted["quiet"]
            + counted["suppressed"] == ended,
        "suppressed as the log says":
            counted["dropped"] > 0
            or counted["suppressed"] == gateway.suppressed(),
        "lost as the log says":
            not gateway.keeps_table
            or counted["lost"] == sum(line["event"] == "session_lost"
                                      for line in gateway.lines()),
        "lost as the test meant it": counted["lost"] == gateway.may_lose,
        "octets counted = octets in records": counted["dropped"] > 0 or (
            {key: counted[key] for key in sums} == sums),
        "octets relayed = octets counted": counted["lost"] > 0 or all(
            counted[f"relayed_{key}"] == counted[key] for key in sums),
        "octets in records = octets told":
            not gateway.telling or sums == gateway.told,
    }
    return [name for name, holds in checks.items() if not holds]
