"""What is measured: the gateway, its variants, its peers, and no gateway."""

import os
import pwd
import subprocess

import kernel

HERE = os.path.dirname(os.path.abspath(__file__))

# Below the range of ephemeral ports that bench/run sets.
SERVER_PORTS = {"echo": 2007, "sink": 2009, "source": 2019}
FIRST_PORT = 3000
PORTS_A_GATEWAY = 10

START_SECONDS = 15
STOP_SECONDS = 10


# Of those that ask for a password, as bench/handshake.c has it: sha512crypt.
USER, PASSWORD = "bench", "secret"
HASH = ("$6$benchbench$agdH7.5jUrp182qOzKzpdDcqPZScP0K/8LvbT8ZmDpv"
        "5eOwmU6vCXtxnU7YVDmn.pGUHsC.mIrDmiJbLM0jHf1")


# Jobs of every server that relays TCP.
RELAYS = ("rate", "download", "upload", "both", "pingpong", "idle")


class Broken(Exception):
    """Something could not be started, or did not do its part."""


class Gateway:
    """One way from client to server. This one is the straight one."""

    name = "direct"
    title = "direct, no gateway"
    protocol = "direct"
    # Beginnings of the names of jobs.
    jobs = (*RELAYS, "udp")
    needs = ()
    ours = False
    splits = True  # runs under `split`, too
    ca = None  # a function: the file of the CA, where clients speak TLS to it
    held_max = None  # the most sessions it is asked to hold

    def __init__(self):
        self.children = []
        self.folder = None
        self.port = None

    def can(self, job):
        return job.startswith(self.jobs)

    def missing(self):
        """The programs that are not installed."""
        places = os.environ["PATH"].split(":")
        return [need for need in self.needs if not any(
            os.access(os.path.join(place, need), os.X_OK)
            for place in places)]

    def values(self):
        """What is filled into configurations."""
        return {"PORT": self.port, "PORT2": self.port + 1,
                "DIR": self.folder, "USER": run_as()}

    def configure(self, template):
        """A configuration from bench/peers; the name of the filled file."""
        with open(os.path.join(HERE, "peers", template),
                  encoding="ascii") as file:
            text = file.read()
        for name, value in self.values().items():
            text = text.replace(f"@{name}@", str(value))
        path = os.path.join(self.folder, template)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def commands(self):
        """The processes to start, in order: [(arguments, port)]."""
        return []

    def start(self, folder, port, processor):
        self.folder, self.port = folder, port
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o777)  # whoever it runs as writes its log here
        for arguments, its_port in self.commands():
            self.spawn(arguments, processor)
            if not kernel.wait_until(lambda p=its_port: listens(p),
                                     START_SECONDS):
                self.stop()
                raise Broken(f"{self.name}: no one listens on {its_port}: "
                             f"{self.last_words()}")

    def last_words(self):
        with open(os.path.join(self.folder, "output"), "rb") as output:
            return output.read()[-1000:].decode("ascii", "replace")

    def mark(self):
        return f"BENCH_GATEWAY={self.name}"

    def spawn(self, arguments, processor):
        key, _, value = self.mark().partition("=")
        with open(os.path.join(self.folder, "output"), "ab") as output:
            self.children.append(subprocess.Popen(
                arguments, cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output,
                env=dict(os.environ, **{key: value}),
                preexec_fn=lambda: os.sched_setaffinity(
                    0, self.processors(processor))))

    def processors(self, processor):
        """Those it may run on, when that one is meant for it."""
        return {processor}

    def pids(self):
        return kernel.tree([child.pid for child in self.children],
                           self.mark())

    def stop(self):
        for signal in ("TERM", "KILL"):
            for pid in self.pids():
                subprocess.run(["kill", f"-{signal}", str(pid)],
                               stderr=subprocess.DEVNULL, check=False)
            if kernel.wait_until(self.reap, STOP_SECONDS):
                break
        self.children = []

    def reap(self):
        """Whether all have ended."""
        for child in self.children:
            child.poll()
        return not self.pids()

    def endpoint(self, _kind):
        return f"127.0.0.1:{self.port}"

    def target_port(self, kind):
        return SERVER_PORTS[kind]


