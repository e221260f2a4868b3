"""BIND: who is awaited where, who may come, and when it is over."""
import os
import signal
import socket
import time

import pytest

import bind
import lab as places
from bind import BOTH, CONTROL, ask, meet, wait
from gateway import wait_for
from inside import bounds_ports
from reloads import reloaded
from socks4 import BIND, GRANTED, ending, reset

PORT = 40000
ONE_PORT = "{ports: %d-%d}" % (PORT, PORT)


@pytest.fixture
def gateway(start_gateway):
    return start_gateway(rules=BOTH)


@pytest.fixture
def one_port(start_gateway):
    """A range of one port: the next BIND shows that it is free."""
    return start_gateway(rules=BOTH, bind=ONE_PORT)


@pytest.fixture
def default_route(lab):
    lab.gateway.ip(f"route add default via {places.SERVER}")


# The right peer


@pytest.mark.feature
def test_the_peer_is_met_and_relayed(gateway, lab):
    """[V4-4.2-1] [V4-4.2-2] [V4-4.3-1] [V4-4.3-2] [V4-4.3-4] [V4-4.3-5]
    Two replies of eight octets, then octets both ways."""
    client, at = wait(gateway, userid=b"ftp")
    server = meet(client, at, lab.server)
    server.sendall(b"from the server")
    assert client.sock.recv(100) == b"from the server"
    client.send(b"thanks")
    assert server.recv(100) == b"thanks"
    peer = server.getsockname()
    server.close()
    assert ending(client.sock) == ("fin", b"")
    client.sock.close()
    record = gateway.record(userid="ftp")
    expected = {"command": "bind", "verdict": "granted", "code": 90,
                "dest": "%s:%d" % CONTROL, "rule": "both", "up": 6,
                "down": 15, "ended_by": "server", "end": "fin",
                "local": "%s:%d" % at, "peer": "%s:%d" % peer}
    assert {key: record[key] for key in expected} == expected
    gateway.tell(up=6, down=15)


def test_it_listens_before_the_first_reply_leaves(gateway, lab):
    """[V4-4.2-4] [V4-4.2-5] Whoever connects when the reply is there gets
    through, though the gateway itself stands still."""
    for _ in range(50):
        client = ask(gateway)
        reply = client.reply()
        with gateway.frozen():
            peer = lab.server.connect((reply.address, reply.port))
        assert client.reply().port == peer.getsockname()[1]
        peer.close()
        client.sock.close()


@pytest.mark.parametrize("port", [20, 0, 30000])
def test_the_peers_port_does_not_matter(gateway, lab, port):
    """[V4-4.3-3] [V4-B.1-4] Neither 21, which DSTPORT says, nor 20."""
    client, at = wait(gateway)
    meet(client, at, lab.server, (places.SERVER, port))


def test_the_port_of_the_request_is_information(gateway, lab):
    """[V4-4.1-4] Any DSTPORT, 0 too."""
    for port in (0, 1, 20, 65535):
        client, at = wait(gateway, (places.SERVER, port))
        meet(client, at, lab.server)


# The address in the first reply


@pytest.mark.parametrize("to, address", [
    (places.SERVER, places.OUTSIDE), (places.STRANGER, places.THIRD),
    (places.CLIENT, places.INSIDE)])
def test_the_first_reply_names_the_leg_that_faces_dstip(
        gateway, to, address):
    """[V4-4.2-6] [V4-4.1-5] Never just the one the client talks to."""
    _, at = wait(gateway, (to, 21))
    assert at[0] == address


def test_only_that_leg_listens(gateway, lab):
    """[V4-4.2-6]"""
    _, (_, port) = wait(gateway)
    assert bind.is_refused(gateway, (places.THIRD, port), lab.stranger)
    assert bind.is_refused(gateway, (places.INSIDE, port), lab.client)


def test_a_set_address_is_listened_on_and_named(start_gateway, lab):
    gateway = start_gateway(rules=BOTH, bind="{address: %s}" % places.THIRD)
    client, at = wait(gateway)
    assert at[0] == places.THIRD
    meet(client, at, lab.server)


