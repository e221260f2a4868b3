"""This machine's own addresses: what listens on all of them is not reached by a
rule for anywhere, since it would see the gateway's address in place of the
client's, and no filter of packets would keep the client out."""
import itertools
import os
import signal
import socket
import subprocess

import pytest

import bind
import lab as places
import socks5
from dns import Dns, a
from gateway import BINARY, wait_for
from reloads import reloaded
from socks4 import BIND, GRANTED, REFUSED
from starts import copied
from upgrades import upgraded

LATE = "10.9.9.9"
HINT = "an address of this machine: the set self in the rule's to would allow" \
       " it"


def rules(to, more=""):
    return "[{name: it, action: allow, from: [any]," \
           " command: [connect, bind], to: %s%s}]" % (to, more)


def asks(gateway, to, command=None):
    """The code of a request, and what its record says."""
    userid = b"u%d" % next(numbers)
    client = gateway.client()
    if command is None:
        client.ask(to, userid)
    else:
        client.ask(to, userid, command)
    code = client.reply().cd
    client.sock.close()
    return code, gateway.record(userid=userid.decode())


numbers = itertools.count()

ADDRESSES = [places.INSIDE, places.OUTSIDE]


@pytest.mark.feature
@pytest.mark.parametrize("at", ADDRESSES)
@pytest.mark.parametrize("to", ["[any]", "[public, private]", "[0.0.0.0/0]",
                                "[10.0.0.0/8]"])
def test_what_listens_here_is_not_reached_by_a_rule_for_anywhere(
        start_gateway, lab, at, to):
    """[4A-B.3-1] [4A-B.3-2]"""
    gateway = start_gateway(rules=rules(to))
    lab.gateway.listen(port=7007)
    for command in (None, BIND):
        code, record = asks(gateway, (at, 7007), command)
        assert code == REFUSED
        assert record["verdict"] == "denied-special-address"
        assert record["hint"] == HINT


@pytest.mark.parametrize("at", ADDRESSES)
@pytest.mark.parametrize("to", ["[any, self]", "[self]", "[%s]"])
def test_it_is_reached_where_it_is_named(start_gateway, lab, at, to):
    gateway = start_gateway(rules=rules(to.replace("%s", at)))
    listener = lab.gateway.listen(port=7007)
    client = gateway.client()
    client.ask((at, 7007))
    assert client.reply().cd == GRANTED
    lab.gateway.accept(listener)[0].close()
    client.sock.close()
    assert gateway.record()["rule"] == "it"


def test_the_built_in_default_reaches_this_machine(lab):
    """It serves clients of this machine alone."""
    lab.gateway.listen(port=7007)
    for at in ADDRESSES + ["127.0.0.1"]:
        got = lab.gateway.run(
            [BINARY, "explain", "--from", "127.0.0.1", "--to", at, "--port",
             "7007"], capture_output=True, text=True)
        assert got.returncode == 0, got.stdout


def test_an_address_that_comes_later_is_this_machines(start_gateway, lab):
    gateway = start_gateway(rules=rules("[any]"))
    lab.gateway.listen(port=7007)
    lab.gateway.ip(f"address add {LATE}/32 dev outside\n")
    wait_for("the address to be known", lambda: asks(
        gateway, (LATE, 7007))[1]["hint"] == HINT)
    lab.gateway.ip(f"address del {LATE}/32 dev outside\n")
    wait_for("the address to be forgotten", lambda: asks(
        gateway, (LATE, 7007))[1]["verdict"] != "denied-special-address")


def test_it_is_whatever_was_replaced_before_it_came(start_gateway, lab,
                                                    tmp_path):
    """The binary, the worker, the configuration; by address and by name."""
    server = Dns(lab.server, places.SERVER)
    server["late.example"] = a(LATE)
    gateway = start_gateway(
        binary=copied(BINARY, tmp_path), workers="1", rules=rules("[any]"),
        resolver=f"{{servers: ['{server}']}}",
        listen=f"[{{address: '{places.INSIDE}:1080', name: inside,"
               " socks4a: true, insecure_plaintext: true}]")
    upgraded(gateway)
    wait_for("the old one's end", lambda: len(gateway.workers()) == 1)
    [worker] = gateway.workers()
    os.kill(worker.pid, signal.SIGKILL)
    wait_for("the next", lambda: gateway.counters()["workers"] == 1 and [
        next for next in gateway.workers() if next.pid != worker.pid])
    reloaded(gateway, rules=rules("[any]"), timeouts="{connect: 5s}")
    lab.gateway.listen(port=7007)
    lab.gateway.ip(f"address add {LATE}/32 dev outside\n")
    wait_for("the address to be known", lambda: asks(
        gateway, (LATE, 7007))[1]["hint"] == HINT)
    assert asks(gateway, (LATE, 7007), BIND)[0] == REFUSED
    client = gateway.client()
    client.ask_name("late.example", 7007)
    assert client.reply().cd == REFUSED
    client.sock.close()
    server.close()


