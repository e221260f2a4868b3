"""socks4 run: programs that know nothing of SOCKS, unmodified."""
import subprocess

import pytest

import lab as places
import programs
from bind import BOTH
from evidence import records_of
from gateway import wait_for
from misbehaving import (GRANTED, REJECTED, Script, drip, hold, reply,
                         reset)
from servers import Echo, Web, come_as_peer
from socks4 import receive_exactly
from streams import MB, beside, piece

CONNECT = len(b"\4\1ppaaaa\0")


def well(done):
    assert (done.returncode, done.stdout, done.stderr) == (0, b"well\n", b"")


@pytest.fixture
def echo(lab):
    return Echo(lab.server)


def answer(lab, port, octets):
    """One connection: a line is read, that is the answer."""
    listener = lab.server.listen(places.SERVER, port)

    def serve():
        server, _ = lab.server.accept(listener)
        line = b""
        while not line.endswith(b"\n"):
            line += server.recv(1)
        server.sendall(octets)
        server.close()
        return line
    return beside(serve)


@pytest.mark.parametrize("task, sessions", [
    ("addresses", 2), ("bound", 4), ("nonblocking", 2), ("threads", 45), ("refused", 3),
    ("loopback", 0), ("listens", 0)])
def test_sockets_behave_as_if_there_were_no_gateway(gateway, call, echo, task,
                                                    sessions):
    """[V4-1-2] [V4-3.3-11]"""
    well(call(*programs.innocent(task, echo.address)))
    records = records_of(gateway, sessions)
    assert {record["dest"] for record in records} <= {
        "%s:%d" % echo.address, f"{places.SERVER}:9"}


def test_what_is_bypassed_is_reached_directly(lab, gateway, call):
    echo = Echo(lab.gateway, places.OUTSIDE)
    for where in ("10.2.0.1", "10.2.0.0/24", "192.0.2.1,10.0.0.0/8"):
        well(call(*programs.innocent("bypassed", echo.address, "--bypass", where)))
    records_of(gateway, 0)


def test_loopback_goes_through_where_asked(lab, start_gateway, call):
    gateway = start_gateway(rules="[{name: self, action: allow, from: [any],"
                                  " to: [loopback]}]")
    echo = Echo(lab.gateway, "127.0.0.1")
    done = call(*programs.run("nc.openbsd", "-N", *programs.words(
        echo.address), options=["--loopback", "-v"]), given=b"hello")
    assert (done.returncode, done.stdout) == (0, b"hello")
    assert done.stderr == b"socks4 run: connect 127.0.0.1:%d: granted\n" \
        % echo.address[1]
    records_of(gateway, 1)


def test_names_are_the_gateways_to_resolve(lab, call):
    """[4A-3.1-1] [4A-3.1.1-1]"""
    wanted = b"\4\1\0\x50\0\0\0\1\0one.test\0"
    script = Script(lab.gateway, len(wanted), GRANTED, 5, b"hello", hold)
    done = call(programs.TOOL, "run", "-a", "-p", script.address, "--",
                "/usr/bin/python3", programs.INNOCENT, "names", "any", "80")
    well(done)
    assert script.heard == [wanted, b"hello"]


def test_a_peer_comes_to_a_listener(lab, start_gateway, call):
    """[V4-4.2-7] [V4-4.2-8] [V4-4.3-8] The listener's number can be polled,
    its address is the gateway's, and one peer comes."""
    gateway = start_gateway(rules=BOTH)
    listener = lab.server.listen(places.SERVER)
    serving = beside(come_as_peer, lab.server, listener)
    well(call(*programs.innocent("peer", listener.getsockname())))
    serving.result(places.TIMEOUT)
    assert {record["command"] for record in records_of(gateway, 2)} == \
        {"connect", "bind"}


BOUND = reply(90, ("10.2.0.1", 40000))
PEER = reply(90, ("10.2.0.2", 20))


def feed(lab, sock):
    """The peer in single octets, each sent when the one before it was read."""
    for octet in PEER:
        sock.sendall(bytes([octet]))
        wait_for("it to be read", lambda: lab.client.has_read(
            sock.getpeername()[1]))


@pytest.mark.parametrize("task, steps", [
    ("await_peer", [BOUND, feed, b"hello"]),
    ("poll_peer", [drip(BOUND), feed, b"hello"]),
    ("no_peer", [BOUND, REJECTED]),
    ("no_peer", [BOUND, b"\0\x5a"]),
    ("no_peer", [BOUND]),
    ("no_peer", [BOUND, reset]),
    ("no_listener", [REJECTED]),
])
def test_a_listener_sees_what_becomes_of_its_bind(lab, call, task, steps):
    """[V4-4.3-6] [V4-4.3-8]"""
    def serve(sock):
        asked = receive_exactly(sock, CONNECT)
        if asked[1] == 1:
            sock.sendall(GRANTED)
            hold(sock)
        for step in steps if asked[1] == 2 else []:
            if isinstance(step, bytes):
                sock.sendall(step)
            elif step is feed:
                feed(lab, sock)
            else:
                step(sock)

    script = Script(lab.gateway, serve)
    well(call(programs.TOOL, "run", "-p", script.address, "--",
              "/usr/bin/python3", programs.INNOCENT, task, places.SERVER, "21"))


