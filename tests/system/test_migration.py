"""From SOCKS 4 to SOCKS5: the report of who speaks what, and docs/migrate.md."""
import contextlib
import os
import re

import lab as places
import socks5
from control import ask, next_observer, observer, run, start  # noqa: F401
from control import folder  # noqa: F401
from gateway import BINARY, ROOT, wait_for
from reloads import place, reloaded
from shown import Shown, check_page
from socks4 import ending
from starts import copied
from upgrades import upgraded

FOUR, FIVE = (f"[{{address: '10.1.0.1:1080', name: office,"
              f" insecure_plaintext: true, socks5: {five}}}]"
              for five in ("false", "true"))


class Clients:
    """One of each version, which has its answer and leaves."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.listeners = {}

    def listener(self, port):
        if port not in self.listeners:
            self.listeners[port] = self.gateway.lab.server.listen(
                places.SERVER, port)
        return self.listeners[port]

    def four(self, userid, port=8080, code=90):
        to = self.listener(port)
        client = self.gateway.client()
        client.ask(to.getsockname(), userid)
        if code == 90:
            server, _ = self.gateway.lab.server.accept(to)
        assert client.reply().cd == code
        if code == 90:
            client.sock.close()
            server.close()
        else:
            ending(client.sock)

    def five(self, port=8080):
        to = self.listener(port)
        client = self.gateway.client().sock
        assert socks5.ask(client, to.getsockname()).code == socks5.SUCCEEDED
        server, _ = self.gateway.lab.server.accept(to)
        client.close()
        server.close()


def counts(gateway, *words):
    """How often, by user and version."""
    rows = ask(gateway.control, "migration", *words)["rows"]
    return {(row["userid"], version): seen["count"]
            for row in rows for version, seen in row["versions"].items()}


def test_the_report_outlives_workers_observers_reloads_and_upgrades(
        start, open_folder):  # noqa: F811
    gateway = start(binary=copied(BINARY, open_folder), listen=FOUR,
                    workers="1")
    clients = Clients(gateway)
    clients.four(b"\x1b[2J")
    clients.four(b"ann")
    reloaded(gateway, listen=FIVE)
    clients.five()
    wanted = {("\x1b[2J", "4"): 1, ("ann", "4"): 1, (None, "5"): 1}
    assert counts(gateway) == wanted
    worker, = gateway.workers()
    wait_for("no session", lambda: gateway.counters()["live"] == 0)
    os.kill(worker.pid, 9)
    wait_for("the next one", lambda: [
        one.pid for one in gateway.workers()] not in ([], [worker.pid]))
    before = observer(gateway).pid
    os.kill(before, 9)
    next_observer(gateway, before)
    clients.four(b"ann")
    upgraded(gateway)
    wait_for("the old observer to end",
             lambda: len(gateway.of_role("observer")) == 1)
    wanted["ann", "4"] = 2
    assert counts(gateway) == wanted
    assert counts(gateway, "version=4", "userid=ann") == {("ann", "4"): 2}
    # As text, which no client's octet reaches raw; and those of two gateways.
    said = run(gateway.control, "migration", "version=4,4a")
    assert said.returncode == 0 and "\\x1b[2J" in said.stdout
    assert said.stdout.isascii() and "\x1b" not in said.stdout
    both = ask([gateway.control, gateway.control], "migration")
    assert both["total"] == 6 and both["forgotten"] == 0
    assert {row["host"] for row in both["rows"]} == {str(gateway.control)}
    wrong = run(gateway.control, "migration", "dest=10.0.0.1")
    assert wrong.returncode == 2 and "version=" in wrong.stderr


class Scene:
    """What happens between the commands of the page, whose configurations come
    into force one after the other."""

    def __init__(self, gateway, page):
        self.gateway = gateway
        self.clients = Clients(gateway)
        self.configs = [(found.start(), found[1]) for found in re.finditer(
            r"^```yaml\n(.*?)^```$", page, re.M | re.S)]
        self.rest = "".join(
            f"{key}: {value}\n" for key, value in gateway.settings.items()
            if key not in ("listen", "rules"))

    @contextlib.contextmanager
    def around(self, command, at):
        if "reload" in command:
            place(self.gateway, [config for start, config in self.configs
                                 if start < at][-1] + self.rest)
        if command == "socks4ctl migration":
            self.clients.five()
            # Of those seen in one second the rule's number decides who is
            # first: the last one here has the first rule.
            for userid, port in (*[(b"anna", 8080)] * 3, (b"bert", 25)):
                self.clients.four(userid, port)
        if command.startswith("grep"):
            self.clients.four(b"anna", code=91)
            wait_for("the record", lambda: re.search(
                command.split("'")[1], self.gateway.log()))
        yield


def test_the_page_shows_what_the_commands_print(start_gateway):
    gateway = start_gateway(
        log_format="text", control="{socket: auto}", listen=FIVE)
    path = ROOT / "docs/migrate.md"
    scene = Scene(gateway, path.read_text())
    assert len(scene.configs) == 3
    check_page(path, Shown(gateway), scene.around)
