"""SOCKS 4 inside TLS: the tool against what takes TLS off in front of a
gateway, and against peers that end or break it in every way."""
import json
import os
import signal
import ssl

import pytest

import lab as places
import programs
from bind import BOTH
from certificates import openssl
from evidence import records_of
from gateway import Process, wait_for
from misbehaving import GRANTED, REJECTED, Script, drip, hold, reset
from servers import Echo, Web, come_as_peer, relays_as_peer
from socks4 import receive_exactly
from streams import MB, beside, piece, pull, push, whole
from tls import Authority, Front, over_tls

CONNECT = len(b"\4\1ppaaaa\0")
GATEWAY = (places.INSIDE, 1080)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def context(authority):
    return authority.server(f"IP:{places.INSIDE}")


@pytest.fixture
def front(lab, gateway, context):
    """The plain gateway behind TLS."""
    return Front(lab.gateway, context, GATEWAY)


def tool(at, authority, *words, command="connect"):
    return [programs.TOOL, command, *map(str, words), "-p", at, "--ca",
            authority.certificate]


def answer_at_the_end(lab, listener):
    server, _ = lab.server.accept(listener)
    got = pull(server)
    push(server, 3 * MB)
    server.close()
    return got


def test_each_direction_ends_by_itself(lab, gateway, front, call, authority):
    """[V4-3.3-11] Megabytes, a half-close by close_notify, then the
    answer."""
    listener = lab.server.listen(places.SERVER)
    serving = beside(answer_at_the_end, lab, listener)
    done = call(*tool(front.address, authority, *listener.getsockname()),
                given=piece(0, 2 * MB))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == piece(0, 3 * MB)
    assert serving.result(places.TIMEOUT) == whole(2 * MB)
    assert front.versions == ["TLSv1.3"]
    records_of(gateway, 1)


def test_the_server_ends_first_and_still_hears_the_client(
        lab, gateway, front, start_client, authority):
    """[V4-3.3-11]"""
    listener = lab.server.listen(places.SERVER)
    client = start_client(*tool(front.address, authority,
                                *listener.getsockname()))
    server, _ = lab.server.accept(listener)
    push(server, MB)
    server.shutdown(1)
    assert client.stdout.read() == piece(0, MB)
    client.stdin.write(b"heard")
    client.stdin.close()
    assert receive_exactly(server, 6) == b"heard"
    assert client.wait(places.TIMEOUT) == 0
    assert client.stderr.read() == b""
    server.close()
    records_of(gateway, 1)


def test_bind_over_tls(lab, start_gateway, start_client, authority, context):
    """[V4-4.2-8] [V4-4.3-8]"""
    start_gateway(rules=BOTH)
    front = Front(lab.gateway, context, GATEWAY)
    client = start_client(*tool(front.address, authority, places.SERVER, 21,
                                command="bind"))
    relays_as_peer(lab.server, client)


def another(authority):
    """An authority that nobody trusts."""
    return Authority(authority.folder / "another", "another CA")


