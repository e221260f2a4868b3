"""The programs in examples/, as they are built."""
import os
import pathlib
import signal

import pytest

import lab as places
from evidence import records_of
from gateway import BINARY, ROOT, wait_for
from misbehaving import GRANTED, REJECTED, Script, drip, hold
from streams import beside
from tls import Authority, Front

BUILD = pathlib.Path(BINARY).parent.parent
CONNECT = len(b"\4\1ppaaaa\0")
RULES = ("[{name: all, action: allow, from: [any], to: [any],"
         " command: [connect, bind]}]")

CLIENTS = {
    "poll": [BUILD / "examples/example-poll"],
    "uv": [BUILD / "examples/example-uv"],
    "threads": [BUILD / "examples/example-threads"],
    "ctypes": ["/usr/bin/python3", ROOT / "examples/ctypes_client.py",
               BUILD / "lib/libsocks4.so.1"],
}
BOUND = [BUILD / "examples/example-bound"]
CHAIN = [BUILD / "examples/example-chain"]
TLS = [BUILD / "examples/example-tls"]


def at(script):
    return tuple(script.address.split(":"))


def answer(lab, listener, times):
    for _ in range(times):
        server, _ = lab.server.accept(listener)
        assert server.recv(64) == b"word"
        server.sendall(b"an answer")
        server.close()


@pytest.mark.parametrize("name", CLIENTS)
def test_an_example_connects(lab, gateway, call, name):
    """[V4-3-1] [V4-3.3-11]"""
    listener = lab.server.listen(places.SERVER)
    times = 4 if name == "threads" else 1
    serving = beside(answer, lab, listener, times)
    done = call(*CLIENTS[name], *gateway.at, *listener.getsockname(), "word")
    assert (done.returncode, done.stderr) == (0, b""), done
    assert done.stdout.replace(b"\n", b"") == b"an answer" * times
    serving.result(places.TIMEOUT)
    records_of(gateway, times)
    done = call(*CLIENTS[name], *gateway.at, places.SERVER, 9, "word")
    assert done.returncode == 1
    assert b"request rejected or failed" in done.stderr


@pytest.mark.parametrize("name", CLIENTS)
def test_an_example_says_what_a_bad_gateway_did(lab, call, name):
    for steps, status, out, says in [
            ([CONNECT, drip(GRANTED), b"an answer", 4], 0, b"an answer", b""),
            ([CONNECT, GRANTED + b"an answer", 4], 0, b"an answer", b""),
            ([CONNECT, b"\0\x5a"], 1, b"", b""),
            ([REJECTED, hold], 1, b"", b"request rejected or failed"),
            ([CONNECT, b"\4\x5a", hold], 1, b"", b"")]:
        script = Script(lab.gateway, *steps)
        done = call(*CLIENTS[name], *at(script), places.SERVER, 80, "word")
        assert done.returncode == status, (steps, done)
        assert done.stdout.split(b"\n")[0] == out and says in done.stderr
        assert status == 0 or done.stderr.startswith(name.encode())


def test_the_threads_are_cancelled_together(lab, start_client):
    script = Script(lab.gateway, CONNECT, hold)
    client = start_client(*CLIENTS["threads"], *at(script), places.SERVER, 80,
                          "word")
    wait_for("four requests", lambda: len(script.heard) == 4)
    os.kill(client.pid, signal.SIGINT)
    _, err = client.communicate(timeout=places.TIMEOUT)
    assert client.returncode == 1
    assert err.count(b"Operation canceled") == 4, err


def test_the_one_in_cpp_binds(lab, start_gateway, start_client):
    """[V4-4-1] [V4-4.2-8] [V4-4.3-8]"""
    gateway = start_gateway(rules=RULES)
    client = start_client(*BOUND, *gateway.at, places.SERVER, 21, "word")
    address, _, port = client.stdout.readline().decode().rpartition(":")
    peer = lab.server.connect((address, int(port)), source=(places.SERVER, 0))
    peer.sendall(b"an answer")
    assert peer.recv(64) == b"word"
    peer.close()
    out, err = client.communicate(timeout=places.TIMEOUT)
    assert (client.returncode, out, err) == (0, b"an answer", b"")


def test_the_chain_binds_through_two_gateways(lab, start_gateway,
                                              start_client, call):
    """[V4-4-1] [V4-4.2-8] [V4-4.3-8] The second one listens, and its record
    alone is of a BIND; a refusal says whose it is."""
    second = ("[{address: \"%s:1082\", name: second, insecure_plaintext:"
              " true}]" % places.OUTSIDE)
    first = start_gateway(rules=RULES.replace("to: [any]", "to: [any, self]"))
    other = start_gateway(rules=RULES, listen=second)
    words = [*CHAIN, *first.at, places.OUTSIDE, 1082]
    client = start_client(*words, places.SERVER, 21, "word")
    address, _, port = client.stdout.readline().decode().rpartition(":")
    assert address == places.OUTSIDE
    peer = lab.server.connect((address, int(port)), source=(places.SERVER, 0))
    peer.sendall(b"an answer")
    assert peer.recv(64) == b"word"
    peer.close()
    out, err = client.communicate(timeout=places.TIMEOUT)
    assert (client.returncode, out, err) == (0, b"an answer", b"")
    assert wait_for("the first record", first.records)[0]["command"] == \
        "connect"
    assert wait_for("the second record", other.records)[0]["command"] == "bind"
    done = call(*words, "127.0.0.1", 21, "word")
    assert done.returncode == 1
    assert done.stderr.startswith(b"chain: gateway 2: "), done


def test_the_one_with_openssl_connects(lab, gateway, call, tmp_path):
    """[V4-3-1] [V4-3.3-11]"""
    authority = Authority(tmp_path)
    front = Front(lab.gateway, authority.server(f"IP:{places.INSIDE}"),
                  (places.INSIDE, 1080))
    listener = lab.server.listen(places.SERVER)
    serving = beside(answer, lab, listener, 1)
    words = [*TLS, *at(front)]
    done = call(*words, *listener.getsockname(), "word",
                SSL_CERT_FILE=str(authority.certificate))
    assert (done.returncode, done.stderr) == (0, b""), done
    assert done.stdout == b"an answer"
    serving.result(places.TIMEOUT)
    done = call(*words, places.SERVER, 9, "word",
                SSL_CERT_FILE=str(authority.certificate))
    assert done.returncode == 1
    assert b"request rejected or failed" in done.stderr
    done = call(*words, places.SERVER, 9, "word")
    assert done.returncode == 1 and b"verify failed" in done.stderr
    records_of(gateway, 2)


def test_the_examples_are_told_of():
    readme = (ROOT / "examples/README.md").read_text()
    there = {path.name for path in (ROOT / "examples").iterdir()}
    for name in there - {"README.md", "meson.build"}:
        assert f"`{name}`" in readme, name
