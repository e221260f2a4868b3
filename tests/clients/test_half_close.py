"""Clients that end their side and wait, and servers that do."""
import pytest

import lab as places
import programs
from conftest import LOGIN
from evidence import Seen, granted
from gateway import CLOSE_WAIT, wait_for
from streams import MB, beside, piece, pull, push, whole

UP, DOWN = 2 * MB + 1, 3 * MB + 2

# name: (its command line, the USERID it sends)
PROGRAMS = {
    "socks4": (programs.socks4, ""),
    "socks4 with a user": (
        lambda to: programs.socks4(to, "-u", "mary"), "mary"),
    "nc": (lambda to: programs.nc(to, "-N"), ""),
    "ncat": (programs.ncat, ""),
    "ncat with a user": (
        lambda to: programs.ncat(to, "--proxy-auth", "mary"), "mary"),
    "socat": (programs.socat, LOGIN),
    "socat with a user": (
        lambda to: programs.socat(to, user="mary"), "mary"),
    "Node": (lambda to: programs.node(to, "mary"), "mary"),
    "Perl": (lambda to: programs.perl(to, "mary"), "mary"),
    "PySocks": (programs.python, ""),
    "PySocks with a user": (
        lambda to: programs.python(to, "mary"), "mary"),
}


@pytest.fixture
def listener(lab):
    return lab.server.listen(places.SERVER)


def answer_at_the_end(lab, listener):
    """A server that answers once it has everything."""
    server, _ = lab.server.accept(listener)
    got = pull(server)
    push(server, DOWN)
    server.close()
    return got


def speak_end_and_listen(lab, listener):
    """A server that says what it has, ends its side, and goes on reading."""
    server, _ = lab.server.accept(listener)
    push(server, DOWN)
    server.shutdown(1)
    got = pull(server)
    server.close()
    return got


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_client_ends_first_and_gets_the_answer(gateway, lab, call,
                                                   listener, name):
    """[V4-1-1..3] [V4-2-2] [V4-3.1-1] [V4-3.1-6] [V4-3.3-11] Whole, both
    ways, under the name that it is to send."""
    command, userid = PROGRAMS[name]
    serving = beside(answer_at_the_end, lab, listener)
    done = call(*command(listener.getsockname()), given=piece(0, UP))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == piece(0, DOWN)
    assert serving.result(places.TIMEOUT) == whole(UP)
    record, = granted(gateway, Seen(listener.getsockname(), UP, DOWN), userid)
    assert record["ended_by"] == "client"


def sees_the_end(lab):
    return any(remote == 1080 and state == CLOSE_WAIT
               for _, remote, state in lab.client.connections())


@pytest.mark.parametrize("name", ["socks4", "nc", "ncat", "socat"])
def test_the_server_ends_first_and_still_hears_the_client(
        gateway, lab, start_client, listener, name):
    """[V4-3.3-11] Only when it has seen the end does the client speak."""
    command, userid = PROGRAMS[name]
    serving = beside(speak_end_and_listen, lab, listener)
    client = start_client(*command(listener.getsockname()))
    assert client.stdout.read(DOWN) == piece(0, DOWN)
    wait_for("the client to see the end", lambda: sees_the_end(lab))
    out, err = client.communicate(piece(0, UP), places.TIMEOUT)
    assert (client.returncode, out, err) == (0, b"", b"")
    assert serving.result(places.TIMEOUT) == whole(UP)
    record, = granted(gateway, Seen(listener.getsockname(), UP, DOWN), userid)
    assert record["ended_by"] == "server"
