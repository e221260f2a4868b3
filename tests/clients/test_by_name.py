"""Clients that leave names to the gateway: SOCKS 4A."""
import pytest

import dns
import lab as places
import programs
from conftest import LOGIN
from evidence import Seen, granted
from servers import Tap, Web
from streams import MB, beside, piece, pull, push, whole

NAME = "www.only.example"  # nobody but our DNS server knows it
UP, DOWN = 100_001, 200_002


@pytest.fixture
def server(lab):
    made = dns.Dns(lab.server, places.SERVER)
    made[NAME] = dns.a(places.SERVER)
    yield made
    made.close()


@pytest.fixture
def gateway(start_gateway, server):
    return start_gateway(
        listen='[{address: "%s:1080", name: inside, socks4a: only,'
               ' insecure_plaintext: true}]' % places.INSIDE,
        resolver=f'{{servers: ["{server}"]}}')


def answer_at_the_end(lab, listener):
    """A server that answers once it has everything."""
    made, _ = lab.server.accept(listener)
    got = pull(made)
    push(made, DOWN)
    made.close()
    return got


PROGRAMS = {
    "ncat": (lambda to: programs.ncat(to, "--proxy-dns", "remote"), ""),
    "socat": (lambda to: programs.socat(to, version="SOCKS4A"), LOGIN),
    "socat with a user": (
        lambda to: programs.socat(to, version="SOCKS4A", user="mary"), "mary"),
    "Node": (lambda to: programs.node(to, "mary"), "mary"),
    "Perl": (lambda to: programs.perl(to, "mary"), "mary"),
    "PySocks": (programs.python, ""),
    "socks4": (lambda to: programs.socks4(to, "-a", "-u", "mary"), "mary"),
    "nc in socks4 run": (lambda to: programs.run(
        "nc.openbsd", "-N", *programs.words(to), options=["-a"]), ""),
    "PySocks with a user": (lambda to: programs.python(to, "mary"), "mary"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_sends_the_name_and_gets_its_answer(
        gateway, lab, call, name):
    """[4A-4.2-1] [4A-4.3-1] Whole, both ways."""
    command, userid = PROGRAMS[name]
    listener = lab.server.listen(places.SERVER)
    to = listener.getsockname()
    serving = beside(answer_at_the_end, lab, listener)
    done = call(*command((NAME, to[1])), given=piece(0, UP))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == piece(0, DOWN)
    assert serving.result(places.TIMEOUT) == whole(UP)
    granted(gateway, Seen(to, UP, DOWN), userid, name=NAME)


@pytest.fixture
def tap(lab):
    return Tap(lab.server, Web(lab.server).address)


def url(tap, name=NAME):
    return f"http://{name}:{tap.address[1]}/{MB}/0"


def test_curl_leaves_the_name_to_the_gateway(gateway, call, tap):
    """[4A-4.2-1] [4A-4.3-1]"""
    done = call(*programs.curl(url(tap), user="mary", version="--socks4a"))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == piece(0, MB)
    granted(gateway, tap, "mary", name=NAME)


def test_curl_says_when_there_is_no_such_name(gateway, call, tap):
    """[4A-4.3-3]"""
    done = call(*programs.curl(url(tap, "no.example"), version="--socks4a"))
    assert done.returncode == 97 and b"91" in done.stderr
    assert gateway.record()["verdict"] == "name-unknown"


def test_proxychains_takes_a_program_through_by_name(
        gateway, call, tap, tmp_path):
    """[4A-4.2-1] It knows neither the gateway nor the address."""
    done = call(*programs.proxychains(tmp_path, "curl", "-q", "-sS", url(tap),
                                      resolve="proxy_dns\n"))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == piece(0, MB)
    granted(gateway, tap, name=NAME)
