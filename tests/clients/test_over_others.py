"""Our clients over Dante, and over our gateway where it listens on IPv6."""
import contextlib
import subprocess

import pytest

import lab as places
import programs
from evidence import records_of
from gateway import wait_for
from servers import Echo, Web
from socks4 import ending, receive_exactly
from streams import MB, beside, piece, pull, push, whole

DANTE = """
logoutput: {log}
internal: {inside} port = 1080
external: {outside}
external.rotation: route
clientmethod: none
socksmethod: {method}
user.privileged: root
user.unprivileged: root
srchost: nodnsmismatch
client pass {{ from: 10.1.0.0/24 to: 0.0.0.0/0 }}
socks block {{ from: 10.1.0.0/24 to: 0.0.0.0/0 port = 81 command: connect }}
socks pass {{ from: 10.1.0.0/24 to: 10.2.0.0/24 command: connect bind }}
socks pass {{ from: 10.2.0.0/24 to: 10.1.0.0/24 command: bindreply }}
"""


@contextlib.contextmanager
def running_dante(lab, folder, method="none"):
    """Where the gateway is in other tests."""
    config, log = folder / "danted.conf", folder / "danted.log"
    config.write_text(DANTE.format(log=log, inside=places.INSIDE,
                                   outside=places.OUTSIDE, method=method))
    process = lab.gateway.popen(
        ["danted", "-f", config, "-N", "1", "-p", folder / "pid"],
        stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT,
        preexec_fn=places.die_with_parent)
    wait_for("Dante", lambda: lab.gateway.listens(1080)
             or process.poll() is not None)
    assert process.poll() is None, log.read_text()
    yield log
    process.terminate()
    process.wait(places.TIMEOUT)


@pytest.fixture
def dante(lab, tmp_path):
    with running_dante(lab, tmp_path) as log:
        yield log


def test_connect_over_dante(lab, dante, call):
    """[V4-3.3-11] Both ways, and the end of one with the other alive."""
    listener = lab.server.listen(places.SERVER)

    def serve():
        server, _ = lab.server.accept(listener)
        got = pull(server)
        push(server, MB)
        server.close()
        return got
    serving = beside(serve)
    done = call(*programs.socks4(listener.getsockname()), given=piece(0, MB))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == piece(0, MB)
    assert serving.result(places.TIMEOUT) == whole(MB)


def test_refusals_over_dante(dante, call):
    """[V4-3.3-5]"""
    for port in (81, 9):
        done = call(*programs.socks4((places.SERVER, port)))
        assert (done.returncode, done.stdout) == (91, b"")
        assert done.stderr.startswith(b"socks4: 91: "), done


def test_bind_over_dante(lab, dante, start_client):
    """[V4-4.2-8] [V4-4.3-8]"""
    client = start_client(*programs.socks4((places.SERVER, 21),
                                           command="bind"))
    address, _, port = client.stdout.readline().decode().rpartition(":")
    assert address == places.OUTSIDE
    peer = lab.server.connect((address, int(port)), source=(places.SERVER, 0))
    peer.sendall(b"220 hello")
    peer.shutdown(1)
    assert client.stdout.read() == b"220 hello"
    client.stdin.write(b"bye")
    client.stdin.close()
    assert receive_exactly(peer, 3) == b"bye"
    assert ending(peer) == ("fin", b"")
    assert client.wait(places.TIMEOUT) == 0


def test_run_over_dante(lab, dante, call):
    """[V4-1-3]"""
    web = Web(lab.server, address=places.SERVER)
    done = call(*programs.run("curl", "-q", "-sS", "--fail",
                              "http://%s:%d/%d/0" % (*web.address, MB)))
    assert (done.returncode, done.stdout, done.stderr) == \
        (0, piece(0, MB), b"")
    done = call(*programs.innocent("addresses", Echo(lab.server).address))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"well\n", b"")


@pytest.fixture
def sixth(start_gateway):
    """Clients come to it over IPv6."""
    return start_gateway(
        listen='[{address: "[%s]:1080", name: inside, insecure_plaintext: '
               'true}]' % places.INSIDE6,
        rules="[{name: all, action: allow, from: [any], to: [any],"
              " command: [connect, bind]}]")


def test_the_gateway_is_reached_over_ipv6(lab, sixth, call, start_client):
    """CONNECT, BIND, and a program with sockets of IPv4."""
    at = f"[{places.INSIDE6}]"
    echo = Echo(lab.server)
    done = call(programs.TOOL, "connect", *programs.words(echo.address),
                "-p", at, given=b"hello")
    assert (done.returncode, done.stdout) == (0, b"hello"), done
    done = call(programs.TOOL, "run", "-p", at, "--", "nc.openbsd", "-N",
                *programs.words(echo.address), given=b"hello")
    assert (done.returncode, done.stdout) == (0, b"hello"), done
    client = start_client(programs.TOOL, "bind", places.SERVER, "-p", at)
    address, _, port = client.stdout.readline().decode().rpartition(":")
    peer = lab.server.connect((address, int(port)), source=(places.SERVER, 0))
    peer.sendall(b"220 hello")
    peer.close()
    out, err = client.communicate(timeout=places.TIMEOUT)
    assert (client.returncode, out, err) == (0, b"220 hello", b"")
    records_of(sixth, 3)
