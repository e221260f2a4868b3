"""./start: what it prints works as printed."""
import os
import pathlib
import re
import signal
import subprocess
import threading
import http.server

import pytest

from gateway import ROOT, wait_for


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"the page\n")

    def log_message(self, *arguments):
        pass


@pytest.fixture
def page(lab):
    """A page on the gateway's own loopback; its URL."""
    with lab.gateway.network.inside():
        server = http.server.HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield "http://127.0.0.1:%d/" % server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def start(lab, out, *arguments):
    with open(out, "wb") as file:
        return lab.gateway.popen([str(ROOT / "start"), *arguments],
                                 stdin=subprocess.DEVNULL, stdout=file,
                                 stderr=file, start_new_session=True)


def printed_line(process, out):
    """The command it prints, once the gateway behind it is ready."""
    def line():
        text = pathlib.Path(out).read_text()
        assert process.poll() is None, text
        found = re.search(r"^ *(curl .*)$", text, re.M)
        return found and "event=ready" in text and found[1]
    return wait_for("the line to try", line, 60)


@pytest.mark.parametrize("arguments", [
    [], ["-l", "127.0.0.1:1081"], ["-l", "0.0.0.0:1082"]],
    ids=["default", "another port", "wildcard"])
@pytest.mark.parametrize("variables", [
    {}, {"no_proxy": "*", "http_proxy": "http://127.0.0.1:1/"}],
    ids=["clean", "proxy variables"])
def test_the_printed_line_works_with_only_its_url_replaced(
        lab, page, tmp_path, arguments, variables):
    if "0.0.0.0:1082" in arguments:
        config = tmp_path / "gw.yaml"
        config.write_text(
            'listen: [{address: "0.0.0.0:1082", insecure_plaintext: true}]\n'
            "rules: [{action: allow, from: [any], to: [loopback]}]\n")
        arguments = ["-c", str(config)]
    out = tmp_path / "out"
    process = start(lab, out, *arguments)
    line = printed_line(process, out)
    replaced = line.replace("http://example.com/", page)
    assert replaced != line
    got = lab.gateway.run(["/bin/bash", "-c", replaced], capture_output=True,
                          env={**os.environ, **variables})
    assert got.stdout == b"the page\n"
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(20) == 0
    assert '"here"' in out.read_text() or "rule-1" in out.read_text()


def test_a_port_that_is_taken_is_named_with_the_remedy(lab, tmp_path):
    lab.gateway.listen("127.0.0.1", 1080)
    out = tmp_path / "out"
    process = start(lab, out)
    assert process.wait(60) == 1
    assert "./start -l 127.0.0.1:1081" in out.read_text().replace(
        str(ROOT), ".")


def test_the_remedy_keeps_the_gateway_that_the_stub_goes_through(lab,
                                                                 tmp_path):
    lab.gateway.listen("127.0.0.1", 1080)
    out = tmp_path / "out"
    process = start(lab, out, "--to", "10.2.0.2:1080")
    assert process.wait(60) == 1
    assert "./start --to 10.2.0.2:1080 -l 127.0.0.1:1081" in \
        out.read_text().replace(str(ROOT), ".")


def test_a_port_of_a_file_that_is_taken_is_changed_in_the_file(lab, tmp_path):
    lab.gateway.listen("127.0.0.1", 1082)
    config = tmp_path / "gw.yaml"
    config.write_text("listen: [{address: 127.0.0.1:1082}]\n")
    out = tmp_path / "out"
    process = start(lab, out, "-c", str(config))
    assert process.wait(60) == 1
    text = out.read_text()
    assert "127.0.0.1:1082" in text and "under listen:" in text
    assert "-l " not in text


def test_its_arguments_are_passed_on(lab, tmp_path):
    out = tmp_path / "out"
    process = start(lab, out, "-T")
    assert process.wait(60) == 0
    text = out.read_text()
    assert "listen:" in text and "curl" not in text
