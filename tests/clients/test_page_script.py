"""The script of the page, in a browser: what the gateway says is made up."""
import math
import os
import pathlib
import random
import time

import pytest

from browser import Browser
from page_script import PageScript, event, row

HOSTILE = ['<img src=x onerror="document.title=1">', "\u202egnp.exe",
           "a\r\nb\x07\x9b31m", "</td><script>document.title=1</script>",
           "x" * 1000, "__proto__", "&lt;b&gt;"]


@pytest.fixture(scope="module")
def browser_network():
    from lab import Lab
    made = Lab()
    yield made
    made.close()


@pytest.fixture(scope="module")
def browser(browser_network):
    made = Browser(browser_network.gateway)
    yield made
    made.close()


@pytest.fixture
def script(browser_network, browser):
    made = PageScript(browser_network.gateway)
    browser.look(1280, 900)
    yield made
    browser.open("about:blank")
    made.close()


URL = "http://127.0.0.1:9180/"


def quiet(browser):
    """No complaint, and no request of anything else."""
    assert browser.messages() == []
    foreign = [url for url in browser.requests()
               if not url.startswith(URL) and url != "about:blank"]
    assert foreign == []


def rows(browser, table="#sessions-table"):
    return browser.run("return [...document.querySelectorAll(arguments[0] +"
                       " ' tbody tr')].map(row => [...row.cells].map(cell =>"
                       " cell.textContent))", table)


def test_the_page_shows_what_sessions_there_are(script, browser):
    script.says = event([row(1), row(2, userid="john", state="listen")])
    browser.open(URL)
    browser.wait_text("#sessions-table", "john")
    assert browser.text("#sessions-count") == "2"
    script.says = event([row(2, userid="john", state="listen")])
    browser.wait_until("!document.querySelector('#sessions-table').innerText"
                       ".includes('mary')")
    script.says = event([])
    browser.wait_text("#sessions-table", "No session now")
    quiet(browser)


@pytest.mark.parametrize("width", (375, 1280))
@pytest.mark.parametrize("dark", (False, True))
def test_what_clients_say_is_text(script, browser, width, dark):
    """USERIDs, names, names of certificates, hints: no markup, no octet that
    turns the line around, and nothing that makes the page wider."""
    sessions = [row(n, userid=said, dest=said, name=said, rule=said,
                    state=said, client=said)
                for n, said in enumerate(HOSTILE)]
    sessions += [row(n + 50, certificate=said)
                 for n, said in enumerate(HOSTILE)]
    script.says = event(
        sessions, host=HOSTILE[0],
        ended=[row(n + 90, time=1.0, verdict=said, hint=said, end="fin",
                   client=said, dest=said)
               for n, said in enumerate(HOSTILE)],
        refusals=[{"verdict": said, "recent": 1, "total": 2}
                  for said in HOSTILE],
        limits=[{"limit": said, "used": 1, "most": 2} for said in HOSTILE],
        workers=[{"worker": n, "state": said, "sessions": 1, "restarts": 0}
                 for n, said in enumerate(HOSTILE)],
        parents=[{"parent": said, "address": said, "state": said}
                 for said in HOSTILE],
        certificates=[{"of": said, "file": said, "days": 3}
                      for said in HOSTILE],
        error=HOSTILE[0])
    browser.look(width, 900, dark)
    browser.open(URL)
    browser.wait_until("document.querySelectorAll('#sessions-table tbody tr')"
                       ".length == 14")
    shown = browser.text("body")
    assert "<img src=x onerror" in shown and "\\x202egnp.exe" in shown
    assert "\u202e" not in shown and "\x9b" not in shown
    assert browser.run("return document.querySelectorAll('main img,"
                       " main script, main b b').length") == 0
    assert browser.run("return document.title") != "1"
    assert browser.run("return document.documentElement.scrollWidth") <= width
    quiet(browser)


def test_at_most_200_of_50000_sessions_are_rows(script, browser):
    many = [row(n) for n in range(200)]
    script.says = event(many, total=50000, more=49800, sessions={
        "live": 50000, "states": {"relay": 49000, "request": 1000}})
    browser.open(URL)
    browser.wait_text("#sessions-more", "49\u202f800 more")
    assert len(rows(browser)) == 200
    assert "49\u202f000 relay" in browser.text("#sessions-states")
    quiet(browser)


