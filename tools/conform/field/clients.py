"""What clients do when a server is wrong: a table of both, run and judged."""
import collections
import concurrent.futures
import os
import socket
import subprocess
import threading
import time

import stage

GREETING = b"hello-from-server\n"
ANSWER = (b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(GREETING)
          + GREETING)
REQUEST = b"GET / HTTP/1.0\r\n\r\n"
SERVER = "127.0.0.3"
FIRST_PORT = 2000
PATIENCE = 8  # s, for a client of a server that never answers
AT_ONCE = 4

NODE = """
const {SocksClient} = require('socks');
const [proxyPort, host, port] = process.argv.slice(1).map(String);
SocksClient.createConnection({
    proxy: {host: '127.0.0.1', port: Number(proxyPort), type: 4},
    command: 'connect', destination: {host, port: Number(port)},
}).then(({socket}) => {
    socket.pipe(process.stdout);
    process.stdin.pipe(socket);
}, (error) => { console.error(error.message); process.exit(1); });
"""
PYTHON = """
import socket, socks, sys
made = socks.socksocket()
made.set_proxy(socks.SOCKS4, "127.0.0.1", int(sys.argv[1]), rdns=False)
made.connect((sys.argv[2], int(sys.argv[3])))
made.sendall(sys.stdin.buffer.read())
while octets := made.recv(65536):
    sys.stdout.buffer.write(octets)
"""

Client = collections.namedtuple("Client", "title package command")
CLIENTS = [
    Client("curl", "curl", lambda proxy, host, port: [
        "curl", "-q", "-sS", "--fail", "--socks4", f"127.0.0.1:{proxy}",
        f"http://{host}:{port}/"]),
    Client("ncat", "ncat", lambda proxy, host, port: [
        "ncat", "-n", "--proxy-type", "socks4", "--proxy", f"127.0.0.1:{proxy}",
        host, str(port)]),
    Client("nc.openbsd", "netcat-openbsd", lambda proxy, host, port: [
        "nc.openbsd", "-X", "4", "-x", f"127.0.0.1:{proxy}", host, str(port)]),
    Client("socat", "socat", lambda proxy, host, port: [
        "socat", "-t", "5", "-",
        f"SOCKS4:127.0.0.1:{host}:{port},socksport={proxy}"]),
    Client("Node socks", "node-socks", lambda proxy, host, port: [
        "node", "-e", NODE, str(proxy), host, str(port)]),
    Client("PySocks", "python3-socks", lambda proxy, host, port: [
        "/usr/bin/python3", "-c", PYTHON, str(proxy), host, str(port)]),
]

# What a client must do of it: connect or fail; None: the draft leaves it open.
Case = collections.namedtuple("Case", "defect ids must")
CASES = [
    Case("right", ["V4-3.3-11"], "connects"),
    Case("reply-in-pieces", ["V4-3.3-1"], "connects"),
    Case("reply-glued", ["V4-3.3-11"], "connects"),
    Case("reply-address-set", ["V4-3.3-8"], "connects"),
    Case("refuses-91", ["V4-3.3-5"], "fails"),
    Case("refuses-92", ["V4-3.3-6"], "fails"),
    Case("refuses-93", ["V4-3.3-7"], "fails"),
    Case("refuses-stays-open", ["V4-3.3-5"], "fails"),
    Case("grant-cut", ["V4-3.3-1"], "fails"),
    Case("closes", ["V4-3.3-1"], "fails"),
    Case("resets", ["V4-3.3-1"], "fails"),
    Case("grant-code-0", ["V4-3.3-3"], "fails"),
    Case("talks-http", ["V4-3.3-1"], "fails"),
    Case("grant-version-4", ["V4-3.3-2"], None),
    Case("never-answers", ["V4-5-1"], None),
]


class Application:
    """Greets whoever calls, and hears them out."""

    def __init__(self):
        self.listener = socket.create_server((SERVER, 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            made, _ = self.listener.accept()
            threading.Thread(target=self.greet, args=(made,),
                             daemon=True).start()

    @staticmethod
    def greet(made):
        with made:
            made.settimeout(1)
            try:
                made.sendall(ANSWER)
                while made.recv(4096):
                    pass
            except OSError:
                pass


def judge(status, out):
    """What it did, in a word."""
    if GREETING in out:
        return "connects"
    if status is None:
        return "waits"
    return "fails" if status != 0 else "is fooled"


def play(client, case, proxy, port):
    """One client, one server."""
    argv = client.command(proxy, SERVER, port)
    began = time.monotonic()
    ran = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env={
                               "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
                               "NODE_PATH": "/usr/share/nodejs"})
    try:
        out, said = ran.communicate(REQUEST, timeout=PATIENCE)
        status = ran.returncode
    except subprocess.TimeoutExpired:
        ran.kill()
        out, said = ran.communicate()
        status = None
    does = judge(status, out)
    return {"client": client.title, "defect": case.defect, "does": does,
            "status": status, "ms": round((time.monotonic() - began) * 1000),
            "said": said.decode("utf-8", "replace")[-200:],
            "got": out[:80].hex(" ")}


def start_servers(machine, tester):
    for number, case in enumerate(CASES):
        server = machine.start(
            [tester, f"127.0.0.1:{FIRST_PORT + number}", "--serve-wrong",
             case.defect], stdout=subprocess.PIPE, text=True)
        assert "listening" in server.stdout.readline()


def tested(tester, version):
    """Every client with every server."""
    with stage.Machine() as machine, machine.network.inside(), \
            concurrent.futures.ThreadPoolExecutor(
                AT_ONCE, initializer=machine.join) as pool:
        start_servers(machine, tester)
        port = Application().port
        runs = [pool.submit(play, client, case, FIRST_PORT + number, port)
                for client in CLIENTS for number, case in enumerate(CASES)]
        results = [run.result() for run in runs]
    for result in results:  # else it was no test of theirs
        assert result["defect"] != "right" or result["does"] == "connects", \
            result
    return {"versions": {client.title: version(client.package)
                         for client in CLIENTS},
            "cases": [case._asdict() for case in CASES], "results": results}