def test_zeros_are_named_only_where_they_are_set(start_gateway, lab):
    """[V4-4.2-6] The client puts the gateway's address there."""
    gateway = start_gateway(rules=BOTH, bind="{advertise: 0.0.0.0}")
    client, (address, port) = wait(gateway)
    assert address == "0.0.0.0"
    meet(client, (places.OUTSIDE, port), lab.server)


def test_an_address_that_is_not_ours_is_refused(start_gateway):
    gateway = start_gateway(rules=BOTH, bind="{address: 10.2.0.99}")
    bind.refused(gateway, "bind-no-address")


def test_no_way_to_dstip_is_a_refusal(gateway):
    bind.refused(gateway, "bind-no-address", (places.UNREACHABLE, 21))


def test_the_advertised_address_is_named_instead(start_gateway, lab):
    gateway = start_gateway(rules=BOTH, bind="{advertise: 203.0.113.5}")
    client, (address, port) = wait(gateway)
    assert address == "203.0.113.5"
    meet(client, (places.OUTSIDE, port), lab.server)


def test_ports_come_from_the_range(start_gateway, lab):
    """[V4-4.2-5] All of them, each once, and again when they are free."""
    gateway = start_gateway(rules=BOTH, bind="{ports: 40000-40009}")
    for _ in range(2):
        waiting = [wait(gateway) for _ in range(10)]
        assert sorted(port for _, (_, port) in waiting) == list(
            range(40000, 40010))
        bind.refused(gateway, "bind.ports-exhausted",
                     userid=b"more-%d" % len(gateway.records()))
        for client, at in waiting:
            meet(client, at, lab.server).close()
            client.sock.close()


def test_without_a_range_ports_come_from_the_kernels_and_are_not_used_up(
        start_gateway, lab):
    """A transfer over leaves its port in TIME_WAIT for a minute, where the
    gateway closes first; the next BINDs get it nevertheless. Reserved ports
    are for services that start later, however many stand before them in the
    kernel's list."""
    others = "".join(f"{port}," for port in range(20000, 21000, 2))
    for name, text in (("port_range", "40000 40019"),
                       ("reserved_ports", f"{others}40000-40009")):
        lab.gateway.write(f"/proc/sys/net/ipv4/ip_local_{name}", text)
    gateway = start_gateway(rules=BOTH)
    for _ in range(30):
        client, at = wait(gateway)
        assert 40010 <= at[1] <= 40019
        peer = meet(client, at, lab.server)
        client.sock.close()
        assert peer.recv(1) == b""  # the gateway's side was the first
        peer.close()
    waiting = [wait(gateway) for _ in range(10)]
    assert sorted(port for _, (_, port) in waiting) == list(
        range(40010, 40020))
    bind.refused(gateway, "bind.ports-exhausted")


def test_a_change_of_the_systems_ports_comes_with_the_next_reload(
        start_gateway, lab):
    """Not with a worker that starts before: the monitor knows to which ports it
    is confined, so that a reload does not leave it without those that it
    needs."""
    def turn_to(ports):
        lab.gateway.write("/proc/sys/net/ipv4/ip_local_port_range", ports)

    def one_listens_at(first):
        client, at = wait(gateway)
        assert first <= at[1] <= first + 9
        client.sock.close()

    turn_to("40000 40009")
    gateway = start_gateway(workers="1", rules=BOTH)
    one_listens_at(40000)
    wait_for("its record", gateway.records)
    turn_to("41000 41009")
    worker, = gateway.workers()
    os.kill(worker.pid, signal.SIGKILL)
    wait_for("the next one", lambda: worker.pid not in [
        one.pid for one in gateway.workers()] and gateway.counters(
            )["workers"] == 1)
    one_listens_at(40000)
    reloaded(gateway, bind="{ports: 40000-40009}")
    one_listens_at(40000)
    reloaded(gateway, bind="{ports: 0}")
    if bounds_ports():  # else workers need not be replaced, and look no more
        one_listens_at(41000)


