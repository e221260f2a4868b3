"""The resolver by itself: what it makes of every kind of DNS server, and of
workers that ask too much, or nonsense."""
import json
import random
import subprocess
import threading
import time

import pytest

import dns
import lab as places
from dns import A, Dns, a, code, nodata, silent, slow
from etc import own_etc, replace
from gateway import best, wait_for
from resolver import (ASK, BOTH, CANCEL, FAILED, FOUND, NO_NAMES,
                      NO_SUCH_NAME, NUMBERS, OVERLOADED, QUERY, V6, Resolver,
                      kind)

QUERIES = 1024  # it has, for all workers
SOON = 4  # s; before it would give up by itself, as it does after 5


@pytest.fixture
def server(lab):
    made = Dns(lab.server, places.SERVER)
    yield made
    made.close()


@pytest.fixture
def start(lab):
    """Starts resolvers; each ends in order, with nothing left open."""
    started = []

    def starts(*servers, **options):
        made = Resolver(lab.gateway, *servers, **options)
        started.append((made, made.at.descriptors()))
        return made

    yield starts
    for made, base in started:
        wait_for("its descriptors to be closed",
                 lambda: made.at.descriptors() <= base + made.links)
        assert made.stop() == (0, "")


@pytest.fixture
def link(start, server):
    return start(server).link()


# What DNS says

SAID = {
    "one": (a("10.2.0.2"), FOUND, ["10.2.0.2"]),
    "several": (a("10.2.0.9", "10.2.0.1", "10.2.0.5"), FOUND,
                ["10.2.0.9", "10.2.0.1", "10.2.0.5"]),
    "special": (a("127.0.0.1", "0.0.0.0"), FOUND, ["127.0.0.1", "0.0.0.0"]),
    "alias": (dns.chain(1, "10.2.0.2"), FOUND, ["10.2.0.2"]),
    "chain": (dns.chain(12, "10.2.0.2"), FOUND, ["10.2.0.2"]),
    "truncated": (dns.truncated(["10.2.0.2"]), FOUND, ["10.2.0.2"]),
    "loop": (dns.loop, NO_SUCH_NAME, []),
    "nodata": (nodata, NO_SUCH_NAME, []),
    "ipv6": (dns.six("fd00::1"), NO_SUCH_NAME, []),
    "nxdomain": (code(dns.NXDOMAIN), NO_SUCH_NAME, []),
    "servfail": (code(dns.SERVFAIL), FAILED, []),
    "refused": (code(dns.REFUSED), FAILED, []),
    "notimp": (code(dns.NOTIMP), FAILED, []),
}


@pytest.mark.feature
def test_every_answer_is_understood(link, server):
    """[4A-4.3-1, 4A-4.3-3] Addresses in their order."""
    for name, (script, outcome, addresses) in SAID.items():
        server[f"{name}.example"] = script
        start = time.monotonic()
        assert link.resolve(f"{name}.example") == (outcome, addresses), name
        assert time.monotonic() - start < SOON, name


