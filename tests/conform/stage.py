"""A machine of its own for one tester and one server: their ports are free."""
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

from namespace import Network, enter  # noqa: E402,F401

GATEWAY = "127.0.0.1:1080"
TIMERS = 3  # s; ours and the wrong servers' are shorter
LIMIT = 300  # s; no run takes longer


class Machine:
    """Loopback only; what runs on it ends with it."""

    def __init__(self):
        self.network = Network()
        self.processes = []
        self.run(["ip", "link", "set", "lo", "up"])

    def run(self, argv, **options):
        with self.network.inside():
            return subprocess.run(argv, timeout=LIMIT, check=True, **options)

    def start(self, argv, **options):
        with self.network.inside():
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                       **options)
        self.processes.append(process)
        return process

    def join(self):
        """This thread is on it for good."""
        home = self.network.inside()
        home.__enter__()

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
        self.network.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def ask_our_name_server(folder, timeout=1):
    """Every resolver in this mount namespace asks the tester's, and waits so
    many seconds."""
    path = pathlib.Path(folder) / "resolv.conf"
    path.write_text(
        f"nameserver 127.0.0.6\noptions timeout:{timeout} attempts:1\n")
    subprocess.run(["mount", "--bind", path, "/etc/resolv.conf"], check=True)
    hosts = pathlib.Path(folder) / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)


def serves_udp(gateway, folder):
    """Whether a rule of this gateway may grant UDP ASSOCIATE."""
    path = pathlib.Path(folder) / "udp.yaml"
    path.write_text("listen: [{address: 127.0.0.1:1080, socks5: only}]\n"
                    "rules: [{action: allow, from: [loopback], to: [loopback],"
                    " command: [udp]}]\n")
    return subprocess.run([gateway, "-t", "-c", path], timeout=LIMIT,
                          capture_output=True).returncode == 0


def make_certificate(folder, name="IP:127.0.0.1"):
    """certificate.pem, which is its own authority, and key.pem."""
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-days", "90", "-newkey", "ec",
         "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=gateway",
         "-addext", f"subjectAltName={name}",
         "-keyout", pathlib.Path(folder) / "key.pem",
         "-out", pathlib.Path(folder) / "certificate.pem"],
        check=True, capture_output=True, timeout=LIMIT)


def wait_for(is_there, seconds=60):
    end = time.monotonic() + seconds
    while not is_there():
        assert time.monotonic() < end
        time.sleep(0.01)