def self_signed(authority):
    alone = Authority(authority.folder / "alone", "gw.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(alone.certificate, alone.key)
    return context


# what the server presents: (its context, more options, what is said)
def untrusted_servers(authority):
    mine = f"IP:{places.INSIDE}"
    return [
        (authority.server("DNS:gw.example", "IP:10.9.9.9"), [],
         "IP address mismatch; if it is the right server, --server-name gives a "
         "subject alternative name"),
        (authority.server("DNS:gw.example"), ["--server-name", "other.example"],
         "hostname mismatch; if it is the right server, --server-name"),
        (authority.server(mine), ["--server-name", mine.replace(":", "-")],
         "hostname mismatch; if it is the right server, --server-name"),
        (another(authority).server(mine), [], "--ca names the authority"),
        (self_signed(authority), [], "--ca with this certificate itself"),
        (authority.server(mine, expired=True), [],
         "its certificate is refused: certificate has expired"),
        (authority.server(mine, most=ssl.TLSVersion.TLSv1_1), [],
         "alert"),
    ]


def test_a_server_that_cannot_show_who_it_is_gets_no_request(
        lab, call, authority):
    heard = []

    def listen(secured):
        heard.append(secured.recv(64))

    for context, more, says in untrusted_servers(authority):
        script = Script(lab.gateway, over_tls(context, listen))
        done = call(*tool(script.address, authority, places.SERVER, 80, *more))
        assert done.returncode == 4, (says, done)
        assert done.stdout == b"" and done.stderr.count(b"\n") == 1
        if says != "alert":
            assert says in done.stderr.decode(), done.stderr
    assert not any(heard), heard


def test_the_name_is_that_of_the_gateway_or_the_one_that_is_given(
        lab, call, authority):
    for names, more in [
            (["DNS:gw.example"], ["--server-name", "gw.example"]),
            (["DNS:*.corp.example"], ["--server-name", "gw.corp.example"]),
            (["DNS:gw.example", "IP:10.9.9.9"], ["--server-name", "10.9.9.9"]),
            ([f"IP:{places.INSIDE}"], [])]:
        script = Script(lab.gateway, over_tls(
            authority.server(*names), CONNECT, GRANTED + b"hello"))
        done = call(*tool(script.address, authority, places.SERVER, 80, *more))
        assert (done.returncode, done.stdout) == (0, b"hello"), done


def test_the_systems_authorities_are_the_default(lab, call, authority, context):
    script = Script(lab.gateway, over_tls(context, CONNECT, GRANTED))
    words = [programs.TOOL, "connect", places.SERVER, "80", "-p",
             script.address, "--tls"]
    done = call(*words)
    assert done.returncode == 4
    assert b"--ca names the authority that signed it" in done.stderr
    done = call(*words, SSL_CERT_FILE=str(authority.certificate))
    assert done.returncode == 0, done


def test_a_client_has_a_certificate_of_its_own(lab, gateway, call, authority):
    """What the server says without one is passed on."""
    front = Front(lab.gateway, authority.server(f"IP:{places.INSIDE}",
                                                clients=True), GATEWAY)
    listener = lab.server.listen(places.SERVER)
    mary = authority.issue("mary", names="DNS:mary.example")
    words = tool(front.address, authority, *listener.getsockname())
    done = call(*words)
    assert done.returncode == 4
    assert b"it may ask for a certificate: --certificate and --key" \
        in done.stderr, done
    serving = beside(lambda: lab.server.accept(listener)[0].close())
    done = call(*words, "--certificate", mary.certificate, "--key", mary.key)
    assert (done.returncode, done.stderr) == (0, b""), done
    serving.result(places.TIMEOUT)
    assert front.names[-1]["subject"][0][0] == ("commonName", "mary")
    eve = another(authority).issue("eve", names="DNS:eve.example")
    done = call(*words, "--certificate", eve.certificate, "--key", eve.key)
    assert done.returncode == 4 and b"unknown CA" in done.stderr, done
    records_of(gateway, 1)


def test_files_that_are_wrong_are_named(call, authority, tmp_path):
    mary = authority.issue("mary", names="DNS:mary.example")
    certificate, key = mary.certificate, mary.key
    other = authority.issue("joe", names="DNS:joe.example").key
    (tmp_path / "text").write_text("no certificate")
    openssl("pkey", "-in", key, "-aes128", "-passout", "pass:secret", "-out",
            tmp_path / "sealed.key")
    for words, says in [
            (["--ca", "/nowhere"], "--ca /nowhere: No such file"),
            (["--ca", "text"], "--ca text: "),
            (["--certificate", certificate], "go together"),
            (["--certificate", "text", "--key", key], "--certificate text: "),
            (["--certificate", certificate, "--key", "/nowhere"],
             "--key /nowhere: No such file"),
            (["--certificate", certificate, "--key", other],
             f"--key {other}: is not the key of the certificate in"),
            (["--certificate", certificate, "--key", "sealed.key"],
             "--key sealed.key: is encrypted; 'openssl pkey' decrypts it")]:
        for command in (["connect", "host", "1"], ["run", "true"]):
            done = call(programs.TOOL, command[0], "-p", "127.0.0.1:9",
                        *words, *command[1:])
            assert done.returncode == 2, (words, done)
            assert says in done.stderr.decode(), (words, done)


def cut(secured):
    secured.cut(b"the rest of it")


def abandon(secured):
    secured.abandon()


def garbage(secured):
    secured.sock.sendall(b"HTTP/1.0 400 Bad\r\n\r\n")


CUT = "it ended without close_notify: the end may be missing"

# steps of the gateway: (exit status, what comes, what is said)
MISDEEDS = {
    "says no": ([CONNECT, REJECTED], 91, b"", "91: "),
    "says no in pieces": ([CONNECT, drip(REJECTED)], 91, b"", "91: "),
    "says no too early": ([REJECTED, hold], 91, b"", "91: "),
    "closes": ([CONNECT], 3, b"", "the connection ended without a reply"),
    "stops short": ([CONNECT, b"\0\x5a\0"], 3, b"", "inside a reply"),
    "is cut before its reply": ([CONNECT, abandon], 1, b"", CUT),
    "is cut inside its reply": ([CONNECT, b"\0\x5a", cut], 1, b"", CUT),
    "resets": ([CONNECT, reset], 1, b"", "Connection reset by peer"),
    "is silent": ([CONNECT, hold], 1, b"", "no answer from"),
    "talks nonsense": ([CONNECT, garbage, hold], 4, b"", "does not speak TLS"),
    "grants": ([CONNECT, GRANTED, b"all"], 0, b"all", ""),
    "grants and resets": ([CONNECT, GRANTED + b"some", reset], 1, b"some",
                          "the connection: Connection reset by peer"),
    "grants and is cut": ([CONNECT, GRANTED, b"some", abandon], 1, b"some",
                          "the connection: " + CUT),
    "grants and is cut in a record": (
        [CONNECT, GRANTED, piece(0, MB), cut], 1, piece(0, MB),
        "the connection: " + CUT),
}


@pytest.mark.parametrize("name", MISDEEDS)
def test_whatever_a_gateway_does_it_says_so_and_ends(
        lab, start_client, context, authority, name):
    """[V4-3.3-1] [V4-3.3-11] What came before an end that is none is passed
    on, and the end is an error."""
    steps, status, out, says = MISDEEDS[name]
    script = Script(lab.gateway, over_tls(context, *steps))
    client = start_client(*tool(
        script.address, authority, places.SERVER, 80, "-t",
        "300ms" if name == "is silent" else "20s"))
    got = client.stdout.read()
    client.stdin.close()
    assert (client.wait(places.TIMEOUT), got) == (status, out)
    assert says in client.stderr.read().decode()


def test_a_gateway_without_tls_is_told_apart(lab, call, gateway, authority):
    done = call(*tool(programs.PROXY, authority, places.SERVER, 80))
    assert done.returncode == 4, done
    script = Script(lab.gateway, b"HTTP/1.0 400 Bad\r\n\r\n", hold)
    done = call(*tool(script.address, authority, places.SERVER, 80))
    assert done.returncode == 4 and b"does not speak TLS" in done.stderr
    script = Script(lab.gateway, hold)
    done = call(*tool(script.address, authority, places.SERVER, 80, "-t",
                      "300ms"))
    assert done.returncode == 1 and b"no answer from" in done.stderr
    done = call(*tool("10.1.0.1:9", authority, places.SERVER, 80))
    assert (done.returncode, done.stderr) == \
        (1, b"socks4: 10.1.0.1:9: Connection refused\n")


def test_a_hangup_ends_in_order_and_a_kill_does_not(lab, start_client, context,
                                                    authority):
    """ssh hangs up on its ProxyCommand as soon as it has written the rest."""
    for number, seen in ((signal.SIGHUP, "fin"), (signal.SIGTERM, "cut")):
        ends = []

        def listen(secured):
            try:
                while octets := secured.recv(65536):
                    ends.append(len(octets))
                ends.append("fin")
            except ConnectionAbortedError:
                ends.append("cut")

        script = Script(lab.gateway, over_tls(context, CONNECT, GRANTED,
                                              b"here", listen))
        client = start_client(*tool(script.address, authority, places.SERVER,
                                    80))
        assert client.stdout.read(4) == b"here"
        if seen == "fin":
            client.stdin.write(piece(0, MB))
        client.send_signal(number)
        client.stdin.close()
        wait_for("its end", lambda: ends and ends[-1] == seen)
        assert sum(ends[:-1]) == (MB if seen == "fin" else 0)
        assert client.wait(places.TIMEOUT) == (0 if seen == "fin" else -15)


def test_json_says_it_too(lab, start_client, context, authority):
    script = Script(lab.gateway, over_tls(context, CONNECT, GRANTED, b"some",
                                          abandon))
    client = start_client(*tool(script.address, authority, places.SERVER, 80,
                                "--json"))
    said = json.loads(client.stderr.read())
    assert (said["status"], said["down"]) == (1, 4)
    assert said["message"] == "the connection: " + CUT


def test_a_command_has_the_connection(lab, gateway, front, call, authority):
    echo = Echo(lab.server)
    done = call(*tool(front.address, authority, *echo.address, "--exec",
                      "echo hello; head -c 6 >&2; exit 7"))
    assert (done.returncode, done.stderr) == (7, b"hello\n"), done


def test_a_command_sees_the_cut(lab, call, context, authority):
    script = Script(lab.gateway, over_tls(context, CONNECT, GRANTED, b"some",
                                          abandon))
    done = call(*tool(script.address, authority, places.SERVER, 80, "--exec",
                      "exec cat >&2"))
    assert done.returncode != 0
    assert b"some" in done.stderr and CUT.encode() in done.stderr, done


# --- socks4 run ---


def run(at, authority, *command, options=()):
    return [programs.TOOL, "run", "-p", at, "--ca", authority.certificate,
            *options, "--", *map(str, command)]


def innocent(at, authority, task, to, options=()):
    return run(at, authority, "/usr/bin/python3", programs.INNOCENT, task,
               *to, options=options)


def tunnels(authority):
    """The processes that speak TLS for a program with this authority."""
    found = [Process(int(pid)) for pid in os.listdir("/proc") if pid.isdigit()]
    return [process for process in found
            if process.command()[:2] == [programs.TOOL, "run"]
            and str(authority.certificate) in process.command()]


@pytest.mark.parametrize("task, sessions", [
    ("addresses", 2), ("bound", 4), ("nonblocking", 2), ("threads", 45),
    ("refused", 3), ("loopback", 0), ("listens", 0)])
def test_sockets_behave_as_if_there_were_neither_gateway_nor_tls(
        lab, gateway, front, call, authority, task, sessions):
    """[V4-1-2] [V4-3.3-11]"""
    echo = Echo(lab.server)
    done = call(*innocent(front.address, authority, task, echo.address))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"well\n", b"")
    records_of(gateway, sessions)