def test_a_waiting_bind_of_another_client_is_not_reached(start_gateway, lab):
    gateway = start_gateway(rules=rules("[any]"))
    _, at = bind.wait(gateway)
    code, record = asks(gateway, at)
    assert code == REFUSED
    assert record["verdict"] == "denied-special-address"


def test_an_egress_address_that_is_not_here_is_said_at_the_start(
        start_gateway, lab):
    """And by a verdict of its own, until it is here."""
    gateway = start_gateway(egress="{address: %s}" % LATE)
    said = wait_for("the warning", lambda: [
        line for line in gateway.lines()
        if line.get("event") == "egress_address"])
    assert said[0]["address"] == LATE and said[0]["level"] == "warning"
    code, record = asks(gateway, (places.SERVER, 80))
    assert code == REFUSED
    assert record["verdict"] == "egress-address"


def test_a_rules_egress_that_is_not_here_is_said_at_the_start(
        start_gateway, lab):
    """And by a verdict of its own; the address that is here is used when its
    turn comes."""
    gateway = start_gateway(
        workers='"1"',
        rules="[{name: all, action: allow, from: [any], to: [any],"
              " egress: [%s, %s]}]" % (LATE, places.THIRD))
    lab.server.ip("route add 10.4.0.0/24 via %s\n" % places.OUTSIDE)
    said = wait_for("the warning", lambda: [
        line for line in gateway.lines()
        if line.get("event") == "egress_address"])
    assert [(line["address"], line["rule"]) for line in said] == \
        [(LATE, "all")]
    code, record = asks(gateway, (places.SERVER, 80))
    assert code == REFUSED
    assert record["verdict"] == "egress-address"
    client, server = gateway.open()
    assert server.getpeername()[0] == places.THIRD
    client.sock.close()
    server.close()


def test_a_bind_address_that_is_not_here_is_said_at_the_start(start_gateway):
    gateway = start_gateway(bind="{address: %s}" % LATE)
    said = wait_for("the warning", lambda: [
        line for line in gateway.lines()
        if line.get("event") == "bind_address"])
    assert said[0]["address"] == LATE and said[0]["level"] == "warning"


@pytest.mark.parametrize("egress", ["auto", places.OUTSIDE])
def test_a_network_that_is_routed_to_this_machine_is_its_own(
        start_gateway, lab, egress):
    """No interface has the address, and the kernel delivers it here."""
    lab.gateway.ip("route add local 10.77.0.0/16 dev lo\n")
    gateway = start_gateway(rules=rules("[any]"),
                            egress="{address: %s}" % egress)
    lab.gateway.listen(port=7007)
    code, record = asks(gateway, ("10.77.1.2", 7007))
    assert code == REFUSED
    assert record["verdict"] == "denied-special-address"


def test_a_network_of_ipv6_that_is_routed_to_this_machine_is_its_own(
        start_gateway, lab):
    """The kernel connects to it from another address of this machine."""
    lab.gateway.ip("route add local fd00:7::/64 dev lo\n")
    gateway = start_gateway(
        listen=f'[{{address: "{places.INSIDE}:1080",'
               ' insecure_plaintext: true, socks5: true}]',
        rules=rules("[any]"))
    with lab.gateway.socket(socket.AF_INET6) as listener:
        listener.bind(("::", 7007))
        listener.listen()
        control = lab.client.connect((places.INSIDE, 1080))
        answer = socks5.ask(control, ("fd00:7::5", 7007), socks5.CONNECT)
        control.close()
    assert answer.code == socks5.NOT_ALLOWED
    assert gateway.record()["verdict"] == "denied-special-address"


@pytest.mark.parametrize("nonlocal_bind", ["0", "1"])
def test_explain_knows_this_machines_addresses(lab, tmp_path, nonlocal_bind):
    """Also where a bind to any address succeeds, as beside keepalived."""
    config = tmp_path / "gw.yaml"
    config.write_text("rules: " + rules("[any]"))
    lab.gateway.write("/proc/sys/net/ipv4/ip_nonlocal_bind", nonlocal_bind)
    for to, code in ((places.SERVER, 0), (places.OUTSIDE, 1)):
        explain = lab.gateway.popen(
            [BINARY, "explain", "-c", config, "--from", places.CLIENT,
             "--to", to, "--port", "7007"], stdout=subprocess.DEVNULL)
        assert explain.wait(places.TIMEOUT) == code
