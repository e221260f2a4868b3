"""Our gateway in front of others: Dante, ssh -D, microsocks and tor as its
parents, and FTP in active mode through the stub, TLS and a second gateway."""
import subprocess

import pytest

import ftp_server
import lab as places
import programs
import socks5
import tls_socket as tls
from etc import own_etc
from ftp_server import SERVER, FtpServer, digest
from gateway import BINARY, Gateway, wait_for
from laws import laws
from socks4 import BIND, GRANTED, REFUSED, ending
from streams import KB, MB
from test_ftp import curl, tnftp
from test_over_others import dante, running_dante  # noqa: F401
from test_ssh import PORT, server as sshd  # noqa: F401

OURS = (places.INSIDE, 1081)
VIA = ("[{name: all, action: allow, from: [any], to: [any],"
       " command: [connect, bind], via: [%s]}]")


def through(lab, folder, parent, behind=None, protocol="same", user=None,
            **more):
    """Our gateway, everything of which goes through that one, or the one
    behind it. `user`: "NAME:PASSWORD"."""
    folder = folder / "ours"
    folder.mkdir()
    parents = {"other": parent, **({"behind": behind} if behind else {})}
    login = ""
    if user:
        name, _, password = user.partition(":")
        (folder / "password").write_text(password + "\n")
        login = f", user: {name}, password_file: password"
    gateway = Gateway(
        lab, folder, rules=VIA % ", ".join(parents), parents="[%s]" % ", ".join(
            '{name: %s, address: "%s:%d", protocol: %s%s,'
            " insecure_plaintext: true}" % (name, *at, protocol, login)
            for name, at in parents.items()), listen=(
            '[{address: "%s:%d", name: inside, socks4a: true, socks5: true,'
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


def asks_in_4(gateway, to):
    client = gateway.client()
    client.ask_name(*to) if to[0] == "localhost" else client.ask(to)
    assert client.reply().cd == GRANTED
    return client.sock


def asks_in_5(gateway, to):
    client = gateway.client().sock
    assert socks5.ask(client, to).code == socks5.SUCCEEDED
    return client


def carries(host, gateway, asks, listener, name=None):
    """Both ways, to the end."""
    to = listener.getsockname()
    client = asks(gateway, (name, to[1]) if name else to)
    server, _ = host.accept(listener)
    client.sendall(b"question")
    assert server.recv(100) == b"question"
    server.sendall(b"answer")
    server.close()
    assert ending(client) == ("fin", b"answer")
    client.close()


def test_dante_is_a_parent_in_socks5(lab, dante, tmp_path):  # noqa: F811
    """To clients of both versions: CONNECT, a refusal by its rules, BIND."""
    gateway = through(lab, tmp_path, (places.INSIDE, 1080), protocol="socks5",
                      workers='"1"')
    listener = lab.server.listen(places.SERVER)
    for asks in (asks_in_4, asks_in_5):
        carries(lab.server, gateway, asks, listener)
    client = gateway.client()
    client.ask((places.SERVER, 81))
    client.refusal()
    client = gateway.client().sock
    assert socks5.ask(client, (places.SERVER, 81)).code == socks5.NOT_ALLOWED
    client.close()
    for number in (2, 3):
        record = gateway.record(id=number)
        assert (record["verdict"], record["hint"]) == (
            "parent-refused", "the parent's rules do not allow it")

    client = gateway.client().sock
    reply = socks5.ask(client, (places.SERVER, 21), socks5.BIND)
    assert (reply.code, reply.address) == (socks5.SUCCEEDED, places.OUTSIDE)
    peer = lab.server.connect((reply.address, reply.port),
                              source=(places.SERVER, 0))
    assert socks5.reply(client)[1:] == peer.getsockname()
    peer.sendall(b"150 coming")
    assert client.recv(100) == b"150 coming"
    peer.close()
    client.close()
    laws(gateway)


def test_dante_asks_for_a_password(lab, tmp_path):
    """It looks into the machine's own files: others are put there for it."""
    hash_ = subprocess.run(["openssl", "passwd", "-6", "secret"], check=True,
                           capture_output=True, text=True).stdout.strip()
    with own_etc(tmp_path) as etc:
        for name, line in (("passwd", "joe:x:65533:65533::/:/bin/false"),
                           ("shadow", f"joe:{hash_}:19000:0:99999:7:::")):
            with open(etc / name, "a") as file:
                file.write(line + "\n")
        with running_dante(lab, tmp_path, "username"):
            for name in ("right", "wrong"):
                (tmp_path / name).mkdir()
            gateway = through(lab, tmp_path / "right", (places.INSIDE, 1080),
                              protocol="socks5", user="joe:secret")
            listener = lab.server.listen(places.SERVER)
            for asks in (asks_in_4, asks_in_5):
                carries(lab.server, gateway, asks, listener)
            laws(gateway)
            gateway = through(lab, tmp_path / "wrong", (places.INSIDE, 1080),
                              user="joe:wrong")
            client = gateway.client().sock
            assert socks5.ask(client, (places.SERVER, 9)).code == socks5.FAILURE
            client.close()
            record = gateway.record(verdict="parent-refused")
            assert "refused the user or the password" in record["hint"]
            laws(gateway)


def test_microsocks_is_a_parent_for_both_families(lab, tmp_path):
    """It speaks nothing but SOCKS5. The second one wants a password."""
    started = []
    for at, more in ((1080, []), (1082, ["-u", "joe", "-P", "secret"])):
        started.append(lab.gateway.popen(
            ["microsocks", "-i", places.INSIDE, "-p", str(at), *more],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=places.die_with_parent))
        wait_for("microsocks", lambda: lab.gateway.listens(at)
                 or started[-1].poll() is not None)
        assert started[-1].poll() is None
    gateway = through(lab, tmp_path, (places.INSIDE, 1080), protocol="socks5")
    listener = lab.server.listen(places.SERVER)
    for asks in (asks_in_4, asks_in_5):
        carries(lab.server, gateway, asks, listener)
    carries(lab.client, gateway, asks_in_5, lab.client.listen(places.CLIENT6))
    laws(gateway)

    for user, hint in ((None, "the parent wants authentication"),
                       ("joe:wrong", "the parent refused the user or the")):
        (tmp_path / str(user)).mkdir()
        gateway = through(lab, tmp_path / str(user), (places.INSIDE, 1082),
                          user=user)
        client = gateway.client().sock
        assert socks5.ask(client, (places.SERVER, 9)).code == socks5.FAILURE
        client.close()
        record = gateway.record(verdict="parent-refused")
        assert record["hint"].startswith(hint)
        laws(gateway)
    (tmp_path / "right").mkdir()
    gateway = through(lab, tmp_path / "right", (places.INSIDE, 1082),
                      protocol="socks5", user="joe:secret")
    listener = lab.server.listen(places.SERVER)
    for asks in (asks_in_4, asks_in_5):
        carries(lab.server, gateway, asks, listener)
    laws(gateway)
    for process in started:
        process.terminate()
        process.wait(places.TIMEOUT)


def ssh_tunnel(lab, sshd):  # noqa: F811
    """ssh -D on the server's machine."""
    tunnel = lab.server.popen(
        ["ssh", "-F", "none", "-N", "-i", str(sshd / "user_key"),
         "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
         "-o", "BatchMode=yes", "-p", str(PORT), "-D", f"{places.SERVER}:1080",
         "root@127.0.0.1"], stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE, preexec_fn=places.die_with_parent)
    wait_for("ssh -D", lambda: lab.server.listens(1080)
             or tunnel.poll() is not None)
    assert tunnel.poll() is None, tunnel.stderr.read()
    return tunnel


def test_ssh_is_a_parent_by_address_and_by_name(lab, sshd, tmp_path):  # noqa: F811
    """ssh -D speaks 4, 4A and 5, and resolves names where sshd runs."""
    tunnel = ssh_tunnel(lab, sshd)
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

    (tmp_path / "five").mkdir()
    gateway = through(lab, tmp_path / "five", (places.SERVER, 1080),
                      protocol="socks5")
    listener = lab.server.listen(places.SERVER)
    there = lab.server.listen("127.0.0.1")  # localhost is that of sshd
    for asks in (asks_in_4, asks_in_5):
        carries(lab.server, gateway, asks, listener)
        carries(lab.server, gateway, asks, there, "localhost")
    laws(gateway)
    tunnel.terminate()


TOR = (places.SERVER, 9050)
PUBLIC = "93.184.216.34"  # what tor takes for one; it is the server's here
TORRC = """
SocksPort {}:{}
DataDirectory {}/data
SocksTimeout {}
"""


@pytest.fixture
def tor(lab, tmp_path):
    """Without its network, so it grants nothing: it refuses at once what it
    would never do, and the rest after so many seconds."""
    def start(patience):
        config, log = tmp_path / "torrc", tmp_path / "tor.log"
        config.write_text(TORRC.format(*TOR, tmp_path, patience))
        with open(log, "wb") as file:
            process = lab.server.popen(
                ["tor", "-f", config, "--defaults-torrc", "/dev/null"],
                stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                preexec_fn=places.die_with_parent)
        wait_for("tor", lambda: lab.server.listens(TOR[1])
                 or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        return log
    return start


@pytest.mark.parametrize("ask, said, protocol", [
    (lambda client: client.ask((places.SERVER, 80), b"ann"),
     "private address", "same"),
    (lambda client: client.ask((places.SERVER, 80)), "private address",
     "socks5"),
    (lambda client: client.ask((PUBLIC, 80), cd=BIND), "command 2", "same"),
    (lambda client: client.ask_name("no.such.example", 80), "Giving up",
     "same"),
], ids=["private", "private-in-5", "bind", "no-circuit"])
def test_what_tor_refuses_the_client_is_refused(lab, tor, tmp_path, ask, said,
                                                protocol):
    log = tor(patience=1)
    gateway = through(lab, tmp_path, TOR, protocol=protocol)
    client = gateway.client()
    ask(client)
    assert client.reply().cd == REFUSED
    client.sock.close()
    record = gateway.record()
    assert (record["verdict"], record["code"], record["via"]) == (
        "parent-refused", 91, "other")
    wait_for("tor's reason", lambda: said in log.read_text())
    laws(gateway)


def test_while_tor_waits_for_a_circuit_the_next_parent_is_tried(
        lab, tor, sshd, tmp_path):  # noqa: F811
    """It has taken the request and says nothing: its share of the time."""
    tor(patience=60)
    tunnel = ssh_tunnel(lab, sshd)
    lab.server.ip(f"address add {PUBLIC}/32 dev lo")
    listener = lab.server.listen(PUBLIC)
    gateway = through(lab, tmp_path, TOR, (places.SERVER, 1080),
                      timeouts="{connect: 4s}")
    client = gateway.client()
    client.ask(listener.getsockname())
    server, _ = lab.server.accept(listener)
    assert client.reply().cd == GRANTED
    server.sendall(b"from there")
    assert client.sock.recv(100) == b"from there"
    client.sock.close()
    server.close()
    record = gateway.record()
    assert (record["verdict"], record["via"]) == ("granted", "behind")
    assert record["ms"]["connect"] >= 1950
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
