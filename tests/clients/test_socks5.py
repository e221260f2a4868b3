"""The socks4 tool speaks SOCKS5: over good servers of others, and bad ones."""
import subprocess

import pytest

import lab as places
import programs
from evidence import records_of
from gateway import wait_for
from misbehaving import GRANTED, Script, hold, reset
from servers import Echo, Web
from socks4 import ending, receive_exactly
from streams import MB, piece
from test_over_others import dante  # noqa: F401
from tls import Authority, Front

HELLO, LOGIN_HELLO = b"\5\1\0", b"\5\2\0\2"
LOGIN = b"\1\3joe\6secret"
NO_LOGIN, WANTS_LOGIN = b"\5\0", b"\5\2"
WEB = b"\5\1\0\1\x0a\2\0\2\0\x50"  # CONNECT to 10.2.0.2:80


def answer(code, address=b"\1\0\0\0\0", port=0):
    return bytes([5, code, 0]) + address + port.to_bytes(2, "big")


def tool(gateway, *words, command="connect"):
    return [programs.TOOL, command, *map(str, words), "-p", gateway,
            "--socks5"]


@pytest.fixture
def secret(tmp_path):
    """The options of a user with a password."""
    file = tmp_path / "password"
    file.write_text("secret\n")
    file.chmod(0o600)
    return ["--user", "joe", "--password-file", str(file)]


ASKED = [3, NO_LOGIN, len(WEB)]
# steps of the gateway: (exit status, what is said)
MISDEEDS = {
    "fails": ([*ASKED, answer(1)], 101, "1: {at} did not connect to 10.2.0.2:"
              "80: general failure of the server; ask the gateway's operator"),
    "says no": ([*ASKED, answer(2)], 102, "for a rule that allows it"),
    "has no network": ([*ASKED, answer(3)], 103, "network unreachable"),
    "finds no host": ([*ASKED, answer(4)], 104, "host unreachable"),
    "is refused": ([*ASKED, answer(5)], 105, "nothing listens there"),
    "has waited": ([*ASKED, answer(6)], 106, "did not answer in time"),
    "does not do that": ([*ASKED, answer(7)], 107, "does not do that"),
    "has no such addresses": ([*ASKED, answer(8)], 108, "an IPv4 address or"),
    "has a code of its own": ([*ASKED, answer(91)], 101, "91: {at} did not"),
    "says no without an address": ([*ASKED, b"\5\2\0\0"], 102, "2: {at}"),
    "says no and is cut": ([*ASKED, b"\5\2"], 102, "2: {at}"),
    "grants without an address": ([*ASKED, b"\5\0\0\0", hold], 3,
                                  "not an IPv4 or IPv6 address or a name"),
    "stops short": ([*ASKED, b"\5\0\0\1\0"], 3, "ended inside a reply"),
    "closes": ([3], 3, "without a reply; check host and port with -p, and"),
    "closes later": (ASKED, 3, "without a reply; it speaks SOCKS5, and may"),
    "wants a login": ([3, b"\5\xff"], 5, "{at} does not let you in: it "
                      "accepts none of the methods offered; it wants a login "
                      "(give --user and --password-file), or serves no SOCKS5"),
    "takes what was not offered": ([3, WANTS_LOGIN, hold], 3,
                                   "a method that was not offered"),
    "speaks SOCKS 4": ([3, b"\0\x5b" + bytes(6)], 3, "does not answer as a "
                       "SOCKS 5 gateway: the version is not that of SOCKS 5"),
    "speaks HTTP": ([b"HTTP/1.0 400 Bad\r\n", hold], 3, "the version"),
    "resets": ([3, reset], 1, "{at}: Connection reset by peer"),
    "is silent": ([3, hold], 1, "no answer from {at} within 300ms"),
    "is silent later": ([*ASKED, hold], 1, "no answer from {at} within 300ms"),
    "grants and resets": ([*ASKED, answer(0), reset], 1,
                          "the connection: Connection reset by peer"),
}


def test_whatever_a_gateway_does_it_says_so_and_ends(lab, call):
    for name, (steps, status, says) in MISDEEDS.items():
        script = Script(lab.gateway, *steps)
        done = call(*tool(script.address, places.SERVER, 80, "-t",
                          "300ms" if "silent" in name else "20s"))
        said = done.stderr.decode()
        assert (done.returncode, done.stdout) == (status, b""), (name, done)
        assert says.format(at=script.address) in said, (name, said)
        assert said.count("\n") == 1, (name, said)
        assert script.heard == [HELLO, WEB][:len(script.heard)], name


