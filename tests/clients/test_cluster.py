"""Three gateways behind HAProxy, as dist/cluster has them: the files there, but
for the log, how often HAProxy looks, and lower limits. Each has a machine.

    clients 192.168.20.x ──── 10.0.0.10 balancer ──┬── 10.0.0.2 one
                                                   ├── 10.0.0.3 two
    server 192.0.2.21                              └── 10.0.0.4 three

All are on one wire. One cluster for all tests of this module."""
import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess

import pytest

import control
import lab as places
from bind import where
from gateway import BINARY, ROOT, Gateway, children, wait_for
from lab import Host
from laws import laws
from socks4 import BIND, ending, receive_exactly, request

FOLDER = ROOT / "dist/cluster"
NODES = {"one": "10.0.0.2", "two": "10.0.0.3", "three": "10.0.0.4"}
BALANCER, SHARED = "10.0.0.8", ("10.0.0.10", 1080)
CLIENTS = [f"192.168.20.{number}" for number in range(11, 23)]
OURS = "client=192.168.20.0/24"
FTP = ("192.0.2.21", 21)
MOST = 8  # sessions of a client


class Node(Gateway):
    """A gateway of the cluster; its control socket is in a folder of its own,
    which is at the usual place for it alone."""

    def __init__(self, cluster, name):
        folder = cluster.folder / f"{name}-{cluster.starts}"
        folder.mkdir()
        folder.chmod(0o755)
        super().__init__(cluster.seen_from(name), folder)
        self.name, self.host = name, cluster.hosts[name]
        self.log_path = folder / "log"
        self.control = folder / "control"
        for key in ("listen", "rules", "limits", "log"):
            del self.settings[key]
        self.settings["control"] = "{}"

    def write_config(self):
        ours = (FOLDER / "socks4d.yaml").read_text()
        for old, new in (("sessions: 200, rate: 50",
                          f"sessions: {MOST}, rate: 10k"),
                         ("format: json", "format: json, target: 'file:log'")):
            assert old in ours
            ours = ours.replace(old, new)
        super().write_config()
        self.config_path.write_text(ours + self.config_path.read_text())

    def begin(self):
        mounted = f"mount --bind {shlex.quote(str(self.folder))} /run/socks4d"
        return self.start(wrapper=["unshare", "--mount", "sh", "-c",
                                   mounted + ' && exec "$0" "$@"'])


class Cluster:
    def __init__(self, folder):
        self.folder, self.starts = folder, 0
        self.hosts = {name: Host(name) for name in (
            "switch", "clients", "balancer", "server", *NODES)}
        self.ended = []
        self._wire()
        self.nodes = {}
        for name in NODES:
            self.start(name)
        self._balance()

    def _wire(self):
        addresses = {"clients": CLIENTS, "balancer": [BALANCER, SHARED[0]],
                     "server": [FTP[0]],
                     **{name: [address] for name, address in NODES.items()}}
        self.hosts["switch"].ip("link add wires type bridge\n"
                                "link set wires up\n")
        for name, own in addresses.items():
            host = self.hosts[name]
            self.hosts["switch"].ip(
                f"link add {name} type veth peer name wire"
                f" netns {host.network.path}\n"
                f"link set {name} up master wires\n")
            host.ip("link set lo up\nlink set wire up\n" + "".join(
                f"address add {address}/32 dev wire\n" for address in own)
                + f"route add default dev wire src {own[0]}\n")

    def seen_from(self, name):
        """What a Gateway takes for the lab."""
        class View:
            gateway, client = self.hosts[name], self.hosts["clients"]
            server = self.hosts["server"]
            close_sockets = staticmethod(self.close_sockets)
        return View

    def start(self, name):
        self.starts += 1
        self.nodes[name] = Node(self, name).begin()

    def _balance(self):
        text = (FOLDER / "haproxy.cfg").read_text()
        self.admin = self.folder / "admin"
        for old, new in ((r" +(user|group) haproxy\n", ""),
                         ("/run/haproxy/admin.sock", str(self.admin)),
                         ("maxconn 100000", "maxconn 1000"),
                         ("inter 2s", "inter 100ms")):
            text, count = re.subn(old, new, text)
            assert count > 0, old
        config, log = self.folder / "haproxy.cfg", self.folder / "haproxy.log"
        config.write_text(text)
        with open(log, "wb") as file:
            self.hosts["balancer"].popen(
                ["haproxy", "-db", "-L", "balancer-a", "-f", config],
                stdout=file, stderr=file, preexec_fn=places.die_with_parent)
        wait_for("HAProxy", self.admin.exists)
        for name in NODES:
            self.wait_until(name, "UP")

    def tell_haproxy(self, command):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self.admin))
            sock.sendall(command.encode() + b"\n")
            return ending(sock)[1].decode()

    def state(self, name):
        """UP, DRAIN, DOWN..., and the weight."""
        rows = [line.split(",") for line in
                self.tell_haproxy("show stat").splitlines()]
        row = next(row for row in rows if row[:2] == ["socks", name])
        return row[rows[0].index("status")], int(row[rows[0].index("weight")])

    def wait_until(self, name, state):
        wait_for(f"{name} to be {state}",
                 lambda: self.state(name)[0].startswith(state))

    # Sessions

    def ask(self, client, cd=1):
        sock = self.hosts["clients"].connect(SHARED, source=(client, 0))
        sock.sendall(request(FTP, cd=cd))
        return sock

    def open(self, client, listener):
        """A CONNECT that stands: (client's socket, server's)."""
        sock = self.ask(client)
        assert receive_exactly(sock, 8)[:2] == b"\0\x5a"
        return sock, self.hosts["server"].accept(listener)[0]

    def homes(self):
        """Which node has each client. HAProxy's checks are sessions, too."""
        names = {str(node.control): name for name, node in self.nodes.items()}
        found = {}
        for row in control.ask(names, "sessions", OURS)["rows"]:
            found.setdefault(row["client"].split(":")[0],
                             set()).add(names[row["host"]])
        assert all(len(nodes) == 1 for nodes in found.values()), found
        return {client: nodes.pop() for client, nodes in found.items()}

    def close_sockets(self):
        for host in self.hosts.values():
            host.close_sockets()

    def close(self):
        self.close_sockets()
        for node in (*self.nodes.values(), *self.ended):
            laws(node)

    def end(self):
        for host in self.hosts.values():
            host.close()