def test_a_peer_comes_to_a_listener_of_a_program(lab, start_gateway, call,
                                                 authority, context):
    """[V4-4.2-8] [V4-4.3-8]"""
    start_gateway(rules=BOTH)
    front = Front(lab.gateway, context, GATEWAY)
    listener = lab.server.listen(places.SERVER)
    serving = beside(come_as_peer, lab.server, listener)
    done = call(*innocent(front.address, authority, "peer",
                          listener.getsockname()))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"well\n", b"")
    serving.result(places.TIMEOUT)


def test_names_are_the_gateways_over_tls_too(lab, call, authority, context):
    """[4A-3.1-1] [4A-3.1.1-1]"""
    wanted = b"\4\1\0\x50\0\0\0\1\0one.test\0"
    script = Script(lab.gateway, over_tls(context, len(wanted), GRANTED, 5,
                                          b"hello", hold))
    done = call(*innocent(script.address, authority, "names", ("any", "80"),
                          options=["-a"]))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"well\n", b"")


def test_curl_fetches_over_tls(lab, gateway, front, call, authority):
    """[V4-1-3]"""
    web = Web(lab.server, address=places.SERVER)
    done = call(*run(front.address, authority, "curl", "-q", "-sS", "--fail",
                     "http://%s:%d/%d/0" % (*web.address, MB)))
    assert (done.returncode, done.stdout, done.stderr) == \
        (0, piece(0, MB), b"")
    records_of(gateway, 1)