# Of both families: what the server says to A and to AAAA.
FOUR, SIX = a("10.2.0.2"), dns.six("fd00::1")
SAID_OF_BOTH = {
    "both": (FOUR, SIX, FOUND, ["fd00::1", "10.2.0.2"]),
    "turns": (a("10.2.0.2"), dns.six("fd00::3", "fd00::1", "fd00::2"), FOUND,
              ["fd00::3", "10.2.0.2", "fd00::1", "fd00::2"]),
    "chain": (dns.chain(3, "10.2.0.2"), dns.chain(5, "fd00::1"), FOUND,
              ["fd00::1", "10.2.0.2"]),
    "four": (FOUR, nodata, FOUND, ["10.2.0.2"]),
    "six": (nodata, SIX, FOUND, ["fd00::1"]),
    "none": (nodata, nodata, NO_SUCH_NAME, []),
    # Servers that do not know AAAA, or whoever is in front of them.
    "nxdomain": (FOUR, code(dns.NXDOMAIN), FOUND, ["10.2.0.2"]),
    "notimp": (FOUR, code(dns.NOTIMP), FOUND, ["10.2.0.2"]),
    "servfail": (FOUR, code(dns.SERVFAIL), FOUND, ["10.2.0.2"]),
    "refused": (FOUR, code(dns.REFUSED), FOUND, ["10.2.0.2"]),
    "garbage": (FOUR, dns.garbage, FOUND, ["10.2.0.2"]),
    "silent": (FOUR, silent, FOUND, ["10.2.0.2"]),
    "forged": (FOUR, dns.wrong_id, FOUND, ["10.2.0.2"]),
    "a-for-aaaa": (FOUR, a("10.2.0.66"), FOUND, ["10.2.0.2"]),
    "aaaa-for-a": (dns.six("fd00::66"), SIX, FOUND, ["fd00::1"]),
    # Without an answer to AAAA: known soon, and not after a minute.
    "mistyped": (code(dns.NXDOMAIN), silent, NO_SUCH_NAME, []),
    "unsure": (nodata, code(dns.SERVFAIL), FAILED, []),
    # An IPv4 address in other words is that address.
    "mapped": (FOUR, dns.six("::ffff:10.2.0.2", "::ffff:127.0.0.1"), FOUND,
               ["10.2.0.2", "127.0.0.1"]),
}


@pytest.mark.feature
def test_both_families_are_looked_up_and_neither_spoils_the_other(
        link, server):
    """What a busy machine says too late is there for the next."""
    for name, (four, six, outcome, addresses) in SAID_OF_BOTH.items():
        server[f"{name}.example"] = dns.both(four, six)
        wait_for(name, lambda: link.resolve(f"{name}.example", 60000, BOTH)
                 == (outcome, addresses))
    assert {query.type for query in server.asked("both.example")} \
        == {A, dns.AAAA}
    asked = len(server.asked("both.example"))
    assert link.resolve("both.example") == (FOUND, ["10.2.0.2"])
    assert link.resolve("both.example", families=V6) == (FOUND, ["fd00::1"])
    assert len(server.asked("both.example")) == asked


def test_what_comes_late_of_one_family_is_there_for_the_next(link, server):
    event = threading.Event()
    server["late.example"] = dns.both(FOUR, dns.after(event, SIX))
    assert link.resolve("late.example", families=BOTH) == (FOUND, ["10.2.0.2"])
    event.set()
    wait_for("AAAA", lambda: link.resolve("late.example", families=BOTH)
             == (FOUND, ["fd00::1", "10.2.0.2"]))


@pytest.mark.feature
def test_of_a_thousand_addresses_the_first_64_are_kept(link, server):
    """A datagram does not hold them: they come over TCP."""
    server["many.example"] = dns.many(1000)
    assert link.resolve("many.example") == (
        FOUND, [f"10.9.0.{i}" for i in range(64)])
    assert [query.tcp for query in server.asked("many.example")] \
        == [False, True]


@pytest.mark.parametrize("script", [silent, dns.garbage, dns.wrong_id,
                                    dns.wrong_question])
def test_what_is_no_answer_is_waited_out(link, server, script):
    """[4A-B.4-4] And not longer than whoever asks."""
    server["bad.example"] = script
    start = time.monotonic()
    assert link.resolve("bad.example", timeout_ms=300) == (FAILED, [])
    assert 0.3 <= time.monotonic() - start < SOON


def test_a_true_answer_behind_a_forged_one_counts(link, server):
    """One with the wrong id, or to another question, changes nothing."""
    def both(query):
        for forged in (dns.wrong_id, dns.wrong_question):
            server.datagrams.sendto(forged(query), (places.OUTSIDE, query.port))
        return a("10.2.0.2")(query)
    server["www.example"] = both
    assert link.resolve("www.example") == (FOUND, ["10.2.0.2"])


def test_an_answer_from_elsewhere_is_none(start, server, lab):
    """It is forged, though it has id, question and port."""
    forger = lab.server.socket(kind=dns.socket.SOCK_DGRAM)
    forger.bind((places.SERVER2, 53))

    def betrayed(query):
        forger.sendto(a("10.2.0.66")(query), (places.OUTSIDE, query.port))
        return a("10.2.0.2")(query)
    server["www.example"] = slow(0.1, betrayed)
    assert start(server).link().resolve("www.example") \
        == (FOUND, ["10.2.0.2"])


