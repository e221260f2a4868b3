"""Programs that watch gateways: a Prometheus that scrapes one under load and
runs the dashboard's queries and the alerts' expressions, and HAProxy's
agent-check."""
import json
import pathlib
import re
import shutil
import signal
import subprocess
import time
import urllib.parse

import pytest

import lab as places
from gateway import wait_for
from metrics import get, samples

MONITORING = pathlib.Path(__file__).parents[2] / "dist" / "monitoring"
PROMETHEUS = ("127.0.0.1", 9090)
PAGE = ("127.0.0.1", 9180)
OBSERVE = '{address: "127.0.0.1:9180", agent: "127.0.0.1:9181"}'
RULES = """
  - {name: denied, action: deny, from: [any], to: [any], port: [81]}
  - {name: web, action: allow, from: [any], to: [any], command: [connect, bind]}
"""


@pytest.fixture
def prometheus(lab, tmp_path):
    """Scrapes the gateway every second, and has the alert rules."""
    shutil.copy(MONITORING / "alerts.yaml", tmp_path)
    (tmp_path / "prometheus.yaml").write_text(json.dumps({
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s",
                   "evaluation_interval": "1s"},
        "rule_files": ["alerts.yaml"],
        "scrape_configs": [{"job_name": "socks4d", "static_configs": [
            {"targets": ["%s:%d" % PAGE]}]}]}))

    def start():
        lab.gateway.popen(
            ["prometheus", f"--config.file={tmp_path}/prometheus.yaml",
             f"--storage.tsdb.path={tmp_path}/data",
             "--web.listen-address=%s:%d" % PROMETHEUS,
             "--log.level=error"], preexec_fn=places.die_with_parent)
        wait_for("Prometheus", lambda: is_ready(lab), 60)
    return start


def is_ready(lab):
    try:
        return get(lab.gateway, "/-/ready", at=PROMETHEUS)[0] == 200
    except OSError:
        return False


def query(lab, expression):
    """The samples of an instant query: [(labels, value)]"""
    status, _, text = get(
        lab.gateway, "/api/v1/query?" + urllib.parse.urlencode(
            {"query": expression}), at=PROMETHEUS)
    answer = json.loads(text)
    assert answer["status"] == "success" and status == 200, (expression, text)
    return [(row["metric"], float(row["value"][1]))
            for row in answer["data"]["result"]]


def comes_to(lab, expression, value):
    """After the next scrapes at the latest: one of them may be late."""
    wait_for(expression, lambda: [
        found for _, found in query(lab, expression)] == [value])


def queries_of_the_dashboard():
    board = json.loads((MONITORING / "dashboard.json").read_text())
    return {(panel["title"], target["refId"]):
            target["expr"].replace("$instance", ".*")
            .replace("$__rate_interval", "30s")
            for panel in board["panels"] for target in panel["targets"]}


# What is empty where nothing of the kind is or was.
NOT_HERE = {"Limits met", "Parents, time to the reply", "TLS handshakes",
            "Parents", "Certificates, days left"}


def load(gateway, servers, count):
    """So many sessions, some of them refused."""
    for i in range(count):
        if i % 4 == 3:
            client = gateway.client()
            client.ask((places.SERVER, 81))
            client.refusal()
            continue
        client, server = gateway.open(servers)
        client.sock.sendall(b"question")
        assert server.recv(8) == b"question"
        client.sock.close()
        server.close()


