"""socks4 probe finds what strangers can do, and nothing else."""
import pytest

import lab as places
import programs
from misbehaving import GRANTED, REJECTED, Script, hold
from tls import Authority

NOTHING = "[{action: allow, from: [10.9.0.0/16], to: [any]}]"
ALL = ("[{action: allow, command: [connect, bind, udp], from: [any],"
       " to: [any, self, loopback]}]")
TRIES = 27


def probe(call, *words):
    done = call(programs.TOOL, "probe", "-t", "5s", *words)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def found(out):
    return [line.split(": ")[1] for line in out.splitlines()
            if line.startswith("found: ")]


def back(line):
    return line.rsplit(":", 1)[0]


@pytest.fixture
def start(start_gateway):
    def start_with(rules):
        return start_gateway(rules=rules, listen=(
            '[{address: "%s", insecure_plaintext: true, name: inside,'
            ' socks4a: true, socks5: true}]' % programs.PROXY))
    return start_with


def test_a_gateway_for_others_has_nothing_to_find(start, call):
    start(NOTHING)
    status, out, err = probe(call, programs.PROXY)
    assert (status, found(out), err) == (0, [], ""), out
    assert f"{programs.PROXY} answers SOCKS without TLS: " in out
    assert f"Scanners would find nothing open: of {TRIES} tries none" in out


def test_an_open_gateway_is_found_by_every_way(lab, start, call):
    """Back to us, to its loopback, by name, by BIND, by datagrams."""
    lab.gateway.listen("127.0.0.1", 22)
    start(ALL)
    status, out, err = probe(call, programs.PROXY)
    ways = {back(line) for line in found(out)}
    assert (status, err) == (1, ""), out
    assert {"CONNECT to 10.1.0.2", "CONNECT to 127.0.0.1", "BIND for 10.1.0.2",
            "SOCKS 4A, CONNECT by name to localhost",
            "SOCKS5, CONNECT to 10.1.0.2", "SOCKS5, CONNECT to 127.0.0.1",
            "SOCKS5, CONNECT by name to localhost", "SOCKS5, BIND for 10.1.0.2",
            "SOCKS5, UDP ASSOCIATE", "SOCKS5, a datagram to 10.1.0.2"} <= ways, out
    assert "BIND for 0.0.0.0" not in ways
    assert "Scanners would find " in out and " ways open: tighten" in out


def test_a_server_that_strangers_must_not_reach_is_tried(lab, start, call):
    listener = lab.server.listen(places.SERVER)
    port = listener.getsockname()[1]
    start("[{action: allow, from: [any], to: [%s]}]" % places.SERVER)
    server = f"{places.SERVER}:{port}"
    status, out, _ = probe(call, programs.PROXY, server, "10.2.0.3:81")
    assert (status, found(out)) == (1, [f"CONNECT to {server}"])
    assert f"CONNECT to {server}: strangers reach that server\n" in out
    status, out, _ = probe(call, "-v", programs.PROXY, "10.2.0.3:81")
    assert (status, found(out)) == (0, [])
    assert "refused: CONNECT to 10.2.0.3:81\n" in out
    assert "refused: SOCKS5, CONNECT to 10.1.0.2:" in out
    assert "refused: HTTP, CONNECT to 10.1.0.2:" in out


def test_tls_is_noticed_and_tried_within(start_gateway, call, tmp_path):
    authority = Authority(tmp_path)
    pair = authority.issue("gw", names=f"IP:{places.INSIDE}")
    start_gateway(rules=ALL, listen=f'[{{address: "{programs.PROXY}", '
                  f'name: inside, tls: {{certificate: "{pair.certificate}", '
                  f'key: "{pair.key}"}}}}]')
    status, out, err = probe(call, programs.PROXY)
    assert (status, found(out), err) == (0, [], ""), out
    assert "speaks TLS only" in out
    status, out, err = probe(call, programs.PROXY, "--ca",
                             str(authority.certificate))
    assert status == 1 and "without TLS" not in out, (out, err)
    assert "CONNECT to 10.1.0.2" in {back(line) for line in found(out)}, out
    status, out, err = probe(call, programs.PROXY, "--tls")
    assert (status, out) == (3, "") and "certificate" in err