def test_a_lost_query_is_sent_again_within_a_second(link, server):
    server["lossy.example"] = dns.turns(silent, a("10.2.0.2"))
    start = time.monotonic()
    assert link.resolve("lossy.example") == (FOUND, ["10.2.0.2"])
    assert 0.9 < time.monotonic() - start < SOON


def test_every_query_has_a_port_and_an_id_of_its_own(link, server):
    """Both have to be guessed by whoever forges an answer."""
    for i in range(100):
        link.resolve(f"n{i}.example")
    ports = {query.port for query in server.queries}
    ids = {query.id for query in server.queries}
    assert len(ports) > 90 and len(ids) > 90
    assert len(server.queries) == 100
    assert {query.type for query in server.queries} == {A}


# Servers

def test_a_server_that_is_dead_or_refuses_is_passed_over(
        start, server, lab):
    server["www.example"] = a("10.2.0.2")
    start_at = time.monotonic()
    for first in (f"{places.SILENT}:53", f"{places.SERVER2}:53"):
        link = start(first, server).link()
        assert link.resolve("www.example") == (FOUND, ["10.2.0.2"])
    assert time.monotonic() - start_at < 2 * SOON


def test_without_any_server_a_name_fails(start):
    link = start(f"{places.SERVER}:53").link()
    start_at = time.monotonic()
    assert link.resolve("www.example") == (FAILED, [])
    assert time.monotonic() - start_at < SOON


def test_servers_may_have_ports_and_be_ipv6(start, lab):
    lab.gateway.ip("address add fd00:2::1/64 dev outside nodad")
    lab.server.ip("address add fd00:2::2/64 dev wire nodad")
    other = Dns(lab.server, "fd00:2::2", 5353)
    other["www.example"] = a("10.2.0.2")
    link = start("[fd00:2::2]:5353").link()
    assert link.resolve("www.example") == (FOUND, ["10.2.0.2"])
    other.close()


def test_the_system_says_which_servers_and_never_where_to_search(
        start, server, tmp_path):
    """No search domain, no alias: the very name that was asked for."""
    with own_etc(tmp_path) as etc:
        replace(etc / "resolv.conf", f"nameserver {places.SERVER}\n"
                "search evil.example\noptions ndots:15\n")
        (tmp_path / "aliases").write_text("intranet other.example\n")
        link = start(environment={
            "HOSTALIASES": str(tmp_path / "aliases"),
            "LOCALDOMAIN": "evil.example",
            "RES_OPTIONS": "ndots:15"}).link()
        server["intranet"] = a("10.2.0.2")
        assert link.resolve("intranet") == (FOUND, ["10.2.0.2"])
        assert link.resolve("nowhere.example") == (NO_SUCH_NAME, [])
        assert [query.name for query in server.queries] \
            == ["intranet", "nowhere.example"]


def test_another_resolv_conf_is_heeded_at_once(start, server, lab, tmp_path):
    other = Dns(lab.server, places.SERVER2)
    server["a.example"] = server["b.example"] = a("10.2.0.2")
    other["b.example"] = a("10.2.0.3")
    with own_etc(tmp_path) as etc:
        replace(etc / "resolv.conf", f"nameserver {places.SERVER}\n")
        link = start().link()
        assert link.resolve("a.example") == (FOUND, ["10.2.0.2"])
        replace(etc / "resolv.conf", f"nameserver {places.SERVER2}\n")
        assert link.resolve("b.example") == (FOUND, ["10.2.0.3"])
    other.close()