def test_a_gateway_that_is_silent_is_waited_for_so_long(lab, call):
    for time, steps, says in [
            ("300ms", [CONNECT, hold], b"timed out"),
            ("20s", [CONNECT, REJECTED], b"refused"),
            ("20s", [CONNECT], b"Protocol error"),
            ("20s", [b"HTTP/1.0 400\r\n", hold], b"Protocol error")]:
        script = Script(lab.gateway, *steps)
        done = call(programs.TOOL, "run", "-p", script.address, "-t", time,
                    "nc.openbsd", "-v", places.SERVER, "80")
        assert done.returncode == 1 and says in done.stderr, done


def test_curl_and_python_fetch(lab, gateway, call):
    """[V4-1-3]"""
    web = Web(lab.server, address=places.SERVER)
    url = "http://%s:%d/%d/0" % (*web.address, MB)
    done = call(*programs.run("curl", "-q", "-sS", "--fail", url))
    assert (done.returncode, done.stdout, done.stderr) == \
        (0, piece(0, MB), b"")
    done = call(*programs.run("/usr/bin/python3", "-c", f"""
import sys, urllib.request
sys.stdout.buffer.write(urllib.request.urlopen({url!r}).read())
"""))
    assert (done.returncode, done.stdout) == (0, piece(0, MB))
    records_of(gateway, 2)


def test_git_clones(lab, gateway, call, tmp_path):
    """[V4-1-3] Over git's own protocol."""
    origin = tmp_path / "origin"
    for words in (["init", "-q", origin],
                  ["-C", origin, "-c", "user.name=m", "-c", "user.email=m@",
                   "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *words], check=True, timeout=places.TIMEOUT)
    # not "git daemon", which waits for it and leaves it behind when killed
    folder = subprocess.check_output(["git", "--exec-path"], text=True).strip()
    lab.server.popen([f"{folder}/git-daemon", "--export-all", "--reuseaddr",
                      f"--base-path={tmp_path}", "--listen=" + places.SERVER,
                      tmp_path], preexec_fn=places.die_with_parent,
                     stderr=subprocess.DEVNULL)
    wait_for("git daemon", lambda: lab.server.listens(9418))
    done = call(*programs.run("git", "clone", "-q",
                              f"git://{places.SERVER}/origin", "copy"))
    assert done.returncode == 0, done
    assert (tmp_path / "copy/.git/refs").exists()
    records_of(gateway, 1)


def test_whois_finger_and_telnet_ask(lab, gateway, call, start_client):
    """[V4-1-3]"""
    served = answer(lab, 4343, b"domain: example\r\n")
    done = call(*programs.run("whois", "-h", places.SERVER, "-p", "4343",
                              "example"))
    assert b"domain: example" in done.stdout, done
    assert served.result(places.TIMEOUT).strip() == b"example"

    served = answer(lab, 79, b"Login: mary\r\n")
    done = call(*programs.run("finger", f"mary@{places.SERVER}"))
    assert b"Login: mary" in done.stdout, done
    assert served.result(places.TIMEOUT) == b"mary\r\n"

    served = answer(lab, 2323, b"welcome\r\n")
    telnet = start_client(*programs.run("telnet", places.SERVER, "2323"))
    telnet.stdin.write(b"knock\n")
    telnet.stdin.flush()  # and open: it goes when its input ends
    assert served.result(places.TIMEOUT).strip() == b"knock"
    out = beside(telnet.stdout.read).result(places.TIMEOUT)
    assert b"Connected to" in out and b"welcome" in out, out
    records_of(gateway, 3)


def test_children_go_through_the_gateway(gateway, call, echo):
    """Those of fork and exec, of posix_spawn, and their children."""
    one = f"""
import socket
with socket.create_connection({echo.address!r}, 10) as sock:
    sock.sendall(b"hello")
    print(sock.recv(64).decode(), flush=True)
"""
    done = call(*programs.run("/usr/bin/python3", "-c", f"""
import os, subprocess, sys
child = [sys.executable, "-c", {one!r}]
subprocess.run(child, check=True)
os.waitpid(os.posix_spawn(child[0], child, os.environ), 0)
if os.fork() == 0:
    os.execv("/bin/sh", ["sh", "-c", "exec \\"$0\\" \\"$@\\"", *child])
os.wait()
"""))
    assert (done.returncode, done.stdout, done.stderr) == \
        (0, b"hello\n" * 3, b"")
    records = records_of(gateway, 3)
    assert {record["dest"] for record in records} == {"%s:%d" % echo.address}


def test_run_is_transparent_to_its_program(call):
    """Its arguments, its status, its absence."""
    done = call(*programs.run("sh", "-c", "echo $0 $1; exit 7", "-x", "--y"))
    assert (done.returncode, done.stdout) == (7, b"-x --y\n")
    done = call(*programs.run("no-such-program"))
    assert done.returncode == 127
    assert done.stderr == b"socks4: no-such-program: No such file or " \
                          b"directory\n"
