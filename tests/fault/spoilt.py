"""A configuration that is spoilt: cut at every byte, a bit turned over."""
import os
import pathlib
import random
import re
import subprocess

from descriptors import ask
from gateway import wait_for
from killed import is_granted
from load import Plan
from reloads import ids, place, reload
from row import Figure, Row

ALLOW = ("[{name: all, action: allow, command: [connect, bind],"
         " from: [any], to: [any]}]")
DENY = "[{name: nobody, action: deny, from: [any], to: [any]}]"

# Nothing that is left of it, or turned over in it, is in honest clients' way.
TAIL = """timeouts:
  idle: 3457s
  half_closed: 3331s
  drain: 1177s
limits: {sessions: 12345, pending: 9999, userid: 1023,
  per_source: {pending: 9876, rate: 9753}}
relay: {splice: auto}
connect_reply: address
bind: {on_stranger: refuse}
workers: 2
"""


class Spoilt(Row):
    name = "spoilt"
    fault = "configuration cut at every byte, 1 000 bit flips"
    unit = "bit flips, and every byte"
    full, short = 1000, 100
    seconds = 400

    def measure(self, stage, count, short):
        gate = stage.start(rules=ALLOW)
        servers = stage.serve([Plan("held", first="client")])
        self.step = 10 if short else 1
        self.tally = Tally(stage)
        head, whole = self.texts(gate)
        held = ask(stage, 0, 0)
        stood = is_granted(held)
        self.spoil_head(stage, head)
        place(gate, whole)
        reload(gate)
        with stage.honest(rate=50) as honest:
            for text in [*cuts(whole, len(head), self.step),
                         *flips(whole, len(head), count)]:
                self.tally.judge(text)
        held.close()
        place(gate, whole)
        reload(gate)
        wait_for("the workers", lambda: len(gate.pids()) == 2)
        gate.same_base()
        servers.end()
        return [*self.tally.figures(), Figure(
            "a session from before stood", stood, least=1), Figure(
            "honest sessions exact", honest[-1].share(), "%", least=100)]

    def texts(self, gate):
        """What honest clients need, the log first: where that is cut we
        could not read the answer. Then the same with all that is left."""
        kept = {key: gate.settings[key] for key in (
            "log", "control", "listen", "sandbox", "rules")}
        text = "".join(f"{key}: {value}\n" for key, value in kept.items())
        self.log = text.index("listen:")
        return text.encode(), (text + TAIL).encode()

    def spoil_head(self, stage, head):
        """Of a file that would deny all. Whatever is not in force as a whole
        leaves everybody allowed; what is, is put back."""
        spoilt = head.replace(ALLOW.encode(), DENY.encode())
        place(stage.gate, head)
        reload(stage.gate)
        for text in cuts(spoilt, self.log, self.step):
            if self.tally.judge(text) == "reload_failed":
                self.tally.look()
            else:
                place(stage.gate, head)
                reload(stage.gate)
                self.tally.known = ids(stage.gate)[-1]


class Tally:
    """What became of spoilt files."""

    def __init__(self, stage):
        self.stage, self.gate = stage, stage.gate
        self.known = ids(stage.gate)[0]
        self.files = self.failed = self.taken = self.allowed = 0
        self.unjust = []  # in words
        self.looked = 0  # how often somebody was to be let in

    def judge(self, text):
        """Takes it, and compares what is in force with what it says."""
        place(self.gate, text)
        line = reload(self.gate)
        said = words_of(self.gate)
        now = set(ids(self.gate))
        self.files += 1
        if line["event"] == "reload_failed":
            self.failed += 1
            self.hold(now == {self.known}, text, "the old one stays")
            self.hold(len(line["message"]) > 20, text, "and it says why")
        else:
            self.taken += 1
            self.known = line["config"]
            self.hold(now == {self.known}, text, "the new one is everywhere")
            self.hold(said == in_force(self.gate), text, "and is what it says")
        if said is None:
            self.hold(line["event"] == "reload_failed", text, "it is refused")
        return line["event"]

    def look(self):
        """Whether the rules are the old ones, as a client sees them."""
        self.looked += 1
        self.allowed += is_allowed(self.stage)

    def hold(self, holds, text, what):
        if not holds:
            self.unjust.append(what)
            self.stage.notes.append(f"not so: {what}: {text[-60:]!r}")

    def figures(self):
        return [
            Figure("files", self.files),
            Figure("refused", self.failed, least=self.files / 4),
            Figure("valid by themselves, and taken", self.taken, least=1),
            Figure("half applied, or not what the file says",
                   len(self.unjust), most=0),
            Figure("of those refused with other rules, let in as before",
                   self.allowed, least=self.looked),
        ]


def is_allowed(stage):
    sock = ask(stage, 1, 0)
    allowed = is_granted(sock)
    sock.close()
    return allowed


def cuts(text, start, step):
    return [text[:at] for at in range(start, len(text), step)]


def flips(text, start, count):
    """One bit each, wherever the dice say."""
    dice = random.Random(count)
    for _ in range(count):
        other = bytearray(text)
        other[dice.randrange(start, len(text))] ^= 1 << dice.randrange(8)
        yield bytes(other)


def words_of(gate):
    """What the file says by itself, or nothing: it is none."""
    try:
        return plain(gate.dump())
    except subprocess.CalledProcessError:
        return None


def in_force(gate):
    """What the monitor hands to its workers: the newest of it."""
    folder = pathlib.Path(f"/proc/{gate.process.pid}/fd")
    [path] = [path for path in folder.iterdir()
              if "socks4d config" in os.readlink(path)]
    return plain(path.read_text())


def plain(text):
    """Without its remarks."""
    lines = [re.sub(r"\s+#.*$", "", line) for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]
