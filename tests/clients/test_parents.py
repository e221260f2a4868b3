"""Our gateway in front of others: Dante and ssh -D as its parents, and FTP in
active mode through the stub, TLS and a second gateway."""
import subprocess

import pytest

import ftp_server
import lab as places
import programs
import tls_socket as tls
from ftp_server import SERVER, FtpServer, digest
from gateway import BINARY, Gateway, wait_for
from laws import laws
from socks4 import BIND, GRANTED, REFUSED
from streams import KB, MB
from test_ftp import curl, tnftp
from test_over_others import dante  # noqa: F401
from test_ssh import PORT, server as sshd  # noqa: F401

OURS = (places.INSIDE, 1081)
VIA = ("[{name: all, action: allow, from: [any], to: [any],"
       " command: [connect, bind], via: [other]}]")


def through(lab, folder, parent, **more):
    """Our gateway, everything of which goes through that one."""
    folder = folder / "ours"
    folder.mkdir()
    gateway = Gateway(
        lab, folder, rules=VIA, parents="[{name: other, address:"
        ' "%s:%d", insecure_plaintext: true}]' % parent, listen=(
            '[{address: "%s:%d", name: inside, socks4a: true,'
            " insecure_plaintext: true}]" % OURS), **more)
    gateway.at = OURS
    return gateway.start()


def test_dante_is_a_parent_for_connect_and_bind(lab, dante, tmp_path):  # noqa: F811
    gateway = through(lab, tmp_path, (places.INSIDE, 1080))
    client, server = gateway.open(userid=b"ann")
    client.send(b"question")
    assert server.recv(100) == b"question"
    server.sendall(b"answer")
    server.close()
    assert client.sock.recv(100) == b"answer"
    assert client.sock.recv(100) == b""
    client.sock.close()

    client = gateway.client()
    client.ask((places.SERVER, 81))  # which its rules refuse
    assert client.reply().cd == REFUSED
    client.sock.close()
    assert gateway.record(verdict="parent-refused")["via"] == "other"

    client = gateway.client()
    client.ask((places.SERVER, 21), cd=BIND)
    reply = client.reply()
    assert (reply.cd, reply.address) == (GRANTED, places.OUTSIDE)
    peer = lab.server.connect((reply.address, reply.port),
                              source=(places.SERVER, 0))
    assert client.reply().cd == GRANTED
    peer.sendall(b"150 coming")
    assert client.sock.recv(100) == b"150 coming"
    peer.close()
    client.sock.close()
    laws(gateway)


def test_ssh_is_a_parent_by_address_and_by_name(lab, sshd, tmp_path):  # noqa: F811
    """ssh -D speaks 4 and 4A, and resolves names where sshd runs."""
    tunnel = lab.server.popen(
        ["ssh", "-F", "none", "-N", "-i", str(sshd / "user_key"),
         "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
         "-o", "BatchMode=yes", "-p", str(PORT), "-D", f"{places.SERVER}:1080",
         "root@127.0.0.1"], stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE, preexec_fn=places.die_with_parent)
    wait_for("ssh -D", lambda: lab.server.listens(1080)
             or tunnel.poll() is not None)
    assert tunnel.poll() is None, tunnel.stderr.read()
    gateway = through(lab, tmp_path, (places.SERVER, 1080))
    listener = lab.server.listen(places.SERVER)
    for ask in (lambda client: client.ask(listener.getsockname()),
                lambda client: client.ask_name(places.SERVER,
                                               listener.getsockname()[1])):
        client = gateway.client()
        ask(client)
        server, _ = lab.server.accept(listener)
        assert client.reply().cd == GRANTED
        client.send(b"there")
        assert server.recv(100) == b"there"
        server.sendall(b"and back")
        assert client.sock.recv(100) == b"and back"
        client.sock.close()
        server.close()
    assert {record["version"] for record in gateway.records()} <= {"4", "4a"}
    laws(gateway)
    tunnel.terminate()


SIZES = {"small": 3 * KB + 1, "large": 5 * MB + 7}
TLS = ("192.168.20.1", 1443)
STUB = ("127.0.0.1", 1080)
RULES = f"""
  - {{name: ftp, action: allow, from: [any], to: [{SERVER}], port: [21]}}
  - {{name: ftp-data, action: allow, from: [any], to: [{SERVER}],
     command: [bind], require_connect: true}}"""


@pytest.fixture
def far_gateway(lab, tmp_path):
    """It asks the stub for a certificate, and a BIND for its CONNECT."""
    ftp_server.wire(lab)
    authority = tls.authority()
    own = authority.issue("far", names=f"IP:{TLS[0]}")
    folder = tmp_path / "far"
    folder.mkdir()
    made = Gateway(lab, folder, rules=RULES, listen=(
        '[{address: "%s:%d", name: inside, socks4a: true, tls: {certificate:'
        " %s, key: %s, client: require, ca: %s}}]" % (
            *TLS, own.certificate, own.key, authority.certificate)))
    made.at = TLS
    yield made.start()
    laws(made)


@pytest.fixture
def stub(lab, far_gateway, tmp_path):
    ann, out = tls.issued("ann"), tmp_path / "stub"
    with open(out, "w") as file:
        process = lab.client.popen(
            [BINARY, "--to", "%s:%d" % TLS, "--ca",
             str(tls.authority().certificate), "--certificate",
             str(ann.certificate), "--key", str(ann.key)],
            stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            preexec_fn=places.die_with_parent)
    wait_for("the stub", lambda: "event=ready" in out.read_text()
             or process.poll() is not None)
    assert process.poll() is None, out.read_text()
    yield out
    process.terminate()
    assert process.wait(places.TIMEOUT) == 0, out.read_text()


@pytest.mark.parametrize("client", [tnftp, curl])
def test_active_ftp_goes_through_the_stub_tls_and_a_gateway(
        real_root, lab, far_gateway, stub, call, tmp_path, client):
    """[V4-C.5-2] [V4-4.2-7] Each file is a BIND through both, beside its
    CONNECT, byte for byte."""
    server = FtpServer(lab, SIZES)
    for command, given in client(tmp_path):
        done = call(programs.TOOL, "run", "-p", "%s:%d" % STUB, "--",
                    *command, given=given.encode(), seconds=60)
        assert done.returncode == 0, (done, server.log(), stub.read_text())
    for name in SIZES:
        expected = digest(server.root / "pub" / name)
        assert digest(tmp_path / name) == expected
        assert digest(server.upload / name) == expected
    assert len(server.ports()) >= 5
    wait_for("the record of each transfer", lambda: len(
        far_gateway.records(command="bind")) == len(server.ports()))
    binds = far_gateway.records(command="bind", verdict="granted")
    assert len(binds) == len(server.ports())
    assert {record["certificate"] for record in binds} == {"ann.example"}
    wait_for("the stub's records", lambda: stub.read_text().count(
        "command=bind") >= len(binds))
    server.close()