def test_a_refused_password_is_status_5_and_not_repeated(lab, call, secret):
    script = Script(lab.gateway, 4, WANTS_LOGIN, len(LOGIN), b"\1\1")
    done = call(*tool(script.address, places.SERVER, 80, *secret))
    assert (done.returncode, done.stdout) == (5, b"")
    assert b"refused the user name or the password; check --user" in done.stderr
    assert b"secret" not in done.stderr
    assert script.heard == [LOGIN_HELLO, LOGIN]


@pytest.mark.parametrize("options, dest, sent", [
    (["socks5://{at}"], "10.2.0.2", b"\1\x0a\2\0\2"),
    (["socks5h://{at}"], "www.test", b"\3\x08www.test"),
    (["socks5://{at}", "-a"], "www.test", b"\3\x08www.test"),
    (["{at}", "--socks5", "-a"], "10.2.0.2", b"\1\x0a\2\0\2"),
    (["socks5h://{at}"], "2001:db8::1",
     b"\4\x20\1\x0d\xb8" + bytes(11) + b"\1"),
])
def test_addresses_and_names_are_sent_as_such(lab, call, options, dest, sent):
    script = Script(lab.gateway, 3, NO_LOGIN, 5 + len(sent), answer(0))
    done = call(programs.TOOL, "connect", dest, "80", "-p",
                *[word.format(at=script.address) for word in options])
    assert (done.returncode, done.stderr) == (0, b""), done
    assert script.heard == [HELLO, b"\5\1\0" + sent + b"\0\x50"]


def test_names_of_a_program_are_the_gateways_to_resolve(lab, call):
    wanted = b"\5\1\0\3\x08one.test\0\x50"
    script = Script(lab.gateway, 3, NO_LOGIN, len(wanted), answer(0), 5,
                    b"hello", hold)
    done = call(programs.TOOL, "run", "-p", f"socks5h://{script.address}",
                "/usr/bin/python3", programs.INNOCENT, "names", "any", "80")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"well\n", b"")
    assert script.heard == [HELLO, wanted, b"hello"]


@pytest.mark.parametrize("words, says", [
    (["--user", "joe"], "--user is for SOCKS5: add --socks5, or write the"),
    (["--password-file", "f"], "--password-file is for SOCKS5"),
    (["--socks5", "--user", "joe"], "wants a password: add --password-file"),
    (["--socks5", "--password-file", "/etc/passwd"], "wants a user name"),
    (["--socks5", "--user", "joe", "--password-file", "/nonexistent"],
     "--password-file /nonexistent: No such file"),
    (["--socks5", "--user", "x" * 256], "--user: the user name is longer"),
    (["--password-file", "f", "-p", "socks5://a@g,socks5://b@h"],
     "one password is for one gateway"),
    (["-p", "socks5://joe:hunter2@g"], "--password-file"),
    (["-p", "socks6://g"], "socks6:// is not known: write socks4://"),
])
def test_usage_is_status_2_and_has_no_password(call, words, says):
    for command in (["connect"], ["run"]):
        rest = ["host", "80"] if command == ["connect"] else ["--", "true"]
        done = call(programs.TOOL, *command, *words, *rest, *(
            ["--json"] if command == ["connect"] else []))
        said = done.stderr.decode()
        assert (done.returncode, done.stdout) == (2, b""), done
        assert says in said and "hunter2" not in said, said


def test_a_chain_goes_from_version_to_version(lab, call):
    """Through one gateway of 5 to one of 4, and the other way."""
    script = Script(lab.gateway, 3, NO_LOGIN, 10, answer(0), 9, GRANTED)
    done = call(programs.TOOL, "connect", places.SERVER, "80", "-p",
                f"socks5://{script.address},socks4://192.0.2.1:7")
    assert (done.returncode, done.stderr) == (0, b""), done
    assert script.heard[1:] == [b"\5\1\0\1\xc0\0\2\1\0\7",
                                b"\4\1\0\x50\x0a\2\0\2\0"]
    script = Script(lab.gateway, 9, GRANTED, 3, NO_LOGIN, 10, answer(5))
    done = call(programs.TOOL, "connect", places.SERVER, "80", "-p",
                f"{script.address},socks5://192.0.2.1:7")
    assert done.returncode == 105, done
    assert b"5: 192.0.2.1:7 did not connect to 10.2.0.2:80" in done.stderr