def test_the_hosts_file_comes_first_and_is_read_anew(
        start, server, tmp_path):
    """[4A-4.3-1] And DNS is not asked."""
    with own_etc(tmp_path) as etc:
        replace(etc / "hosts", "127.0.0.1 localhost\n10.2.0.7 www.example w\n"
                "10.2.0.8 www.example\nfd00::1 six.example\n")
        link = start(server).link()
        assert link.resolve("WWW.example.") == (FOUND,
                                                ["10.2.0.7", "10.2.0.8"])
        assert link.resolve("w") == (FOUND, ["10.2.0.7"])
        assert link.resolve("localhost") == (FOUND, ["127.0.0.1"])
        assert link.resolve("six.example", families=BOTH) \
            == (FOUND, ["fd00::1"])
        assert link.resolve("w", families=BOTH) == (FOUND, ["10.2.0.7"])
        assert server.queries == []
        replace(etc / "hosts", "10.2.0.9 www.example\n")
        assert link.resolve("www.example") == (FOUND, ["10.2.0.9"])
        assert link.resolve("six.example") == (NO_SUCH_NAME, [])


def test_names_of_this_machine_are_never_asked_for(start, server, tmp_path):
    """RFC 6761, 6.3: whatever the hosts file holds."""
    with own_etc(tmp_path) as etc:
        replace(etc / "hosts", "10.2.0.7 localhost\n::1 a.localhost\n")
        link = start(server).link()
        assert link.resolve("localhost") == (FOUND, ["10.2.0.7"])
        assert link.resolve("a.LocalHost.") == (FOUND, ["127.0.0.1"])
        replace(etc / "hosts", "")
        assert link.resolve("localhost") == (FOUND, ["127.0.0.1"])
        assert link.resolve("a.localhost", families=BOTH) \
            == (FOUND, ["::1", "127.0.0.1"])
        assert link.resolve("notlocalhost") == (NO_SUCH_NAME, [])
        assert [query.name for query in server.queries] == ["notlocalhost"]


def test_a_hosts_file_of_170_000_lines_delays_nobody(start, server, tmp_path):
    """It is read when it changes, not for each name."""
    with own_etc(tmp_path) as etc:
        replace(etc / "hosts", "".join(
            f"10.{i >> 16}.{i >> 8 & 255}.{i & 255} n{i}.blocked.example\n"
            for i in range(170000)))
        resolver = start(server)
        link = resolver.link()
        server["www.example"] = a("10.2.0.2", ttl=0)
        assert link.resolve("n169999.blocked.example") \
            == (FOUND, ["10.2.152.15"])
        before = resolver.at.cpu_seconds()
        for number in range(200):
            link.resolve(f"n{number}.blocked.example")
            link.resolve("www.example")
        assert resolver.at.cpu_seconds() - before < 0.5
        (etc / "hosts").write_text("10.2.0.3 n0.blocked.example\n")
        wait_for("the new file", lambda: link.resolve("n0.blocked.example")
                 == (FOUND, ["10.2.0.3"]))
        assert link.resolve("n1.blocked.example") == (NO_SUCH_NAME, [])


# Files of the system

def complaints(resolver):
    """What it wrote to its stderr until its end, which is orderly."""
    status, text = resolver.stop()
    assert status == 0
    return text.splitlines()


def test_a_file_that_cannot_be_read_is_one_line_until_it_changes(
        lab, server, tmp_path):
    server["www.example"] = a("10.2.0.2", ttl=0)
    with own_etc(tmp_path) as etc:
        replace(etc / "resolv.conf", f"nameserver {places.SERVER}\n")
        (etc / "hosts").unlink()
        (etc / "hosts").mkdir()
        resolver = Resolver(lab.gateway)
        link = resolver.link()
        for _ in range(3):
            assert link.resolve("www.example") == (FOUND, ["10.2.0.2"])
        (etc / "hosts").rmdir()
        replace(etc / "hosts", "10.2.0.7 www.example\n")
        assert link.resolve("www.example") == (FOUND, ["10.2.0.7"])
        (etc / "resolv.conf").unlink()
        (etc / "resolv.conf").mkdir()
        assert link.resolve("none.example") == (NO_SUCH_NAME, [])
        assert complaints(resolver) == [
            "socks4d: resolver: cannot read /etc/hosts: Is a directory:"
            " its names stay as they were",
            "socks4d: resolver: cannot read /etc/resolv.conf: Is a directory:"
            " the DNS servers stay as they were"]