class Socks4d(Gateway):
    name = "socks4d"
    title = "**socks4d**"
    protocol = "socks4"
    jobs = RELAYS + ("unfinished", "bind")
    ours = True
    splice = "auto"
    level = "info"
    rules = 0
    workers = 1
    sessions = 9900  # the most it takes
    dead_dns = False
    commands_allowed = "connect, bind"
    bind_ports = "0"
    all_processors = sorted(os.sched_getaffinity(0))
    binary = None  # set by bench/run

    def values(self):
        return dict(super().values(), SPLICE=self.splice, LEVEL=self.level,
                    RULES=decoys(self.rules), WORKERS=self.workers,
                    SESSIONS=self.sessions,
                    SOCKS4A=str(self.dead_dns).lower(),
                    SERVERS=f"127.0.0.1:{self.port + 1}"
                    if self.dead_dns else "", TLS="off", PARENTS="", VIA="",
                    CONTROL="off", OBSERVE="off", SOCKS5="false", AUTH="",
                    USERS="none", COMMANDS=self.commands_allowed,
                    PORTS=self.bind_ports)

    def commands(self):
        config = self.configure("socks4d.yaml")
        return [([self.binary, "-c", config], self.port)]


class Socks4dTls(Socks4d):
    """Its listener has TLS, and so has the load."""

    name = "socks4d-tls"
    title = "socks4d, TLS to it"
    jobs = ("rate-64", "pingpong-64", "download-64", "upload-64")
    splits = False
    needs = ("openssl",)

    def ca(self):
        return os.path.join(self.folder, "ca.pem")

    def values(self):
        return dict(super().values(), TLS="{certificate: %s, key: %s}" % tuple(
            os.path.join(self.folder, name) for name in ("gw.pem", "gw.key")))

    def commands(self):
        make_certificates(self.folder)
        return super().commands()


class Socks4dParent(Socks4d):
    """Everything goes through another one. Only the processor time of the
    first is counted."""

    name = "socks4d-parent"
    title = "socks4d, through a parent"
    jobs = ("rate", "pingpong-64", "download-64", "upload-64")
    splits = False
    other = Socks4d

    def __init__(self):
        super().__init__()
        self.parent = self.other()
        self.parent.name = f"{self.name}-behind"

    def parent_row(self):
        return ('{name: hq, address: "127.0.0.1:%d"}' % self.parent.port)

    def values(self):
        return dict(super().values(), PARENTS=self.parent_row(), VIA="hq")

    def start(self, folder, port, processor):
        self.parent.start(f"{folder}-behind", port + PORTS_A_GATEWAY // 2,
                          processor)
        super().start(folder, port, processor)

    def stop(self):
        super().stop()
        self.parent.stop()


class Socks4dParentTls(Socks4dParent):
    name = "socks4d-parent-tls"
    title = "socks4d, through a parent over TLS"
    jobs = ("rate", "pingpong-64", "download-64")
    needs = ("openssl",)
    other = Socks4dTls

    def parent_row(self):
        return ('{name: hq, address: "127.0.0.1:%d",'
                ' tls: {ca: %s, name: gw.example}}'
                % (self.parent.port, self.parent.ca()))


class Socks4dQuiet(Socks4d):
    name = "socks4d-quiet"
    title = "socks4d, no record a session"
    level = "warning"
    jobs = ("rate",)


class Socks4dObserved(Socks4d):
    """With its control socket and its page. The processor time is that of
    all its processes."""

    name = "socks4d-observed"
    title = "socks4d, control and page on"
    jobs = ("rate", "pingpong-64")
    splits = False

    def values(self):
        return dict(super().values(),
                    CONTROL=os.path.join(self.folder, "control.sock"),
                    OBSERVE=f"127.0.0.1:{self.port + 1}")


class Socks4dSocks5(Socks4d):
    name = "socks4d-socks5"
    title = "socks4d, SOCKS5"
    protocol = "socks5"
    jobs = ("rate", "udp")
    splits = False
    commands_allowed = "connect, bind, udp"

    def values(self):
        return dict(super().values(), SOCKS5="true")


class Socks4dPassword(Socks4dSocks5):
    """The right password is remembered for five minutes. The processor time is
    that of the authenticator, too."""

    name = "socks4d-socks5-password"
    title = "socks4d, SOCKS5 with password"
    protocol = "socks5-password"

    def values(self):
        users = os.path.join(self.folder, "users")
        with open(users, "w", encoding="ascii") as file:
            file.write(f"{USER}:{HASH}\n")
        return dict(super().values(), AUTH="password", USERS=users)


class Socks4dCopy(Socks4d):
    name = "socks4d-copy"
    title = "socks4d, `splice: never`"
    splice = "never"
    jobs = ("rate", "download", "upload", "both", "pingpong")


class Socks4dDeadDns(Socks4d):
    """Beside the load a hundred clients wait for names that nobody answers;
    processor time is that of the clients, too."""

    name = "socks4d-dead-dns"
    title = "socks4d, DNS dead, 100 names asked for"
    dead_dns = True
    jobs = ("rate-1", "pingpong-64-1")

    def commands(self):
        return super().commands() + [
            ([os.path.join(HERE, "silence"), str(self.port),
              str(self.port + 1)], self.port + 1)]


