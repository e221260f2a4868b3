"""A small network: a client, the gateway with its legs, a server, a stranger.

    client 10.1.0.2 ──── 10.1.0.1 gateway 10.2.0.1 ──── 10.2.0.2 server
           fd00:1::2     fd00:1::1        10.4.0.1                10.2.0.3
                                             │
                                         10.4.0.2 stranger

Each is a network namespace; a socket is made inside one and used anywhere.
"""
import os
import signal
import socket
import subprocess

from namespace import Network

CLIENT = "10.1.0.2"
CLIENT6 = "fd00:1::2"
INSIDE = "10.1.0.1"
INSIDE6 = "fd00:1::1"
OUTSIDE = "10.2.0.1"
SERVER = "10.2.0.2"
SERVER2 = "10.2.0.3"
THIRD = "10.4.0.1"
STRANGER = "10.4.0.2"
SILENT = "10.2.0.66"  # a neighbour that swallows every SYN
UNREACHABLE = "10.3.0.1"  # the gateway has an unreachable route to it
ABSENT = "10.2.0.77"  # nobody answers its ARP: unreachable after a moment

# s; of every wait that has no better bound. Shorter where a test is to fail.
TIMEOUT = int(os.environ.get("SOCKS4_TIMEOUT", 60))

# Of every host's network, before anything starts: what the machine's own would
# lend it, and the sizes of the kernel's buffers.
SETTINGS = {
    "ipv4/ip_forward": "0",
    "ipv4/tcp_rmem": "4096 131072 6291456",
    "ipv4/tcp_wmem": "4096 16384 4194304",
    "ipv6/conf/all/disable_ipv6": "0",
    "ipv6/conf/default/disable_ipv6": "0",
}


class Host:
    """One machine. What it made is closed with the lab."""

    def __init__(self, name):
        self.name = name
        self.network = Network()
        self.sockets = []
        self.processes = []
        for setting, value in SETTINGS.items():
            self.write(f"/proc/sys/net/{setting}", value)

    def ip(self, commands):
        self.run(["ip", "-batch", "-"], input=commands, text=True)

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM):
        with self.network.inside():
            made = socket.socket(family, kind)
        made.settimeout(TIMEOUT)
        self.sockets.append(made)
        return made

    def listen(self, address="0.0.0.0", port=0, backlog=128):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = self.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(backlog)
        return listener

    def accept(self, listener):
        """As listener.accept(), but closed with the lab."""
        made, peer = listener.accept()
        made.settimeout(TIMEOUT)
        self.sockets.append(made)
        return made, peer

    def connect(self, to, source=None, receive_buffer=None):
        family = socket.AF_INET6 if ":" in to[0] else socket.AF_INET
        made = self.socket(family)
        if receive_buffer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            made.bind(source)
        made.connect(to)
        return made

    def popen(self, argv, **options):
        """A process of this host; killed with the lab."""
        with self.network.inside():
            process = subprocess.Popen(argv, **options)
        self.processes.append(process)
        return process

    def run(self, argv, timeout=TIMEOUT, **options):
        with self.network.inside():
            return subprocess.run(argv, timeout=timeout, check=True, **options)

    def read(self, path):
        """A file under /proc/sys/net, or /proc/thread-self/net."""
        with self.network.inside(), open(path) as file:
            return file.read()

    def write(self, path, text):
        with self.network.inside(), open(path, "w") as file:
            file.write(text)

    def connections(self):
        """(local port, remote port, state) of every TCP socket here."""
        found = []
        for table in ("tcp", "tcp6"):
            lines = self.read(f"/proc/thread-self/net/{table}").splitlines()
            for line in lines[1:]:
                _, local, remote, state = line.split()[:4]
                found.append((int(local.rpartition(":")[2], 16),
                              int(remote.rpartition(":")[2], 16),
                              int(state, 16)))
        return found

    def unix_sockets(self):
        """The inodes of those made here."""
        lines = self.read("/proc/thread-self/net/unix").splitlines()
        return {int(line.split()[6]) for line in lines[1:]}

    def unread(self):
        """(local port, remote port, octets that wait to be read) of every TCP
        connection here."""
        for table in ("tcp", "tcp6"):
            lines = self.read(f"/proc/thread-self/net/{table}").splitlines()
            for line in lines[1:]:
                words = line.split()
                yield (*(int(word.rpartition(":")[2], 16)
                         for word in words[1:3]),
                       int(words[4].rpartition(":")[2], 16))

    def has_read(self, port):
        """Whether nothing waits at its connection from that port."""
        return any(local == port and octets == 0
                   for local, _, octets in self.unread())

    def passive_opens(self):
        """Connections that became such from outside, so far."""
        names, values = [
            line.split() for line in
            self.read("/proc/thread-self/net/snmp").splitlines()
            if line.startswith("Tcp:")]
        return int(values[names.index("PassiveOpens")])

    def listens(self, port):
        return any(local == port and state == 10
                   for local, _, state in self.connections())

    def close_sockets(self):
        for made in self.sockets:
            made.close()
        self.sockets.clear()

    def close(self):
        self.close_sockets()
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.network.close()


class Lab:
    def __init__(self):
        self.client, self.gateway, self.server, self.stranger = self.hosts = [
            Host(name) for name in ("client", "gateway", "server", "stranger")]
        self._wire()

    def _wire(self):
        self.gateway.ip(f"""
            link set lo up
            link add inside type veth peer name wire netns {self.client.network.path}
            link add outside type veth peer name wire netns {self.server.network.path}
            link add third type veth peer name wire netns {self.stranger.network.path}
            address add {INSIDE}/24 dev inside
            address add {INSIDE6}/64 dev inside nodad
            address add {OUTSIDE}/24 dev outside
            address add {THIRD}/24 dev third
            link set inside up
            link set outside up
            link set third up
            neighbour add {SILENT} lladdr 02:00:00:00:00:66 dev outside nud permanent
            route add unreachable 10.3.0.0/24
        """)
        self.gateway.write("/proc/sys/net/ipv4/neigh/outside/retrans_time_ms",
                           "100")
        self.client.ip(f"""
            link set lo up
            address add {CLIENT}/24 dev wire
            address add {CLIENT6}/64 dev wire nodad
            link set wire up
            route add default via {INSIDE}
        """)
        self.server.ip(f"""
            link set lo up
            address add {SERVER}/24 dev wire
            address add {SERVER2}/24 dev wire
            link set wire up
            route add default via {OUTSIDE}
        """)
        self.stranger.ip(f"""
            link set lo up
            address add {STRANGER}/24 dev wire
            link set wire up
            route add default via {THIRD}
        """)

    def end_silence(self):
        """The server has the silent address, too: the next SYN to it, which
        the kernel sends again within a second or two, is refused."""
        self.server.ip(f"address add {SILENT}/32 dev wire")
        self.gateway.ip(f"neighbour delete {SILENT} dev outside")

    def close_sockets(self):
        """Ends whatever the tests' own ends still hold open."""
        for host in self.hosts:
            host.close_sockets()

    def close(self):
        for host in self.hosts:
            host.close()


def die_with_parent():
    """For popen's preexec_fn: killed when the tests are."""
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() == 1:
        os._exit(1)
