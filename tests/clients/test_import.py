"""socks4-import: what it writes grants nothing that was refused before, and
all the rest, unless it says so. Generated configurations are put to danted
itself, and to what the manual of 3proxy says. IMPORT_CONFIGS=1000 is the long
form."""
import contextlib
import ipaddress
import os
import pathlib
import random
import subprocess

import pytest

import lab as places
from gateway import BINARY, wait_for
from bind import where
from socks4 import receive_exactly, request

COUNT = int(os.environ.get("IMPORT_CONFIGS", "0"))
TOOL = str(pathlib.Path(BINARY).parent.parent / "tools/socks4-import")
TARGETS = [places.SERVER, "10.2.0.3", places.STRANGER]
PORTS = [80, 81, 8080]
COMMANDS = {"connect": 1, "bind": 2}


def translated(tmp_path, text):
    """(exit status, our file, what has no equal)"""
    theirs, ours = tmp_path / "theirs.conf", tmp_path / "ours.yaml"
    theirs.write_text(text)
    done = subprocess.run([TOOL, theirs], capture_output=True, text=True,
                          timeout=places.TIMEOUT, check=False)
    assert done.returncode in (0, 1), (text, done)
    assert (done.returncode == 1) == bool(done.stderr), (text, done)
    for number, line in enumerate(text.splitlines(), 1):
        assert not line or f"# {number}: {line}\n" in done.stdout, (line, done)
    ours.write_text(done.stdout)
    check = subprocess.run([BINARY, "-t", "-c", ours], capture_output=True,
                           text=True, timeout=places.TIMEOUT, check=False)
    assert check.returncode == 0, (text, done.stdout, check.stderr)
    return ours, done.stderr


def is_granted(ours, target, port, command, source=places.CLIENT):
    done = subprocess.run(
        [BINARY, "explain", "-c", ours, "--from", source, "--to", target,
         "--port", str(port), "--command", command],
        capture_output=True, text=True, timeout=places.TIMEOUT, check=False)
    assert done.stdout.startswith(("allow", "deny")), done
    return done.stdout.startswith("allow")


# --- Dante ------------------------------------------------------------------

SOURCES = ["0.0.0.0/0", "10.1.0.0/24", "10.1.0.2/32", "10.1.0.0/30",
           "10.9.0.0/16"]
DESTS = ["0.0.0.0/0", "10.2.0.0/24", "10.2.0.2/32", "10.2.0.3/32", "10.4.0.0/16",
         "10.0.0.0/8"]
TESTS_OF_PORTS = ["", "", " port = 80", " port != 80", " port ne 80", " port 80 - 81",
                  " port gt 80", " port <= 80", " port = http"]
TERMS = ["", "", "", " command: connect", " command: bind",
         " command: connect bind", " protocol: tcp", " protocol: udp",
         " proxyprotocol: socks_v5", " proxyprotocol: socks_v4",
         " log: connect", " command: udpassociate"]


REPLIES = ["socks %s { from: %s to: %s command: bindreply }\n" % one for one in (
    ("pass", "0.0.0.0/0", "10.1.0.0/24"), ("pass", "0.0.0.0/0", "0.0.0.0/0"),
    ("pass", "10.2.0.2/32", "10.1.0.0/16"), ("pass", "10.2.0.0/24", "10.1.0.2/32"),
    ("block", "10.2.0.3/32", "0.0.0.0/0"))]


def dante_rule(chance, kind):
    action = chance.choice(["pass", "pass", "block"])
    to = "0.0.0.0/0" if kind == "client" else \
        chance.choice(DESTS) + chance.choice(TESTS_OF_PORTS)
    terms = "" if kind == "client" else chance.choice(TERMS)
    return "%s %s { from: %s to: %s%s }\n" % (
        kind, action, chance.choice(SOURCES), to, terms)


