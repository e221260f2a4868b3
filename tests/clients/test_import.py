"""socks4-import: what it writes grants nothing that was refused before, and
all the rest, unless it says so. Generated configurations are put to danted
itself, and to what the manual of 3proxy says. IMPORT_CONFIGS=1000 is the long form;
with IMPORT_FIRST=250 it begins there, so that several can share it."""
import collections
import contextlib
import ipaddress
import itertools
import os
import pathlib
import random
import re
import select
import socket
import struct
import subprocess

import pytest

import lab as places
import socks4
import socks5
from bind import where
from etc import own_etc
from gateway import BINARY, wait_for
from socks4 import receive_exactly

COUNT = int(os.environ.get("IMPORT_CONFIGS", "0"))
SEEDS = range(int(os.environ.get("IMPORT_FIRST", "0")), 1 << 20)
ASKED = 24 if COUNT else 12  # of each configuration
TOOL = str(pathlib.Path(BINARY).parent.parent / "tools/socks4-import")
TARGETS = [places.SERVER, "10.2.0.3", places.STRANGER]
PORTS = [80, 81, 8080]
COMMANDS = {"connect": 1, "bind": 2, "udp": 3}
# How a request comes: in version 4, in 5, or in 5 with a password.
HOW = {"4": [], "5": ["--socks5"],
       "mary": ["--socks5", "--auth", "password", "--user", "mary"]}
Request = collections.namedtuple("Request", "target port command how")


def requests(targets):
    return [Request(*one) for one in
            itertools.product(targets, PORTS, COMMANDS, HOW)
            if one[2:] != ("udp", "4")]


def shown(line):
    """Of an old line what its comment has: passwords are left out."""
    words = line.split()
    if words[:1] == ["users"]:
        return " ".join(re.sub("^([^$:]*:[^:]*:).+", r"\1***", word)
                        for word in words)
    if words[:1] == ["parent"] and len(words) > 6:
        return " ".join([*words[:6], "***"])
    return line


def translated(tmp_path, text):
    """(our file, what has no equal)"""
    theirs, ours = tmp_path / "theirs.conf", tmp_path / "ours.yaml"
    theirs.write_text(text)
    done = subprocess.run([TOOL, theirs], capture_output=True, text=True,
                          timeout=places.TIMEOUT, check=False)
    assert done.returncode in (0, 1), (text, done)
    assert (done.returncode == 1) == bool(done.stderr), (text, done)
    for number, line in enumerate(text.splitlines(), 1):
        assert not line or f"# {number}: {shown(line)}\n" in done.stdout, \
            (line, done)
    assert "secret" not in done.stdout + done.stderr
    lines = [int(line.split(":")[1]) for line in done.stderr.splitlines()
             if not line.endswith("so nothing is allowed")]
    assert lines == sorted(lines), done.stderr
    ours.write_text(done.stdout)
    for name in {"socks4d.users",  # which the operator makes
                 *re.findall(r"password_file: ([^,}]*)", done.stdout)}:
        (tmp_path / name).write_text("mary:!\n")
        (tmp_path / name).chmod(0o600)
    check = subprocess.run([BINARY, "-t", "-c", ours], capture_output=True,
                           text=True, timeout=places.TIMEOUT, check=False)
    assert check.returncode == 0, (text, done.stdout, check.stderr)
    return ours, done.stderr


def is_granted(ours, target, port, command, how="4", source=places.CLIENT):
    """Who offers a password alone is let in where a rule asks for one."""
    if how == "mary" and "\nauth: " not in ours.read_text():
        return False
    done = subprocess.run(
        [BINARY, "explain", "-c", ours, "--from", source, "--to", target,
         "--port", str(port), "--command", command, *HOW[how]],
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
         " log: connect", " command: udpassociate",
         " command: udpassociate connect", " proxyprotocol: socks_v5 socks_v4"]
METHODS = {"none": [""] * 4,
           "username": ["", "", "user: mary", "user: bert mary", "user: bert"],
           "none username": ["", "", "socksmethod: none", "user: mary",
                             "socksmethod: username",
                             "socksmethod: username\nuser: bert"]}