ASK = """
import socket, sys
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
got = b""
try:
    while octets := sock.recv(65536):
        got += octets
    print("end", len(got))
except ConnectionResetError:
    print("reset", len(got))
"""


@pytest.mark.parametrize("steps, says", [
    ([piece(0, MB)], b"end 1048576"),
    ([piece(0, MB), abandon], b"reset 1048576"),
    ([piece(0, MB), cut], b"reset 1048576"),
    ([b"some", reset], b"reset 4")], ids=["end", "abandoned", "cut", "reset"])
def test_a_program_sees_how_it_ended(lab, call, authority, context, steps,
                                     says):
    """[V4-3.3-11] What came before is there, and no cut looks like an end."""
    script = Script(lab.gateway, over_tls(context, CONNECT, GRANTED, *steps))
    done = call(*run(script.address, authority, "/usr/bin/python3", "-c", ASK,
                     places.SERVER, 80))
    assert (done.returncode, done.stdout.strip()) == (0, says), done


def test_a_program_is_told_once_why_tls_failed(lab, call, authority):
    untrusted = another(authority).server(f"IP:{places.INSIDE}")
    script = Script(lab.gateway, over_tls(untrusted))
    done = call(*run(script.address, authority, "/usr/bin/python3", "-c", f"""
import errno, socket
for _ in range(3):
    sock = socket.socket()
    assert sock.connect_ex(("{places.SERVER}", 80)) == errno.EPROTO
    sock.close()
"""))
    assert done.returncode == 0, done
    assert done.stderr.count(b"\n") == 1
    assert b"socks4 run: the gateway: its certificate is refused" in done.stderr