def test_json_says_the_code(lab, call):
    script = Script(lab.gateway, *ASKED, answer(2))
    done = call(*tool(script.address, places.SERVER, 80, "--json"))
    assert b'"code":2,"status":102,' in done.stderr, done


@pytest.fixture
def microsocks(lab):
    """Names and IPv6, with a password."""
    process = lab.gateway.popen(
        ["microsocks", "-i", places.INSIDE, "-u", "joe", "-P", "secret"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=places.die_with_parent)
    wait_for("microsocks", lambda: lab.gateway.listens(1080)
             or process.poll() is not None)
    assert process.poll() is None
    yield
    process.terminate()
    process.wait(places.TIMEOUT)


def says_hello(client):
    """microsocks ends both directions with one: the answer comes before."""
    client.stdin.write(b"hello")
    client.stdin.flush()
    assert client.stdout.read(5) == b"hello"
    out, err = client.communicate(timeout=places.TIMEOUT)
    return client.returncode, out, err


def test_over_microsocks(lab, microsocks, call, start_client, secret,
                         tmp_path):
    """A password, a destination of IPv6, `run`, and what it refuses."""
    web = Web(lab.server, address=places.SERVER)
    sixth = programs.words(Echo(lab.client, places.CLIENT6).address)
    assert says_hello(start_client(*tool(
        programs.PROXY, *sixth, *secret))) == (0, b"", b"")
    done = call(*programs.run(
        "curl", "-q", "-sS", "--fail", "http://%s:%d/%d/0" % (*web.address, MB),
        options=["--socks5", "-v", *secret]))
    assert (done.returncode, done.stdout) == (0, piece(0, MB)), done
    assert b": granted\n" in done.stderr and b"secret" not in done.stderr
    assert says_hello(start_client(*programs.run(
        "nc.openbsd", "-N", *sixth, options=["--socks5", *secret]))) == \
        (0, b"", b"")
    done = call(*tool(programs.PROXY, places.SERVER, 9, *secret))
    assert done.returncode in (101, 105), done
    (tmp_path / "password").write_text("wrong\n")
    done = call(*tool(programs.PROXY, places.SERVER, 80, *secret))
    assert (done.returncode, b"wrong" in done.stderr) == (5, False), done
    done = call(*programs.run("nc.openbsd", places.SERVER, "80",
                              options=["--socks5", "-v", *secret]))
    assert done.returncode == 1 and b"did not let you in" in done.stderr, done


def test_the_environment_of_a_program_has_no_password(lab, call, secret):
    done = call(*programs.run("env", options=["--socks5", *secret]))
    assert done.returncode == 0 and b"SOCKS4_RUN_" in done.stdout
    assert b"secret" not in done.stdout


def test_without_its_password_file_a_program_connects_nowhere(lab, call,
                                                              secret):
    script = Script(lab.gateway, hold)
    done = call(programs.TOOL, "run", "-p", script.address, "--socks5",
                "-t", "2s", *secret, "--", "sh", "-c",
                f"rm {secret[-1]}; nc.openbsd -v {places.SERVER} 80")
    assert done.returncode == 1 and script.heard == [], done
    assert b"the password file: " in done.stderr, done
    assert b"Permission denied" in done.stderr, done


def test_refusals_are_the_errors_of_a_direct_connection(lab, call):
    """Of a socket that is for IPv6 only, too."""
    for code, error in ((0, 0), (1, 111), (2, 13), (3, 101), (4, 113),
                        (5, 111), (6, 110), (7, 95), (8, 97), (91, 111)):
        script = Script(lab.gateway, 3, NO_LOGIN, 22, answer(code), hold)
        done = call(programs.TOOL, "run", "-p", f"socks5://{script.address}",
                    "/usr/bin/python3", "-c", """
import socket
with socket.socket(socket.AF_INET6) as sock:
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    print(sock.connect_ex(("2001:db8::1", 80)))
    print(sock.getpeername()[0] if sock.connect_ex(("2001:db8::1", 80)) == 106
          else "")
""")
        assert done.stdout.split() == [str(error).encode()] + (
            [b"2001:db8::1"] if code == 0 else []), (code, done)
        assert script.heard[1] == b"\5\1\0\4\x20\1\x0d\xb8" + bytes(11) \
            + b"\1\0\x50"


def test_over_our_own_gateway(lab, start_gateway, call, start_client):
    """CONNECT over both families, BIND, `run`, and a refusal by a rule."""
    gateway = start_gateway(
        listen='[{address: "%s:1080", name: inside, socks5: "true",'
               ' insecure_plaintext: true}]' % places.INSIDE,
        rules="[{name: no, action: deny, from: [any], to: [any], port: [81]},"
              " {name: all, action: allow, from: [any], to: [any],"
              " command: [connect, bind]}]")
    echo, sixth = Echo(lab.server), Echo(lab.client, places.CLIENT6)
    for to in (echo.address, sixth.address[:2]):
        done = call(*tool(programs.PROXY, *to), given=b"hello")
        assert (done.returncode, done.stdout) == (0, b"hello"), done
        done = call(*programs.run("nc.openbsd", "-N", *map(str, to),
                                  options=["--socks5"]), given=b"hello")
        assert (done.returncode, done.stdout) == (0, b"hello"), done
    done = call(*tool(programs.PROXY, places.SERVER, 81))
    assert done.returncode == 102, done
    client = start_client(*tool(programs.PROXY, places.SERVER, 21,
                                command="bind"))
    address, _, port = client.stdout.readline().decode().rpartition(":")
    peer = lab.server.connect((address, int(port)), source=(places.SERVER, 0))
    peer.sendall(b"220 hello")
    peer.close()
    out, err = client.communicate(timeout=places.TIMEOUT)
    assert (client.returncode, out, err) == (0, b"220 hello", b"")
    assert {record["version"] for record in records_of(gateway, 6)} == {"5"}


def test_within_tls(lab, call, secret, tmp_path):
    """The password is told inside of TLS, by the tool and by programs."""
    authority = Authority(tmp_path)
    steps = [4, WANTS_LOGIN, len(LOGIN), b"\1\0", len(WEB), answer(0), b"hello"]
    script = Script(lab.gateway, *steps)
    host, port = script.address.split(":")
    front = Front(lab.gateway, authority.server(f"IP:{places.INSIDE}"),
                  (host, int(port)))
    words = ["-p", f"socks5://{front.address}", "--ca", authority.certificate,
             *secret]
    done = call(programs.TOOL, "connect", *words, places.SERVER, "80")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello", b"")
    done = call(programs.TOOL, "run", *words, "nc.openbsd", "-d",
                places.SERVER, "80")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello", b"")
    assert script.heard == 2 * [LOGIN_HELLO, LOGIN, WEB]


def test_bind_and_run_over_dante(lab, dante, start_client, call):  # noqa: F811
    """BIND of SOCKS5: it waits, the peer comes; a program that listens."""
    client = start_client(*tool(programs.PROXY, places.SERVER, 21,
                                command="bind"))
    address, _, port = client.stdout.readline().decode().rpartition(":")
    assert address == places.OUTSIDE
    peer = lab.server.connect((address, int(port)), source=(places.SERVER, 0))
    peer.sendall(b"220 hello")
    peer.shutdown(1)
    assert client.stdout.read() == b"220 hello"
    client.stdin.close()
    assert ending(peer) == ("fin", b"")
    assert client.wait(places.TIMEOUT) == 0
    done = call(*programs.innocent("addresses", Echo(lab.server).address,
                                   "--socks5"))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"well\n", b"")
    done = call(*tool(programs.PROXY, places.SERVER, 81))
    assert done.returncode == 102, done


BOUND = answer(0, b"\1\x0a\2\0\1", 40000)
PEER = answer(0, b"\1\x0a\2\0\2", 20)


@pytest.mark.parametrize("task, steps", [
    ("await_peer", [BOUND, PEER, b"hello"]),
    ("no_peer", [BOUND, answer(6)]),
    ("no_peer", [BOUND, b"\5\1"])])
def test_a_listener_of_a_program_is_a_bind(lab, call, task, steps):
    def serve(sock):
        assert receive_exactly(sock, 3) == HELLO
        sock.sendall(NO_LOGIN)
        first = receive_exactly(sock, 10)
        if first[1] == 1:
            sock.sendall(answer(0, b"\1\x0a\1\0\2", 999))
            hold(sock)
        for step in steps:
            sock.sendall(step)
    script = Script(lab.gateway, serve)
    done = call(programs.TOOL, "run", "--socks5", "-p", script.address, "--",
                "/usr/bin/python3", programs.INNOCENT, task, places.SERVER,
                "80")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"well\n", b"")