@pytest.fixture(scope="module")
def running():
    folder = control.short_folder()
    folder.chmod(0o755)
    made = Cluster(folder)
    try:
        yield made
        made.close()
    finally:
        made.end()
        shutil.rmtree(folder)


@pytest.fixture
def cluster(running):
    """Without the sessions of the test before; what HAProxy knows of its
    clients is forgotten."""
    running.tell_haproxy("clear table socks")
    yield running
    running.close_sockets()
    wait_for("sessions to end", lambda: not running.homes())


@pytest.fixture
def ftp(cluster):
    """The server's control port."""
    return cluster.hosts["server"].listen(*FTP)


def exchange(client, server):
    client.sendall(b"there")
    assert receive_exactly(server, 5) == b"there"
    server.sendall(b"back")
    assert receive_exactly(client, 4) == b"back"


def test_each_file_is_taken_by_its_program():
    """keepalived wants its interface."""
    host = Host("balancer")
    try:
        host.ip("link add eth0 type veth peer name other\n")
        for argv in (["haproxy", "-c", "-f", FOLDER / "haproxy.cfg"],
                     ["keepalived", "-t", "-f", FOLDER / "keepalived.conf"],
                     [BINARY, "-t", "-c", FOLDER / "socks4d.yaml"]):
            host.run(argv, capture_output=True)
    finally:
        host.close()
    text = (FOLDER / "socks4d.yaml").read_text()
    shown = re.findall(r"^# \$ socks4d (explain .*)\n# (.*)$", text, re.M)
    assert len(shown) == 2
    for command, answer in shown:
        done = subprocess.run([BINARY, *shlex.split(command)], cwd=FOLDER,
                              capture_output=True, text=True, check=False)
        assert done.stdout == answer + "\n"


def test_a_bind_meets_the_gateway_of_its_connect(cluster, ftp):
    """FTP in active mode, whatever weights come to be meanwhile."""
    held = {client: cluster.open(client, ftp) for client in CLIENTS}
    homes = cluster.homes()
    assert set(homes.values()) == set(NODES)
    try:
        for name in NODES:
            cluster.tell_haproxy(f"disable agent socks/{name}")
        for name in list(NODES)[:2]:
            cluster.tell_haproxy(f"set weight socks/{name} 1%")
            wait_for("its weight", lambda name=name:
                     cluster.state(name)[1] == 1)
        for client in CLIENTS:
            waiting = cluster.ask(client, BIND)
            reply = receive_exactly(waiting, 8)
            assert reply[1] == 90, client
            at = where(reply)
            assert at[0] == NODES[homes[client]]
            peer = cluster.hosts["server"].connect(at, source=(FTP[0], 0))
            assert receive_exactly(waiting, 8)[1] == 90
            exchange(waiting, peer)
            exchange(*held[client])
    finally:
        for name in NODES:
            cluster.tell_haproxy(f"set weight socks/{name} 100%")
            cluster.tell_haproxy(f"enable agent socks/{name}")


def test_a_node_is_taken_out_by_haproxy(cluster, ftp):
    """As docs/scale.md does it: whom it has still reach it, for BIND too; all
    others go elsewhere."""
    known, others = CLIENTS[:6], CLIENTS[6:]
    held = {client: cluster.open(client, ftp) for client in known}
    homes = cluster.homes()
    name = homes[known[0]]
    page = (ROOT / "docs/scale.md").read_text()
    begin, end = (re.search(rf"echo '(.* state {state}\b.*)' \|", page)[1]
                  .replace("socks/one", f"socks/{name}")
                  for state in ("drain", "ready"))
    cluster.tell_haproxy(begin)
    try:
        cluster.wait_until(name, "DRAIN")
        for client in others:
            cluster.open(client, ftp)
            assert cluster.homes()[client] != name
        for client in known:
            reply = receive_exactly(cluster.ask(client, BIND), 8)
            assert (reply[1], where(reply)[0]) == (90, NODES[homes[client]])
            exchange(*held[client])
        assert cluster.state(name)[0] == "DRAIN"
    finally:
        cluster.tell_haproxy(end)
        cluster.wait_until(name, "UP")


