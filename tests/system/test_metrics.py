"""Metrics, health, and the agent-check: what they say, and that no session
notices whoever asks."""
import collections
import os
import signal
import ssl
import subprocess
import time

import pytest

import tls_socket as tls
from certificates import openssl
from control import next_observer, observer
from gateway import CLOSE_WAIT, FIN_WAIT2, wait_for
from lab import INSIDE
from metrics import OPEN, get, samples, total
from reloads import reload
from socks4 import ending
from upgrades import upgraded

AGENT = ("127.0.0.1", 9181)
OBSERVE = '{address: "127.0.0.1:9180", agent: "127.0.0.1:9181"}'
RULES = """
  - {name: web, action: allow, from: [any], to: [any], command: [connect, bind]}
"""
EIGHT = 8  # connections that are served at once


@pytest.fixture
def start(start_gateway):
    def begin(*arguments, **settings):
        settings.setdefault("observe", OBSERVE)
        made = start_gateway(*arguments, **settings)
        wait_for("the page", lambda: listens(made))
        return made
    return begin


def listens(gateway):
    """Whether it answers; who is turned away gets no text."""
    try:
        return get(gateway.lab.gateway, "/health")[2] != ""
    except OSError:
        return False


def gone(gateway):
    """Whether no connection to the page is half closed. The library sees some
    of the ends only when the ten seconds of the connection are over."""
    return not any(local == 9180 and state in (CLOSE_WAIT, FIN_WAIT2)
                   for local, _, state in gateway.lab.gateway.connections())


def scrape(gateway, **headers):
    status, _, text = get(gateway.lab.gateway, "/metrics", **headers)
    assert status == 200, text
    return samples(text)


def agent(gateway):
    line = gateway.lab.gateway.connect(AGENT)
    text = b""
    while piece := line.recv(100):
        text += piece
    return text.decode()


def add_up(gateway, already_in=()):
    """Metrics, records and USR1's line say the same."""
    found, counted = scrape(gateway), gateway.counters()
    records = gateway.records()
    assert total(found, "connections_accepted_total") == counted["accepted"]
    assert total(found, "sessions_lost_total") == counted["lost"]
    assert total(found, "log_dropped_total") == counted["dropped"]
    assert total(found, "worker_restarts_total") == counted["restarts"]
    assert total(found, "sessions_live") == counted["live"] == 0
    assert total(found, "limit_used", limit="sessions") == 0
    assert total(found, "sessions_total") - \
        total(found, "sessions_total", verdict="limited") == \
        counted["granted"] + counted["refused"] + counted["early"] == \
        len(records)
    assert total(found, "sessions_total", verdict="granted") == \
        counted["granted"]
    for direction in ("up", "down"):
        assert total(found, "octets_total", direction=direction) == \
            counted[f"relayed_{direction}"]
    outcomes = collections.Counter(
        (record["verdict"], str(record["code"]), record["listener"],
         record["version"] or "none") for record in records)
    for (verdict, code, listener, version), count in outcomes.items():
        assert total(found, "sessions_total", verdict=verdict, code=code,
                     listener=listener, version=version) == count
    for phase in ("request", "resolve", "ident", "connect", "relay", "total"):
        spent = sum(record["ms"][phase] for record in records) / 1000
        assert total(found, "phase_seconds_sum", phase=phase) == \
            pytest.approx(spent), phase
    assert total(found, "phase_seconds_count", phase="total") == len(records)
    return found, records


def rules_add_up(found, records):
    hits = collections.Counter(record["rule"] for record in records
                               if record["rule"])
    for rule, count in hits.items():
        assert total(found, "rule_hits_total", rule=rule) == count


def all_gone(gateway):
    wait_for("sessions to be gone", lambda: gateway.counters()["live"] == 0)


@pytest.mark.userid
@pytest.mark.feature
def test_figures_add_up_to_records_and_to_usr1(start):
    gateway = start(rules=RULES)
    pairs = [gateway.open() for _ in range(5)]
    for client, server in pairs:
        client.sock.sendall(b"question")
        assert server.recv(8) == b"question"
    wait_for("the sessions", lambda: total(
        scrape(gateway), "sessions_live", state="relay", listener="inside") == 5)
    wait_for("their octets", lambda: total(
        scrape(gateway), "octets_total", direction="up") == 40)
    assert total(scrape(gateway), "sessions_total", verdict="granted") == 0
    for client, server in pairs:
        client.sock.close()
        server.close()
    gateway.client().sock.close()
    foreign = gateway.client()
    foreign.sock.sendall(b"\x05\x01\x00")
    wait_for("its record", lambda: gateway.records(verdict="not-socks4"))
    all_gone(gateway)
    wait_for("all records", lambda: len(gateway.records()) == 7)
    rules_add_up(*add_up(gateway))