def test_without_a_resolv_conf_this_machine_is_asked(lab, tmp_path):
    """As every C library does; and the log says so."""
    own = Dns(lab.gateway, "127.0.0.1")
    own["www.example"] = a("10.2.0.2", ttl=0)
    with own_etc(tmp_path) as etc:
        (etc / "resolv.conf").unlink()
        (etc / "hosts").unlink()
        resolver = Resolver(lab.gateway)
        link = resolver.link()
        for _ in range(2):
            assert link.resolve("www.example") == (FOUND, ["10.2.0.2"])
        assert complaints(resolver) == [
            "socks4d: resolver: cannot read /etc/resolv.conf: No such file or"
            " directory: 127.0.0.1 is asked; resolver.servers names others"]
    own.close()


def test_other_servers_are_asked_again_what_the_old_ones_said(
        start, server, lab, tmp_path):
    """Behind a VPN that comes up the same name is another machine."""
    other = Dns(lab.server, places.SERVER2)
    server["kept.example"] = a("10.2.0.2", ttl=60)
    server["mute.example"] = silent
    other["kept.example"] = other["mute.example"] = a("10.2.0.3", ttl=60)
    with own_etc(tmp_path) as etc:
        replace(etc / "resolv.conf", f"nameserver {places.SERVER}\n")
        link = start().link()
        assert link.resolve("kept.example") == (FOUND, ["10.2.0.2"])
        link.ask(1, "mute.example", 60000)
        wait_for("the query", lambda: server.asked("mute.example"))
        (etc / "resolv.conf").write_text(f"nameserver {places.SERVER2}\n")
        assert link.resolve("mute.example") == (FOUND, ["10.2.0.3"])
        assert link.resolve("kept.example") == (FOUND, ["10.2.0.3"])
        link.cancel(1)
    other.close()


def test_more_than_three_servers_and_other_lines_are_understood(
        start, server, lab, tmp_path):
    server["www.example"] = a("10.2.0.2")
    with own_etc(tmp_path) as etc:
        replace(etc / "resolv.conf", "# nameserver 10.9.9.9\n"
                "options timeout:30 attempts:1 rotate edns0 trust-ad\n"
                "nameserver nonsense\n" + "".join(
                    f"nameserver 127.0.0.{last}\n" for last in range(4, 8))
                + f"nameserver {places.SERVER} # the fifth\n")
        start_at = time.monotonic()
        assert start().link().resolve("www.example") == (FOUND, ["10.2.0.2"])
        assert time.monotonic() - start_at < SOON


@pytest.mark.parametrize("scope", ["outside", "number"])
def test_a_link_local_server_is_asked_by_its_interface(
        start, lab, tmp_path, scope):
    """As routers announce them: nameserver fe80::1%eth0. Over TCP too."""
    lab.gateway.ip("address add fe80::1:1/64 dev outside nodad")
    lab.server.ip("address add fe80::1:2/64 dev wire nodad")
    own = Dns(lab.server, "::")
    own["www.example"] = a("10.2.0.2")
    own["long.example"] = dns.truncated(["10.2.0.3"])
    if scope == "number":
        scope = json.loads(lab.gateway.run(
            ["ip", "-j", "link", "show", "outside"],
            stdout=subprocess.PIPE).stdout)[0]["ifindex"]
    with own_etc(tmp_path) as etc:
        replace(etc / "resolv.conf", "nameserver fe80::1:2%nowhere\n"
                f"nameserver fe80::1:2%{scope}\n")
        link = start().link()
        assert link.resolve("www.example") == (FOUND, ["10.2.0.2"])
        assert link.resolve("long.example") == (FOUND, ["10.2.0.3"])
    own.close()


# What is kept

def test_an_answer_is_kept_for_its_ttl(link, server):
    server["kept.example"] = a("10.2.0.2", ttl=60)
    server["short.example"] = a("10.2.0.2", ttl=1)
    server["once.example"] = a("10.2.0.2", ttl=0)
    for name in ("kept.example", "KEPT.example.", "short.example",
                 "once.example", "once.example"):
        assert link.resolve(name)[0] == FOUND
    assert len(server.asked("kept.example")) == 1
    assert len(server.asked("once.example")) == 2
    time.sleep(1.1)
    link.resolve("short.example")
    assert len(server.asked("short.example")) == 2
    assert len(server.asked("kept.example")) == 1


