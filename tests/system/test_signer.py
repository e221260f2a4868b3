"""The signer: the only process that has private keys, replaced when it dies,
and no handshake is lost when keys, configurations and programs change."""
import contextlib
import os
import re
import shutil
import signal
import threading
import time

import pytest

import tls_client as tls
import upgrades
from certificates import Authority, private_octets
from gateway import BINARY, Process, children, wait_for
from process_memory import memory
from reloads import events, failed, reload, reloaded

LISTEN = f"[{tls.listener()}]"
PATIENT = "{request: 60s}"  # however busy the machine is


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "ca")


@pytest.fixture
def start_tls(start_gateway, tmp_path):
    """Starts a gateway with a TLS listener whose pair is `pair`, placed in
    tmp_path."""
    def start(pair, listen=LISTEN, own_binary=False, **settings):
        pair.place(tmp_path)
        if own_binary:
            settings["binary"] = shutil.copy(BINARY, tmp_path / "socks4d")
        return start_gateway(listen=listen.replace("gw.", f"{tmp_path}/gw."),
                             **settings)

    return start


def signer(gateway):
    """The one that there is, once it is ready."""
    found = wait_for("a signer", lambda: gateway.of_role("signer"))
    assert len(found) == 1
    return found[0]


def replaced(gateway, before):
    """Another one, that is ready."""
    wait_for("another signer", lambda: [
        process for process in gateway.of_role("signer")
        if process.pid != before.pid
        and process.status("Seccomp") == "2"])


@pytest.mark.feature
@pytest.mark.parametrize("kind", ["P-256", "P-384", "RSA-2048", "Ed25519"])
def test_it_signs_with_each_kind_of_key(start_tls, authority, kind):
    gateway = start_tls(authority.issue("gw", kind))
    client, server = tls.session(gateway, tls.context(authority.certificate))
    tls.echoes(client, server)
    tls.end(client, server)
    assert len(gateway.of_role("signer")) == 1


def test_it_signs_for_version_1_2(start_tls, authority):
    """With the padding of that version, too."""
    import ssl
    gateway = start_tls(authority.issue("gw", "RSA-2048"),
                        listen=f"[{tls.listener(', min_version: 1.2')}]")
    client, server = tls.session(gateway, tls.context(
        authority.certificate, version=ssl.TLSVersion.TLSv1_2))
    assert client.sock.version() == "TLSv1.2"
    tls.echoes(client, server)
    tls.end(client, server)


def test_there_is_none_without_a_key(gateway):
    assert gateway.of_role("signer") == []


def test_a_killed_one_is_replaced_and_sessions_live(start_tls, authority):
    gateway = start_tls(authority.issue("gw"), timeouts=PATIENT)
    trusted = tls.context(authority.certificate)
    client, server = tls.session(gateway, trusted)
    for _ in range(3):
        before = signer(gateway)
        os.kill(before.pid, signal.SIGKILL)
        tls.echoes(client, server)
        # what comes now waits for the next one
        assert isinstance(tls.handshakes(gateway, trusted), bytes)
        wait_for("its end to be said", lambda: [
            line for line in events(gateway, "signer_ended")
            if line["pid"] == before.pid and line["signal"] == 9])
    tls.echoes(client, server)
    tls.end(client, server)


def test_a_hung_one_is_replaced_and_handshakes_wait_for_the_next(start_tls,
                                                                 authority):
    gateway = start_tls(authority.issue("gw"), timeouts=PATIENT)
    trusted = tls.context(authority.certificate)
    client, server = tls.session(gateway, trusted)
    before = signer(gateway)
    before.freeze()
    waiting = Handshaking(gateway, trusted)
    waiting.start()
    tls.echoes(client, server)
    waiting.more(1)
    assert waiting.stop().errors == []
    wait_for("the line", lambda: events(gateway, "signer_hung"))
    assert signer(gateway).pid != before.pid
    tls.echoes(client, server)
    tls.end(client, server)


def test_a_slow_one_fails_no_handshake(start_tls, authority):
    """Not within a second, in which a busy machine may not let it run."""
    gateway = start_tls(authority.issue("gw"), timeouts=PATIENT)
    one = signer(gateway)
    one.freeze()
    waiting = [Handshaking(gateway, tls.context(authority.certificate))
               for _ in range(3)]
    for thread in waiting:
        thread.start()
    time.sleep(1.5)
    assert not any(thread.count or thread.errors for thread in waiting)
    one.thaw()
    for thread in waiting:
        thread.more(1)
        assert thread.stop().errors == []