@pytest.mark.feature
def test_the_scraper_gets_the_format_that_it_knows(start):
    gateway = start(rules=RULES)
    _, headers, text = get(gateway.lab.gateway, "/metrics",
                           Accept=f"{OPEN};version=1.0.0,text/plain;q=0.5")
    assert headers["Content-Type"].startswith(OPEN + "; version=1.0.0")
    assert text.endswith("\n# EOF\n")
    assert "# TYPE socks4d_sessions counter\n" in text
    assert "# TYPE socks4d_config info\n" in text
    _, headers, text = get(gateway.lab.gateway, "/metrics")
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "# EOF" not in text
    assert "# TYPE socks4d_sessions_total counter\n" in text
    checked = subprocess.run(["promtool", "check", "metrics"], input=text,
                             text=True, capture_output=True)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_only_get_and_head_are_served(start):
    gateway = start(rules=RULES)
    host = gateway.lab.gateway
    status, headers, text = get(host, "/metrics", method="HEAD")
    assert (status, text) == (200, "") and int(headers["Content-Length"]) > 0
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        status, headers, _ = get(host, "/metrics", method=method, body="x")
        assert (status, headers["Allow"]) == (405, "GET, HEAD"), method
    assert get(host, "/metrics/")[0] == 404
    for nonsense in (b"NONSENSE\r\n\r\n", b"\0" * 5000 + b"\r\n\r\n",
                     b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n"):
        line = host.connect(("127.0.0.1", 9180))
        line.sendall(nonsense)
        try:
            while line.recv(1000):
                pass
        except ConnectionResetError:
            pass
    wait_for("room", lambda: listens(gateway))


def test_certificates_and_handshakes_are_told(start):
    gateway = start(listen=f"[{tls.listener((INSIDE, 1080))}]", rules=RULES)
    gateway.tls = tls.client_context()
    client, server = gateway.open()
    foreign = gateway.lab.client.connect((INSIDE, 1080))
    foreign.sendall(b"GET / HTTP/1.0\r\n\r\n")
    wait_for("its record", lambda: gateway.records(verdict="tls-failed"))
    found = scrape(gateway)
    assert total(found, "tls_handshakes_total", result="done") == 1
    assert total(found, "tls_handshakes_total", result="failed") == 1
    assert total(found, "phase_seconds_count", phase="tls") == 1
    (_, labels), = [key for key in found
                    if key[0] == "certificate_expiry_timestamp_seconds"]
    ends = openssl("x509", "-noout", "-enddate", "-in", dict(labels)["file"])
    assert total(found, "certificate_expiry_timestamp_seconds") == \
        ssl.cert_time_to_seconds(ends.strip().removeprefix("notAfter="))
    client.shut()
    assert ending(server) == ("fin", b"")
    server.close()
    assert ending(client.sock) == ("fin", b"")


# What survives


def test_counters_survive_workers_reloads_and_upgrades(start):
    gateway = start(rules=RULES)
    client, server = gateway.open()
    client.sock.sendall(b"hello")
    assert server.recv(5) == b"hello"
    wait_for("the octets to be counted",
             lambda: total(scrape(gateway), "octets_total", direction="up"))
    gateway.keeps_table = True
    gateway.may_lose = 1
    victims = [worker.pid for worker in gateway.workers()]
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    wait_for("new workers", lambda: len(gateway.workers()) == 2 and not
             set(victims) & {worker.pid for worker in gateway.workers()})
    wait_for("them to serve", lambda: get(gateway.lab.gateway,
                                          "/health")[0] == 200)
    found = scrape(gateway)
    assert total(found, "worker_restarts_total") == 2
    assert total(found, "sessions_lost_total") == 1
    assert total(found, "sessions_live") == 0
    assert total(found, "octets_total", direction="up") == 5
    assert total(found, "rule_hits_total", rule="web") == 1
    gateway.settings["rules"] = RULES + \
        "  - {name: more, action: deny, from: [any], to: [any]}\n"
    reload(gateway)
    one = gateway.open()
    upgraded(gateway)
    other = gateway.open()
    wait_for("the observer", lambda: listens(gateway))
    wait_for("both sessions", lambda: total(
        scrape(gateway), "sessions_live", state="relay") == 2)
    found = scrape(gateway)
    assert total(found, "rule_hits_total", rule="web") == 3
    assert total(found, "rule_hits_total", rule="more") == 0
    for client, server in (one, other):
        client.sock.close()
        server.close()


def test_a_killed_observer_is_replaced_and_no_session_notices(start):
    gateway = start(rules=RULES)
    client, server = gateway.open()
    before = scrape(gateway)
    first = observer(gateway)
    os.kill(first.pid, signal.SIGKILL)
    next_observer(gateway, first.pid)
    wait_for("its page", lambda: listens(gateway))
    after = scrape(gateway)
    assert total(after, "rule_hits_total", rule="web") == \
        total(before, "rule_hits_total", rule="web") == 1
    client.sock.sendall(b"still")
    assert server.recv(5) == b"still"


# Health


def test_health_and_agent_say_whether_the_gateway_serves(start):
    gateway = start(rules=RULES)
    status, _, text = get(gateway.lab.gateway, "/health")
    assert (status, text) == (200, "serving\n")
    assert agent(gateway) == "ready up 100%\n"
    pair = gateway.open()
    gateway.signal(signal.SIGTERM)
    wait_for("draining", lambda: get(gateway.lab.gateway, "/health")[0] == 503)
    assert agent(gateway) == "drain\n"
    pair[0].sock.close(), pair[1].close()
    assert gateway.process.wait(20) == 0


def test_the_weight_is_the_share_of_sessions_that_is_free(start):
    gateway = start(rules=RULES, limits="{sessions: 8, per_source: {sessions: "
                    "100, pending: 100, rate: 100000}}")
    pairs = [gateway.open() for _ in range(6)]
    assert agent(gateway) == "ready up 25%\n"
    found = scrape(gateway)
    assert total(found, "limit", limit="sessions") == 8
    assert total(found, "limit_used", limit="sessions") == 6
    for client, server in pairs:
        client.sock.close()
        server.close()


# Whoever asks badly


def occupy(gateway, count, text=b""):
    made = []
    for _ in range(count):
        line = gateway.lab.gateway.connect(("127.0.0.1", 9180))
        line.sendall(text)
        made.append(line)
    return made


@pytest.mark.feature
def test_eight_are_served_and_the_rest_is_refused(start):
    gateway = start(rules=RULES)
    pair = gateway.open()
    slow = occupy(gateway, EIGHT, b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
    refused = []
    for _ in range(10):
        refused += occupy(gateway, 100)
        pair[0].sock.sendall(b"x")
        assert pair[1].recv(1) == b"x"
    for line in refused:
        assert line.recv(100).startswith(b"HTTP/1.1 503 ")
    # Those that were served are still there.
    slow[0].sendall(b"\r\n")
    assert slow[0].recv(1000).startswith(b"HTTP/1.1 200 OK")
    pair[0].sock.sendall(b"x")
    assert pair[1].recv(1) == b"x"
    for line in slow + refused:
        line.close()
    wait_for("room", lambda: listens(gateway))
    wait_for("connections to be gone", lambda: gone(gateway))
    pair[0].sock.close(), pair[1].close()


def test_slow_headers_and_readers_that_never_read_are_cut(start):
    gateway = start(rules=RULES)
    dripping = occupy(gateway, EIGHT // 2, b"GET /met")
    deaf = occupy(gateway, EIGHT // 2, b"GET /metrics HTTP/1.1\r\n"
                  b"Host: x\r\n\r\n" * 200)
    begun = time.monotonic()
    while not listens(gateway):
        assert time.monotonic() < begun + 30
        for line in dripping:
            try:
                line.sendall(b"x")
            except OSError:
                pass
        time.sleep(0.5)
    assert time.monotonic() > begun + 5
    for line in dripping + deaf:
        line.close()
    wait_for("connections to be gone", lambda: gone(gateway))
