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
from gateway import BINARY, Process, wait_for
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


@pytest.mark.parametrize("egress", ["auto", places.OUTSIDE])
def test_an_address_that_came_just_now_is_this_machines(
        start_gateway, lab, egress):
    """Before the monitor has told the workers."""
    gateway = start_gateway(rules=rules("[any]"),
                            egress="{address: %s}" % egress)
    lab.gateway.listen(port=7007)
    with gateway.unwatched():
        lab.gateway.ip(f"address add {LATE}/32 dev outside\n")
        client = gateway.client()
        client.ask((LATE, 7007), b"soon")
        assert client.reply().cd == REFUSED
        client.sock.close()
    assert gateway.record(userid="soon")["hint"] == HINT


def test_a_network_of_the_largest_packets_is_reached(start_gateway, lab):
    """From an address that the configuration says: of IPv4 no interface
    carries more, loopback neither."""
    lab.gateway.ip("link set outside mtu 65535\n")
    lab.server.ip("link set wire mtu 65535\n")
    gateway = start_gateway(rules=rules("[any]"),
                            egress="{address: %s}" % places.OUTSIDE)
    client, server = gateway.open()
    client.sock.close()
    server.close()


def test_an_address_that_comes_later_is_this_machines(start_gateway, lab):
    """A connection that was made before the address was known ends with the
    listener, while there is a way back."""
    gateway = start_gateway(rules=rules("[any]"))
    listener = lab.gateway.listen(port=7007)
    lab.gateway.ip(f"address add {LATE}/32 dev outside\n")
    wait_for("the address to be known", lambda: asks(
        gateway, (LATE, 7007))[1]["hint"] == HINT)
    listener.close()
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


def is_own(gateway, to):
    """Whether a rule for anywhere keeps from it, where nothing listens."""
    code, record = asks(gateway, (to, 7007))
    assert code == REFUSED
    return record["verdict"] == "denied-special-address"


ROUTED = "10.77.1.2"
ROUTE = "route add local 10.77.0.0/16 dev lo"


@pytest.mark.feature
@pytest.mark.parametrize("egress", ["auto", places.OUTSIDE])
@pytest.mark.parametrize("commands", [
    ROUTE, f"{ROUTE} src {places.OUTSIDE}",
    f"{ROUTE} src {places.OUTSIDE} table main",
    f"rule add to 10.77.0.0/16 lookup 100\n"
    f"{ROUTE} src {places.OUTSIDE} table 100",
    f"route add local 128.0.0.0/1 dev lo src {places.OUTSIDE}\n"
    f"route add 10.77.0.0/16 via {places.SERVER}\n{ROUTE} src {places.OUTSIDE}"])
def test_a_network_that_is_routed_to_this_machine_is_its_own(
        start_gateway, lab, egress, commands):
    """No interface has the address, and the kernel delivers it here, from
    whatever address."""
    lab.gateway.ip(commands + "\n")
    server = Dns(lab.server, places.SERVER)
    server["routed.example"] = a(ROUTED)
    gateway = start_gateway(
        rules=rules("[any]"), egress="{address: %s}" % egress,
        resolver=f"{{servers: ['{server}']}}",
        listen=f"[{{address: '{places.INSIDE}:1080', name: inside,"
               " socks4a: true, insecure_plaintext: true}]")
    listener = lab.gateway.listen(port=7007)
    listener.setblocking(False)
    for command in (None, BIND):
        code, record = asks(gateway, (ROUTED, 7007), command)
        assert code == REFUSED
        assert record["verdict"] == "denied-special-address"
    client = gateway.client()
    client.ask_name("routed.example", 7007)
    assert client.reply().cd == REFUSED
    client.sock.close()
    with pytest.raises(BlockingIOError):
        listener.accept()
    server.close()


@pytest.mark.parametrize("to", ["[self]", f"[{ROUTED}]"])
def test_what_is_routed_to_this_machine_is_reached_where_it_is_named(
        start_gateway, lab, to):
    """And it is an address that the gateway may connect from."""
    lab.gateway.ip(f"{ROUTE} src {places.OUTSIDE}\n")
    gateway = start_gateway(rules=rules(to, f", egress: {ROUTED}"),
                            egress="{address: 10.77.0.9}",
                            bind="{address: 10.77.0.9}")
    listener = lab.gateway.listen(port=7007)
    client = gateway.client()
    client.ask((ROUTED, 7007))
    assert client.reply().cd == GRANTED
    server, peer = lab.gateway.accept(listener)
    assert peer[0] == ROUTED
    server.close()
    client.sock.close()
    gateway.record(rule="it")
    assert not [line for line in gateway.lines() if line.get("event") in
                ("egress_address", "bind_address")]