def test_the_shortest_ttl_on_the_way_counts(link, server):
    def script(query):
        return dns.reply(query, [
            dns.alias(query.asked, "next.example", 0),
            dns.address("next.example", "10.2.0.2", 60)])
    server["alias.example"] = script
    link.resolve("alias.example")
    link.resolve("alias.example")
    assert len(server.asked("alias.example")) == 2


def test_that_there_is_no_such_name_is_kept_and_a_failure_is_not(
        link, server):
    server["none.example"] = nodata
    server["fails.example"] = code(dns.REFUSED)
    for _ in range(2):
        assert link.resolve("none.example")[0] == NO_SUCH_NAME
        assert link.resolve("fails.example")[0] == FAILED
    assert len(server.asked("none.example")) == 1
    before = len(server.asked("fails.example"))
    server["fails.example"] = a("10.2.0.2")
    assert link.resolve("fails.example")[0] == FOUND
    assert len(server.asked("fails.example")) == before + 1


# Many who ask

@pytest.mark.feature
def test_waiters_for_the_same_name_share_a_query(start, server):
    """All of them are answered, whatever worker they are of."""
    all_asked = threading.Event()
    server["slow.example"] = dns.after(all_asked, a("10.2.0.2", ttl=0))
    resolver = start(server)
    links = [resolver.link(slot) for slot in range(3)]
    for number in range(60):
        links[number % 3].ask(number, "slow.example")
    for link in links:
        link.is_read()
    all_asked.set()
    heard = [link.answer() for _ in range(20) for link in links]
    assert sorted(answer.id for answer in heard) == list(range(60))
    assert all(answer.outcome == FOUND for answer in heard)
    assert len(server.asked("slow.example")) == 1


def test_who_asks_much_later_does_not_wait_for_the_next_try(link, server):
    """A query that has gone unanswered for a second is not joined."""
    server["www.example"] = silent
    link.ask(1, "www.example")
    wait_for("two tries", lambda: len(server.asked("www.example")) == 2)
    server["www.example"] = a("10.2.0.2")
    start = time.monotonic()
    link.ask(2, "www.example")
    assert link.answer().id == 2
    assert time.monotonic() - start < 1.5  # the next try is two seconds off
    link.cancel(1)


def test_who_cancels_is_not_answered_and_the_others_are(link, server):
    cancelled = threading.Event()
    server["slow.example"] = dns.after(cancelled, a("10.2.0.2"))
    for number in range(4):
        link.ask(number, "slow.example")
    link.cancel(0)
    link.cancel(2)
    link.cancel(99)
    link.is_read()
    cancelled.set()
    assert [link.answer()[:2] for _ in range(2)] == [(1, FOUND), (3, FOUND)]
    assert link.resolve("slow.example")[0] == FOUND


def test_a_query_without_a_waiter_is_cancelled(start, server):
    """Their sockets are closed, and a late answer finds nobody."""
    server["mute.example"] = silent
    over = threading.Event()
    server["late.example"] = dns.after(over, a("10.2.0.2"))
    resolver = start(server)
    link = resolver.link()
    base = resolver.at.descriptors()
    link.ask(1, "mute.example", 60000)
    link.ask(2, "late.example", 60000)
    wait_for("the queries", lambda: len(server.queries) == 2)
    assert resolver.at.descriptors() == base + 2
    link.cancel(1)
    link.cancel(2)
    wait_for("their end", lambda: resolver.at.descriptors() == base, SOON)
    over.set()
    server["www.example"] = a("10.2.0.3")
    assert link.resolve("www.example") == (FOUND, ["10.2.0.3"])


@pytest.mark.feature
def test_a_worker_that_is_gone_takes_its_queries_along(start, server):
    server["slow.example"] = slow(0.3, a("10.2.0.2"))
    resolver = start(server)
    gone, stays = resolver.link(0), resolver.link(1)
    base = resolver.at.descriptors()
    for number in range(100):
        server[f"mute{number}.example"] = silent
        gone.ask(number, f"mute{number}.example")
    gone.ask(100, "slow.example")
    stays.ask(1, "slow.example")
    wait_for("the queries", lambda: len(server.queries) == 101)
    gone.sock.close()
    resolver.links -= 1
    assert stays.answer()[:2] == (1, FOUND)
    wait_for("their end", lambda: resolver.at.descriptors() == base - 1, SOON)