class Socks4dWorkers(Socks4d):
    """Wherever the kernel likes, beside the load: what counts is the ratio to
    the gateway with one worker that is just as free."""

    jobs = ("rate", "download-64")
    splits = False  # it is not pinned

    def processors(self, _processor):
        return set(self.all_processors)


def workers_gateway(count):
    class Counted(Socks4dWorkers):
        name = f"socks4d-free-{count}"
        title = f"socks4d, workers: {count}, not pinned"
        workers = count

    return Counted


class Dante(Gateway):
    name = "dante"
    title = "Dante"
    protocol = "socks4"
    needs = ("danted",)
    held_max = 3000  # 350 KB each, and minutes to get there
    jobs = RELAYS + ("unfinished", "bind")
    method = "none"

    def privileged(self):
        return run_as()

    def values(self):
        return dict(super().values(), METHOD=self.method,
                    PRIVILEGED=self.privileged())

    def commands(self):
        config = self.configure("danted.conf")
        return [(["danted", "-f", config, "-N", "1"], self.port)]


class DanteSocks5(Dante):
    name = "dante-socks5"
    title = "Dante, SOCKS5"
    protocol = "socks5"
    jobs = ("rate", "udp")
    splits = False


class DantePassword(DanteSocks5):
    """It looks into the machine's own files, and so gets others in their
    place: of passwords only that of the benchmark."""

    name = "dante-socks5-password"
    title = "Dante, SOCKS5 with password"
    protocol = "socks5-password"
    needs = ("danted", "unshare", "mount")
    method = "username"

    def privileged(self):
        return "root"

    def commands(self):
        (_, *arguments), port = super().commands()[0][0], self.port
        files = {"passwd": kernel.read("/etc/passwd")
                           + f"{USER}:x:65533:65533::/:/usr/sbin/nologin\n",
                 "shadow": f"{USER}:{HASH}:19000:0:99999:7:::\n"}
        for name, text in files.items():
            with open(os.path.join(self.folder, name), "w",
                      encoding="ascii") as file:
                file.write(text)
        script = "".join(f"mount --bind {self.folder}/{name} /etc/{name} && "
                         for name in files)
        return [(["unshare", "--mount", "sh", "-c", script + 'exec danted "$@"',
                  "danted", *arguments], port)]


class Hpsockd(Gateway):
    name = "hpsockd"
    title = "hpsockd"
    protocol = "socks4"
    needs = ("hpsockd",)
    jobs = RELAYS + ("unfinished", "bind")

    def commands(self):
        config = self.configure("hpsockd.conf")
        return [(["hpsockd", "-c", config], self.port)]


class OpenSsh(Gateway):
    name = "openssh"
    title = "OpenSSH `-D`, both ends"
    protocol = "socks4"
    needs = ("sshd", "ssh", "ssh-keygen")
    jobs = RELAYS + ("unfinished",)
    held_max = 1000  # its loop walks all channels for each event

    def keys(self):
        for name in ("host_key", "user_key"):
            path = os.path.join(self.folder, name)
            if not os.path.exists(path):
                subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "",
                                "-f", path], check=True)
        with open(os.path.join(self.folder, "user_key.pub"), "rb") as key:
            with open(os.path.join(self.folder, "authorized_keys"),
                      "wb") as keys:
                keys.write(key.read())

    def commands(self):
        self.keys()
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        server = self.configure("sshd_config")
        client = self.configure("ssh_config")
        # sshd wants to be called by its full name.
        return [(["/usr/sbin/sshd", "-D", "-e", "-f", server], self.port + 1),
                (["ssh", "-F", client, "-N", "gateway"], self.port)]


class Microsocks(Gateway):
    name = "microsocks"
    title = "microsocks (SOCKS5)"
    protocol = "socks5"
    needs = ("microsocks",)
    # Not "unfinished": it takes half a greeting for a wrong one. Not "both":
    # one thread does both directions and waits for ever when both are full.
    jobs = ("rate", "download", "upload", "pingpong", "idle")

    def commands(self):
        return [(["microsocks", "-i", "127.0.0.1", "-p", str(self.port)],
                 self.port)]


class MicrosocksPassword(Microsocks):
    name = "microsocks-password"
    title = "microsocks (SOCKS5), with password"
    protocol = "socks5-password"
    jobs = ("rate",)
    splits = False

    def commands(self):
        return [(["microsocks", "-i", "127.0.0.1", "-p", str(self.port),
                  "-u", USER, "-P", PASSWORD], self.port)]


class Given(Gateway):
    """A peer that Debian does not have: measured where --peer says where it
    is."""

    protocol = "socks4"
    jobs = RELAYS
    program = None  # set by bench/run

    def missing(self):
        return [] if self.program else [f"--peer {self.name}=PATH"]