def test_a_gateway_that_wants_certificates_is_closed_to_strangers(
        start_gateway, call, tmp_path):
    authority = Authority(tmp_path)
    pair = authority.issue("gw", names=f"IP:{places.INSIDE}")
    own = authority.issue("me", names="DNS:me.example")
    start_gateway(rules=ALL, listen=f'[{{address: "{programs.PROXY}", '
                  f'name: inside, tls: {{certificate: "{pair.certificate}", '
                  f'key: "{pair.key}", client: require, '
                  f'ca: "{authority.certificate}"}}}}]')
    tls = "--ca", str(authority.certificate)
    status, out, err = probe(call, programs.PROXY, *tls)
    assert (status, found(out), err) == (0, [], ""), out
    assert "serves nobody without a certificate" in out
    status, out, err = probe(call, programs.PROXY, *tls, "--certificate",
                             str(own.certificate), "--key", str(own.key))
    assert status == 1 and found(out), (out, err)


SOCKS5 = b"\5\0\5\0\0\1" + bytes(6)
BY_SOCKS5 = [f"SOCKS5, CONNECT to {host}" for host in (
    "10.1.0.2", "1.1.1.1", "[2606:4700:4700::1111]", "127.0.0.1", "[::1]",
    "169.254.169.254")] + [
    "SOCKS5, CONNECT by name to localhost",
    "SOCKS5, CONNECT by name to example.com",
    "SOCKS5, BIND for 10.1.0.2", "SOCKS5, UDP ASSOCIATE"]


@pytest.mark.parametrize("answer, status, ways", [
    (SOCKS5, 1, BY_SOCKS5),
    (b"\5\0\5\2\0\1" + bytes(6), 0, []),
    (b"\5\xff", 0, []),
    (b"\5\2", 0, []),
    (b"HTTP/1.1 200 Connection established\r\n\r\n", 1,
     ["HTTP, CONNECT to 10.1.0.2"]),
    (REJECTED, 0, []),
    (b"SSH-2.0-OpenSSH_9\r\n", 3, []),
    (b"HTTP/1.1 405 Method Not Allowed\r\n\r\n", 3, []),
    (b"\x15\3\1\0\2\2\x46", 0, []),
], ids=["SOCKS5", "SOCKS5-refuses", "SOCKS5-has-no-method",
        "SOCKS5-wants-a-password", "HTTP", "SOCKS4-refuses", "SSH",
        "HTTP-refuses", "TLS"])
def test_answers_of_others_are_understood(lab, call, answer, status, ways):
    script = Script(lab.gateway, answer, hold)
    got, out, err = probe(call, script.address)
    assert (got, [back(line) for line in found(out)]) == (status, ways), \
        (out, err)
    assert (status == 3) == ("neither SOCKS nor HTTP CONNECT" in err)


def test_whoever_grants_everything_is_open_in_every_way(lab, call):
    """But by UDP, which a reply of version 4 cannot grant."""
    script = Script(lab.gateway, GRANTED, hold)
    status, out, _ = probe(call, script.address)
    assert status == 1 and len(found(out)) == TRIES - 2, out
    assert f"Scanners would find {TRIES - 2} of {TRIES} ways open" in out


def test_nobody_is_there(lab, call):
    status, out, err = probe(call, "10.1.0.1:9")
    assert (status, out) == (3, "")
    assert err == "socks4: no gateway at 10.1.0.1, port 9: Connection" \
        " refused\n"
    script = Script(lab.gateway, hold)
    done = call(programs.TOOL, "probe", "-t", "100ms", script.address)
    assert done.returncode == 3 and b"no gateway at" in done.stderr