def dante_text(chance, folder):
    rules = [dante_rule(chance, "client") for _ in range(chance.randint(0, 2))]
    rules += ["client pass { from: 10.1.0.0/24 to: 0.0.0.0/0 }\n"]
    begin = len(rules)
    rules += [dante_rule(chance, "socks") for _ in range(chance.randint(1, 6))]
    if chance.random() < 0.5:
        rules.insert(chance.randint(begin, len(rules)), chance.choice(REPLIES))
        rules.insert(chance.randint(begin, len(rules)), "socks pass { from: %s"
                     " to: 0.0.0.0/0 command: bind }\n" % chance.choice(SOURCES))
    return (f"logoutput: {folder}/danted.log\n"
            f"internal: {places.INSIDE} port = 1080\n"
            f"external: {places.OUTSIDE}\nexternal.rotation: route\n"
            "clientmethod: none\nsocksmethod: none\nuser.privileged: root\n"
            "user.unprivileged: root\n" + "".join(rules))


@contextlib.contextmanager
def danted(lab, folder):
    process = lab.gateway.popen(
        ["danted", "-f", folder / "theirs.conf", "-N", "1", "-p",
         folder / "pid"], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT,
        preexec_fn=places.die_with_parent)
    wait_for("Dante", lambda: lab.gateway.listens(1080)
             or process.poll() is not None)
    assert process.poll() is None, (folder / "theirs.conf").read_text()
    try:
        yield
    finally:
        process.terminate()
        process.wait(places.TIMEOUT)
        wait_for("Dante's end", lambda: not lab.gateway.listens(1080))


def dante_grants(lab, target, port, command):
    """A BIND is granted if whom it is for may come. None: no answer in
    time."""
    sock = lab.client.connect((places.INSIDE, 1080))
    sock.settimeout(20)  # it is asked again
    try:
        sock.sendall(request((target, port), cd=COMMANDS[command]))
        reply = receive_exactly(sock, 8)
        if command == "connect" or reply[1] != 90:
            return reply[1] == 90
        with lab.server.connect(where(reply), source=(target, 0)):
            return receive_exactly(sock, 8)[1] == 90
    except TimeoutError:
        return None
    except (EOFError, OSError, IndexError, AssertionError):
        return False  # a client rule closes the connection
    finally:
        sock.close()


def hang_up(listeners):
    """On all who have connected: a queue that is full would answer nobody."""
    for listener in listeners:
        with contextlib.suppress(BlockingIOError):
            while True:
                listener.accept()[0].close()


def all_of_dante(lab, folder, listeners):
    """What it says to each request. The one process that it has here may still
    be busy with the BIND before: then another is asked, alone."""
    hang_up(listeners)
    asked = [(target, port, command) for target in TARGETS[:2]  # it reaches these
             for port in PORTS for command in COMMANDS]
    with danted(lab, folder):
        said = {one: dante_grants(lab, *one) for one in asked}
    for one in asked:
        if said[one] is None:
            with danted(lab, folder):
                said[one] = dante_grants(lab, *one)
        assert said[one] is not None, one
    return said


def test_dante_itself_grants_no_less(real_root, lab, tmp_path):
    """Of each request. What it grants and we do not is in the list."""
    listeners = [host.listen(port=port) for host in (lab.server, lab.stranger)
                 for port in PORTS]
    for listener in listeners:
        listener.setblocking(False)
    granted = binds = 0
    for seed in range(COUNT or 12):
        text = dante_text(random.Random(seed), tmp_path)
        ours, listed = translated(tmp_path, text)
        for one, theirs in all_of_dante(lab, tmp_path, listeners).items():
            mine = is_granted(ours, *one)
            what = (seed, one, theirs, text, ours.read_text())
            assert theirs or not mine, what
            assert mine or not theirs or (
                one[2] == "bind" and "a BIND is allowed" in listed), what
            granted += mine
            binds += mine and one[2] == "bind"
    assert granted > 10 and binds > 0


# --- 3proxy -----------------------------------------------------------------