def test_no_stranger_can_tell_the_next_port(start_gateway, lab):
    """Ports come in no order: neither one behind the other, nor by a step that
    two of them tell, nor again when they are free."""
    gateway = start_gateway(rules=BOTH, bind="{ports: 40000-49999}")
    ports = []
    for _ in range(12):
        client, (_, port) = wait(gateway)
        ports.append(port)
        client.sock.close()
        wait_for("its end", lambda: gateway.counters()["live"] == 0)
    steps = {(after - before) % 10000
             for before, after in zip(ports, ports[1:])}
    # Chance may give the same port, or the same step, twice.
    assert len(set(ports)) > 6
    assert len(steps) > 6


def test_a_range_limits_who_waits_not_who_relays(one_port, lab):
    """One port, many transfers at once."""
    pairs = []
    for _ in range(10):
        client, at = wait(one_port)
        assert at[1] == PORT
        pairs.append((client, meet(client, at, lab.server)))
    for number, (client, server) in enumerate(pairs):
        server.sendall(b"%d" % number)
        assert client.sock.recv(10) == b"%d" % number


def test_a_port_that_somebody_else_has_is_passed_over(start_gateway, lab):
    other = lab.gateway.listen(places.OUTSIDE, PORT)
    gateway = start_gateway(rules=BOTH, bind="{ports: 40000-40001}")
    assert wait(gateway)[1][1] == PORT + 1
    other.close()


# The decision


def test_a_bind_needs_a_rule_that_names_it(start_gateway):
    """[V4-4.2-1] [V4-4.2-3] A rule's commands are CONNECT by default."""
    gateway = start_gateway()
    bind.refused(gateway, "denied-no-rule")


def test_dstport_is_matched_against_a_rules_port(start_gateway):
    """[V4-4.1-4] [V4-B.1-1]"""
    gateway = start_gateway(rules=bind.only("port: [21, 2100-2200]"))
    for port in (21, 2100, 2200):
        wait(gateway, (places.SERVER, port))
    for port in (20, 22, 0, 2201):
        bind.refused(gateway, "denied-no-rule", (places.SERVER, port),
                     b"%d" % port)


def test_dstip_and_userid_are_matched_as_in_connect(start_gateway):
    """[V4-4.1-5] [V4-4.1-6] [V4-B.1-1]"""
    gateway = start_gateway(rules="[{action: allow, command: [bind],"
                            " from: [any], to: [%s], user: [mary]}]"
                            % places.SERVER)
    wait(gateway, userid=b"mary")
    bind.refused(gateway, "denied-no-rule", userid=b"john")
    bind.refused(gateway, "denied-no-rule", (places.SERVER2, 21), b"mary")


def test_a_deny_rule_above_it_wins(start_gateway):
    """[V4-4.2-3] Reply, orderly end, nothing listens."""
    gateway = start_gateway(
        rules="[{name: no, action: deny, command: [bind], from: [any],"
              " to: [any]}, {action: allow, command: [bind], from: [any],"
              " to: [any]}]", bind=ONE_PORT)
    client = ask(gateway)
    reply = client.refusal()
    assert (reply.address, reply.port) == CONTROL
    assert not gateway.lab.gateway.listens(PORT)
    assert gateway.record()["verdict"] == "denied-by-rule"


def test_dstip_zero_is_refused(gateway, default_route):
    """[V4-4.3-3] It can match nobody."""
    bind.refused(gateway, "denied-no-rule", ("0.0.0.0", 21))


def test_dstip_zero_is_granted_where_anybody_may_come(
        start_gateway, lab, default_route):
    """[V4-4.2-6] The address is the default route's."""
    gateway = start_gateway(rules=bind.only("peer: any"))
    client, at = wait(gateway, ("0.0.0.0", 0))
    assert at[0] == places.OUTSIDE
    meet(client, at, lab.stranger, (places.STRANGER, 0))


# Other peers


@pytest.mark.feature
def test_a_stranger_ends_it_for_both(gateway, lab):
    """[V4-4.3-3] [V4-4.3-6] [V4-4.3-7] [V4-B.1-2] [V4-C.3-1]"""
    client, at = wait(gateway, userid=b"met")
    stranger = lab.stranger.connect(at)
    reply = client.refusal()
    assert (reply.address, reply.port) == ("0.0.0.0", 0)
    assert ending(stranger) in [("fin", b""), ("reset", b"")]
    bind.freed(gateway, at[1])
    record = gateway.record(userid="met")
    assert (record["verdict"], record["code"]) == ("bind-stranger", 91)