def test_the_filter_is_the_gateways(script, browser):
    """Its words are sent as they are, and what the gateway says of them is
    said; the address of the page has them."""
    def says(words):
        if words == "clint=x":
            return event([], error='unknown word "clint"')
        return event([row(1), row(2)] if words == "" else [row(2)],
                     total=1)
    script.says = says
    browser.open(URL)
    browser.wait_until("document.querySelectorAll('#sessions-table tbody tr')"
                       ".length == 2")
    browser.run("document.activeElement.blur()")
    browser.type("/rule=web up>5&x=1")
    browser.wait_until("document.querySelectorAll('#sessions-table tbody tr')"
                       ".length == 1")
    assert script.filters[-1] == "rule=web up>5&x=1"
    browser.open("about:blank")
    browser.open(URL + "#clint%3Dx")
    browser.wait_text("#filter-error", 'unknown word "clint"')
    assert browser.run("return document.querySelector('#filter').value"
                       ) == "clint=x"
    assert "has an error" in browser.text("#sessions-table")
    browser.run("document.querySelector('#filter').focus()")
    browser.type(["\ue00c"])  # Escape
    browser.wait_until("document.querySelectorAll('#sessions-table tbody tr')"
                       ".length == 2")
    assert browser.run("return document.querySelector('#filter-error').hidden")
    quiet(browser)


def test_a_gateway_that_says_nothing_is_lost_and_comes_back(script, browser):
    script.says = event([row(1)])
    browser.open(URL)
    browser.wait_text("#state", "serving")
    script.silent = True
    browser.wait_text("#notice", "Connection to the gateway lost")
    assert browser.text("#state").strip() == "lost"
    assert browser.run("return document.title").startswith("lost")
    assert "mary" in browser.text("#sessions-table")
    script.silent = False
    browser.wait_text("#state", "serving")
    assert browser.run("return document.querySelector('#notice').hidden")
    quiet(browser)


def test_every_control_is_reached_by_keys_and_has_a_name(script, browser):
    script.says = event([row(1), row(2, down=5, age=1)])
    browser.open(URL)
    browser.wait_text("#sessions-table", "mary")
    browser.run("document.activeElement.blur()")
    names = []
    for _ in range(40):
        browser.type(["\ue004"])  # Tab
        names.append(browser.run(
            "const one = document.activeElement; return one === document.body"
            " ? null : (one.getAttribute('aria-label') ||"
            " document.getElementById(one.getAttribute('aria-labelledby'))"
            "?.innerText || one.labels?.[0]?.innerText || one.innerText)"))
        if names[-1] is None:
            break
    assert names[-1] is None and all(names[:-1]), names
    for expected in ("10 minutes", "Filter", "Hold", "Age", "Destination",
                     "Sessions: point in time", "/metrics"):
        assert expected in names, names
    # Sorted by a key, and back.
    browser.run("document.querySelectorAll('#sessions-table button')[8]"
                ".focus()")
    browser.type(["\ue007"])  # Enter
    assert [line[0] for line in rows(browser)] == ["1", "2"]
    browser.type(["\ue007"])
    assert [line[0] for line in rows(browser)] == ["2", "1"]
    # A plot is looked at by its keys.
    browser.run("document.querySelector('.canvas').focus()")
    browser.type(["\ue012"] * 3)  # ArrowLeft
    assert browser.run("return document.querySelector('.canvas')"
                       ".getAttribute('aria-valuenow')") == "596"
    quiet(browser)


def test_held_rows_stay(script, browser):
    script.says = event([row(1)])
    browser.open(URL)
    browser.wait_text("#sessions-table", "mary")
    browser.run("document.querySelector('#hold').click()")
    script.says = event([row(2, userid="john")], uptime=99)
    browser.wait_text("#uptime", "1:39")
    assert "mary" in browser.text("#sessions-table")
    browser.run("document.querySelector('#hold').click()")
    browser.wait_text("#sessions-table", "john")
    quiet(browser)


# --- the pictures of the documents -------------------------------------------

PICTURES = os.environ.get("SOCKS4_PICTURES")  # a folder: they are made anew


def past(points, dice, calm):
    """An office's afternoon: what is plotted."""
    made = []
    sessions = 41.0
    for n in range(points):
        hour = math.sin(n / points * 5.2 + .4)
        sessions += (42 + 12 * hour - sessions) * .08 + dice.gauss(0, calm)
        burst = 14e6 if .52 < n / points < .57 else 0
        p50 = .0045 + dice.random() * .0015
        made.append([round(sessions), max(0, round(dice.gauss(6, 1.6) + 2 * hour)),
                     round(dice.gauss(2.1e5, 1.5e4) + burst / 40),
                     round(dice.gauss(3.4e6, 2e5) * (1 + .2 * hour) + burst),
                     p50, p50 * dice.gauss(5, .35)])
    return made


