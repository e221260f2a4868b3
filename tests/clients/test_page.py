"""The page of a gateway that runs, in a browser and without one."""
import collections
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import time

import pytest

import control
import lab as places
import metrics
import reloads
from browser import Browser
from certificates import Authority
from control import folder, next_observer, observer  # noqa: F401
from gateway import BINARY, wait_for
from starts import copied
from upgrades import upgraded

PORT = 9180
URL = f"http://{places.INSIDE}:{PORT}/"
HOSTILE = b'<img src=x onerror="document.title=1">\x9b31m'


@pytest.fixture
def start(start_gateway):
    """A gateway with the page on its inner leg."""
    def begin(**settings):
        gateway = start_gateway(
            observe=f"{{address: '{places.INSIDE}:{PORT}'}}", **settings)
        wait_for("the page", lambda: gateway.lab.gateway.listens(PORT))
        return gateway
    return begin


@pytest.fixture
def open_page(lab):
    """A browser on the client's machine, at that page. Without a route it
    waits for no answer of the Internet when it starts."""
    opened = []
    lab.client.ip("route delete default")

    def begin(fragment=""):
        browser = Browser(lab.client)
        opened.append(browser)
        browser.open(URL + fragment)
        browser.wait_text("#state", "serving")
        return browser
    yield begin
    for browser in opened:
        foreign = [url for url in browser.requests()
                   if not url.startswith(URL)]
        complaints = browser.messages()
        browser.close()
        assert foreign == [] and complaints == []


@contextlib.contextmanager
def asked(lab, path, method="GET"):
    """The answer, of which nothing is read yet."""
    connection = http.client.HTTPConnection(places.INSIDE, PORT,
                                            timeout=places.TIMEOUT)
    with contextlib.closing(connection), lab.client.network.inside():
        connection.request(method, path)
        yield connection.getresponse()


class Events:
    """Reads /events as a browser does."""

    def __init__(self, lab, words=""):
        self.sock = lab.client.connect((places.INSIDE, PORT))
        self.sock.sendall(f"GET /events?filter={words} HTTP/1.1\r\n"
                          "Host: gw\r\n\r\n".encode())
        self.answer = http.client.HTTPResponse(self.sock)
        self.answer.begin()
        assert self.answer.status == 200, self.answer.status

    def next(self):
        while True:
            line = self.answer.readline()
            assert line, "the stream ended"
            if line.startswith(b"data: "):
                return json.loads(line[6:])

    def until(self, what, is_it):
        return wait_for(what, lambda: (lambda one: is_it(one) and one)(
            self.next()))

    def close(self):
        self.answer.close()
        self.sock.close()


def within_3_s(browser, expression, since):
    """When the browser sees it, at most 3 s after `since`; a machine that is
    busy has a second chance where the test is called again."""
    browser.wait_until(expression)
    return time.monotonic() - since


HAS = ("document.querySelector('#sessions-table').innerText"
       ".includes('%s') === %s")


def test_rows_come_and_go_within_3_s(start, open_page):
    gateway = start()
    browser = open_page()
    taken = []
    for _ in range(5):
        began = time.monotonic()
        client, server = gateway.open(userid=b"mary")
        came = within_3_s(browser, HAS % ("mary", "true"), began)
        ended = time.monotonic()
        client.sock.close()
        server.close()
        taken = [came, within_3_s(browser, HAS % ("mary", "false"), ended)]
        if max(taken) < 3:
            break
    assert max(taken) < 3, taken
    browser.wait_text("#lately-table", "granted")


def test_what_a_client_says_is_text(start, open_page):
    """A USERID that is markup, with an octet that terminals obey."""
    gateway = start()
    browser = open_page()
    gateway.open(userid=HOSTILE)
    browser.wait_text("#sessions-table", r"<img src=x")
    cell = browser.run("return [...document.querySelectorAll('td')].find("
                       "cell => cell.title.includes('<img'))")
    assert cell is not None
    assert browser.run("return document.querySelector('td[data-column=userid]')"
                       ".title") == HOSTILE.decode("latin-1").replace(
                           "\x9b", r"\x9b")
    assert browser.run("return document.images.length") == 0
    assert browser.run("return document.title") != "1"


def test_the_filter_is_that_of_socks4ctl(start, open_page):
    gateway = start()
    sessions = [gateway.open(userid=name) for name in (b"mary", b"john")]
    browser = open_page("#userid%3Dmary")
    browser.wait_text("#sessions-table", "mary")
    assert "john" not in browser.text("#sessions-table")
    assert browser.text("#sessions-count") == "2"
    browser.run("const box = document.querySelector('#filter'); box.value ="
                " 'usrid=mary'; box.dispatchEvent(new Event('input'))")
    browser.wait_text("#filter-error", "usrid")
    assert len(sessions) == 2