LISTS = {
    "users": ["*", "*", "*", "*", "mary"],
    "sources": ["*", "10.1.0.0/24", "10.1.0.2", "10.9.0.0/16,10.1.0.2",
                "10.9.0.1-10.9.0.9"],
    "targets": ["*", "10.2.0.0/24", "10.2.0.2", "10.4.0.0/16,10.2.0.3",
                "10.2.0.1-10.2.0.2"],
    "ports": ["*", "*", "80", "80-81", "81,8080"],
    "operations": ["*", "*", "CONNECT", "BIND", "HTTP_GET", "CONNECT,HTTP"],
    "days": ["*", "*", "*", "*", "1-5"],
}


def has(listed, address):
    if listed == "*":
        return True
    address = int(ipaddress.ip_address(address))
    for one in listed.split(","):
        first, _, last = one.partition("-")
        net = ipaddress.ip_network(first)
        last = ipaddress.ip_address(last) if last else net.broadcast_address
        if int(net.network_address) <= address <= int(last):
            return True
    return False


def threeproxy_grants(entries, target, port, command, surely):
    """By the manual: the first entry that fits, and at the end deny. Where an
    entry has a user or days: what is granted whoever comes and whenever."""
    for entry in entries:
        ports = entry["ports"].split(",")
        fits = (has(entry["sources"], places.CLIENT)
                and has(entry["targets"], target)
                and (ports == ["*"] or any(
                    int(one.split("-")[0]) <= port <= int(one.split("-")[-1])
                    for one in ports))
                and (entry["operations"] == "*" or command.upper()
                     in entry["operations"].split(",")))
        some = entry["users"] != "*" or entry["days"] != "*"
        if fits and some and surely:
            fits = entry["action"] == "deny"
        if fits:
            return entry["action"] == "allow"
    return False


def test_3proxys_manual_grants_no_less(tmp_path):
    granted = 0
    for seed in range(COUNT or 30):
        chance = random.Random(seed)
        entries = [{"action": chance.choice(["allow", "allow", "deny"]),
                    **{name: chance.choice(values)
                       for name, values in LISTS.items()}}
                   for _ in range(chance.randint(1, 5))]
        text = "auth iponly\nflush\n" + "".join(
            " ".join(entry.values()) + "\n" for entry in entries) + \
            "socks -p1080 -i10.1.0.1\n"
        ours, listed = translated(tmp_path, text)
        for target in TARGETS:
            for port in PORTS:
                for command in COMMANDS:
                    mine = is_granted(ours, target, port, command)
                    theirs = threeproxy_grants(entries, target, port, command,
                                               bool(listed))
                    what = (seed, target, port, command, theirs, text,
                            ours.read_text())
                    assert theirs or not mine, what
                    exact = not any(line.split(":")[2].strip()
                                    in ("users", "days and times")
                                    for line in listed.splitlines())
                    assert mine or not theirs or not exact or (
                        command == "bind"), what
                    granted += mine
    assert granted > 10


# --- What is said -----------------------------------------------------------

DANTE = ("internal: 127.0.0.1 port = 1080\nsocksmethod: none\n"
         "client pass { from: 0/0 to: 0/0 }\n")
ALL = "socks pass { from: 0/0 to: 0/0 }\n"