def test_another_address_of_the_servers_is_a_stranger(gateway, lab):
    """[V4-B.1-2] [V4-C.3-1] The match is exact, also for the next address."""
    client, at = wait(gateway)
    lab.server.connect(at, (places.SERVER2, 0))
    client.refusal()


def test_nothing_a_stranger_sends_reaches_the_client(gateway, lab):
    """[V4-4.3-7]"""
    client, at = wait(gateway)
    with gateway.frozen():
        stranger = lab.stranger.connect(at)
        stranger.sendall(b"forged")
    client.refusal()


def test_peer_any_takes_whoever_comes_first(start_gateway, lab):
    gateway = start_gateway(rules=bind.only("peer: any"))
    client, at = wait(gateway)
    meet(client, at, lab.stranger, (places.STRANGER, 0))


@pytest.mark.parametrize("stranger", ["refuse", "ignore"])
def test_a_peer_may_be_any_address_of_a_set(start_gateway, lab, stranger):
    """[V4-B.1-3] And only of it, DSTIP itself being none."""
    gateway = start_gateway(
        sets="{farm: [10.2.0.3/32, 10.9.0.0/16]}",
        bind="{on_stranger: %s}" % stranger, rules=bind.only("peer: [farm]"))
    client, at = wait(gateway)
    meet(client, at, lab.server, (places.SERVER2, 0))
    client, at = wait(gateway)
    assert bind.knock(lab.server, at, 0.2) != "refused"
    if stranger == "refuse":
        client.refusal()
    else:
        meet(client, at, lab.server, (places.SERVER2, 0))


def test_there_is_exactly_one_peer(gateway, lab):
    """Nobody listens any more when the second reply is there."""
    client, at = wait(gateway)
    meet(client, at, lab.server)
    assert bind.is_refused(gateway, at, lab.server)


def test_a_second_connection_that_was_queued_is_broken(gateway, lab):
    client, at = wait(gateway)
    with gateway.frozen():
        first, second = lab.server.connect(at), lab.server.connect(at)
    port = client.reply().port
    if port == second.getsockname()[1]:  # each by another processor's queue
        first, second = second, first
    assert port == first.getsockname()[1]
    assert ending(second) == ("reset", b"")
    first.sendall(b"first")
    assert client.sock.recv(10) == b"first"


# Strangers who are ignored


@pytest.mark.feature
def test_strangers_are_closed_and_the_bind_waits_on(start_gateway, lab):
    """[V4-4.3-7] [V4-B.1-2] [V4-C.3-1] They get as far as a connection, and
    no further; the peer still comes."""
    gateway = start_gateway(rules=BOTH, bind="{on_stranger: ignore}")
    client, at = wait(gateway)
    for _ in range(20):
        stranger = lab.stranger.connect(at)
        assert ending(stranger)[0] in ("fin", "reset")
    meet(client, at, lab.server)


# The end of the wait


def test_nobody_comes_in_time(start_gateway, lab):
    """[V4-5-1] [V4-5-2] [V4-B.2-1] [V4-B.2-5] [V4-B.2-6] A timer of its
    own: second reply 91, the end, and the port is free."""
    gateway = start_gateway(rules=BOTH, bind=ONE_PORT,
                            timeouts="{bind: 600ms}")
    client, at = wait(gateway, userid=b"late")
    reply = client.refusal()
    assert (reply.address, reply.port) == ("0.0.0.0", 0)
    assert bind.is_refused(gateway, at, lab.server)
    record = gateway.record(userid="late")
    assert (record["verdict"], record["end"]) == ("bind-timeout", "timeout")
    assert record["ms"]["connect"] >= 599
    assert wait(gateway)[1] == at


