"""Chromium without a window, driven through chromedriver (W3C WebDriver)."""
import base64
import contextlib
import http.client
import json
import shutil
import subprocess
import tempfile

import lab
from gateway import wait_for

# What a browser says by itself, about itself, is switched off: the tests look
# at every request.
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
             "--disable-background-networking", "--disable-component-update",
             "--disable-default-apps", "--disable-sync", "--no-pings",
             "--no-proxy-server",
             "--font-render-hinting=none"]
SECONDS = 60  # for an answer: a browser on a busy machine takes its time


class Browser:
    """On a host of the lab. `closed` with the lab at the latest."""

    def __init__(self, host, width=1280, height=900):
        self.host = host
        self.folder = tempfile.mkdtemp(prefix="socks4-browser-")
        self.process = host.popen(
            ["chromedriver", "--port=9515"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, preexec_fn=lab.die_with_parent)
        self.session = ""
        wait_for("chromedriver", self._serves, SECONDS)
        answer = self._call("POST", "/session", {"capabilities": {
            "alwaysMatch": {
                "browserName": "chrome",
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
                "goog:chromeOptions": {
                    "args": [*ARGUMENTS, f"--user-data-dir={self.folder}"]}}}})
        self.session = "/session/" + answer["sessionId"]
        self.said = []
        self.requested = []
        self.open("about:blank")
        self.requests()
        self.requested.clear()  # those of the tab that it began with
        self.look(width, height)

    def _serves(self):
        """It listens on ::1 before 127.0.0.1."""
        try:
            return self._call("GET", "/status")["ready"]
        except ConnectionRefusedError:
            return False

    def _call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", 9515,
                                                timeout=SECONDS)
        with contextlib.closing(connection), self.host.network.inside():
            connection.request(method, path,
                               None if body is None else json.dumps(body))
            answer = connection.getresponse()
            value = json.loads(answer.read())["value"]
        assert answer.status == 200, value
        return value

    def command(self, name, **parameters):
        """Of the DevTools protocol."""
        return self._call("POST", self.session + "/goog/cdp/execute",
                          {"cmd": name, "params": parameters})

    def look(self, width, height, dark=False):
        """The size of its window, and what the user prefers."""
        self.width = width
        self.command("Emulation.setDeviceMetricsOverride", width=width,
                     height=height, deviceScaleFactor=1, mobile=width < 500)
        self.command("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme",
             "value": "dark" if dark else "light"}])

    def open(self, url):
        self._call("POST", self.session + "/url", {"url": url})

    def run(self, script, *arguments):
        """What the script's `return` says."""
        return self._call("POST", self.session + "/execute/sync",
                          {"script": script, "args": list(arguments)})

    def text(self, selector):
        """Of the element, as it is shown; "" where there is none."""
        return self.run("return document.querySelector(arguments[0])"
                        "?.innerText ?? ''", selector)

    def wait_until(self, script, *arguments, seconds=SECONDS):
        """Until the expression is true; its value."""
        return wait_for(f"{script} {arguments}: {self.text('body')}",
                        lambda: self.run("return " + script, *arguments),
                        seconds)

    def wait_text(self, selector, text, seconds=SECONDS):
        self.wait_until("document.querySelector(arguments[0])?.innerText"
                        ".includes(arguments[1])", selector, text,
                        seconds=seconds)

    def type(self, keys):
        """Into whatever has the focus."""
        self._call("POST", self.session + "/actions", {"actions": [{
            "type": "key", "id": "keyboard",
            "actions": [{"type": kind, "value": key} for key in keys
                        for kind in ("keyDown", "keyUp")]}]})

    def picture(self, path, height=None):
        """Of the page to its end, or of its first `height` pixels."""
        height = height or self.run(
            "return document.documentElement.scrollHeight")
        taken = self.command(
            "Page.captureScreenshot", captureBeyondViewport=True,
            clip={"x": 0, "y": 0, "width": self.width, "height": height,
                  "scale": 1})
        path.write_bytes(base64.b64decode(taken["data"]))

    def messages(self):
        """What its console has said since it was started, but of pages of its
        own."""
        self.said += [entry["message"] for entry in self._call(
            "POST", self.session + "/se/log", {"type": "browser"})
            if not entry["message"].startswith("chrome://")]
        return self.said

    def requests(self):
        """The addresses it has asked for since it was started."""
        for entry in self._call("POST", self.session + "/se/log",
                                {"type": "performance"}):
            message = json.loads(entry["message"])["message"]
            url = message["params"].get("request", {}).get("url", "")
            if message["method"] == "Network.requestWillBeSent" and \
                    not url.startswith("chrome://"):
                self.requested.append(url)
        return self.requested

    def close(self):
        if self.session:
            self._call("DELETE", self.session)
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