def test_prometheus_scrapes_a_gateway_under_load(start_gateway, lab, prometheus):
    gateway = start_gateway(observe=OBSERVE, rules=RULES)
    servers = lab.server.listen(places.SERVER)
    live = [gateway.open(servers) for _ in range(3)]
    prometheus()
    wait_for("a scrape", lambda: query(lab, "up") == [
        ({"__name__": "up", "instance": "%s:%d" % PAGE, "job": "socks4d"}, 1)])
    rounds = 0

    def has_a_rate():
        nonlocal rounds
        load(gateway, servers, 20)
        rounds += 1
        time.sleep(0.2)
        return query(lab, "rate(socks4d_sessions_total"
                     '{verdict="granted"}[30s]) > 0')
    wait_for("a rate", has_a_rate, 60)
    comes_to(lab, "sum(socks4d_connections_accepted_total)", 3 + 20 * rounds)
    for (title, _), expression in queries_of_the_dashboard().items():
        wait_for((title, expression), lambda asked=expression:
                 query(lab, asked) or title in NOT_HERE)
    comes_to(lab, 'sum(socks4d_sessions_live{state="relay"})', 3)
    comes_to(lab, 'sum(socks4d_sessions_total{verdict="granted"})',
             15 * rounds)
    comes_to(lab, 'sum(socks4d_sessions_total{code="91"})', 5 * rounds)
    # Every name that rules and dashboard use is one that there is.
    have = {name for name, _ in samples(get(lab.gateway, "/metrics")[2])}
    text = (MONITORING / "alerts.yaml").read_text() + \
        (MONITORING / "dashboard.json").read_text()
    named = {re.sub("_(bucket|sum|count)$", "", name)
             for name in re.findall(r"socks4d_(\w+)", text)}
    optional = {"certificate_expiry_timestamp_seconds", "parent_up",
                "parent_seconds"}
    assert named <= {re.sub("_(bucket|sum|count)$", "", name)
                     for name in have} | optional
    # A gateway that is well raises no alert.
    assert query(lab, 'ALERTS{alertstate="firing"}') == []
    for client, server in live:
        client.sock.close()
        server.close()


def test_the_alert_rules_say_what_they_should():
    for words in (["check", "rules", "alerts.yaml"],
                  ["test", "rules", "alerts.test.yaml"]):
        done = subprocess.run(["promtool", *words], cwd=MONITORING,
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


BALANCER = """
global
    stats socket {socket}
defaults
    mode tcp
    timeout connect 5s
    timeout client 1m
    timeout server 1m
listen gateways
    bind 10.1.0.1:1090
    server gw 10.1.0.1:1080 check weight 100 agent-check agent-port 9181 \
agent-addr 127.0.0.1 agent-inter 200ms
"""


def test_haproxy_follows_the_agent(start_gateway, lab, tmp_path):
    """Weight by free sessions; drained when the gateway drains, while live
    sessions go on."""
    gateway = start_gateway(
        observe=OBSERVE, rules=RULES,
        limits="{sessions: 10, per_source: {sessions: 100k, pending: 100k,"
               " rate: 1M}}")
    socket = tmp_path / "stats"
    (tmp_path / "haproxy.cfg").write_text(BALANCER.format(socket=socket))
    lab.gateway.popen(["haproxy", "-db", "-f", tmp_path / "haproxy.cfg"],
                      preexec_fn=places.die_with_parent)

    def column(name):
        try:
            said = lab.gateway.run(
                ["socat", "-", f"unix-connect:{socket}"], input="show stat\n",
                capture_output=True, text=True).stdout
        except subprocess.CalledProcessError:
            return None
        head, *lines = said.strip().lstrip("# ").splitlines()
        rows = [dict(zip(head.split(","), line.split(","))) for line in lines]
        return next((row[name] for row in rows if row["svname"] == "gw"), None)

    wait_for("the agent", lambda: column("agent_status") == "L7OK")
    wait_for("all of the weight", lambda: column("weight") in ("100", "90"))
    through = ("10.1.0.1", 1090)
    # Its own health checks come and go as sessions of the gateway's.
    pairs = [gateway.open(at=through) for _ in range(5)]
    wait_for("half of the weight",
             lambda: column("weight") in ("50", "40"))
    gateway.signal(signal.SIGTERM)
    wait_for("the server to be drained",
             lambda: (column("status") or "").startswith(("DRAIN", "DOWN")))
    for client, server in pairs:
        client.sock.sendall(b"still")
        assert server.recv(5) == b"still"
        client.sock.close()
        server.close()
    assert gateway.process.wait(20) == 0
