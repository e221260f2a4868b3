"""The load notices what it is there to notice: a relay that does not keep
to its part, beside one that does."""
import contextlib
import socket
import ssl
import threading

import lab as places
import pytest
import tls_socket
from gateway import wait_for
from load import OUTCOMES, Plan, Servers, Sessions
from socks4 import reset

PORT = 2000
SIZE = 50000


class Relay:
    """Between the load's client and its server, and not to be trusted:
    `spoils` gets each piece to the client, and says what to send instead."""

    direct = True
    at = (places.INSIDE, PORT)
    targets = f"{places.SERVER}/1"

    def __init__(self, lab, spoils=lambda piece, offset: piece,
                 resets_look_clean=False, forgets=False, tls=False):
        self.lab, self.gate = lab, self
        self.spoils, self.hides = spoils, resets_look_clean
        self.forgets = forgets  # what it has in hand when a side breaks
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None
        if tls:
            own = tls_socket.issued("gw")
            self.tls.load_cert_chain(own.certificate, own.key)
        self.kept = []
        self.listener = lab.gateway.listen(*self.at)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = self.lab.gateway.connect((places.SERVER, PORT))
            client.settimeout(places.TIMEOUT)
            if self.tls:
                client = self.tls.wrap_socket(client, server_side=True)
            self.kept.append(client)  # closing it would say more
            for pair in ((client, server, False), (server, client, True)):
                threading.Thread(target=self.pump, args=pair,
                                 daemon=True).start()

    def pump(self, source, sink, down):
        offset = 0
        with contextlib.suppress(OSError):  # the other side went first
            piece = self.receive(source, sink)
            while piece:
                after = self.receive(source, sink) if self.forgets else b""
                sink.sendall(self.spoils(piece, offset) if down else piece)
                offset += len(piece)
                piece = after or self.receive(source, sink)
            sink.shutdown(socket.SHUT_WR)

    def receive(self, source, sink):
        """The next piece; an abort is passed on, or looks like an end."""
        try:
            return source.recv(4096)
        except OSError:
            if self.hides:
                return b""
            for sock in (source, sink):
                reset(sock)
            raise


def outcomes_of(relay, arrive=8, **words):
    """Of 8 sessions over that relay: those that are not exact. So many of
    them come to the server, be it later."""
    plans = [Plan("tried", SIZE, SIZE, **words)]
    servers = Servers(relay.lab.server, plans, PORT)
    trust = (tls_socket.authority().certificate,) if relay.tls else None
    result = Sessions(relay, plans, PORT, slots=4, opening=4, count=8, limit=20,
                      tls=trust, sources=f"{places.CLIENT}/1").result()
    wait_for("the servers' part", lambda: servers.settled()["tried"][
        "sessions"] == arrive)
    seen = servers.settled()["tried"]
    servers.end()
    relay.ends_seen = {outcome: seen[outcome] + result.count(outcome)
                       for outcome in OUTCOMES}
    assert result.count() == 8
    return result.others()


def flip(piece, offset):
    return piece[:-1] + bytes([piece[-1] ^ 1]) if offset == 0 else piece


def lose(piece, offset):
    return piece[1:] if offset == 0 else piece


def double(piece, offset):
    return piece + piece[-1:] if offset == 0 else piece


def cut_short(piece, offset):
    return piece[:-1] if offset + len(piece) == SIZE else piece


def test_finds_nothing_wrong_with_a_faithful_relay(lab):
    relay = Relay(lab)
    assert outcomes_of(relay) == {}
    assert outcomes_of(relay, first="client", slow="server") == {}


@pytest.mark.parametrize("spoils", [flip, lose, double])
def test_notices_an_octet_that_is_not_the_next_one(lab, spoils):
    assert outcomes_of(Relay(lab, spoils)) == {"foreign": 8}


def test_notices_that_the_last_octet_is_missing(lab):
    assert outcomes_of(Relay(lab, cut_short)) == {"short": 8}


def test_notices_that_a_reset_is_made_an_end(lab):
    """One of the two sides breaks off, the other sees an end."""
    relay = Relay(lab, resets_look_clean=True)
    outcomes_of(relay, resets="yes")
    assert sum(relay.ends_seen[outcome] for outcome in
               ("clean", "early")) == 8


def test_notices_that_octets_before_a_reset_are_lost(lab):
    """A relay that acts on the reset at once."""
    relay = Relay(lab, forgets=True)
    outcomes_of(relay, resets="yes")
    assert relay.ends_seen["lost"] > 0


def test_notices_an_end_that_is_not_the_one_of_tls(lab):
    """Python's shutdown() sends a FIN and no close_notify."""
    relay = Relay(lab, tls=True)
    assert outcomes_of(relay, first="client") == {"clean": 8}


def test_notices_that_nobody_is_there(lab):
    relay = Relay(lab)
    relay.at = (places.OUTSIDE, PORT)
    assert outcomes_of(relay, arrive=0) == {"cut": 8}
