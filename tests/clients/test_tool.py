"""The socks4 tool: what it says, how it ends, over good gateways and bad."""
import json
import select

import pytest

import lab as places
import programs
from bind import BOTH
from evidence import records_of
from misbehaving import (GRANTED, REJECTED, Script, drip, hold, reply, reset)
from servers import relays_as_peer
from socks4 import ending, receive_exactly
from streams import beside

CONNECT = len(b"\4\1ppaaaa\0")  # a request without a USERID
BOUND = ("10.2.0.1", 40000)


def tool(gateway, *words, command="connect"):
    return [programs.TOOL, command, *map(str, words), "-p", gateway]


# steps of the gateway: (exit status, what is said)
MISDEEDS = {
    "says no": ([CONNECT, REJECTED], 91, "91: {at} refused, or could not"),
    "has no identd": ([CONNECT, reply(92)], 92, "92: {at} could not ask this"
                      " machine's identd who you are: start identd"),
    "hears another name": ([CONNECT, reply(93)], 93,
                           '93: this machine\'s identd names another user '
                           'than "": give -u'),
    "says no in pieces": ([CONNECT, drip(REJECTED)], 91, "91: "),
    "says no too early": ([REJECTED, hold], 91, "91: "),
    "closes": ([CONNECT], 3, "the connection ended without a reply; check host"
               " and port with -p; a gateway that serves SOCKS5 alone needs"
               " --socks5, one that takes TLS --tls"),
    "stops short": ([CONNECT, b"\0\x5a\0"], 3,
                    "the connection ended inside a reply"),
    "has version 4": ([CONNECT, reply(90, version=4), hold], 3,
                      "does not answer as a SOCKS 4 gateway: the version is"
                      " not that of SOCKS 4; check host and port with -p;"
                      " --lenient accepts version 4"),
    "has a code of its own": ([CONNECT, reply(94), hold], 3,
                              "the reply code is not 90 to 93"),
    "speaks HTTP": ([b"HTTP/1.0 400 Bad\r\n", hold], 3, "the version"),
    "resets": ([CONNECT, reset], 1,
               "{at}: Connection reset by peer"),
    "resets inside a reply": ([CONNECT, b"\0\x5a", reset], 1, "reset by peer"),
    "is silent": ([CONNECT, hold], 1,
                  "no answer from {at} within 1s; -t gives it more time"),
    "grants and resets": ([CONNECT, GRANTED, reset], 1,
                          "the connection: Connection reset by peer"),
}
BIND_MISDEEDS = {
    "says no": ([CONNECT, REJECTED], 91, "91: {at} refused"),
    "says no later": ([CONNECT, reply(90, BOUND), REJECTED], 91,
                      "91: 10.2.0.2 did not connect in time, or another "
                      "host did"),
    "closes later": ([CONNECT, reply(90, BOUND)], 3,
                     "without a reply; check host and port with -p\n"),
    "stops short later": ([CONNECT, reply(90, BOUND), b"\0\x5a\0\0\0"], 3,
                          "inside a reply"),
    "has version 4 later": ([CONNECT, reply(90, BOUND),
                             reply(90, version=4), hold], 3, "the version"),
    "resets later": ([CONNECT, reply(90, BOUND), reset], 1, "reset by peer"),
    "is silent later": ([CONNECT, reply(90, BOUND), hold], 1,
                        "no answer from {at} within 1s"),
}


@pytest.mark.parametrize("command", ["connect", "bind"])
def test_whatever_a_gateway_does_it_says_so_and_ends(lab, call, command):
    """[V4-3.3-1] [V4-3.3-2] [V4-3.3-3] [V4-4.3-6] Nothing hangs."""
    misdeeds = MISDEEDS if command == "connect" else BIND_MISDEEDS
    for name, (steps, status, says) in misdeeds.items():
        script = Script(lab.gateway, *steps)
        time = "1s" if "is silent" in name else "20s"
        done = call(*tool(script.address, places.SERVER, 80, "-t", time,
                          command=command))
        said = done.stderr.decode()
        assert done.returncode == status, (name, done)
        assert says.format(at=script.address) in said, (name, said)
        assert said.count("\n") == 1, (name, said)
        expected = b"" if command == "connect" or name == "says no" \
            else b"10.2.0.1:40000\n"
        assert done.stdout == expected, name