def test_a_handshake_waits_for_it_as_long_as_for_a_request(start_tls,
                                                           authority):
    gateway = start_tls(authority.issue("gw"), timeouts="{request: 3s}")
    one = signer(gateway)
    one.freeze()
    assert isinstance(tls.handshakes(
        gateway, tls.context(authority.certificate)), Exception)
    one.thaw()
    record = gateway.record(verdict="tls-failed")
    assert record["ms"]["tls"] >= 2900, record
    assert record["hint"] == ("the signer gave no signature within "
                              "timeouts.request"), record


def test_a_new_one_has_the_key_in_force_whatever_the_file_has_become(
        start_tls, authority, tmp_path):
    pair = authority.issue("gw")
    gateway = start_tls(pair)
    authority.issue("other").place(tmp_path)
    before = signer(gateway)
    os.kill(before.pid, signal.SIGKILL)
    trusted = tls.context(authority.certificate)
    found = wait_for("a handshake", lambda: isinstance(
        tls.handshakes(gateway, trusted), bytes)
        and tls.handshakes(gateway, trusted))
    assert found == pair.fingerprint()


# --- rotation ---------------------------------------------------------------

def test_hup_takes_a_new_pair_and_sessions_live(start_tls, authority,
                                                tmp_path):
    gateway = start_tls(authority.issue("gw"))
    trusted = tls.context(authority.certificate)
    client, server = tls.session(gateway, trusted)
    new = authority.issue("new", "RSA-2048").place(tmp_path)
    reloaded(gateway)
    assert tls.handshakes(gateway, trusted) == new.fingerprint()
    tls.echoes(client, server)
    tls.end(client, server)
    assert reload(gateway)["event"] == "unchanged"


@pytest.mark.parametrize("spoil, why", [
    ("key", "tls.key: .*is not the key of the certificate"),
    ("certificate", "tls.key: .*is not the key of the certificate"),
    ("empty", "tls.key: .*is empty"),
    ("missing", "tls.certificate: .*No such file"),
])
def test_a_bad_pair_keeps_the_old_one(start_tls, authority, tmp_path, spoil,
                                      why):
    """Both or neither: what does not belong together is never in force."""
    pair = authority.issue("gw")
    gateway = start_tls(pair)
    trusted = tls.context(authority.certificate)
    other = authority.issue("other")
    if spoil == "key":
        (tmp_path / "gw.key").write_bytes(other.key.read_bytes())
    elif spoil == "certificate":
        (tmp_path / "gw.pem").write_bytes(other.certificate.read_bytes())
    elif spoil == "empty":
        (tmp_path / "gw.key").write_bytes(b"")
    else:
        (tmp_path / "gw.pem").unlink()
    message = failed(gateway)
    assert re.search(rf"gw.yaml:1:\d+: {why}", message), message
    assert tls.handshakes(gateway, trusted) == pair.fingerprint()
    other.place(tmp_path)
    reloaded(gateway)
    assert tls.handshakes(gateway, trusted) == other.fingerprint()


class Handshaking(threading.Thread):
    """Handshakes without end; how many, and what went wrong."""

    def __init__(self, gateway, trusted):
        super().__init__(daemon=True)
        self.gateway, self.trusted = gateway, trusted
        self.stopping = threading.Event()
        self.count = 0
        self.errors = []
        self.seen = set()

    def run(self):
        while not self.stopping.is_set() and len(self.errors) < 5:
            got = tls.handshakes(self.gateway, self.trusted)
            if isinstance(got, bytes):
                self.count += 1
                self.seen.add(got)
            else:
                self.errors.append(got)

    def stop(self):
        self.stopping.set()
        self.join(60)
        assert not self.is_alive()
        return self

    def more(self, count=5):
        """So many more have come to their end."""
        goal = self.count + count
        wait_for("handshakes", lambda: self.count >= goal or self.errors)