class ThreeProxy(Given):
    name = "3proxy"
    title = "3proxy"

    def commands(self):
        return [([self.program, self.configure("3proxy.cfg")], self.port)]


class Neosocksd(Given):
    name = "neosocksd"
    title = "neosocksd"

    def commands(self):
        return [([self.program, "--pipe", "-l", f"127.0.0.1:{self.port}"],
                 self.port)]


class Hev(Given):
    name = "hev-socks5-server"
    title = "hev-socks5-server (SOCKS5)"
    protocol = "socks5"
    jobs = (*RELAYS, "udp")

    def commands(self):
        config = self.configure("hev-socks5-server.yml")
        return [([self.program, config], self.port)]


class HaProxy(Gateway):
    name = "haproxy"
    title = "HAProxy, plain TCP"
    protocol = "direct"
    needs = ("haproxy",)
    jobs = RELAYS
    offsets = {"echo": 0, "sink": 1, "source": 2}

    def values(self):
        values = super().values()
        for kind, offset in self.offsets.items():
            values[f"PORT_{kind.upper()}"] = self.port + offset
            values[kind.upper()] = SERVER_PORTS[kind]
        return values

    def commands(self):
        config = self.configure("haproxy.cfg")
        return [(["haproxy", "-db", "-f", config], self.port)]

    def target_port(self, kind):
        return self.port + self.offsets[kind]


class Floor(Gateway):
    """A relay that does nothing but relay: bench/floor.c."""

    name = "floor"
    title = "the floor: a relay that only relays"
    protocol = "direct"
    jobs = ("rate", "pingpong")
    binary = None  # set by bench/run

    def commands(self):
        return [([self.binary, str(self.port), str(SERVER_PORTS["echo"])],
                 self.port)]

    def target_port(self, kind):
        return self.port


class Floor4(Floor):
    """The same that reads a request and answers it."""

    name = "floor4"
    title = "the floor: a relay that takes SOCKS4 requests"
    protocol = "socks4"
    target_port = Gateway.target_port

    def commands(self):
        return [([self.binary, str(self.port), "socks4"], self.port)]


def rules_gateway(count):
    """The gateway with this many rules in front of the one that decides."""

    class Socks4dRules(Socks4d):
        name = f"socks4d-{count}-rules"
        title = f"socks4d, {count} rules"
        rules = count
        splits = False
        jobs = ("rate-64",)

    return Socks4dRules


# Variants with many rules are not among these: see rules_gateway.
ALL = [Gateway, Floor, Floor4, Socks4d, Socks4dQuiet, Socks4dObserved,
       Socks4dSocks5, Socks4dPassword, Socks4dCopy, Socks4dDeadDns, Socks4dTls,
       Socks4dParent, Socks4dParentTls,
       *map(workers_gateway, (1, 2, "auto")), Dante, DanteSocks5,
       DantePassword, Hpsockd, OpenSsh, Microsocks, MicrosocksPassword,
       ThreeProxy, Neosocksd, Hev, HaProxy]


def make_certificates(folder):
    """A CA, and the gateway's certificate."""
    def run(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True,
                       capture_output=True)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc")
    run("req", "-x509", *key, "-subj", "/CN=bench CA", "-keyout", "ca.key",
        "-out", "ca.pem", "-days", "2")
    run("req", *key, "-subj", "/CN=gateway", "-addext",
        "subjectAltName=DNS:gw.example", "-keyout", "gw.key", "-out", "gw.csr")
    run("x509", "-req", "-in", "gw.csr", "-copy_extensions", "copy", "-CA",
        "ca.pem", "-CAkey", "ca.key", "-days", "2", "-out", "gw.pem")
    for name in ("gw.key", "ca.key"):
        os.chmod(os.path.join(folder, name), 0o600)


def decoys(count):
    """Rules that look as ours do and are all looked past."""
    return "".join(
        f"  - name: decoy-{i}\n    action: allow\n    from: [loopback]\n"
        f"    to: [10.{i // 256 % 256}.{i % 256}.0/24]\n"
        for i in range(count))


def run_as():
    """nobody, if the switch to it is possible here."""
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid()).pw_name
    whole = kernel.read("/proc/self/uid_map").split() == [
        "0", "0", "4294967295"]
    return "nobody" if whole else "root"


def listens(port):
    """Whether anybody in this namespace listens there; some listen by IPv6 for
    both."""
    for name in ("tcp", "tcp6"):
        if not os.path.exists(f"/proc/net/{name}"):
            continue
        for line in kernel.read(f"/proc/net/{name}").splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and words[1].endswith(f":{port:04X}"):
                return True
    return False
