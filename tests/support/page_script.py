"""Serves the files of the page with events that the test makes up: what no
gateway says often, and what none should."""
import http.server
import json
import pathlib
import threading
import time
import urllib.parse

from gateway import ROOT

FILES = ROOT / "gateway/observer/page"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript",
         ".svg": "image/svg+xml"}
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; "
          "img-src 'self'; connect-src 'self'; base-uri 'none'; "
          "form-action 'none'; frame-ancestors 'none'")

POINT = [3, 1, 1000, 20000, .004, .02]


def row(number, **keys):
    """A session as the gateway says it, but for `keys`."""
    made = {"id": number, "worker": 0, "listener": "inside",
            "client": f"192.0.2.{number % 250}:{40000 + number % 20000}",
            "userid": "mary", "command": "connect",
            "dest": "198.51.100.7:443", "name": "-", "rule": "web",
            "state": "relay", "age": number % 1000, "up": 1000,
            "down": 2_000_000, "rate_up": 10, "rate_down": 1990,
            "certificate": "-"}
    return made | keys


def event(rows=(), **keys):
    """What /events says in a second, but for `keys`."""
    rows = list(rows)
    made = {"host": "gw.example", "version": "0.1.0", "config": "3f9a2c17be",
            "uptime": 90061, "state": "serving", "point": POINT,
            "sessions": {"live": len(rows), "states": {"relay": len(rows)}},
            "error": None, "rows": rows, "total": len(rows), "more": 0,
            "ended": [], "missed": 0, "refusals": [], "limits": [],
            "workers": [], "parents": [], "certificates": []}
    return made | keys


class PageScript:
    """`says` is what the next events say, or a function of the filter that
    returns it. `silent`: nothing is said, while the connections stand."""

    def __init__(self, host, port=9180):
        self.says = event()
        self.silent = False
        self.past = {"seconds": [POINT] * 600, "minutes": [POINT] * 60}
        self.filters = []
        with host.network.inside():
            self.server = http.server.ThreadingHTTPServer(
                ("0.0.0.0", port), self._handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.silent = None
        self.server.shutdown()
        self.server.server_close()

    def _handler(script):
        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *words):
                pass

            def do_GET(self):
                url = urllib.parse.urlsplit(self.path)
                query = urllib.parse.parse_qs(url.query)
                if url.path == "/events":
                    script._speak(self, query.get("filter", [""])[0])
                elif url.path == "/history":
                    script._answer(self, "application/json", json.dumps(
                        script.past | script._now()).encode())
                else:
                    path = FILES / (url.path[1:] or "index.html")
                    script._answer(self, TYPES[path.suffix],
                                   pathlib.Path(path).read_bytes())
        return Handler

    @staticmethod
    def _now():
        return {"second": int(time.time()), "end": int(time.time())}

    def _head(self, to, kind):
        to.send_response(200)
        to.send_header("Content-Type", kind)
        to.send_header("Content-Security-Policy", POLICY)
        to.end_headers()

    def _answer(self, to, kind, octets):
        self._head(to, kind)
        to.wfile.write(octets)

    def _speak(self, to, words):
        self.filters.append(words)
        self._head(to, "text/event-stream")
        try:
            while self.silent is not None:
                if not self.silent:
                    says = self.says(words) if callable(self.says) else self.says
                    text = json.dumps(says | self._now() | {"time": int(time.time())})
                    to.wfile.write(f"data: {text}\n\n".encode())
                    to.wfile.flush()
                time.sleep(1 - time.time() % 1)  # the page is told each second
        except OSError:
            pass