@pytest.mark.parametrize("text, says", [
    (DANTE + "srchost: nodnsmismatch\n" + ALL, "4: srchost: has no equal, and"),
    (DANTE + "route { from: 0/0 to: 0/0 via: 10.0.0.1 port = 1080 }\n" + ALL,
     "4: route rules have no equal"),
    (DANTE + "socks pass { from: 0/0 to: 0/0 socksmethod: username }\n",
     "4: version 4 has no such method"),
    (DANTE + "socks pass { from: 0/0 to: 0/0 user: mary }\n",
     "4: user: has no equal in a rule: it grants less"),
    (DANTE + "socks pass { from: 0/0 to: .example }\n", "4: .example: only"),
    (DANTE + "socks block { from: 0/0 to: .example }\n" + ALL, "4: .example"),
    (DANTE.replace("none", "username") + ALL,
     "2: version 4 has none of these methods"),
    ("auth strong\nallow *\nsocks\n", "3: its clients authenticate"),
    ("auth iponly\nallow * * * * * 1-5\nsocks\n", "2: days and times"),
    ("auth iponly\nallow * * *.example\nsocks\n", "2: *.example"),
    ("auth iponly\nallow *\nparent 1000 socks5 10.0.0.1 1080\nsocks\n",
     "3: parent"),
    ("include /etc/other\nauth none\nsocks\n", "1: include may refuse"),
    ("allow $/etc/list\nauth none\nsocks\n", "1: a file that is read in"),
], ids=["srchost", "route", "method", "user", "name", "block-name",
        "no-method", "strong", "days", "3proxy-name", "parent", "include",
        "macro"])
def test_what_we_cannot_refuse_is_not_granted(tmp_path, text, says):
    ours, listed = translated(tmp_path, text)
    assert f"theirs.conf:{says}" in listed
    for command in COMMANDS:
        assert not is_granted(ours, places.SERVER, 80, command)


ASKS = "socks pass { from: 10.1.0.0/24 to: 0/0 command: bind }\n"
COMES = "socks pass { from: 10.2.0.0/24 to: 10.1.0.0/24 command: bindreply }\n"


@pytest.mark.parametrize("rules, granted", [
    (ASKS + COMES, True),
    (COMES + ASKS.replace("0/0", "10.2.0.0/24"), False),
    (COMES + ASKS.replace("0/0", "0/0 port = 80"), False),
    (ASKS + COMES.replace("10.1.0.0/24 ", "10.1.0.2 "), False),
    (ASKS + COMES.replace("10.2", "10.9"), False),
    (ASKS.replace("pass", "block").replace("0/0", "10.9.0.0/16") + ASKS + COMES,
     False),
    (ASKS + COMES.replace("pass", "block").replace("/24 c", "/30 c") + COMES,
     False),
], ids=["both", "asks-some", "asks-a-port", "comes-to-some", "comes-from-else",
        "is-blocked", "who-comes-is-blocked"])
def test_a_bind_needs_both_rules(tmp_path, rules, granted):
    ours, listed = translated(tmp_path, DANTE + rules)
    assert "a BIND is allowed by the last rule or by none" in listed
    assert is_granted(ours, places.SERVER, 80, "bind") == granted
    assert not is_granted(ours, places.STRANGER, 80, "bind")


def test_port_0_opens_no_other(tmp_path):
    for ports in "0", "0,0-0", "0,8080":
        ours, _ = translated(tmp_path, f"auth iponly\nallow * * * {ports}\nsocks\n")
        for port in 1, 80:
            assert not is_granted(ours, places.SERVER, port, "connect"), ports


def test_a_listener_stands_once(tmp_path):
    _, listed = translated(tmp_path, "auth none\nsocks\nsocks -i10.1.0.1\n")
    assert "theirs.conf:3: another listener has that port" in listed


@pytest.mark.parametrize("words, says", [
    ([], "FILE is missing"), (["-x"], "unknown option -x"),
    (["/nonexistent"], "/nonexistent: No such file"),
])
def test_usage(words, says):
    done = subprocess.run([TOOL, *words], capture_output=True, text=True,
                          timeout=places.TIMEOUT, check=False)
    assert done.returncode == 2 and says in done.stderr


def test_a_text_that_is_neither_is_refused(tmp_path):
    path = tmp_path / "x"
    path.write_text(DANTE + "socks pass { from: 0/0\n")
    done = subprocess.run([TOOL, path], capture_output=True, text=True,
                          timeout=places.TIMEOUT, check=False)
    assert done.returncode == 2 and f"{path}:4: is not understood" in \
        done.stderr and done.stdout == ""