def test_a_new_link_takes_the_place_of_the_old(start, server):
    server["www.example"] = a("10.2.0.2")
    resolver = start(server)
    old = resolver.link(5)
    server["mute.example"] = silent
    old.ask(1, "mute.example")
    new = resolver.link(5)
    assert old.sock.recv(1) == b""
    resolver.links -= 1
    assert new.resolve("www.example")[0] == FOUND


def test_dead_names_delay_no_other(start, server):
    """[4A-B.4-4]"""
    server["www.example"] = a("10.2.0.2", ttl=0)
    link = start(server).link()
    for number in range(300):
        server[f"mute{number}.example"] = silent
        link.ask(1000 + number, f"mute{number}.example", 60000)

    def resolve():
        start_at = time.monotonic()
        assert link.resolve("www.example")[0] == FOUND
        return time.monotonic() - start_at
    best(lambda: max(resolve() for _ in range(20)), 0.5)
    for number in range(300):
        link.cancel(1000 + number)


# Who asks too much, or nonsense

def ask_many(server, link, numbers, source):
    """Names that no server answers, each another one: the queries that the
    resolver drops meanwhile."""
    server[".dead.example"] = silent
    dropped = []
    for number in numbers:
        link.ask(number, f"n{number}.dead.example", 60000, source=source)
        if number % 100 == 0:
            dropped += drops(link)
    return dropped + drops(link)


def drops(link):
    """What was dropped before the resolver answered this."""
    link.ask(0, "127.1")
    dropped = []
    while (answer := link.answer()).id != 0:
        assert answer.outcome == OVERLOADED
        dropped.append(answer.id)
    return dropped


def close(resolver, *links):
    for link in links:
        link.sock.close()
        resolver.links -= 1


@pytest.mark.feature
def test_a_source_that_asks_too_much_drops_its_own_oldest(start, server):
    """[4A-B.4-4] Another source of the same worker does not notice."""
    server["www.example"] = a("10.2.0.2", ttl=0)
    resolver = start(server)
    link = resolver.link()
    assert ask_many(server, link, range(1, 11), source=2) == []
    dropped = ask_many(server, link, range(1001, 2501), source=1)
    assert dropped == list(range(1001, 1001 + len(dropped)))
    assert len(dropped) >= 1510 - QUERIES
    link.ask(5, "www.example", source=3)
    heard = [link.answer()[:2] for _ in range(2)]
    assert heard == [(1001 + len(dropped), OVERLOADED), (5, FOUND)]
    close(resolver, link)


@pytest.mark.feature
def test_a_worker_that_asks_too_much_drops_its_own(start, server):
    """[4A-B.4-4] Whatever sources it names, it leaves others their part."""
    server["www.example"] = a("10.2.0.2", ttl=0)
    resolver = start(server)
    greedy, other = resolver.link(0), resolver.link(1)
    assert ask_many(server, other, range(1, 101), source=1) == []
    for number in range(1001, 2501, 50):
        ask_many(server, greedy, range(number, number + 50), source=number)
    assert ask_many(server, other, range(101, 201), source=1) == []
    assert other.resolve("www.example")[0] == FOUND
    close(resolver, greedy, other)


def test_a_worker_that_does_not_read_its_answers_is_not_read(start, server):
    """They lose none, the others are served, and nothing spins."""
    server["www.example"] = a("10.2.0.2", ttl=60)
    resolver = start(server)
    link, other = resolver.link(0), resolver.link(1)
    link.resolve("www.example")
    link.sock.setblocking(False)
    asked = 0
    try:
        while asked < 10000:
            link.ask(asked, ("www.example", "127.1")[asked % 2])
            asked += 1
    except BlockingIOError:
        pass
    assert 100 < asked < 10000
    assert other.resolve("www.example")[0] == FOUND
    before = resolver.at.cpu_seconds()
    time.sleep(0.3)
    assert resolver.at.cpu_seconds() - before < 0.1
    link.sock.settimeout(places.TIMEOUT)
    heard = [link.answer() for _ in range(asked)]
    assert [answer.id for answer in heard] == list(range(asked))
    assert all(answer.outcome == (FOUND, FAILED)[answer.id % 2]
               for answer in heard)