def test_a_refusal_is_shown_with_its_reason_and_hint(start, open_page):
    gateway = start()
    browser = open_page()
    browser.wait_text("#lately-table", "No session has ended")
    client = gateway.client()
    client.sock.sendall(b"\x05\x01\x00")
    browser.wait_text("#lately-table", "looks like SOCKS5")
    browser.wait_text("#refusals-table", "not-socks4")
    cells = browser.run("return [...document.querySelectorAll("
                        "'#refusals-table tbody td')].map(c => c.innerText)")
    assert [cell.strip() for cell in cells] == ["not-socks4", "1", "1"]


def test_narrow_and_dark(start, open_page):
    gateway = start()
    gateway.open(userid=b"m" * 255)
    browser = open_page()
    browser.look(375, 812, dark=True)
    browser.wait_text("#sessions-table", "mmm")
    assert browser.run("return document.documentElement.scrollWidth") <= 375
    assert browser.run("return getComputedStyle(document.body)"
                       ".backgroundColor") == "rgb(18, 21, 22)"


def test_the_page_comes_back_when_its_process_was_killed(start, open_page):
    gateway = start()
    client, server = gateway.open(userid=b"mary")
    browser = open_page()
    browser.wait_text("#sessions-table", "mary")
    before = observer(gateway)
    with gateway.unwatched():  # until the browser has been looked at
        before.freeze()
        browser.wait_text("#notice", "Connection to the gateway lost")
        assert browser.text("#state").strip() == "lost"
    browser.wait_text("#state", "serving")  # pings end a hung one
    assert observer(gateway).pid != before.pid
    browser.wait_text("#sessions-table", "mary")
    client.sock.sendall(b"ping")
    assert server.recv(4) == b"ping"
    # That nobody answered for a moment is what the browser complains of.
    del browser.messages()[:]


def plotted(lab):
    """Connections that the plot has, or None where nobody answers."""
    try:
        with asked(lab, "/history") as answer:
            if answer.status == 200:
                points = json.loads(answer.read())["seconds"]
                return sum(point[1] for point in points if point[1])
    except OSError:
        return None


def test_the_plots_outlive_the_process_that_serves_them(start, lab,
                                                        open_folder):
    """Killed, and replaced by that of another binary."""
    gateway = start(binary=copied(BINARY, open_folder))
    for _ in range(3):
        gateway.client().sock.sendall(b"\x05\x01\x00")
    wait_for("them", lambda: plotted(lab) == 3)
    killed = observer(gateway).pid
    os.kill(killed, signal.SIGKILL)
    next_observer(gateway, killed)
    served(gateway, 0)
    # What came between is spread over the seconds that are not known.
    wait_for("all of them", lambda: 3 < (plotted(lab) or 0) <= 4)
    before = wait_for("the plot", lambda: plotted(lab))
    upgraded(gateway)
    wait_for("the plot again", lambda: plotted(lab) == before)
    with contextlib.closing(Events(lab)) as events:
        assert events.next()["refusals"] == [
            {"verdict": "not-socks4", "recent": 3, "total": 3}]


def test_only_the_page_may_say_what_the_browser_loads(start, lab):
    start()
    for path, kind in (("/", "text/html"), ("/page.js", "text/javascript"),
                       ("/page.css", "text/css"), ("/icon.svg", "image/svg"),
                       ("/history", "application/json"),
                       ("/events", "text/event-stream")):
        with asked(lab, path) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith(kind)
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none';")
            assert "unsafe" not in policy and "http" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_no_name_of_somebody_elses_leads_a_browser_here(start, lab):
    """His scripts would read what the page says, by whoever visits him."""
    start()

    def status(path, host):
        return metrics.get(lab.client, path, "HEAD", Host=host,
                           at=(places.INSIDE, PORT))[0]
    for path in "/", "/page.js", "/history", "/events":
        for host in "evil.example", f"127.0.0.1.evil.example:{PORT}":
            assert status(path, host) == 421, (path, host)
        for host in (f"{places.INSIDE}:{PORT}", f"[fd00::1]:{PORT}",
                     "localhost", f"gw:{PORT}", socket.gethostname()):
            assert status(path, host) == 200, (path, host)
    for path in "/metrics", "/health":
        assert status(path, "gw.example") == 200


RULES = ("[{name: not-there, action: deny, from: [any], to: [%s]},"
         " {name: all, action: allow, from: [any], to: [any]}]"
         % places.SERVER2)


def served(gateway, number):
    """A session that moves octets each way, and ends."""
    client, server = gateway.open()
    client.sock.sendall(b"x" * 1000 * (number + 1))
    server.sendall(b"y" * 5000)
    wait_for("the octets", lambda: gateway.has_read(client))
    client.sock.close()
    server.close()


