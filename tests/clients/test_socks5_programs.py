"""Programs that speak SOCKS5 (RFC 1928), beside one that speaks SOCKS 4."""
import http.server

import pytest

import browser
import lab as places
import programs
from gateway import wait_for
from servers import Certificate, Echo, Tap, Web
from streams import KB, MB, beside, piece, whole
from test_by_name import (DOWN, NAME, UP, answer_at_the_end,  # noqa: F401
                          server)
from test_git import git, repository, served  # noqa: F401


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
        programs.perl((NAME, port), version="5"),
        programs.ncat((host, port)),
    ]
    for command in commands:
        serving = beside(answer_at_the_end, lab, listener)
        done = call(*command, given=piece(0, UP))
        assert (done.returncode, done.stderr) == (0, b""), command
        assert done.stdout == piece(0, DOWN), command
        assert serving.result(places.TIMEOUT) == whole(UP)
    assert [gateway.record(id=number)["version"]
            for number in range(len(commands))] == ["5"] * 8 + ["4"]
    named = [gateway.record(id=number)["name"] for number in range(8)]
    assert named == [None, NAME, None, NAME, NAME, NAME, None, NAME]
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


def test_git_clones_by_name(gateway, lab, git, repository):  # noqa: F811
    tap = served(lab, repository)
    git("-c", f"http.proxy=socks5h://{programs.PROXY}", "clone", "-q",
        "http://%s:%d/bare.git" % (NAME, tap.address[1]), "copy")
    assert (repository / "copy/file").read_bytes() == piece(0, MB)
    wait_for("the records", lambda: len(gateway.records(name=NAME))
             == tap.count)
    assert {record["version"] for record in gateway.records()} == {"5"}


def test_java_speaks_socks5_unless_it_is_told_otherwise(gateway, lab, call,
                                                        tmp_path):
    """keytool is a Java program that asks a server for its certificate."""
    certificate = Certificate(tmp_path)
    host, port = Tap(lab.server, Web(
        lab.server, tls=certificate.context).address).address
    for version, more in (("5", []), ("4", ["-J-DsocksProxyVersion=4"])):
        done = call("keytool", "-J-DsocksProxyHost=" + places.INSIDE,
                    "-J-DsocksProxyPort=1080", "-J-XX:TieredStopAtLevel=1",
                    *more, "-printcert", "-rfc", "-sslserver",
                    f"{host}:{port}", seconds=60)
        assert done.returncode == 0, done
        assert done.stdout.split() == certificate.path.read_bytes().split()
        assert gateway.record(version=version)["dest"] == f"{host}:{port}"


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"<p>what the server has</p>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def test_chromium_shows_a_page(gateway, lab, call, tmp_path):
    """It sends the name, and whatever else it asks for goes the same way."""
    tap = Tap(lab.server, Web(lab.server, Page).address)
    arguments = [word for word in browser.ARGUMENTS if "proxy" not in word]
    done = call("chromium", *arguments, f"--user-data-dir={tmp_path}/profile",
                f"--proxy-server=socks5://{programs.PROXY}", "--dump-dom",
                "http://%s:%d/" % (NAME, tap.address[1]),
                seconds=browser.SECONDS)
    assert b"<p>what the server has</p>" in done.stdout, done
    wait_for("its record", lambda: gateway.records(name=NAME))
    assert {record["version"] for record in gateway.records()} == {"5"}


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
