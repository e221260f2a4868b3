"""Node's `socks`, the other client that has BIND. Its README awaits
0.0.0.0, which nobody is."""
import pytest

import bind
import lab as places
import programs
from bind import BOTH
from streams import MB, beside, piece, pull, push, whole

UP, DOWN = 2 * MB + 1, 3 * MB + 2


@pytest.fixture
def node(start_client):
    def start(to):
        return start_client(*programs.node_bind(to, "mary"))
    return start


def where(process):
    """A line it prints."""
    host, port = process.stdout.readline().split()
    return host.decode(), int(port)


def carries(process, lab, at):
    """The peer comes; both send, both end."""
    peer = lab.server.connect(at, (places.SERVER, 0))
    assert where(process) == peer.getsockname()
    talking = beside(process.communicate, piece(0, UP))
    sent = beside(push, peer, DOWN)
    assert pull(peer) == whole(UP)
    sent.result(places.TIMEOUT)
    peer.close()
    assert talking.result(places.TIMEOUT)[0] == piece(0, DOWN)
    assert process.returncode == 0


@pytest.mark.parametrize("to, rules", [
    (bind.CONTROL, BOTH), (("0.0.0.0", 0), bind.only("peer: any"))],
    ids=["a server", "anybody"])
def test_it_meets_its_peer(start_gateway, lab, node, to, rules):
    """[V4-4.1-1] [V4-4.1-6] [V4-4.2-2] [V4-4.3-2] [V4-4.3-5] Whoever comes
    where a rule lets anybody be the peer."""
    lab.gateway.ip(f"route add default via {places.SERVER}")
    gateway = start_gateway(rules=rules)
    process = node(to)
    at = where(process)
    assert at[0] == places.OUTSIDE
    carries(process, lab, at)
    record = gateway.record(userid="mary")
    assert (record["command"], record["verdict"]) == ("bind", "granted")
    gateway.tell(up=UP, down=DOWN)


def test_awaiting_nobody_is_refused_by_default(start_gateway, node):
    """[V4-4.2-3] [V4-4.3-3]"""
    gateway = start_gateway(rules=BOTH)
    process = node(("0.0.0.0", 0))
    out, error = process.communicate(timeout=places.TIMEOUT)
    assert (process.returncode, out) == (1, b"")
    assert b"Socks4 Proxy rejected connection - (Failed)" in error
    record = gateway.record(userid="mary")
    assert (record["verdict"], record["code"]) == ("denied-no-rule", 91)
