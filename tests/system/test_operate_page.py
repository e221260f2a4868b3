"""docs/operate.md: its commands are run, and print what the page says."""
import contextlib
import threading
import time

import lab as places
from gateway import ROOT, wait_for
from reloads import place
from shown import Shown, check_page
from socks4 import ending, receive_exactly

RULES = """
  - {name: mail, action: deny, from: [any], to: [any], port: [25]}
  - {name: staff, action: allow, from: [10.1.0.0/24], to: [10.2.0.2]}"""


def test_the_page_shows_what_the_commands_print(start_gateway):
    gateway = start_gateway(
        log_format="text", control="{socket: auto}", rules=RULES,
        listen="[{address: '10.1.0.1:1080', name: office,"
               " insecure_plaintext: true}]")
    scene = Scene(gateway)
    check_page(ROOT / "docs/operate.md", Shown(gateway), scene.around)
    scene.close()


class Scene:
    """What happens between the commands."""

    def __init__(self, gateway):
        self.gateway = gateway
        listener = gateway.lab.server.listen(places.SERVER, 8080)
        self.quiet = gateway.open(listener, userid=b"anna")
        self.greedy = gateway.open(listener, userid=b"mallory")
        self.sound = gateway.config_path.read_text()
        self.edits = 0

    @contextlib.contextmanager
    def around(self, command, at):
        if "reload" in command:
            self.edit()
        if "event=trace" in command:
            self.refused()
        if "event=operator" in command:
            wait_for("the line", lambda: "action=kill" in self.gateway.log())
        if "top" in command or "sessions" in command:
            with self.pouring():
                yield
        else:
            yield
        if "socks4ctl kill" in command:
            wait_for("the end", lambda: "userid=\"mallory\"" in self.gateway.log()
                     or '"userid":"mallory"' in self.gateway.log())
            client, server = self.greedy
            client.gone = True
            ending(client.sock)
            server.close()

    def edit(self):
        """A mistake first, then what was meant."""
        whole = self.sound + "timeouts: {idle: 30m}\n"
        self.edits += 1
        place(self.gateway,
              whole if self.edits > 1 else whole.replace("30m", "30"))

    @contextlib.contextmanager
    def pouring(self):
        """The greedy session moves octets while the command looks."""
        client, server = self.greedy
        begun, over = threading.Event(), threading.Event()

        def pour():
            while not over.is_set():
                server.sendall(b"x" * 20000)
                receive_exactly(client.sock, 20000)
                begun.set()
                time.sleep(0.005)
        thread = threading.Thread(target=pour)
        thread.start()
        try:
            assert begun.wait(places.TIMEOUT)
            yield
        finally:
            over.set()
            thread.join()

    def refused(self):
        client = self.gateway.client()
        client.ask((places.SERVER, 25), b"anna")
        assert client.reply().cd == 91
        ending(client.sock)
        wait_for("the line", lambda: "state=end" in self.gateway.log())

    def close(self):
        self.quiet[0].sock.close()
        self.quiet[1].close()
