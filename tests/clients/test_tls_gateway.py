"""Real programs to a TLS listener: through socks4 --tls, and through stunnel
where the program speaks SOCKS 4 itself."""
import fcntl
import struct
import subprocess

import pytest

import evidence
import lab as places
import programs
from evidence import records_of
from gateway import TIOCOUTQ, wait_for
from servers import Web
from socks4 import reset
from streams import MB, beside, piece, pull, push, whole
from test_ssh import TARGET, options, server, tap  # noqa: F401
from tls import Authority

LOCAL = ("127.0.0.1", 1080)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def start_tls(start_gateway, authority):
    """A gateway whose only listener speaks TLS; `more` are its options."""
    def start(more="", **settings):
        pair = authority.issue("gw", names=f"IP:{places.INSIDE}")
        return start_gateway(
            listen=f'[{{address: "{programs.PROXY}", name: inside, tls: '
                   f'{{certificate: "{pair.certificate}", key: "{pair.key}"'
                   f'{more}}}}}]',
            **settings)
    return start


def tool(authority, *words, command="connect"):
    return [programs.TOOL, command, "-p", programs.PROXY, "--ca",
            authority.certificate, *map(str, words)]


@pytest.fixture
def stunnel(lab, authority, tmp_path):
    """On the client's loopback: plain SOCKS 4 in, TLS out, the gateway's
    certificate checked."""
    config = tmp_path / "stunnel.conf"
    config.write_text(f"""foreground = yes
pid =
[gateway]
client = yes
accept = {LOCAL[0]}:{LOCAL[1]}
connect = {programs.PROXY}
CAfile = {authority.certificate}
verifyChain = yes
checkIP = {places.INSIDE}
""")
    process = lab.client.popen(
        ["stunnel", config], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=places.die_with_parent)
    wait_for("stunnel", lambda: lab.client.listens(LOCAL[1]))
    return process


def test_ssh_goes_through_the_tool(start_tls, authority, call, tap,  # noqa
                                   options):  # noqa: F811
    """[V4-1-2] [V4-1-3] [V4-C.5-2] As its ProxyCommand, with two certificates."""
    gateway = start_tls(f', client: require, ca: "{authority.certificate}"')
    pair = authority.issue("mary", names="DNS:mary.example")
    proxy = " ".join(map(str, tool(authority, "--certificate", pair.certificate,
                                   "--key", pair.key, "%h", "%p")))
    done = call("ssh", "-o", f"ProxyCommand={proxy}", *options, TARGET,
                "cat; exit 7", given=piece(0, 3 * MB))
    assert (done.returncode, done.stderr) == (7, b"")
    assert done.stdout == piece(0, 3 * MB)
    record, = evidence.granted(gateway, tap)
    assert record["certificate"] == "mary.example"


def test_curl_and_nc_go_through_stunnel(lab, start_tls, stunnel, call):
    """[V4-1-3] [V4-3.3-11] [4A-B.7-1] Programs that know of no TLS."""
    gateway = start_tls()
    web = Web(lab.server, address=places.SERVER)
    done = call("curl", "-q", "-sS", "--fail", "--socks4", "%s:%d" % LOCAL,
                "http://%s:%d/%d/0" % (*web.address, MB))
    assert (done.returncode, done.stdout, done.stderr) == \
        (0, piece(0, MB), b"")
    listener = lab.server.listen(places.SERVER)

    def answer():
        server, _ = lab.server.accept(listener)
        got = pull(server)
        push(server, MB)
        server.close()
        return got
    serving = beside(answer)
    done = call("nc.openbsd", "-N", "-X", "4", "-x", "%s:%d" % LOCAL,
                *map(str, listener.getsockname()), given=piece(0, 2 * MB))
    assert (done.returncode, done.stdout) == (0, piece(0, MB)), done
    assert serving.result(places.TIMEOUT) == whole(2 * MB)
    assert all(record["tls"].startswith("1.3/")
               for record in records_of(gateway, 2))


def test_a_program_goes_through_socks4_run(lab, start_tls, authority, call):
    """[V4-1-3] [V4-C.5-2]"""
    gateway = start_tls()
    web = Web(lab.server, address=places.SERVER)
    done = call(*tool(authority, "--", "curl", "-q", "-sS", "--fail",
                      "http://%s:%d/%d/0" % (*web.address, MB),
                      command="run"))
    assert (done.returncode, done.stdout, done.stderr) == \
        (0, piece(0, MB), b"")
    record, = records_of(gateway, 1)
    assert record["tls"].startswith("1.3/")


def test_a_userid_must_be_in_the_certificate(lab, start_tls, authority, call):
    """[V4-C.1-1] [V4-3.3-7]"""
    gateway = start_tls(f', client: require, ca: "{authority.certificate}",'
                        ' user: certificate')
    pair = authority.issue("mary", names="email:mary@corp.example,DNS:mary")
    web = Web(lab.server, address=places.SERVER)
    for userid, status in (("mary", 0), ("joe", 93)):
        done = call(*tool(authority, "--certificate", pair.certificate, "--key",
                          pair.key, "-u", userid, *web.address),
                    given=b"GET /5/0 HTTP/1.0\r\n\r\n")
        assert done.returncode == status, done
        assert status or done.stdout.endswith(piece(0, 5)), done
    done = call(*tool(authority, *web.address))
    assert done.returncode == 4
    assert b"--certificate and --key" in done.stderr, done
    records_of(gateway, 3)


def test_a_reset_of_the_server_comes_through(lab, start_tls, authority, call):
    """[V4-3.3-11] After every octet that came before it."""
    gateway = start_tls()
    listener = lab.server.listen(places.SERVER)

    def serve():
        server, _ = lab.server.accept(listener)
        push(server, MB)
        wait_for("all to be taken", lambda: struct.unpack("i", fcntl.ioctl(
            server, TIOCOUTQ, bytes(4)))[0] == 0)
        reset(server)
    serving = beside(serve)
    done = call(*tool(authority, *listener.getsockname()))
    serving.result(places.TIMEOUT)
    assert (done.returncode, done.stdout) == (1, piece(0, MB))
    assert b"the connection: Connection reset by peer" in done.stderr
    record, = records_of(gateway, 1)
    assert record["end"] == "reset"

