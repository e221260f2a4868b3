"""The probes of docs/probes.md, with bpftrace, where the kernel lets it."""
import os
import re
import shutil
import signal
import subprocess

import lab as places
from gateway import BINARY, ROOT, wait_for
from socks4 import ending
from starts import copied

EXAMPLE = ROOT / "dist/monitoring/sessions.bt"
REFUSED = (places.SERVER, 9)  # nothing listens there


def has_probes():
    notes = subprocess.run(["readelf", "-n", BINARY], capture_output=True,
                           text=True, check=True).stdout
    return "Provider: socks4d" in notes


def may_look():
    """The kernel has uprobes, and lets us use them."""
    return os.geteuid() == 0 and shutil.which("bpftrace") and os.path.exists(
        "/sys/bus/event_source/devices/uprobe/type") and subprocess.run(
        ["bpftrace", "-e", "BEGIN { exit() }"], stdin=subprocess.DEVNULL,
        capture_output=True, timeout=60).returncode == 0


class Bpftrace:
    """The script, over that binary, until `over`."""

    def __init__(self, folder, binary, text):
        script = folder / "sessions.bt"
        script.write_text(text.replace("/usr/local/bin/socks4d", binary))
        self.out = folder / "out"
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen(
                ["bpftrace", "-B", "line", str(script)], stdout=out,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                preexec_fn=places.die_with_parent)
        wait_for("it to look", lambda: "VERDICT" in self.text())

    def text(self):
        return self.out.read_text()

    def over(self):
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(places.TIMEOUT) == 0, self.text()
        return self.text()


def test_the_example_shows_what_sessions_do(start_gateway, open_folder, tmp_path):
    """Where nobody may look, the notes in the file are all that is tested
    (HACKING.md)."""
    assert has_probes()
    if not may_look():
        return
    # Of this binary alone: probes are seen of every process that runs it.
    gateway = start_gateway(binary=copied(BINARY, open_folder))
    looking = Bpftrace(tmp_path, gateway.binary, EXAMPLE.read_text())
    client, server = gateway.open()
    client.send(b"there")
    assert server.recv(5) == b"there"
    client.shut()
    assert ending(server) == ("fin", b"")
    server.close()
    refused = gateway.client()
    refused.ask(REFUSED)
    refused.refusal()
    wait_for("both records", lambda: len(gateway.records()) == 2)
    lines = wait_for("both ends", lambda: (found := re.findall(
        r"^(\d+) +([\d.]+) +(\S+) +(\d+) +(\d+) +(\d+) +(\d+)$",
        looking.text(), re.M)) and len(found) == 2 and found)
    assert sorted(lines) == sorted(
        tuple(str(value) for value in (
            record["id"], record["client_ip"], record["verdict"],
            record["code"], record["up"], record["down"],
            record["ms"]["total"])) for record in gateway.records())
    text = looking.over()
    assert "@verdicts[granted]: 1" in text, text
    assert "@verdicts[connect-refused]: 1" in text, text
    assert len(re.findall(r"^\[.*\) +1 \|", text, re.M)) == 1, text


def test_what_is_decided_and_shed_is_seen(start_gateway, open_folder, tmp_path):
    if not may_look():
        return
    gateway = start_gateway(
        binary=copied(BINARY, open_folder), workers="1", limits="{pending: 2, per_source: {sessions: 100k,"
        " pending: 100k, rate: 1M}}")
    looking = Bpftrace(tmp_path, gateway.binary, """
BEGIN { printf("VERDICT\\n"); }
usdt:/usr/local/bin/socks4d:socks4d:accept { printf("accept %lu %lu %s\\n",
    arg0, arg2, str(arg3)); }
usdt:/usr/local/bin/socks4d:socks4d:decide { printf("decide %lu %s %s\\n",
    arg0, str(arg1), str(arg2)); }
usdt:/usr/local/bin/socks4d:socks4d:dial { printf("dial %lu %lx %lu\\n", arg0,
    *(uint64 *)uptr(arg1 + 8), arg2); }
usdt:/usr/local/bin/socks4d:socks4d:shed { printf("shed %lu %s\\n", arg0,
    str(arg1)); }
""")
    client = gateway.client()
    client.ask(REFUSED)
    client.refusal()
    [record] = wait_for("the record", gateway.records)
    address = int.from_bytes(bytes(map(int, places.SERVER.split("."))))
    seen = (f"accept {record['id']} {record['client_port']} inside\n"
            f"decide {record['id']} granted all\n"
            f"dial {record['id']} ffff{address:08x} 9\n")
    wait_for("them", lambda: seen in looking.text())
    idle = [gateway.client() for _ in range(3)]
    [shed] = wait_for("the one that is shed", lambda: gateway.records(
        verdict="limits.pending"))
    wait_for("it", lambda: f"shed {shed['id']} limits.pending\n"
             in looking.text())
    looking.over()
    for one in idle:
        one.sock.close()