def by_socks4ctl(node):
    done = control.run(node.control, "drain")
    assert done.returncode == 0, done


def by_a_signal(node):
    node.signal(signal.SIGTERM)


@pytest.mark.parametrize("name, drain", [("one", by_socks4ctl),
                                         ("two", by_a_signal)])
def test_a_drained_node_loses_nothing(cluster, ftp, name, drain):
    """Its sessions go on, and their clients' next ones go elsewhere, before
    HAProxy knows and after."""
    held = {client: cluster.open(client, ftp) for client in CLIENTS}
    node = cluster.nodes[name]
    homes = cluster.homes()
    mine = [client for client in CLIENTS if homes[client] == name]
    assert 0 < len(mine) < len(CLIENTS)
    before = len(node.records())
    drain(node)
    wait_for("it to drain", lambda: any(
        line["event"] == "draining" for line in node.lines()))
    after = [cluster.open(client, ftp) for client in mine]
    wait_for("HAProxy to know", lambda: cluster.state(name)[0] != "UP")
    after += [cluster.open(client, ftp) for client in CLIENTS]
    for client, server in (*held.values(), *after):
        exchange(client, server)
        client.close()
        server.close()
    assert node.process.wait(places.TIMEOUT) == 0
    ended = [(record["verdict"], record["end"])
             for record in node.records()[before:]]
    assert len(ended) >= len(mine) and set(ended) == {("granted", "fin")}
    cluster.ended.append(node)
    cluster.start(name)
    cluster.wait_until(name, "UP")


def test_a_dead_node_loses_only_its_own(cluster, ftp):
    held = {client: cluster.open(client, ftp) for client in CLIENTS}
    node = cluster.nodes["three"]
    homes = cluster.homes()
    mine = [client for client in CLIENTS if homes[client] == "three"]
    assert 0 < len(mine) < len(CLIENTS)
    for pid in (node.process.pid, *children(node.process.pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    node.process.wait(places.TIMEOUT)
    wait_for("its port", lambda: not node.host.listens(SHARED[1]))
    for client in CLIENTS:
        if client in mine:
            assert ending(held[client][0])[1] == b""
        else:
            exchange(*held[client])
        exchange(*cluster.open(client, ftp))
    cluster.start("three")
    cluster.wait_until("three", "UP")


def test_limits_hold_for_the_true_client(cluster, ftp):
    """Of two clients of one node the one that has all it may."""
    held = [cluster.open(client, ftp) for client in CLIENTS]
    homes = cluster.homes()
    full = CLIENTS[0]
    other = next(client for client in CLIENTS[1:]
                 if homes[client] == homes[full])
    held += [cluster.open(full, ftp) for _ in range(MOST - 1)]
    extra = cluster.hosts["clients"].connect(SHARED, source=(full, 0))
    assert ending(extra)[1] == b""
    for pair in (*held, cluster.open(other, ftp)):
        exchange(*pair)
    node = cluster.nodes[homes[full]]
    wait_for("the limit", lambda: node.complaints(
        "limits.per_source.sessions") >= 1)
    assert {line["source"] for line in node.lines()
            if line["event"] == "limit"} == {full}


def test_socks4ctl_shows_all_as_one(cluster, ftp):
    for client in CLIENTS:
        cluster.open(client, ftp)
    nodes = list(cluster.nodes.values())
    sockets = [node.control for node in nodes]
    rows = control.ask(sockets, "sessions", OURS)["rows"]
    assert sorted(row["client"].split(":")[0] for row in rows) == CLIENTS
    assert {row["host"] for row in rows} == {str(path) for path in sockets}
    top = control.ask(sockets, "top", "--by", "dest")["rows"]
    assert [row["sessions"] for row in top if row["dest"]] == [len(CLIENTS)]
    states = control.ask(sockets, "status")["gateways"]
    same, = {state["config"] for state in states}
    shown = control.run(sockets, "status").stdout
    assert shown.startswith(f"# All 3 have configuration {same}\n")
    assert control.run(sockets, "config").stdout.count("\nrules:") == 1

    text = nodes[1].config_path.read_text()
    nodes[1].config_path.write_text(text.replace("[80, 443]", "[443]"))
    assert control.run(sockets[1], "reload", "--wait").returncode == 0
    other = control.ask(sockets[1], "status")["config"]
    for command in "status", "config":
        shown = control.run(sockets, command).stdout
        assert shown.startswith(
            "# The configurations differ:\n"
            f"#   {same}  {sockets[0]} {sockets[2]}\n"
            f"#   {other}  {sockets[1]}\n"), shown
    assert shown.count("\nrules:") == 2
    nodes[1].config_path.write_text(text)
    assert control.run(sockets[1], "reload", "--wait").returncode == 0