def test_what_is_no_host_name_fails_and_nobody_is_asked(link, server):
    """[4A-A.2.3-2] An escape is decoded nowhere, a number is no name."""
    for name in NUMBERS + NO_NAMES:
        assert link.resolve(name) == (FAILED, []), name
    assert server.queries == []


def test_the_longest_name_is_asked_for(link, server):
    longest = ".".join(["x" * 63] * 3 + ["y" * 61])
    assert len(longest) == 253
    server[longest] = a("10.2.0.2")
    assert link.resolve(longest) == (FOUND, ["10.2.0.2"])
    assert link.resolve(longest + ".") == (FOUND, ["10.2.0.2"])


def nonsense(chance):
    """A message of any size and content, or nearly right."""
    if chance.random() < 0.3:
        return chance.randbytes(chance.randrange(1, 600))
    name = chance.randbytes(chance.randrange(256))
    if chance.random() < 0.5:
        name = bytes(chance.choice(b"abc.-_\\1") for _ in name)
    return QUERY.pack(chance.choice((0, ASK, ASK, CANCEL, 3, 1 << 15)),
                      chance.randrange(8),
                      chance.choice((0, 1, 5, 1 << 31)),
                      chance.randrange(20), chance.randrange(5),
                      chance.randrange(256), name)


@pytest.mark.feature
def test_nonsense_of_a_worker_harms_nobody(start, server, lab):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    server["www.example"] = a("10.2.0.2", ttl=0)
    resolver = start(server)
    mad, sane = resolver.link(0), resolver.link(1)
    for turn in range(3000):
        mad.sock.send(nonsense(chance))
        if turn % 20 == 0:
            mad.ask(1 << 40, "127.1")
            while mad.answer().id != 1 << 40:
                pass
    assert sane.resolve("www.example") == (FOUND, ["10.2.0.2"])
    mad.ask(1 << 41, "www.example")
    while (answer := mad.answer()).id != 1 << 41:
        pass
    assert answer.outcome == FOUND


@pytest.mark.feature
def test_nonsense_of_dns_harms_nobody(link, server):
    """True answers with octets changed, cut or added."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    scripts = [script for script, _, _ in SAID.values()]

    def broken(query):
        octets = bytearray(chance.choice(scripts)(query))
        for _ in range(chance.randrange(1, 6)):
            octets[chance.randrange(2, len(octets))] = chance.randrange(256)
        return bytes(octets[:chance.randrange(12, len(octets) + 1)]
                     + chance.randbytes(chance.choice((0, 0, 40))))
    for first in range(0, 400, 100):  # a link has room for so many answers
        for number in range(first, first + 100):
            server[f"n{number}.example"] = broken
            link.ask(number, f"n{number}.example", 100)
        assert sorted(link.answer().id for _ in range(100)) == list(
            range(first, first + 100))
    server["www.example"] = a("10.2.0.2")
    assert link.resolve("www.example") == (FOUND, ["10.2.0.2"])


# Its life

def test_it_asks_for_a_link_that_was_lost(start):
    """At the limit of descriptors what comes with a message is closed."""
    resolver = start(limit=5)
    resolver.link(7, serves=False)
    assert resolver.hear() == (kind("ASK_LINK"), 7)


def test_without_descriptors_a_query_fails(start, server):
    """And when there are some again, it does not."""
    server["www.example"] = a("10.2.0.2")
    link = start(server, limit=6).link()
    start_at = time.monotonic()
    assert link.resolve("www.example") == (FAILED, [])
    assert time.monotonic() - start_at < SOON


def test_a_slot_that_cannot_be_is_not_served(start):
    resolver = start()
    link = resolver.link(256, serves=False)
    assert link.sock.recv(1) == b""