def test_it_forgives_where_told_to_and_says_what(lab, call):
    script = Script(lab.gateway, CONNECT, reply(90, version=4) + b"hello")
    done = call(*tool(script.address, places.SERVER, 80, "--lenient"))
    assert (done.returncode, done.stdout) == (0, b"hello"), done
    assert b"forgave a reply of version 4 instead of 0\n" in done.stderr
    script = Script(lab.gateway, CONNECT, b"\0\x01")
    done = call(*tool(script.address, places.SERVER, 80, "--lenient"))
    assert done.returncode == 91
    assert done.stderr.count(b"forgave") == 2 and b"91: " in done.stderr


def test_a_reply_in_pieces_and_late_is_a_reply(lab, call):
    """[V4-3.3-11] What follows it is the peer's, untouched."""
    script = Script(lab.gateway, CONNECT, drip(GRANTED + b"\0\x5b"),
                    b"220 hello", hold)
    done = call(*tool(script.address, places.SERVER, 80), given=b"")
    assert (done.returncode, done.stdout, done.stderr) == \
        (0, b"\0\x5b220 hello", b"")


def test_there_is_no_gateway(call):
    done = call(*tool("10.1.0.1:9", places.SERVER, 80))
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"socks4: cannot connect to 10.1.0.1:9: Connection" \
        b" refused\n"
    done = call(*tool("10.1.0.9:1080", places.SERVER, 80, "-t", "300ms"))
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"cannot connect to 10.1.0.9:1080" in done.stderr


def test_it_says_which_gateway_of_a_chain_failed(lab, call):
    """The first that does not grant, and what it was asked for."""
    first = Script(lab.gateway, CONNECT, REJECTED)
    done = call(*tool(f"{first.address},10.9.0.1:1081", places.SERVER, 80))
    assert done.returncode == 91
    assert f"91: {first.address} refused, or could not reach the gateway" \
        " 10.9.0.1:1081: " in done.stderr.decode()
    first = Script(lab.gateway, CONNECT, GRANTED, CONNECT, REJECTED)
    done = call(*tool(f"{first.address},10.9.0.1:1081", places.SERVER, 80))
    assert done.returncode == 91
    assert "91: 10.9.0.1:1081 refused, or could not reach 10.2.0.2:80: " \
        in done.stderr.decode()


def test_verbose_says_what_was_granted(lab, call):
    script = Script(lab.gateway, CONNECT, GRANTED)
    done = call(*tool(script.address, places.SERVER, 80, "-v"))
    assert (done.returncode, done.stderr) == \
        (0, b"socks4: connect 10.2.0.2:80: granted\n")


def test_options_stand_anywhere_and_the_environment_names_the_gateway(
        lab, call):
    for argv, environment in [
            (["-p", "{at}", "connect", "10.2.0.2", "80"], {}),
            (["connect", "-p", "{at}", "10.2.0.2", "80"], {}),
            (["connect", "10.2.0.2", "--gateway={at}", "80"], {}),
            (["connect", "-p", "socks4://{at}/", "10.2.0.2", "80"], {}),
            (["connect", "10.2.0.2", "80"],
             {"SOCKS4_SERVER": "socks4://{at}"}),
            (["connect", "10.2.0.2", "80"], {"SOCKS4_SERVER": "{at}"}),
            (["connect", "10.2.0.2", "80"], {"SOCKS_SERVER": "{at}"}),
            (["connect", "10.2.0.2", "80"],
             {"SOCKS_SERVER": "10.1.0.1:9", "SOCKS4_SERVER": "{at}"})]:
        script = Script(lab.gateway, CONNECT, GRANTED)
        done = call(programs.TOOL,
                    *[word.format(at=script.address) for word in argv],
                    **{key: value.format(at=script.address)
                       for key, value in environment.items()})
        assert done.returncode == 0, (argv, done)
        assert script.heard == [b"\4\1\0\x50\x0a\2\0\2\0"]