def test_a_child_that_outlives_its_program_goes_on(lab, gateway, front, call,
                                                   authority, tmp_path):
    """And the process that speaks TLS ends with the last of them."""
    echo = Echo(lab.server)
    go, came = tmp_path / "go", tmp_path / "came"
    done = call(*run(front.address, authority, "/usr/bin/python3", "-c", f"""
import os, socket, subprocess, sys
child = \"\"\"
import os, socket
os.closerange(0, 100)
open({str(go)!r}).read()
with socket.create_connection({echo.address!r}, 10) as sock:
    sock.sendall(b"hello")
    with open({str(came)!r}, "wb") as file:
        file.write(sock.recv(64))
open({str(go)!r}).read()
\"\"\"
os.mkfifo({str(go)!r})
subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
"""))
    assert done.returncode == 0, done
    tunnel, = tunnels(authority)
    looked = tunnel.sleeps()
    wait_for("it to look for programs three times",
             lambda: tunnel.has_ended() or tunnel.sleeps() > looked + 3)
    for _ in range(2):
        assert not tunnel.has_ended()
        with open(go, "w"):
            pass
        wait_for("its answer", lambda: came.exists()
                 and came.read_bytes() == b"hello")
    wait_for("the tunnel to end", tunnel.has_ended)
    records_of(gateway, 1)


def test_a_tunnel_holds_nothing_of_its_program(lab, gateway, front,
                                               start_client, authority):
    client = start_client(*run(front.address, authority, "cat"))
    client.stdin.write(b"a line\n")
    client.stdin.flush()
    assert client.stdout.readline() == b"a line\n"
    tunnel, = tunnels(authority)
    wait_for("it to let go of them", lambda: not [
        link for link in tunnel.links() if link.startswith("pipe:")])
    assert not tunnel.has_ended()
    client.stdin.close()
    assert client.wait(places.TIMEOUT) == 0
    wait_for("the tunnel to end", tunnel.has_ended)


def test_nobody_else_gets_into_a_tunnel(lab, gateway, front, start_client,
                                        authority, real_root):
    """Another user is turned away, and the port that it listens on takes the
    program's connection only."""
    client = start_client(*run(front.address, authority, "cat"))
    client.stdin.write(b"a line\n")
    client.stdin.flush()
    assert client.stdout.readline() == b"a line\n"
    tunnel, = tunnels(authority)
    name = [line.split()[-1][1:] for line in
            lab.client.run(["cat", "/proc/net/unix"], capture_output=True,
                           text=True).stdout.splitlines()
            if "socks4-run-" in line][0]
    knock = f"""
import socket
sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
sock.settimeout(60)
sock.connect("\\0{name}")
print(len(sock.recv(1000)))
"""
    for user, says in (("65534", b"0\n"), ("0", b"4")):
        done = lab.client.run(
            ["setpriv", "--reuid", user, "--clear-groups", "/usr/bin/python3",
             "-c", knock], capture_output=True)
        assert done.stdout.startswith(says), (user, done)
    client.stdin.close()
    assert client.wait(places.TIMEOUT) == 0
    wait_for("the tunnel to end", tunnel.has_ended)