def refused_for_every_reason(gateway, path):
    """No request; one that a rule denies, and one that nobody listens to; one
    that an operator ends. What they are called."""
    for _ in range(3):
        gateway.client().sock.sendall(b"\x05\x01\x00")
    for address in ((places.SERVER2, 80), (places.SERVER, 9)):
        client = gateway.client()
        client.ask(address)
        assert client.reply().cd == 91
    waits = gateway.client()
    waits.ask((places.SILENT, 80))
    wait_for("it", lambda: control.ask(path, "sessions",
                                       "state=connect")["total"] == 1)
    assert control.ask(path, "kill", "state=connect")["killed"] == 1
    assert waits.reply().cd == 91
    return {"not-socks4": 3, "denied-by-rule": 1, "connect-refused": 1,
            "operator": 1}


def lost_with_its_worker(gateway, path):
    client, server = gateway.open()
    client.gone = True
    row, = wait_for("it", lambda: control.ask(
        path, "sessions", "state=relay")["rows"])
    gateway.keeps_table, gateway.may_lose = True, 1
    victim = next(process["pid"] for process in control.ask(
        path, "status")["processes"] if process["worker"] == row["worker"])
    os.kill(victim, signal.SIGKILL)
    server.close()
    wait_for("its line", lambda: reloads.events(gateway, "session_lost"))


def test_the_figures_are_those_of_the_records(start, lab, folder):
    """The page, the metrics, socks4ctl and the records say the same of what was
    granted, refused, relayed, killed and lost."""
    path = folder / "control"
    gateway = start(control=f"{{socket: '{path}'}}", rules=RULES)
    events = Events(lab)
    for number in range(7):
        served(gateway, number)
    refused = refused_for_every_reason(gateway, path)
    killed, server = gateway.open()
    killed.gone = True
    wait_for("it", lambda: control.ask(path, "kill",
                                       "state=relay")["killed"] == 1)
    server.close()
    wait_for("all records", lambda: len(gateway.records()) == 14)
    lost_with_its_worker(gateway, path)

    records = collections.Counter(r["verdict"] for r in gateway.records())
    assert records == {"granted": 8, **refused}
    ended_by = collections.Counter(r["ended_by"] for r in gateway.records())
    assert ended_by["operator"] == 2
    says = events.until("all of them", lambda one: (
        one["sessions"]["live"] == 0 and sum(
            row["restarts"] for row in one["workers"]) == 1))
    assert {row["verdict"]: (row["recent"], row["total"])
            for row in says["refusals"]} == {
                reason: (count, count) for reason, count in refused.items()}
    assert says["rows"] == [] and says["total"] == says["more"] == 0

    at = (places.INSIDE, PORT)
    found = metrics.samples(metrics.get(lab.client, "/metrics", at=at)[2])
    assert metrics.total(found, "sessions_live") == 0
    for verdict, count in records.items():
        assert metrics.total(found, "sessions_total",
                             verdict=verdict) == count, verdict
    assert metrics.total(found, "sessions_total") == len(gateway.records())
    assert metrics.total(found, "sessions_lost_total") == len(
        reloads.events(gateway, "session_lost")) == 1
    assert metrics.total(found, "worker_restarts_total") == 1
    for limit in says["limits"]:
        assert limit["most"] == metrics.total(found, "limit",
                                              limit=limit["limit"])

    status = control.ask(path, "status")
    assert not any(status["sessions"].values()), status
    assert (status["granted"], status["refused"], status["early"],
            status["limited"], status["lost"]) == (
                8, sum(refused.values()) - 3, 3, 0, 1)
    up, down = (sum(r[way] for r in gateway.records()) for way in ("up", "down"))
    assert (status["up"], status["down"]) == (up, down) == (28000, 35000)
    assert sum(row["started"] for row in status["processes"]) == 3
    assert sum(line["sessions"] for line in reloads.events(
        gateway, "operator")) == ended_by["operator"]

    # A second later everything is in the plots.
    events.next()
    with asked(lab, "/history") as answer:
        points = json.loads(answer.read())["seconds"]
    plotted = [sum(point[column] for point in points if point[column])
               for column in (1, 2, 3)]
    assert plotted == [len(gateway.records()) + 1, up, down]
    for way, count in (("up", up), ("down", down)):
        assert metrics.total(found, "octets_total", direction=way) == count


def test_rows_are_live(start, lab):
    """Octets and rates of sessions that have not ended."""
    gateway = start()
    events = Events(lab)
    client, server = gateway.open(userid=b"mary")
    client.sock.sendall(b"x" * 1234)
    row = events.until("its octets", lambda one: one["rows"]
                       and one["rows"][0]["up"] == 1234)["rows"][0]
    assert row["userid"] == "mary" and row["state"] == "relay"
    assert row["dest"] == "%s:%d" % server.getsockname()[:2]
    assert row["rule"] == "all" and row["age"] >= 0