def test_neither_another_timer_nor_octets_end_the_wait(start_gateway, lab):
    """[V4-B.2-1] [V4-B.2-4]"""
    gateway = start_gateway(
        rules=BOTH, timeouts="{request: 200ms, connect: 200ms, idle: 200ms,"
                             " half_closed: 200ms, bind: 20s}")
    with gateway.frozen():  # the request is there with its client
        client = ask(gateway)
    reply = client.reply()
    assert reply.cd == GRANTED
    at = reply.address, reply.port
    for _ in range(6):
        time.sleep(0.1)  # beyond all the others
        client.send(b"x")
    server = meet(client, at, lab.server)
    assert server.recv(10, socket.MSG_WAITALL | socket.MSG_PEEK)[:1] == b"x"


def leave(client, how):
    """The client goes away while it waits."""
    client.gone = True
    if how == "early data, FIN":
        client.send(b"never read")
    if how == "RST":
        reset(client.sock)
    elif how == "half-close":
        client.shut()
    else:
        client.sock.close()


@pytest.mark.parametrize("how", ["FIN", "RST", "half-close",
                                 "early data, FIN"])
def test_a_client_that_leaves_frees_the_port(one_port, how):
    """[V4-B.2-6] At once."""
    client, at = wait(one_port, userid=b"gone")
    leave(client, how)
    bind.freed(one_port, at[1])
    assert wait(one_port)[1] == at
    record = one_port.record(userid="gone")
    assert record["verdict"] == "bind-client-left"
    assert record["ended_by"] == "client"
    assert record["end"] == ("reset" if how == "RST" else "fin")


def test_a_client_that_left_behind_unread_octets_frees_the_port(one_port):
    """[V4-B.2-6] More than anybody would read for it."""
    client, at = wait(one_port, behind=bytes(1000))
    client.send(bytes(30000))
    leave(client, "FIN")
    bind.freed(one_port, at[1])


def test_a_client_that_leaves_before_its_first_reply(one_port):
    """Request and FIN in one go: nothing waits for it."""
    client = one_port.client()
    client.gone = True
    with one_port.frozen():
        client.ask(CONTROL, b"gone", cd=BIND)
        client.shut()
    one_port.record(userid="gone")
    bind.freed(one_port, PORT)


def test_a_drain_lets_a_waiting_bind_meet_its_peer(gateway, lab):
    client, at = wait(gateway)
    gateway.signal(signal.SIGTERM)
    wait_for("the listener to close",
             lambda: not lab.gateway.listens(gateway.at[1]))
    server = meet(client, at, lab.server)
    server.sendall(b"still")
    assert client.sock.recv(10) == b"still"
    server.close()
    client.sock.close()
    assert gateway.stop() == 0


# Early data


@pytest.mark.parametrize("splice", ["never", "always"])
def test_what_the_client_sent_early_comes_first(start_gateway, lab, splice):
    """[V4-4.3-5] Behind the request, between the replies, after both."""
    gateway = start_gateway(rules=BOTH, relay="{splice: %s}" % splice)
    client, at = wait(gateway, behind=b"one ")
    client.send(b"two ")
    server = meet(client, at, lab.server)
    client.send(b"three")
    client.shut()
    assert ending(server) == ("fin", b"one two three")


@pytest.mark.parametrize("splice", ["never", "always"])
def test_what_the_server_sent_early_is_not_lost(start_gateway, lab, splice):
    """[V4-4.3-5] Before it was accepted, its FIN too."""
    gateway = start_gateway(rules=BOTH, relay="{splice: %s}" % splice)
    client, at = wait(gateway)
    with gateway.frozen():
        server = lab.server.connect(at)
        server.sendall(b"220 hello")
        server.shutdown(socket.SHUT_WR)
    assert client.reply().port == server.getsockname()[1]
    assert ending(client.sock) == ("fin", b"220 hello")


def test_a_peer_that_broke_off_before_accept_is_a_reset(gateway, lab):
    """An abort is no clean end, whenever it comes."""
    client, at = wait(gateway, userid=b"cut")
    client.gone = True  # the second reply may be lost to the reset
    with gateway.frozen():
        server = lab.server.connect(at)
        reset(server)
    assert ending(client.sock)[0] == "reset"
    assert gateway.record(userid="cut")["end"] == "reset"
