"""Programs that speak SOCKS5 (RFC 1928), beside one that speaks SOCKS 4."""
import pytest

import lab as places
import programs
from servers import Echo, Tap, Web
from streams import KB, beside, piece, whole
from test_by_name import (DOWN, NAME, UP, answer_at_the_end,  # noqa: F401
                          server)


@pytest.fixture
def gateway(start_gateway, server):  # noqa: F811
    return start_gateway(
        listen='[{address: "%s:1080", name: inside, socks5: true,'
               ' insecure_plaintext: true}]' % places.INSIDE,
        resolver=f'{{servers: ["{server}"]}}')


def test_programs_send_names_and_addresses(gateway, lab, call):
    """Whole, both ways, one after the other through one gateway."""
    listener = lab.server.listen(places.SERVER)
    host, port = listener.getsockname()
    commands = [
        programs.nc((host, port), "-N", version="5"),
        programs.nc((NAME, port), "-N", version="5"),
        programs.ncat((host, port), version="socks5"),
        programs.ncat((NAME, port), "--proxy-dns", "remote", version="socks5"),
        programs.python((NAME, port), version="5"),
        programs.node((NAME, port), version="5"),
        programs.node((host, port), version="5"),
        programs.ncat((host, port)),
    ]
    for command in commands:
        serving = beside(answer_at_the_end, lab, listener)
        done = call(*command, given=piece(0, UP))
        assert (done.returncode, done.stderr) == (0, b""), command
        assert done.stdout == piece(0, DOWN), command
        assert serving.result(places.TIMEOUT) == whole(UP)
    assert [gateway.record(id=number)["version"]
            for number in range(len(commands))] == ["5"] * 7 + ["4"]
    named = [gateway.record(id=number)["name"] for number in range(7)]
    assert named == [None, NAME, None, NAME, NAME, NAME, None]
    gateway.tell(up=UP * len(commands), down=DOWN * len(commands))


def test_web_clients_of_both_families(gateway, lab, call, tmp_path):
    web = Tap(lab.server, Web(lab.server).address).address
    path = f"{9 * KB}/5"
    for command in (
            programs.curl("http://%s:%d/%s" % (*web, path), version="--socks5"),
            programs.curl("http://%s:%d/%s" % (NAME, web[1], path),
                          version="--socks5-hostname"),
            programs.proxychains(tmp_path, "curl", "-q", "-sS", "--fail",
                                 "http://%s:%d/%s" % (*web, path),
                                 version="socks5"),
            programs.socksify(tmp_path, "curl", "-q", "-sS", "--fail",
                              "http://%s:%d/%s" % (*web, path),
                              version="socks_v5")):
        done = call(*command)
        assert (done.returncode, done.stderr) == (0, b""), command
        assert done.stdout == piece(5, 9 * KB), command
    six = Echo(lab.client, places.CLIENT6).address
    done = call(*programs.ncat(six[:2], version="socks5"), given=b"six")
    assert (done.returncode, done.stdout) == (0, b"six")
    record = gateway.record(dest="[%s]:%d" % six[:2])
    assert record["version"] == "5" and record["code"] == 0
    assert all(record["version"] == "5" for record in gateway.records())


def test_curl_says_why(gateway, lab, call):
    """curl prints the code of the reply."""
    free = lab.server.listen(places.SERVER)
    host, port = free.getsockname()
    free.close()
    done = call(*programs.curl(f"http://{host}:{port}/", version="--socks5"))
    assert done.returncode == 97 and b"(5)" in done.stderr
    assert gateway.record(verdict="connect-refused")["code"] == 5


def test_drill_asks_over_udp(start_gateway, lab, call, server, tmp_path):  # noqa: F811
    """Through Dante's library: the answer comes from where it was asked."""
    gateway = start_gateway(
        listen='[{address: "%s:1080", name: inside, socks5: true,'
               ' insecure_plaintext: true}]' % places.INSIDE,
        rules="[{action: allow, from: [any], to: [any], port: [%d],"
              " command: [udp]}]" % server.at[1])
    done = call(*programs.socksify_udp(
        tmp_path, "drill", "-Q", "-p", server.at[1], NAME,
        f"@{places.SERVER}"))
    assert (done.returncode, done.stdout) == (
        0, places.SERVER.encode() + b"\n"), done
    record = gateway.record(command="udp")
    assert record["up"] > 0 and record["down"] > 0
    assert record["end"] in ("fin", "reset")


# Of "secret", by yescrypt, which costs a millisecond.
USERS = ("ann:$y$j75$PtVzgzAAAAAAAAAAAAAAA1$"
         "eTlhCOSJEvB8Ba5NoXCvZIXasef6k16owV7mzEnV.p6\n")


def test_programs_send_a_password(start_gateway, lab, call, tmp_path):
    """Right, wrong, and none."""
    users = tmp_path / "users"
    users.write_text(USERS)
    gateway = start_gateway(
        listen='[{address: "%s:1080", name: inside, socks5: only,'
               ' insecure_plaintext: true}]' % places.INSIDE,
        rules="[{action: allow, from: [any], to: [any], auth: [password]}]",
        auth=f'{{users: "{users}"}}')
    echo = Echo(lab.server).address
    web = Tap(lab.server, Web(lab.server).address).address
    url = "http://%s:%d/9/5" % web
    done = call(*programs.curl(url, user="ann:secret", version="--socks5"))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == piece(5, 9)
    done = call(*programs.ncat(echo, "--proxy-auth", "ann:secret",
                               version="socks5"), given=b"echo")
    assert (done.returncode, done.stdout) == (0, b"echo")
    done = call(*programs.curl(url, user="ann:guess", version="--socks5"))
    assert done.returncode == 97
    done = call(*programs.curl(url, version="--socks5"))
    assert done.returncode == 97
    found = [gateway.record(id=number) for number in range(4)]
    assert [(record["verdict"], record["userid"], record["code"])
            for record in found] == [
                ("granted", "ann", 0), ("granted", "ann", 0),
                ("auth-failed", "ann", 1), ("auth-failed", None, 255)]
    assert "secret" not in gateway.log() and "guess" not in gateway.log()