@pytest.mark.parametrize("words, says", [
    ([], "a command is missing: connect, bind, run, ident or probe"),
    (["conect"], 'unknown command "conect" (did you mean "connect"?)'),
    (["frobnicate"], 'unknown command "frobnicate"; the commands are connect, bind, run'),
    (["connect"], "HOST is missing; usage: socks4 connect HOST PORT"),
    (["connect", "host"], "PORT is missing; usage: socks4 connect HOST PORT"),
    (["bind"], "HOST is missing; usage: socks4 bind HOST [PORT]"),
    (["run"], "COMMAND is missing; usage: socks4 run [--] COMMAND"),
    (["connect", "host", "80", "more"], 'unexpected "more"'),
    (["connect", "host", "0"], 'port "0": wants 1 to 65535'),
    (["connect", "host", "http"], 'port "http": wants'),
    (["connect", "::1", "80"], "SOCKS 4 carries IPv4 addresses only; --socks5"),
    (["connect", "0.0.0.1", "80"], "mark a SOCKS 4A request"),
    (["connect", "-a", "x" * 256, "80"], "at most 255 octets"),
    (["connect", "-a", "b\xfccher.example", "80"], "xn--"),
    (["connect", "host", "80", "-p", "a:b:c"], "more than one colon"),
    (["connect", "host", "80", "-p", "socks://a"], "write socks4://,"),
    (["connect", "host", "80", "--no-shutdown", "--exec", "cat"],
     "--no-shutdown has no effect with --exec"),
    (["run", "--no-shutdown", "cat"], "--no-shutdown is not for run"),
    (["connect", "host", "80", "-t", "soon"], "wants a time"),
    (["connect", "host", "80", "--loopback"], "--loopback is not for connect"),
    (["connect", "host", "80", "-x"], "unknown option -x"),
    (["connect", "host", "80", "-p"], "-p wants a value"),
    (["ident", "host", "1"],
     "PORT-HERE is missing; usage: socks4 ident HOST[:PORT]"),
    (["run", "-a"], "socks4 run [--] COMMAND"),
    (["probe"], "GATEWAY is missing; usage: socks4 probe GATEWAY"),
    (["probe", "a,b"], 'gateway "a,b": wants one gateway'),
    (["probe", "a", "10.0.0.1"], '"10.0.0.1": wants an address of IPv4 and a'),
    (["probe", "a", "-p", "b"], "--gateway is not for probe"),
])
def test_usage_is_status_2_and_a_sentence(call, words, says):
    done = call(programs.TOOL, *words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert says in done.stderr.decode(errors="replace"), done.stderr


def test_names_are_sent_as_4a(lab, call):
    """[4A-3.1-1] [4A-3.1.1-1] An address stays an address."""
    wanted = b"\4\1\0\x50\0\0\0\1mary\0www.example\0"
    script = Script(lab.gateway, len(wanted), GRANTED)
    done = call(*tool(script.address, "www.example", 80, "-a", "-u", "mary"))
    assert done.returncode == 0 and script.heard == [wanted]
    for at in ("socks4a://{}", "SOCKS4A://joe@{}/"):
        userid = b"joe" if "joe" in at else b"mary"
        there = wanted.replace(b"mary", userid)
        script = Script(lab.gateway, len(there), GRANTED)
        done = call(*tool(at.format(script.address), "www.example", 80, "-u",
                          "mary"))
        assert done.returncode == 0 and script.heard == [there]
    script = Script(lab.gateway, CONNECT, GRANTED)
    done = call(*tool(script.address, "10.2.0.2", 80, "-a"))
    assert done.returncode == 0 and script.heard == [b"\4\1\0\x50\x0a\2\0\2\0"]


def test_json_says_how_it_ended(lab, gateway, call):
    listener = lab.server.listen(places.SERVER)
    serving = beside(lambda: lab.server.accept(listener)[0].close())
    done = call(*programs.socks4(listener.getsockname(), "--json"))
    serving.result(places.TIMEOUT)
    said = json.loads(done.stderr)
    assert said["event"] == "connect" and said["level"] == "info"
    assert (said["code"], said["status"], said["message"]) == (90, 0, "")
    done = call(*programs.socks4((places.SERVER, 9), "--json"))
    said = json.loads(done.stderr)
    assert (said["code"], said["status"], said["level"]) == (91, 91, "error")
    assert said["message"].startswith("91: ")


@pytest.fixture
def binding(start_gateway):
    """A gateway that lets BIND through."""
    return start_gateway(rules=BOTH)


def peer_of(lab, line):
    """The application server comes to the address that was printed."""
    address, _, port = line.decode().strip().rpartition(":")
    return lab.server.connect((address, int(port)),
                              source=(places.SERVER, 0))


def test_bind_prints_the_address_and_relays(lab, binding, start_client):
    """[V4-4.2-8] [V4-4.3-8] A megabyte each way, and each end by itself."""
    client = start_client(*programs.socks4((places.SERVER, 21),
                                           command="bind"))
    relays_as_peer(lab.server, client)
    assert client.stderr.read() == b""
    record, = records_of(binding, 1)
    assert (record["command"], record["code"]) == ("bind", 90)


def test_exec_gives_the_connection_to_a_command(lab, binding, start_client):
    client = start_client(*programs.socks4(
        (places.SERVER, 21), "--exec", "read word; echo got $word; exit 7",
        command="bind"))
    peer = peer_of(lab, client.stdout.readline())
    peer.sendall(b"it\n")
    assert ending(peer) == ("fin", b"got it\n")
    assert client.wait(places.TIMEOUT) == 7
    assert client.stdout.read() == b""
    peer.close()


def test_connect_has_exec_too_and_lives_without_input(lab, gateway, call):
    listener = lab.server.listen(places.SERVER)

    def serve():
        for _ in range(2):
            server, _ = lab.server.accept(listener)
            server.sendall(b"hello\n")
            assert ending(server)[0] == "fin"
            server.close()
    serving = beside(serve)
    command = programs.socks4(listener.getsockname())
    done = call(*command, "--exec", "read word; test $word = hello")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    done = call("sh", "-c", " ".join(command) + " <&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello\n", b"")
    serving.result(places.TIMEOUT)


def answers_and_closes(lab, listener, seen, seconds):
    """A server that ends at a half-close: it answers if none came in time."""
    server, _ = lab.server.accept(listener)
    assert receive_exactly(server, 4) == b"word"
    ended = bool(select.select([server], [], [], seconds)[0])
    seen.append(ended)
    if not ended:
        server.sendall(b"an answer")
    server.close()


@pytest.mark.parametrize("options, answer", [
    (["--no-shutdown"], b"an answer"), ([], b"")])
def test_the_sending_side_stays_open_where_asked(lab, gateway, call, options,
                                                 answer):
    """And the tool ends in order when the server does."""
    listener, seen = lab.server.listen(places.SERVER), []
    serving = beside(answers_and_closes, lab, listener, seen,
                     0.3 if options else places.TIMEOUT)
    done = call(*programs.socks4(listener.getsockname(), *options),
                given=b"word")
    serving.result(places.TIMEOUT)
    assert (done.returncode, done.stdout, done.stderr) == (0, answer, b"")
    assert seen == [not options]


def test_bind_keeps_its_sending_side_open_too(lab, binding, start_client):
    client = start_client(*programs.socks4(
        (places.SERVER, 21), "--no-shutdown", command="bind"))
    peer = peer_of(lab, client.stdout.readline())
    client.stdin.close()
    assert not select.select([peer], [], [], 0.3)[0]
    peer.sendall(b"an answer")
    peer.close()
    assert client.stdout.read() == b"an answer"
    assert client.wait(places.TIMEOUT) == 0


def test_the_wrong_peer_is_91(lab, binding, start_client):
    client = start_client(*programs.socks4((places.SERVER2, 21), "--json",
                                           command="bind"))
    at = json.loads(client.stdout.readline())
    lab.server.connect((at["address"], at["port"]), source=(places.SERVER, 0))
    assert client.wait(places.TIMEOUT) == 91
    assert json.loads(client.stderr.read())["code"] == 91


def test_a_chain_goes_from_gateway_to_gateway(lab, start_gateway, call):
    """Under the USERID that each is told."""
    gateway = start_gateway(
        listen='[{address: "10.1.0.1:1080", name: in, insecure_plaintext: '
               'true}, {address: "10.2.0.1:1081", name: out, '
               'insecure_plaintext: true}]',
        rules="[{name: self, action: allow, from: [any], to: [any]}]")
    done = call(programs.TOOL, "connect", places.SERVER, "80",
                "-p", "one@10.1.0.1,two@10.2.0.1:1081")
    # A gateway grants nobody its own listeners: that is its 91.
    assert done.returncode == 91 and b"the gateway 10.2.0.1:1081" \
            in done.stderr
    record, = records_of(gateway, 1)
    assert (record["userid"], record["dest"]) == ("one", "10.2.0.1:1081")
    script = Script(lab.gateway, CONNECT + 3, GRANTED, CONNECT + 3, GRANTED)
    done = call(programs.TOOL, "connect", places.SERVER, "80",
                "-p", f"one@{script.address},two@10.9.0.1")
    assert done.returncode == 0
    assert script.heard[0].endswith(b"\x04\x38\x0a\x09\0\1one\0")
    assert script.heard[1].endswith(b"two\0")


def test_a_reader_that_is_gone_is_an_error(lab, gateway, call, tmp_path):
    """And the peer sees a reset, no end."""
    listener = lab.server.listen(places.SERVER)

    def serve():
        server, _ = lab.server.accept(listener)
        try:
            while True:
                server.sendall(bytes(65536))
        except OSError:
            return "broken"

    serving = beside(serve)
    done = call("sh", "-c", "%s | head -c 10" % " ".join(
        programs.socks4(listener.getsockname())))
    assert len(done.stdout) == 10
    assert done.stderr == b"socks4: standard output: Broken pipe\n"
    assert serving.result(places.TIMEOUT) == "broken"


ANSWERS = [
    (b"USERID : UNIX : mary", [], 0, b"mary\n", ""),
    (b"USERID : UNIX : mary", ["-u", "mary"], 0, b"mary\n", ""),
    (b"USERID : UNIX : mary", ["-u", "joe"], 93, b"mary\n",
     '93: identd names another user than "joe"'),
    (b"ERROR : NO-USER", [], 92, b"", "92: identd answers NO-USER"),
    (b"nonsense", [], 3, b"", "does not answer as an identd"),
]


@pytest.mark.parametrize("answer, options, status, out, says", ANSWERS)
def test_ident_asks_what_a_gateway_would(lab, call, answer, options, status,
                                         out, says):
    query = b"6193, 1080\r\n"
    script = Script(lab.gateway, len(query), b"6193,1080:" + answer + b"\r\n")
    done = call(programs.TOOL, "ident", script.address, "6193", "1080",
                *options)
    assert (done.returncode, done.stdout) == (status, out), done
    assert says in done.stderr.decode()
    assert script.heard == [query]


def test_ident_says_why_there_is_no_answer(lab, call):
    done = call(programs.TOOL, "ident", "10.1.0.1", "6193", "1080")
    assert (done.returncode, done.stderr) == \
        (1, b"socks4: 10.1.0.1: Connection refused\n")
    script = Script(lab.gateway, hold)
    done = call(programs.TOOL, "ident", script.address, "6193", "1080",
                "-t", "200ms")
    assert done.returncode == 1 and b"no answer in time" in done.stderr
