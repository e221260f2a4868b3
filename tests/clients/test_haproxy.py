"""HAProxy with a server behind `socks4`: web sites by way of the gateway."""
import re

import pytest

import evidence
import lab as places
import programs
from gateway import wait_for
from servers import Tap, Web
from streams import KB, MB, piece

PORT = 8080
CONFIG = """
global
    maxconn 200
    nbthread 1
defaults
    mode http
    timeout connect 10s
    timeout client 10s
    timeout server 10s
    option http-server-close
listen site
    bind 127.0.0.1:{port}
    server s {to} socks4 {proxy}
"""

# Compares every body, and says how many there were.
WRK = """
local file = io.open(os.getenv("BODY"), "rb")
local expected = file:read("*a")
local threads = {}
good, bad = 0, 0
function setup(thread) table.insert(threads, thread) end
function response(status, headers, body)
    if status == 200 and body == expected then
        good = good + 1
    else
        bad = bad + 1
    end
end
function done()
    for _, thread in ipairs(threads) do
        print("bodies: " .. thread:get("good") .. " good, "
              .. thread:get("bad") .. " bad")
    end
end
"""


# It resets a connection to its server when it has the answer and the server
# has not closed yet (SO_LINGER 0, so that no port waits): that is passed on.
ENDS = ("fin", "reset")


def ends_as_haproxy_does(record):
    return (record["end"] == "fin"
            or (record["end"], record["ended_by"]) == ("reset", "client"))


@pytest.fixture
def start_haproxy(lab, start_client, tmp_path):
    """One server, a new connection to it for every request."""
    def start(to):
        config = tmp_path / "haproxy.cfg"
        config.write_text(CONFIG.format(port=PORT, to="%s:%d" % to,
                                        proxy=programs.PROXY))
        start_client("haproxy", "-db", "-f", config)
        wait_for("HAProxy", lambda: lab.client.listens(PORT))
    return start


def test_haproxy_reaches_its_server_through_the_gateway(
        gateway, lab, call, start_haproxy):
    """[V4-1-1] [V4-3.3-1] It reads the eight octets, and all else is HTTP."""
    tap = Tap(lab.server, Web(lab.server).address)
    start_haproxy(tap.address)
    for size in (0, 1, MB):
        done = call("curl", "-q", "-sS", "--fail",
                    f"http://127.0.0.1:{PORT}/{size}/5")
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout == piece(5, size)
    assert tap.count == 3
    records = evidence.granted(gateway, tap, "HAProxy", ends=ENDS)
    assert all(map(ends_as_haproxy_does, records))


def test_haproxy_under_load_gets_every_body_right(
        gateway, lab, call, start_haproxy, tmp_path):
    """[V4-1-5] A session a request, eight at once."""
    size = 10 * KB
    (tmp_path / "body").write_bytes(piece(5, size))
    (tmp_path / "wrk.lua").write_text(WRK)
    web = Web(lab.server, address=places.SERVER)
    start_haproxy(web.address)
    done = call("wrk", "-t1", "-c8", "-d2s", "-s", "wrk.lua",
                f"http://127.0.0.1:{PORT}/{size}/5",
                BODY=str(tmp_path / "body"))
    assert done.returncode == 0, done.stderr
    said = done.stdout.decode()
    assert "Socket errors" not in said and "Non-2xx" not in said, said
    good, bad = map(int, re.search(r"bodies: (\d+) good, (\d+) bad",
                                   said).groups())
    assert good >= 20 and bad == 0
    # wrk breaks off what is under way at its end: a few more than good ones.
    wait_for("the records", lambda: len(gateway.records()) >= good)
    records = gateway.records()
    for record in records:
        assert (record["verdict"], record["userid"]) == ("granted", "HAProxy")
        assert ends_as_haproxy_does(record)
    assert sum(record["down"] > size for record in records) >= good