def test_rotation_under_load_loses_no_handshake(start_tls, authority,
                                                tmp_path):
    """Some pairs are bad, and never seen by anybody."""
    pairs = [authority.issue(f"gw{i}", "P-256") for i in range(4)]
    gateway = start_tls(pairs[0])
    load = [Handshaking(gateway, tls.context(authority.certificate))
            for _ in range(3)]
    for thread in load:
        thread.start()
    for i in range(1, 13):
        pair = pairs[i % 4]
        pair.place(tmp_path)
        if i % 3 == 0:
            (tmp_path / "gw.key").write_bytes(pairs[(i + 1) % 4]
                                              .key.read_bytes())
            failed(gateway)
        else:
            reloaded(gateway)
        load[0].more()
    for thread in load:
        assert thread.stop().errors == []
    assert {pair.fingerprint() for pair in pairs} >= load[0].seen
    assert len(load[0].seen) >= 2


def test_an_upgrade_under_load_loses_no_handshake(start_tls, authority,
                                                  tmp_path):
    """The key is handed over as it was read: the file may be gone."""
    gateway = start_tls(authority.issue("gw"), own_binary=True,
                        timeouts=PATIENT)
    trusted = tls.context(authority.certificate)
    load = Handshaking(gateway, trusted)
    load.start()
    load.more()
    before = signer(gateway)
    (tmp_path / "gw.key").rename(tmp_path / "aside.key")
    upgrades.place(gateway, tail=b"1")
    # the check of the new program reads the files, as at a reload
    assert upgrades.upgrade(gateway)["event"] == "upgrade_failed"
    (tmp_path / "aside.key").rename(tmp_path / "gw.key")
    upgrades.upgraded(gateway, tail=b"2")
    replaced(gateway, before)
    load.more()
    after = signer(gateway)
    os.kill(after.pid, signal.SIGKILL)
    replaced(gateway, after)
    assert load.stop().errors == []


# --- who has the key --------------------------------------------------------

def found(pid, secrets):
    """The names of the secrets that are in its memory."""
    return {name for region in memory(pid)
            for name, secret in secrets.items() if secret in region}


def assert_without_key(pid, secrets):
    command = Process(pid).command()
    if "--signer" not in command:
        assert found(pid, secrets) == set(), command
    if "--worker" in command:
        assert not [link for link in Process(pid).links()
                    if "socks4d key" in link]


def assert_isolated(gateway, secrets):
    held = found(signer(gateway).pid, secrets)
    assert held, "the search finds nothing where the key is"
    assert_without_key(gateway.process.pid, secrets)
    for pid in children(gateway.process.pid):
        # a worker of before may end beside us
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            assert_without_key(pid, secrets)


@pytest.mark.parametrize("kind", ["P-256", "RSA-2048"])
def test_only_the_signer_has_the_key_in_its_memory(start_tls, authority,
                                                   tmp_path, real_root, kind):
    """After the start, handshakes, a reload and an upgrade: figures, PEM and
    DER are in no other process."""
    pair = authority.issue("gw", kind)
    gateway = start_tls(pair, own_binary=True)
    trusted = tls.context(authority.certificate)
    client, server = tls.session(gateway, trusted)
    assert_isolated(gateway, private_octets(pair.key))
    new = authority.issue("new", kind).place(tmp_path)
    reloaded(gateway)
    tls.handshakes(gateway, trusted)
    secrets = private_octets(pair.key) | {
        f"new {name}": secret
        for name, secret in private_octets(new.key).items()}
    assert_isolated(gateway, secrets)
    before = signer(gateway)
    upgrades.upgraded(gateway, tail=b"1")
    replaced(gateway, before)
    wait_for("its predecessor to end", lambda: len(
        gateway.of_role("signer")) == 1)
    assert tls.handshakes(gateway, trusted) == new.fingerprint()
    assert_isolated(gateway, secrets)
    tls.echoes(client, server)
    tls.end(client, server)


def test_keys_of_former_configurations_are_dropped(start_tls, authority,
                                                   tmp_path, real_root):
    """Once no handshake can ask for them: the requests' time-out is short
    here."""
    pair = authority.issue("gw")
    gateway = start_tls(pair, timeouts="{request: 1s}")
    secrets = private_octets(pair.key)
    assert found(signer(gateway).pid, secrets)
    authority.issue("new").place(tmp_path)
    reloaded(gateway)
    wait_for("the key to be gone", lambda: not found(
        signer(gateway).pid, {"priv": secrets["priv"],
                              "reversed": secrets["priv reversed"]}), 40)
    keys = [link for link in Process(gateway.process.pid).links()
            if "socks4d key" in link]
    assert len(keys) == 1