def test_a_route_comes_and_goes_and_many_do(start_gateway, lab):
    """More than the list has room for: then the kernel is asked."""
    # of a table but the kernel's own TCP is not answered
    gateway = start_gateway(rules=rules("[any]"), workers='"1"',
                            timeouts="{connect: 200ms}")
    assert not is_own(gateway, places.SERVER)
    for route in (f"{ROUTE} src {places.OUTSIDE}",
                  "rule add to 10.77.0.0/16 lookup 100\n"
                  f"{ROUTE} src {places.OUTSIDE} table 100"):
        lab.gateway.ip(route + "\n")
        wait_for("the route", lambda: is_own(gateway, ROUTED))
        assert is_own(gateway, "10.77.255.255")
        lab.gateway.ip(route.replace(" add ", " del ") + "\n")
        lab.gateway.ip(f"route add 10.77.0.0/16 via {places.SERVER}\n")
        lab.server.ip(f"address add {ROUTED}/32 dev lo\n")
        wait_for("its end", lambda: not is_own(gateway, ROUTED))
        lab.gateway.ip("route del 10.77.0.0/16\n")
        lab.server.ip(f"address del {ROUTED}/32 dev lo\n")
    many = "".join(
        f"route add local 10.77.{i // 128}.{i % 128 * 2} dev lo"
        f" src {places.OUTSIDE}\n" for i in range(4097))
    lab.gateway.ip(many)
    for last in ("10.77.0.0", "10.77.32.0"):
        wait_for("the routes", lambda: is_own(gateway, last))
    assert not is_own(gateway, places.SERVER)
    lab.gateway.ip(many.replace(" add ", " del ").replace(
        f" src {places.OUTSIDE}", ""))
    lab.gateway.ip(f"{ROUTE} src {places.OUTSIDE}\n")
    wait_for("the route", lambda: is_own(gateway, ROUTED))


def test_a_table_that_only_marked_packets_use_is_none_of_ours(
        start_gateway, lab):
    """As of a transparent proxy (TPROXY). And a route of IPv6 says nothing
    about IPv4."""
    lab.gateway.ip("rule add fwmark 1 lookup 100\n"
                   "rule add iif inside to 10.99.0.0/16 lookup 100\n"
                   "route add local 0.0.0.0/0 dev lo table 100\n"
                   "route add local ::/0 dev lo metric 4000 table main\n")
    gateway = start_gateway(rules=rules("[any]"), timeouts="{connect: 1s}")
    client, server = gateway.open()
    client.sock.close()
    server.close()
    for rule in ("rule add to 10.77.0.0/16 lookup 100",
                 "rule add to 10.77.0.0/16 fwmark 0x10/0x0f lookup 100"):
        lab.gateway.ip(rule + "\n")
        wait_for("the rule", lambda: is_own(gateway, ROUTED))
        lab.gateway.ip(rule.replace(" add ", " del ") + "\n")
        wait_for("its end", lambda: not is_own(gateway, ROUTED))


def queued(lab, process):
    """Octets of netlink that wait for a process."""
    rows = lab.gateway.read("/proc/thread-self/net/netlink").splitlines()[1:]
    ours = process.socket_inodes()
    found = [int(row.split()[4]) for row in rows
             if int(row.split()[9]) in ours]
    assert found
    return sum(found)


def test_other_routes_do_not_wake_the_monitor(start_gateway, lab):
    """A router may have a million of them, and change some all the time."""
    gateway = start_gateway(rules=rules("[any]"))
    monitor = Process(gateway.process.pid)
    with gateway.unwatched():
        lab.gateway.ip("".join(
            f"route {verb} 10.{net}.{i}.0/24 via {places.SERVER}\n"
            for net in (80, 81) for verb in ("add", "del") for i in range(100)))
        assert queued(lab, monitor) == 0
        lab.gateway.ip(ROUTE + "\n")
        assert queued(lab, monitor) > 0


def test_workers_of_an_old_binary_know_what_comes_later(start_gateway, lab,
                                                       tmp_path):
    """They outlive the monitor that followed the routes for them."""
    gateway = start_gateway(binary=copied(BINARY, tmp_path),
                            workers='"1"', rules=rules("[any]"))
    waiting = gateway.client()
    wait_for("its session", lambda: gateway.counters()["live"] == 1)
    upgraded(gateway)
    lab.gateway.ip(f"{ROUTE} src {places.OUTSIDE}\n")
    wait_for("the route", lambda: is_own(gateway, ROUTED))
    waiting.ask((ROUTED, 7007), b"old")
    assert waiting.reply().cd == REFUSED
    waiting.sock.close()
    assert gateway.record(userid="old")["hint"] == HINT


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
    config.write_text(
        "listen: [{address: '10.1.0.1:1080', socks5: true,"
        " insecure_plaintext: true}]\nrules: " + rules("[any]"))
    lab.gateway.write("/proc/sys/net/ipv4/ip_nonlocal_bind", nonlocal_bind)
    lab.gateway.ip("route add local fd00:7::/64 dev lo\n"
                   f"{ROUTE} src {places.OUTSIDE}\n")
    for to, code in ((places.SERVER, 0), (places.OUTSIDE, 1), (ROUTED, 1),
                     ("fd00:7::5", 1)):
        explain = lab.gateway.popen(
            [BINARY, "explain", "-c", config, "--from", places.CLIENT,
             "--socks5", "--to", to, "--port", "7007"],
            stdout=subprocess.DEVNULL)
        assert explain.wait(places.TIMEOUT) == code