def test_a_reader_that_never_reads_costs_one_object(start, lab):
    """Its kernel takes what it takes; behind that one object waits, and no
    session notices."""
    gateway = start()
    sessions = [gateway.open(userid=b"u" * 255) for _ in range(220)]
    deaf = [lab.client.connect((places.INSIDE, PORT), receive_buffer=4096)
            for _ in range(7)]
    for sock in deaf:
        sock.sendall(b"GET /events HTTP/1.1\r\nHost: gw\r\n\r\n")
    events = Events(lab)
    first = events.until("200 rows", lambda one: len(one["rows"]) == 200)
    assert first["more"] == 20 and first["total"] == 220
    before = observer(gateway).anonymous_kb()
    for _ in range(8):
        events.next()
    if not gateway.is_sanitized:
        assert observer(gateway).anonymous_kb() < before + 16 * 1024
    client, server = sessions[0]
    client.sock.sendall(b"ping")
    assert server.recv(4) == b"ping"
    # They are cut off, and leave their places to others.
    full = observer(gateway).descriptors()
    wait_for("the places", lambda: (
        events.next() and observer(gateway).descriptors() <= full - 7), 30)


def test_eight_pages_are_served(start, lab):
    gateway = start()
    gateway.open()
    open_ones = [Events(lab) for _ in range(8)]
    with asked(lab, "/events") as answer:
        assert answer.status == 503
        assert answer.read() == b"Eight pages are open already: close one.\n"
    for events in open_ones:
        assert events.next()["sessions"]["live"] == 1
    open_ones[0].close()
    wait_for("a place", lambda: _is_served(lab))


def _is_served(lab):
    with asked(lab, "/events") as answer:
        return answer.status == 200


def test_a_worker_that_was_killed_is_counted(start, lab):
    gateway = start()
    events = Events(lab)
    os.kill(gateway.workers()[0].pid, signal.SIGKILL)
    says = events.until("another worker", lambda one: sum(
        row["restarts"] for row in one["workers"]) == 1)
    assert len(says["workers"]) == 2


def test_a_page_is_told_once_of_what_ended_since_it_was_opened(start, lab):
    gateway = start()
    events = Events(lab)
    client, server = gateway.open()
    events.until("it", lambda one: one["rows"])
    client.sock.close()
    server.close()
    ended = events.until("its end", lambda one: one["ended"])["ended"]
    assert ended[0]["verdict"] == "granted" and ended[0]["time"] > 1.7e9
    assert events.next()["ended"] == []
    events.close()
    again = Events(lab)
    assert again.next()["ended"] == []


def test_a_long_filter_is_refused(start, lab):
    start()
    with contextlib.closing(Events(lab, "x" * 500)) as events:
        said = events.next()
        assert re.search("more than 400 octets", said["error"])
        assert said["rows"] == []


def test_pages_with_the_same_filter_have_the_same_rows(start, lab):
    """One asks for the rows of both; when it goes the other one asks."""
    gateway = start()
    gateway.open(userid=b"mary")
    for _ in range(3):
        first, second = Events(lab, "userid=mary"), Events(lab, "userid=mary")
        first.close()
        assert len(second.next()["rows"]) == 1
        second.close()


def test_parents_and_certificates_are_shown(start, lab, tmp_path):
    """A parent that refuses connections is down; a certificate has the days
    that are left to it."""
    Authority(tmp_path / "ca").issue("gw").place(tmp_path)
    tls = f"{{certificate: {tmp_path}/gw.pem, key: {tmp_path}/gw.key}}"
    gateway = start(
        listen=f"[{{address: '{places.INSIDE}:1080', name: inside,"
               " insecure_plaintext: true},"
               f" {{address: '{places.INSIDE}:1443', name: outside,"
               f" tls: {tls}}}]",
        parents=f"[{{name: hq, address: '{places.SERVER}:1',"
                " insecure_plaintext: true}]",
        rules="[{name: all, action: allow, from: [any], to: [any],"
              " via: [hq]}]")
    events = Events(lab)
    says = events.next()
    assert says["parents"] == [{"parent": "hq", "state": "up",
                                "address": f"{places.SERVER}:1"}]
    certificate, = says["certificates"]
    assert certificate["of"] == "listener outside"
    assert certificate["file"] == f"{tmp_path}/gw.pem"
    assert certificate["days"] in (89, 90)
    client = gateway.client()
    client.ask((places.SERVER, 80), b"")
    assert client.reply().cd == 91
    events.until("it to be down",
                 lambda one: one["parents"][0]["state"] == "down")