def office(dice):
    """Who is there: rules and servers as in dist/examples."""
    servers = [("terminals", "192.0.2.40:992", "as400.example"),
               ("ftp", "198.51.100.21:21", "-"),
               ("web", "203.0.113.80:443", "updates.example"),
               ("irc", "198.51.100.67:6667", "irc.example"),
               ("web", "203.0.113.12:80", "-")]
    for n in range(41):
        rule, dest, name = servers[dice.randrange(5)]
        state = dice.choice(["relay"] * 9 + ["connect", "half-closed"])
        moves = state == "relay" and dice.random() < .6
        if n in (2, 9):
            rule, dest, name, state, moves = "-", "-", "-", "request", False
        if n == 5:
            rule, dest, name, state = "ftp", "198.51.100.21:20", "-", "listen"
        yield row(
            48200 - 3 * n,
            client=f"192.168.20.{dice.randrange(10, 240)}:"
                   f"{dice.randrange(1025, 65000)}",
            userid=dice.choice(["QSECOFR", "mary", "john", "", "operator"]),
            rule=rule, dest=dest, name=name, state=state,
            age=n * dice.uniform(1, 30) + n * n,
            up=int(dice.lognormvariate(8, 2)) if rule != "-" else 9,
            down=int(dice.lognormvariate(11, 3)) if rule != "-" else 0,
            rate_up=int(dice.lognormvariate(6, 1)) if moves else 0,
            rate_down=int(dice.lognormvariate(8, 2)) if moves else 0)


def afternoon():
    dice = random.Random(4)
    sessions = list(office(dice))
    states = {}
    for session in sessions:
        states[session["state"]] = states.get(session["state"], 0) + 1
    ends = [("granted", "-"), ("granted", "-"),
            ("denied-by-rule", "-"), ("granted", "-"),
            ("not-socks4", "looks like SOCKS5"), ("granted", "-"),
            ("socks4a-off", "the listener's socks4a: true would allow it"),
            ("granted", "-"), ("connect-timeout", "-"), ("granted", "-")]
    ended = []
    for n, (verdict, hint) in enumerate(reversed(ends)):
        seen = dict(sessions[10 + n], id=48100 + n, time=time.time() - 20 + 2 * n,
                    verdict=verdict, hint=hint, end="fin")
        if verdict == "not-socks4":
            seen |= {"dest": "-", "name": "-", "up": 3, "down": 0}
        elif verdict != "granted":
            seen |= {"up": 14, "down": 8}
        ended.append(seen)
    return event(
        sessions, ended=ended, host="gw.office.example", uptime=1055532,
        sessions={"live": len(sessions), "states": states},
        refusals=[{"verdict": verdict, "recent": recent, "total": total}
                  for verdict, recent, total in (
                      ("denied-by-rule", 212, 18304), ("not-socks4", 97, 5210),
                      ("connect-timeout", 31, 2877), ("socks4a-off", 12, 340),
                      ("limits.per_source.pending", 0, 3))],
        limits=[{"limit": "sessions", "used": 41, "most": 18000},
                {"limit": "pending", "used": 5, "most": 4500},
                {"limit": "memory", "octets": True, "used": 1_310_720,
                 "most": 442_368_000},
                {"limit": "descriptors", "used": 16_460, "most": 20_000},
                {"limit": "pipes", "used": 12, "most": 200}],
        workers=[{"worker": 0, "state": "accepting", "sessions": 21,
                  "restarts": 0},
                 {"worker": 1, "state": "accepting", "sessions": 20,
                  "restarts": 1}],
        parents=[{"parent": "hq", "address": "gw.hq.example:1443",
                  "state": "up"},
                 {"parent": "backup", "address": "203.0.113.9:1443",
                  "state": "down"}],
        certificates=[{"of": "listener inside", "file": "gw.pem",
                       "days": 61},
                      {"of": "parent hq", "file": "office.pem",
                       "days": 6}])


def test_the_pictures_of_the_documents(script, browser, tmp_path):
    """As wide as a desk's screen and a phone's, light and dark. The figures
    are made up, so that the pictures show an afternoon and not a test."""
    dice = random.Random(7)
    folder = pathlib.Path(PICTURES or tmp_path)
    script.past = {"seconds": past(600, dice, .5), "minutes": past(1440, dice, 1)}
    script.says = afternoon() | {"point": script.past["seconds"][-1]}
    script.says["point"][0] = 41
    for name, width, dark in (("page", 1280, False), ("page-dark", 1280, True),
                              ("page-narrow", 375, True)):
        browser.open("about:blank")
        browser.look(width, 900, dark)
        browser.open(URL)
        browser.wait_text("#certificates-table", "61 days")
        browser.wait_until("document.querySelector('.plot .first')"
                           ".getAttribute('d').length > 1000")
        assert browser.run(
            "return document.documentElement.scrollWidth") <= width
        browser.picture(folder / f"{name}.png",
                        None if width > 500 else 1560)
        assert (folder / f"{name}.png").stat().st_size > 20000
    quiet(browser)
