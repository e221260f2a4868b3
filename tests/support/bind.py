"""BIND as a client and an application server do it."""
import collections
import itertools

import lab as places
from gateway import wait_for
from socks4 import BIND, GRANTED, receive_exactly, request

BOTH = ("[{name: both, action: allow, command: [connect, bind],"
        " from: [any], to: [any]}]")
CONTROL = (places.SERVER, 21)

# Out of the way of tests that come from one address many times.
UNLIMITED = "sessions: 100k, pending: 100k, rate: 1M"


def only(rule):
    """Rules: BIND under this one, CONNECT for everybody."""
    return ("[{name: primary, action: allow, from: [any], to: [any]},"
            " {name: data, action: allow, command: [bind],"
            " from: [any], to: [any], %s}]" % rule)


def ask(gateway, to=CONTROL, userid=b"", behind=b"", **options):
    """A BIND, its first reply still to come."""
    client = gateway.client(**options)
    client.ask(to, userid, cd=BIND, behind=behind)
    return client


def wait(gateway, to=CONTROL, userid=b"", behind=b"", **options):
    """One that waits for its peer: (client, where)."""
    client = ask(gateway, to, userid, behind, **options)
    reply = client.reply()
    assert reply.cd == GRANTED, reply
    return client, (reply.address, reply.port)


def meet(client, at, host, source=(places.SERVER, 0)):
    """The peer comes; its socket. The second reply names it."""
    peer = host.connect(at, source)
    reply = client.reply()
    assert reply.cd == GRANTED, reply
    assert (reply.address, reply.port) == peer.getsockname()
    return peer


def open_session(gateway, listener=None, userid=b"", **options):
    """As Gateway.open, over BIND: the server is who connects."""
    client, at = wait(gateway, userid=userid, **options)
    return client, meet(client, at, gateway.lab.server)


def refused(gateway, verdict, to=CONTROL, userid=b"no", **options):
    """A BIND that gets 91 as its first reply, for that reason."""
    client = ask(gateway, to, userid, **options)
    client.refusal()
    record = gateway.record(userid=userid.decode(), verdict=verdict)
    assert (record["command"], record["code"]) == ("bind", 91)
    return record


def is_refused(gateway, at, host):
    """Whether nobody listens there any more."""
    try:
        host.connect(at).close()
        return False
    except ConnectionRefusedError:
        return True


def knock(host, at, seconds=0.5):
    """Connects; what came of it within that time."""
    sock = host.socket()
    sock.settimeout(seconds)
    try:
        sock.connect(at)
        return "connected"
    except TimeoutError:
        return "silence"
    except ConnectionRefusedError:
        return "refused"


def freed(gateway, port):
    """Waits until the port is."""
    wait_for(f"port {port} to be free",
             lambda: not gateway.lab.gateway.listens(port))


# Many of them, with no more than their sockets in the books

Many = collections.namedtuple("Many", "granted refused")


def many(gateway, count, sources=(None,), to=CONTROL, step=500):
    """That many BINDs, asked for `step` at once, and their first replies:
    (sock, where) of each that waits, and how many were refused."""
    granted, refusals = [], 0
    source = itertools.cycle(sources)
    for at in range(0, count, step):
        socks = [gateway.lab.client.connect(gateway.at, next(source))
                 for _ in range(min(step, count - at))]
        for sock in socks:
            sock.sendall(request(to, cd=BIND))
        for sock in socks:
            octets = receive_exactly(sock, 8)
            assert len(octets) == 8 and octets[0] == 0
            if octets[1] == GRANTED:
                granted.append((sock, where(octets)))
                continue
            assert receive_exactly(sock, 1) == b""
            sock.close()
            refusals += 1
    return Many(granted, refusals)


def where(octets):
    return (".".join(map(str, octets[4:8])), int.from_bytes(octets[2:4], "big"))