CLIENT_PORTS = ["", "", "", " port 1-65535", " port gt 0"]
REPLIES = ["socks %s { from: %s to: %s command: bindreply udpreply }\n" % one
           for one in (
    ("pass", "0.0.0.0/0", "10.1.0.0/24"), ("pass", "0.0.0.0/0", "0.0.0.0/0"),
    ("pass", "10.2.0.2/32", "10.1.0.0/16"), ("pass", "10.2.0.0/24", "10.1.0.2/32"),
    ("block", "10.2.0.3/32", "0.0.0.0/0"))]


def dante_rule(chance, kind, methods):
    action = chance.choice(["pass", "pass", "block"])
    to = "0.0.0.0/0" if kind == "client" else \
        chance.choice(DESTS) + chance.choice(TESTS_OF_PORTS)
    if action == "block" and kind == "socks" and chance.random() < 0.2:
        to = "lo"
    source = chance.choice(SOURCES) + chance.choice(CLIENT_PORTS)
    terms = "" if kind == "client" else "\n%s\n%s\n" % (
        chance.choice(TERMS), chance.choice(METHODS[methods]))
    return "%s %s { from: %s to: %s%s }\n" % (
        kind, action, source, to, terms)


def dante_text(chance, folder):
    methods = chance.choice([*METHODS])
    rules = [dante_rule(chance, "client", methods)
             for _ in range(chance.randint(0, 2))]
    rules += ["client pass { from: 10.1.0.0/24 to: 0.0.0.0/0 }\n"]
    begin = len(rules)
    rules += [dante_rule(chance, "socks", methods)
              for _ in range(chance.randint(1, 6))]
    if chance.random() < 0.5:
        rules.insert(chance.randint(begin, len(rules)), chance.choice(REPLIES))
        rules.insert(chance.randint(begin, len(rules)), "socks pass { from: %s"
                     " to: 0.0.0.0/0 command: bind udpassociate }\n"
                     % chance.choice(SOURCES))
    return (f"logoutput: {folder}/danted.log\n"
            f"internal: {places.INSIDE} port = 1080\n"
            f"external: {places.OUTSIDE}\nexternal.rotation: route\n"
            f"clientmethod: none\nsocksmethod: {methods}\nuser.privileged: root\n"
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


def dante_ask(lab, one, to):
    """What it says: the socket, and whether it grants, and where it waits.
    None: no answer in time."""
    sock = lab.client.connect((places.INSIDE, 1080))
    sock.settimeout(20)  # it is asked again
    try:
        if one.how == "4":
            sock.sendall(socks4.request(to, cd=COMMANDS[one.command]))
            reply = receive_exactly(sock, 8)
            return sock, reply[1] == 90, where(reply)
        if one.how == "5":
            if socks5.greet(sock) != 0:
                return sock, False, None
        else:
            if socks5.greet(sock, b"\2") != 2:
                return sock, False, None
            sock.sendall(b"\1\4mary\6secret")
            if receive_exactly(sock, 2)[1] != 0:
                return sock, False, None
        sock.sendall(socks5.request(to, COMMANDS[one.command]))
        reply = socks5.reply(sock)
        return sock, reply.code == 0, tuple(reply[1:])
    except TimeoutError:
        return sock, None, None
    except (OSError, IndexError, ValueError):
        return sock, False, None  # a client rule closes the connection


def dante_comes(sock, one):
    """Whether it lets the peer of a BIND come."""
    try:
        if one.how == "4":
            return receive_exactly(sock, 8)[1] == 90
        return socks5.reply(sock).code == 0
    except TimeoutError:
        return None
    except (OSError, IndexError, ValueError):
        return False


def dante_relays(lab, relay, one, server, seconds):
    """A datagram there and its answer back: whether both pass in that time."""
    head = b"\0\0\0" + socks5.packed(one.target) + struct.pack("!H", one.port)
    with lab.client.socket(kind=socket.SOCK_DGRAM) as client:
        for _ in range(max(1, seconds)):
            client.sendto(head + b"question", relay)
            if not select.select([server], [], [], min(1, seconds) or 0.05)[0]:
                continue
            text, source = server.recvfrom(100)
            server.sendto(text, source)
            if select.select([client], [], [], min(1, seconds) or 0.05)[0]:
                return client.recv(100).endswith(b"question")
    return False


def dante_grants(lab, one, servers, mine):
    """A BIND is granted if whom it is for may come, a datagram if its answer
    may. None: no answer in time."""
    to = ("0.0.0.0", 0) if one.command == "udp" else (one.target, one.port)
    sock, granted, there = dante_ask(lab, one, to)
    with sock:
        if one.command == "udp" and granted:
            return dante_relays(lab, there, one, servers[one[:2]],
                                20 if mine else 0)
        if one.command == "bind" and granted:
            try:
                with lab.server.connect(there, source=(one.target, 0)):
                    return dante_comes(sock, one)
            except OSError:
                return False
        return granted


def hang_up(listeners):
    """On all who have connected: a queue that is full would answer nobody."""
    for listener in listeners:
        with contextlib.suppress(BlockingIOError):
            while True:
                listener.accept()[0].close()


def all_of_dante(lab, folder, asked, servers, mine):
    """What it says to each request. The one process that it has here may still
    be busy with the BIND before: then another is asked, alone."""
    with danted(lab, folder):
        said = {one: dante_grants(lab, one, servers, mine[one])
                for one in asked}
    for one in asked:
        if said[one] is None:
            with danted(lab, folder):
                said[one] = dante_grants(lab, one, servers, mine[one])
        assert said[one] is not None, one
    return said


@pytest.fixture
def mary(real_root, tmp_path):
    """A user of the system."""
    with own_etc(tmp_path) as etc:
        with (etc / "passwd").open("a") as file:
            file.write("mary:x:4242:4242::/:/bin/sh\n")
        with (etc / "shadow").open("a") as file:
            file.write("mary:$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM."
                       ":19000:0:99999:7:::\n")  # "secret"
        yield


# What is granted less, as the list says it.
LESS = {"bind": "BIND, of this and all other rules", "udp": "UDP is allowed only",
        "mary": "the system's passwords cannot be copied"}


def is_less(one, ours, listed):
    """Passwords come in where a rule asks for one; then they are asked for."""
    asks = "\nauth: " in ours
    return LESS.get(one.command, "-") in listed or (
        not asks and LESS.get(one.how, "-") in listed)


def test_dante_itself_grants_no_less(mary, lab, tmp_path):
    """Of each request. What it grants and we do not is in the list."""
    listeners = [host.listen(port=port) for host in (lab.server, lab.stranger)
                 for port in PORTS]
    servers = {}
    for to in itertools.product(TARGETS[:2], PORTS):
        servers[to] = lab.server.socket(kind=socket.SOCK_DGRAM)
        servers[to].bind(to)
    for listener in listeners:
        listener.setblocking(False)
    granted = collections.Counter()
    for seed in SEEDS[:COUNT or 12]:
        chance = random.Random(seed)
        text = dante_text(chance, tmp_path)
        ours, listed = translated(tmp_path, text)
        asked = chance.sample(requests(TARGETS[:2]), ASKED)  # it reaches these
        mine = {one: is_granted(ours, *one) for one in asked}
        hang_up(listeners)
        said = all_of_dante(lab, tmp_path, asked, servers, mine)
        for one, theirs in said.items():
            what = (seed, one, theirs, text, ours.read_text())
            assert theirs or not mine[one], what
            assert mine[one] or not theirs or \
                is_less(one, what[4], listed), what
            granted[one.command, one.how] += mine[one]
    assert COUNT < 200 or min(granted.values()) > 5, granted
    assert sum(granted.values()) > 10, granted


# --- 3proxy -----------------------------------------------------------------

AS_UNKNOWN = "iponly may let them pass as unknown ones"
PARENTS = ["", "", "", "\nparent 1000 socks5 10.4.0.9 1081 joe secret",
           "\nparent 1000 socks4+ 10.4.0.9 1081"]
LISTS = {
    "users": ["*", "*", "*", "mary", "bert", "bert,mary"],
    "sources": ["*", "10.1.0.0/24", "10.1.0.2", "10.9.0.0/16,10.1.0.2",
                "10.9.0.1-10.9.0.9"],
    "targets": ["*", "10.2.0.0/24", "10.2.0.2", "10.4.0.0/16,10.2.0.3",
                "10.2.0.1-10.2.0.2"],
    "ports": ["*", "*", "80", "80-81", "81,8080"],
    "operations": ["*", "*", "CONNECT", "BIND", "HTTP_GET", "CONNECT,HTTP",
                   "UDPASSOC", "UDPASSOC,CONNECT"],
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


def first_that_fits(entries, one, name, surely):
    """By the manual: the first entry that fits, and at the end deny. Where an
    entry has days, or a user and nobody says who comes: what is granted
    whenever and whoever it is."""
    operation = {"udp": "UDPASSOC"}.get(one.command, one.command.upper())
    for entry in entries:
        if entry["parent"] and one.command != "connect":
            continue  # an entry with a parent is for nothing else
        ports, users = entry["ports"].split(","), entry["users"].split(",")
        fits = (has(entry["sources"], places.CLIENT)
                and has(entry["targets"], one.target)
                and (ports == ["*"] or any(
                    int(some.split("-")[0]) <= one.port
                    <= int(some.split("-")[-1]) for some in ports))
                and (name is None or users == ["*"] or name in users)
                and (entry["operations"] == "*"
                     or operation in entry["operations"].split(",")))
        some = (name is None and users != ["*"]) or entry["days"] != "*"
        if fits and some and surely:
            fits = entry["action"] == "deny"
        if fits:
            return entry["action"] == "allow"
    return False


def threeproxy_grants(auth, entries, one, surely):
    name = "mary" if one.how == "mary" else ""  # "": none is known
    if auth == "iponly":  # which takes no password
        return not name and first_that_fits(entries, one, None, surely)
    if name and first_that_fits(entries, one, name, surely):
        return True
    return auth == "iponly strong" and \
        first_that_fits(entries, one, "", surely)


def test_3proxys_manual_grants_no_less(tmp_path):
    granted = collections.Counter()
    for seed in SEEDS[:COUNT or 20]:
        chance = random.Random(seed)
        auth = chance.choice(["iponly", "strong", "iponly strong"])
        entries = [{"action": chance.choice(["allow", "allow", "deny"]),
                    **{name: chance.choice(values)
                       for name, values in LISTS.items()}}
                   for _ in range(chance.randint(1, 5))]
        for entry in entries:
            parents = PARENTS if entry["action"] == "allow" else [""]
            entry["parent"] = chance.choice(parents)
        text = f"users mary:CL:secret\nauth {auth}\nflush\n" + "".join(
            " ".join(entry.values()) + "\n" for entry in entries) + \
            "socks -p1080 -i10.1.0.1\n"
        ours, listed = translated(tmp_path, text)
        less = [line.split(":")[2].strip() for line in listed.splitlines()
                if AS_UNKNOWN not in line]
        exact = "days and times" not in less and (
            auth != "iponly" or less.count("users") == 1)  # the first line
        for one in chance.sample(requests(TARGETS), ASKED):
            mine = is_granted(ours, *one)
            theirs = threeproxy_grants(auth, entries, one, bool(less))
            what = (seed, one, theirs, text, ours.read_text())
            assert theirs or not mine, what
            assert mine or not theirs or not exact or \
                one.command == "bind" or (
                    one.how == "mary" and AS_UNKNOWN in listed), what
            granted[one.command, one.how] += mine
    assert COUNT < 200 or min(granted.values()) > 5, granted
    assert sum(granted.values()) > 10, granted


# --- What is said -----------------------------------------------------------

DANTE = ("internal: 127.0.0.1 port = 1080\nsocksmethod: none\n"
         "client pass { from: 0/0 to: 0/0 }\n")
ALL = "socks pass { from: 0/0 to: 0/0 }\n"
PASSWORDS = DANTE.replace("none", "username none")


@pytest.mark.parametrize("text, says", [
    (DANTE + "srchost: nodnsmismatch\n" + ALL, "4: srchost: has no equal, and"),
    (DANTE + "route { from: 0/0 to: 0/0 via: 10.0.0.1 port = 1080 }\n" + ALL,
     "4: route rules have no equal"),
    (DANTE + "socks pass { from: 0/0 to: 0/0 socksmethod: username }\n",
     "4: nobody here authenticates as this rule asks"),
    (DANTE + "socks pass { from: 0/0 to: 0/0 socksmethod: gssapi }\n",
     "4: there is no method gssapi"),
    (DANTE + "socks pass { from: 0/0 to: 0/0 user: mary }\n",
     "4: nobody here authenticates as this rule asks"),
    (PASSWORDS + "socks pass { from: 0/0 to: 0/0 group: adm }\n",
     "4: group: has no equal in a rule, so it lets nothing pass"),
    (PASSWORDS + "socks pass { from: 0/0 to: 0/0 user: m* }\n",
     "4: user: m* cannot stand in a rule"),
    (PASSWORDS.replace("client pass {", "client pass { socksmethod: none") + ALL,
     "3: this client rule passes under a condition"),
    (DANTE.replace("0/0 to", "0/0 port 1024-65535 to") + ALL,
     "3: from: the port of a client has no equal, so it lets nothing pass"),
    (DANTE + "socks pass { from: 0/0 to: .example }\n",
     "4: .example: is not an IPv4 address or network, so it lets nothing pass"),
    (DANTE + "socks block { from: 0/0 to: .example }\n" + ALL,
     "4: .example: is not an IPv4 address or network, so it blocks every address"),
    (DANTE + "socks pass { from: 0/0 to: lo }\n",
     "4: lo: is not an IPv4 address or network, so it lets nothing pass"),
    ("auth none\nsocks on\n", "2: on is not an option of a service"),
    (DANTE.replace("none", "gssapi") + ALL, "2: there is no method gssapi"),
    ("auth radius\nallow *\nsocks\n", "3: its clients authenticate"),
    ("auth strong\nallow m*\nsocks\n", "2: m*"),
    ("auth iponly\nallow mary\nsocks\n", "2: users"),
    ("auth iponly\nallow * * * * * 1-5\nsocks\n", "2: days and times"),
    ("auth iponly\nallow * * *.example\nsocks\n", "2: *.example"),
    ("auth iponly\nallow *\nparent 1000 http 10.0.0.1 1080\nallow * * * * CONNECT\nsocks\n",
     "3: parent"),
    ("auth iponly\nallow *\nparent 500 socks5 10.0.0.1 1080\nallow * * * * CONNECT\nsocks\n",
     "3: parent"),
    ("auth iponly\nallow *\nparent 1000 socks5 10.0.0.1 1080\n"
     "parent 1000 socks5 10.0.0.2 1080\nallow * * * * CONNECT\nsocks\n", "4: parent"),
    ("auth iponly\nallow *\nparent 1000 socks5 10.0.0.1 1080 * *\nsocks\n",
     "3: parent"),
    ("auth iponly\nallow *\nparent 1000 socks5 10.0.0.1 1080\n"
     "socks -i10.0.0.1\n", "3: parent: it is a listener"),
    ("auth iponly\nallow * * * * * 1-5\nparent 1000 socks5 10.0.0.1 1080\n"
     "allow * * * * CONNECT\nsocks\n", "2: days and times"),
    ("include /etc/other\nauth none\nsocks\n", "1: include may refuse"),
    ("allow $/etc/list\nauth none\nsocks\n", "1: a file that is read in"),
], ids=["srchost", "route", "method", "unknown-method", "user", "group", "odd-user",
        "client-method", "client-port", "name", "block-name", "interface",
        "3proxy-no-option", "no-method", "radius",
        "3proxy-odd-user", "3proxy-user", "days", "3proxy-name", "parent",
        "parent-weight", "parents", "parent-as-the-client", "parent-itself",
        "parent-on-some-days", "include",
        "macro"])
def test_what_we_cannot_refuse_is_not_granted(tmp_path, text, says):
    ours, listed = translated(tmp_path, text)
    assert f"theirs.conf:{says}" in listed
    for one in requests([places.SERVER])[::3]:
        assert not is_granted(ours, *one)


@pytest.mark.parametrize("text, says, granted", [
    (PASSWORDS + ALL, "2: username: the system's passwords cannot be copied",
     {"4", "5", "mary"}),
    (PASSWORDS.replace("none", "") + ALL, "2: username", {"mary"}),
    (PASSWORDS + ALL.replace("}", "socksmethod: username }"), "2: username",
     {"mary"}),
    (PASSWORDS + ALL.replace("}", "user: bert mary }"), "2: username", {"mary"}),
    (PASSWORDS + ALL.replace("}", "user: bert }"), "2: username", set()),
    (PASSWORDS + ALL.replace("pass", "block").replace("}", "user: mary }") + ALL,
     "2: username", {"4", "5"}),
    (PASSWORDS + ALL.replace("}", "socksmethod: none }"), "2: username",
     {"4", "5"}),
    (DANTE + ALL.replace("}", "proxyprotocol: socks_v4 }"), "", {"4"}),
    ("users $/etc/passwords\nauth strong\nallow mary\nsocks\n", "2: strong",
     {"mary"}),
    ("auth strong\nallow *\nsocks\n", "1: strong", {"mary"}),
    ("auth iponly strong\nallow mary\nsocks\n", "1: strong", {"mary"}),
    ("auth iponly strong\nallow mary\nallow *\nsocks\n", "1: strong",
     {"4", "5", "mary"}),
    ("auth iponly strong\ndeny mary\nallow *\nsocks\n", "2: users: iponly may",
     {"4", "5"}),
    (PASSWORDS + ALL.replace("}", "user: mary }")
     + ALL.replace("}", "socksmethod: none }"), "2: username",
     {"4", "5", "mary"}),
    ("users mary:CL:secret\nauth none\nsocks\n", "1: users: their passwords",
     {"4", "5"}),
], ids=["all", "password", "method", "user", "other-user", "block-user",
        "none", "version", "3proxy", "3proxy-all", "3proxy-both", "3proxy-either", "3proxy-unknown", "either",
        "3proxy-none"])
def test_passwords_and_versions_are_ours(tmp_path, text, says, granted):
    ours, listed = translated(tmp_path, text)
    assert says in listed
    assert granted == {how for how in HOW
                       if is_granted(ours, places.SERVER, 80, "connect", how)}


PARENT = ("auth iponly\nallow *\nparent 1000 %s 10.0.0.1 1081%s\n"
          "allow * * 10.2.0.3\nsocks -i10.1.0.1\n")


@pytest.mark.parametrize("kind, login, ours_has", [
    ("socks5", "", "protocol: socks5, names: resolve, insecure_plaintext: true}"),
    ("socks5+", " joe secret", 'protocol: socks5, names: pass, user: "joe",'
     " password_file: parent-1.password, insecure_plaintext: true}"),
    ("socks4", "", 'protocol: socks4, names: resolve, userid: "anonymous",'),
    ("socks4+", " joe", 'protocol: socks4a, names: pass, userid: "joe",'),
], ids=["socks5", "password", "socks4", "userid"])
def test_a_parent_is_ours(tmp_path, kind, login, ours_has):
    """For CONNECT alone, as in 3proxy: the rest goes on to the next entry."""
    ours, listed = translated(tmp_path, PARENT % (kind, login))
    assert ours_has in ours.read_text()
    assert listed == (f"{tmp_path}/theirs.conf:3: its password is not copied:"
                      " make the file parent-1.password beside the"
                      " configuration, for the gateway's user alone, with the"
                      " password as its first line\n" if "secret" in login
                      else "")
    for target in TARGETS[:2]:
        assert is_granted(ours, target, 80, "connect")
        for command in "bind", "udp":
            assert (target == TARGETS[1]) == is_granted(
                ours, target, 80, command, "5")
    rules = [line for line in ours.read_text().splitlines()
             if line.startswith("  - {action: ")]
    assert ["via: [parent-1]" in line for line in rules] == [True, False]


def test_passwords_of_parents_are_written_where_they_are_asked_for(tmp_path):
    """Once: a file that is there is not replaced."""
    theirs = tmp_path / "theirs.conf"
    theirs.write_text(PARENT % ("socks5", ' joe "sec ret"'))
    command = [TOOL, "--passwords", tmp_path, theirs]
    done = subprocess.run(command, capture_output=True, text=True,
                          timeout=places.TIMEOUT, check=True)
    assert "sec ret" not in done.stdout and done.stderr == ""
    made = tmp_path / "parent-1.password"
    assert made.read_text() == "sec ret\n"
    assert made.stat().st_mode & 0o777 == 0o600
    made.write_text("another\n")
    done = subprocess.run(command, capture_output=True, text=True,
                          timeout=places.TIMEOUT, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert f"{made}: File exists" in done.stderr
    assert made.read_text() == "another\n"


@pytest.mark.parametrize("line, comment", [
    ("users ann:CL:secret bob:CR:$1$secret $/etc/users carl",
     "users ann:CL:*** bob:CR:*** $/etc/users carl"),
    ('users "ann:CL:my secret" bob', 'users "ann:CL:*** bob'),
    ("#users ann:CL:secret", "#users ann:CL:***"),
    ("# parent 1000 http 10.0.0.1 80 joe secret",
     "# parent 1000 http 10.0.0.1 80 joe ***"),
    ("radius secret 10.0.0.1", "radius ***"),
    ("log &ODBC,ann,secret D", "log ***"),
    ("log /var/log/3proxy D", "log /var/log/3proxy D"),
    ("USERS ann:secret", "USERS ann:***"),
    ("end\nusers ann:CL:secret", "users ann:CL:***"),
    ('"users" ann:CL:secret', '"users" ann:CL:***'),
    ('par"ent" 1000 http 10.0.0.1 80 joe secret',
     'par"ent" 1000 http 10.0.0.1 80 joe ***'),
    ('log "&ODBC,ann,secret" D', "log ***"),
    ("# old: users ann:CL:secret", "# old: users ann:CL:***"),
    ("#-users ann:CL:secret", "#-users ann:CL:***"),
    ("//parent 1000 http 10.0.0.1 80 joe secret",
     "//parent 1000 http 10.0.0.1 80 joe ***"),
    ("# was: parent 1000 http 10.0.0.1 80 joe secret",
     "# was: parent 1000 http 10.0.0.1 80 joe ***"),
    ("# all users may read the log & the system",
     "# all users may read the log & the system"),
    ("plugin /lib/Mysql.so start db ann secret",
     "plugin /lib/Mysql.so start ***"),
    ('system "mount -o password=secret"', "system ***"),
    ("archiver zip zip -Psecret %A %F", "archiver zip zip ***"),
])
def test_no_comment_shows_a_password(tmp_path, line, comment):
    theirs = tmp_path / "theirs.conf"
    theirs.write_text(line + "\nauth none\nsocks\n")
    done = subprocess.run([TOOL, "--3proxy", theirs], capture_output=True,
                          text=True, timeout=places.TIMEOUT, check=False)
    assert re.search(r"^# \d+: " + re.escape(comment) + "$", done.stdout, re.M), \
        done.stdout
    assert "secret" not in done.stdout + done.stderr


ASSOCIATES = "socks pass { from: 10.1.0.0/24 to: 0/0 command: udpassociate }\n"
ANSWERS = "socks pass { from: 10.2.0.0/24 to: %s command: udpreply }\n"


@pytest.mark.parametrize("rules, granted", [
    (ASSOCIATES + ANSWERS % "10.1.0.0/24", True),
    (ASSOCIATES, False),
    (ASSOCIATES + ANSWERS % "10.1.0.2/32", False),
    (ASSOCIATES + ANSWERS.replace("pass", "block") % "10.1.0.2/32"
     + ANSWERS % "0/0", False),
    (ASSOCIATES.replace("socks pass", "socks block") + ALL, False),
    (ASSOCIATES.replace("udpassociate", "connect") + ANSWERS % "0/0", False),
], ids=["both", "no-answer", "some-answers", "blocked-answers", "blocked",
        "connect"])
def test_udp_needs_its_answers(tmp_path, rules, granted):
    ours, listed = translated(tmp_path, DANTE + rules)
    assert granted == is_granted(ours, places.SERVER, 80, "udp", "5")
    assert not is_granted(ours, places.STRANGER, 80, "udp", "5")


def test_methods_of_replies_are_checked_if_dante_does(tmp_path):
    rules = ASSOCIATES + ANSWERS.replace("}", "socksmethod: username }") % "0/0"
    for more, granted in ("", True), ("srchost: checkreplyauth\n", False):
        ours, _ = translated(tmp_path, PASSWORDS + more + rules)
        assert granted == is_granted(ours, places.SERVER, 80, "udp", "5")


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
    assert listed.count("BIND, of this and all other rules") == 1
    assert is_granted(ours, places.SERVER, 80, "bind") == granted
    assert not is_granted(ours, places.STRANGER, 80, "bind")


@pytest.mark.parametrize("rule", [
    "socks block { from: 0/0 to: lo }", "client block { from: 0/0 to: 0/0 }",
    "block { from: 0/0 to: 0/0 }", "  socks pass { from: 0/0 to: 0/0 }"])
def test_rules_alone_are_those_of_dante(tmp_path, rule):
    """To 3proxy "socks" would be a service that is open to all."""
    ours, listed = translated(tmp_path, rule + "\n")
    assert "without socksmethod Dante refuses all" in listed
    assert "listen:" not in ours.read_text()
    assert not is_granted(ours, places.SERVER, 80, "connect")


@pytest.mark.parametrize("name", ["lo", "lo0"])
def test_the_loopback_interface_is_this_machine(tmp_path, name):
    """The sample of Dante blocks it in front of all else."""
    block = "socks block { from: 0.0.0.0/0 to: %s log: connect error }\n" % name
    ours, listed = translated(tmp_path, DANTE + block + ALL + ANSWERS % "0/0")
    assert f": {name}" not in listed and "to: [self, 127.0.0.0/8]" in ours.read_text()
    assert is_granted(ours, places.SERVER, 80, "connect")
    assert not is_granted(ours, "127.0.0.1", 80, "connect")
    text = ASSOCIATES.replace("10.1.0.0/24", "0/0") + ANSWERS % "10.1.0.0/24"
    only = DANTE.replace("0/0 to", "10.1.0.0/24 to")
    ours, _ = translated(tmp_path, only + block + text)
    assert is_granted(ours, places.SERVER, 80, "udp", "5")
    assert "from: [self, 127.0.0.0/8], to: [0.0.0.0/0], command: [bind, udp]" \
        in ours.read_text()


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    (tmp_path / "theirs").write_bytes(
        b"\xef\xbb\xbf" + (DANTE + ALL).replace("\n", "\r\n").encode())
    done = subprocess.run([TOOL, tmp_path / "theirs"], capture_output=True,
                          text=True, timeout=places.TIMEOUT, check=False)
    assert "action: allow" in done.stdout and "\ufeff" not in done.stdout


@pytest.mark.parametrize("port", ["port 1-65535", "port gt 0", "port 1 - 65535"])
def test_every_port_of_a_client_is_no_condition(tmp_path, port):
    ours, listed = translated(tmp_path,
                              DANTE.replace("0/0 to", f"0/0 {port} to") + ALL)
    assert "port of a client" not in listed
    assert is_granted(ours, places.SERVER, 80, "connect")


@pytest.mark.parametrize("log, starts, listed", [
    ("connect disconnect error", True, ""), ("error disconnect", False, ""),
    ("connect data", True, "4: log: data has no equal"),
])
def test_what_rules_log_is_what_records_have(tmp_path, log, starts, listed):
    ours, said = translated(tmp_path, DANTE + ALL.replace("}", f"log: {log} }}"))
    assert ("start: true" in ours.read_text()) == starts
    assert listed in said and ("log: " in said) == bool(listed)


@pytest.mark.parametrize("text", ["", "\n\n", "# internal: 10.0.0.1\n  # more\n"])
def test_a_file_that_says_nothing_is_refused(tmp_path, text):
    (tmp_path / "empty").write_text(text)
    done = subprocess.run([TOOL, tmp_path / "empty"], capture_output=True,
                          text=True, timeout=places.TIMEOUT, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert "empty: has no line but comments" in done.stderr


def test_a_full_disk_is_told(tmp_path):
    (tmp_path / "theirs").write_text(DANTE + ALL)
    with open("/dev/full", "w") as full:
        done = subprocess.run([TOOL, tmp_path / "theirs"], stdout=full,
                              stderr=subprocess.PIPE, text=True,
                              timeout=places.TIMEOUT, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("standard output: No space left on device\n")


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
