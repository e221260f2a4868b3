"""The command line: what it takes, says and exits with. No network."""
import json
import os
import pathlib
import re
import resource
import socket
import subprocess

import pytest

from gateway import BINARY, ROOT

CONFIG = """\
listen:
  - {address: 127.0.0.1:1080, name: inner}
  - {address: 0.0.0.0:1081, name: outer, insecure_plaintext: true}
sets: {office: [192.168.20.0/24]}
rules:
  - {name: guests, action: deny, from: [192.168.20.128/25], to: [any]}
  - {name: ftp, action: allow, from: [office], to: [public], port: [21],
     user: [mary, "adm*"]}
  - {action: allow, from: [loopback], listener: [outer], to: [any, loopback]}
  - {name: back, action: allow, command: [bind], from: [any], to: [any]}
"""


@pytest.fixture(scope="module", autouse=True)
def loopback():
    """Without any interface the kernel takes every address for local."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def run(*arguments, **options):
    return subprocess.run([BINARY, *arguments], capture_output=True,
                          text=True, timeout=60, stdin=subprocess.DEVNULL,
                          **options)


@pytest.fixture
def config(tmp_path):
    (tmp_path / "gw.yaml").write_text(CONFIG)
    return tmp_path


@pytest.mark.feature
@pytest.mark.parametrize("arguments, sentence", [
    (["--frobnicate"], "unknown option --frobnicate"),
    (["-x"], "unknown option -x"),
    (["-tx"], "unknown option -x"),
    (["-c"], "-c wants a value"),
    (["-tl"], "-l wants a value"),
    (["-c", "a", "-c", "b"], "-c is given twice"),
    (["-t", "-T"], "-t and -T exclude each other"),
    (["gw.yaml"], 'unexpected "gw.yaml"'),
    (["-l", "127.0.0.1:1080"] * 33, None),
    (["-l", "127.0.0.1:1080"] * 65, "-l: at most 64 listeners"),
    (["-t", "-c", ""], "-c has an empty value"),
    (["-l", ""], "-l has an empty value"),
    (["--pid-file", ""], "--pid-file has an empty value"),
    (["explain", "-c", ""], "-c has an empty value"),
    (["explain"], "--from is missing; usage: socks4d explain [-c FILE] --from"),
    (["--socks5"], "--socks5 is for --to"),
    (["explain", "--from", "::1"], "--to is missing"),
    (["explain", "--from", "::1", "--to", "::1"], "--port is missing"),
    (["explain", "--from"], "--from wants a value"),
    (["explain", "--form", "::1"], "unknown option --form"),
    (["explain", "x"], 'unexpected "x"'),
    *[(["explain", "--from", "::1", "--to", to, "--port", "80"],
       f"--to {to}: wants one address or name alone; the port is --port")
      for to in ("192.0.2.80:443", "10.0.0.0/8", "2001:db8::/32")],
])
def test_a_usage_error_is_a_sentence_and_2(arguments, sentence):
    got = run(*arguments)
    if sentence is None:  # enough, but the same one twice
        assert (got.returncode, got.stdout) == (1, "")
        assert got.stderr == "socks4d: -l 127.0.0.1:1080: given twice\n"
        return
    assert (got.returncode, got.stdout) == (2, "")
    first, second = got.stderr.splitlines()
    assert re.match(r"socks4d( explain)?: ", first) and sentence in first
    assert second == "Try 'socks4d --help'."


def test_help_and_version_go_to_standard_output():
    got = run("--help")
    assert got.returncode == 0 and got.stderr == ""
    for word in ("-c FILE", "-l ADDR:PORT", "--socks4a", "-t", "-T",
                 "explain", "--json"):
        assert word in got.stdout
    assert max(map(len, got.stdout.splitlines())) <= 80
    got = run("--version")
    assert (got.returncode, got.stderr) == (0, "")
    assert re.fullmatch(r"socks4d \d+\.\d+\.\d+\n", got.stdout)


def test_a_role_is_not_for_people():
    assert run("--worker").returncode == 2
    assert run("--logwriter", "1").returncode == 2


def is_ok(got, name):
    return re.fullmatch(f"{name}: ok, config=[0-9a-f]{{8}}\n", got.stdout)


@pytest.mark.feature
def test_t_says_ok(config):
    got = run("-t", "-c", "gw.yaml", cwd=config)
    assert (got.returncode, got.stderr) == (0, "")
    assert is_ok(got, "gw.yaml")
    got = run("-t")
    assert (got.returncode, got.stderr) == (0, "")
    assert is_ok(got, "built-in default")


def test_what_is_no_file_is_said_and_waited_for_by_nobody(config):
    os.mkfifo(config / "pipe")
    (config / "folder").mkdir()
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(str(config / "socket"))
    for name, says in [
            ("pipe", "pipe: a pipe that nobody has written to, not a regular"),
            ("folder", "folder: cannot be read: Is a directory"),
            ("socket", "socket: cannot be opened: it is a socket or a device"),
            ("none", "none: cannot be opened: No such file")]:
        for command in (["-t"], ["-T"], [],
                        ["explain", "--from", "::1", "--to", "10.0.0.1",
                         "--port", "1"]):
            got = run(*command, "-c", name, cwd=config)
            assert got.returncode in (1, 2) and got.stdout == ""
            assert got.stderr.startswith(says)
            if name == "none":
                continue
            (config / "set.yaml").write_text(f"sets: {{a: ['file:{name}']}}\n")
            got = run("-t", "-c", "set.yaml", cwd=config)
            assert got.returncode == 1
            assert got.stderr.startswith("set.yaml:1:12: sets: " + name)
    bound.close()


def test_a_configuration_may_come_by_a_pipe(config):
    read, write = os.pipe()
    checked = subprocess.Popen([BINARY, "-t", "-c", "/dev/stdin"], stdin=read,
                               stdout=subprocess.PIPE, text=True)
    os.close(read)
    os.write(write, CONFIG[:20].encode())
    os.write(write, CONFIG[20:].encode())
    os.close(write)
    assert "/dev/stdin: ok, " in checked.communicate(timeout=60)[0]
    assert checked.returncode == 0
    with open(config / "gw.yaml") as stdin:
        got = subprocess.run([BINARY, "-t", "-c", "/dev/stdin"], stdin=stdin,
                             capture_output=True, text=True, timeout=60)
    assert got.returncode == 0 and "/dev/stdin: ok, " in got.stdout


def test_t_warns_of_a_file_without_rules(config):
    (config / "none.yaml").write_text("workers: 1\n")
    got = run("-t", "-c", "none.yaml", cwd=config)
    assert got.returncode == 0 and is_ok(got, "none.yaml")
    assert got.stderr == (
        "none.yaml: warning: no rules: every request will be refused\n")


def test_t_strict_takes_a_warning_for_an_error(config):
    (config / "none.yaml").write_text("workers: 1\n")
    got = run("-t", "--strict", "-c", "none.yaml", cwd=config)
    assert (got.returncode, got.stdout) == (1, "")
    assert got.stderr == (
        "none.yaml: warning: no rules: every request will be refused\n")
    assert run("-t", "--strict", "-c", "gw.yaml", cwd=config).returncode == 0
    assert run("--strict", "-c", "gw.yaml", cwd=config).returncode == 2


def test_t_says_that_there_is_no_such_user(config):
    """What -t accepts starts. Only root would become that user."""
    (config / "user.yaml").write_text(CONFIG + "user: nosuchuser\n")
    place = f"user.yaml:{CONFIG.count(chr(10)) + 1}:7: "
    says = ('user: there is no user "nosuchuser"; make it with `useradd'
            " --system nosuchuser', or write user: auto\n")
    for task in (["-t"], []):
        got = run(*task, "-c", "user.yaml", cwd=config)
        if os.geteuid() == 0:
            assert (got.returncode, got.stdout) == (1, "")
            assert got.stderr == place + says
        elif task:
            assert got.returncode == 0 and is_ok(got, "user.yaml")
            assert got.stderr == f"{place}warning: {says}"
    for user in ("root", "12345"):
        (config / "user.yaml").write_text(CONFIG + f"user: '{user}'\n")
        got = run("-t", "-c", "user.yaml", cwd=config)
        assert (got.returncode, got.stderr) == (0, "")


def test_t_warns_of_bind_ports_that_need_a_privilege(config):
    (config / "low.yaml").write_text(CONFIG + "bind: {ports: 1023-2000}\n")
    got = run("-t", "-c", "low.yaml", cwd=config)
    assert got.returncode == 0 and is_ok(got, "low.yaml")
    assert ": warning: bind.ports: the workers have no privilege" in got.stderr
    (config / "low.yaml").write_text(CONFIG + "bind: {ports: 1024-2000}\n")
    assert run("-t", "-c", "low.yaml", cwd=config).stderr == ""


def test_t_names_the_stub(config):
    got = run("-t", "--to", "gw.example:1443", "--tls")
    assert (got.returncode, got.stderr) == (0, "")
    assert is_ok(got, "--to gw.example:1443")


def test_the_stub_serves_all_versions_and_asks_in_one():
    got = run("-T", "--to", "gw.example:1443", "--tls").stdout
    assert got.count("socks4a: true") == got.count("socks5: true") == 1
    assert "protocol: same" in got
    got = run("-T", "--to", "gw.example:1443", "--tls", "--socks5").stdout
    assert "protocol: socks5" in got


def test_t_warns_of_addresses_that_this_machine_lacks(config):
    text = ("listen:\n"
            "  - {address: 192.0.2.1:1080, insecure_plaintext: true}\n"
            "  - {address: 192.0.2.2:1080, insecure_plaintext: true,"
            " freebind: true}\n"
            '  - {address: 127.0.0.1:1080}\n'
            "rules: [{name: web, action: allow, from: [any], to: [public],"
            " egress: [192.0.2.3, 127.0.0.1]}]\n"
            "egress: {address: 192.0.2.4}\n"
            "bind: {address: 192.0.2.5}\n")
    (config / "gw.yaml").write_text(text)
    got = run("-t", "-c", "gw.yaml", cwd=config)
    assert got.returncode == 0 and is_ok(got, "gw.yaml")
    assert re.findall(r"(rule \S+ )?(192\S+): (\S+)", got.stderr) == [
        ("", "192.0.2.1", "not"), ("", "192.0.2.4", "egress.address"),
        ('rule "web": ', "192.0.2.3", "the"),
        ("", "192.0.2.5", "bind.address")]
    assert "192.0.2.1: not an address of this machine: the gateway cannot " \
        "listen there; write one that it has (`ip address'), or freebind: " \
        "true if it comes later" in got.stderr
    assert run("-t", "--strict", "-c", "gw.yaml", cwd=config).returncode == 1


def test_t_warns_of_what_operators_could_not_reach(config):
    def said(text):
        (config / "gw.yaml").write_text(
            f"{text}\nrules: [{{action: allow, from: [any], to: [any]}}]\n")
        got = run("-t", "-c", "gw.yaml", cwd=config)
        assert got.returncode == 0 and is_ok(got, "gw.yaml")
        return got.stderr

    assert said("control: {socket: /nowhere/control}") == (
        "gw.yaml: warning: control.socket: this user cannot make "
        "/nowhere/control: No such file or directory; make its folder, "
        "writable for the user that starts socks4d\n")
    assert 'there is no group "nosuchgroup"' in said(
        "control: {group: nosuchgroup}")
    assert said("control: {socket: off, group: nosuchgroup}") == ""
    assert "192.0.2.7: not an address of this machine (observe)" in said(
        "observe: {address: 192.0.2.7:9180}")
    assert said("observe: {address: 127.0.0.1:9180}") == ""


def test_t_warns_of_a_port_that_this_user_may_not_have(config):
    (config / "gw.yaml").write_text(
        "listen: [{address: 127.0.0.1:81}, {address: 127.0.0.1:1081}]\n"
        "rules: [{action: allow, from: [any], to: [any]}]\n")
    assert run("-t", "-c", "gw.yaml", cwd=config).stderr == ""
    got = subprocess.run(
        ["setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-all",
         BINARY, "-t", "-c", "gw.yaml"], capture_output=True, text=True,
        timeout=60, stdin=subprocess.DEVNULL, cwd=config)
    assert got.returncode == 0 and is_ok(got, "gw.yaml")
    assert got.stderr == (
        "gw.yaml: warning: 127.0.0.1:81: this user may not listen on a port "
        "below 1024; choose a higher one, or start as root or by "
        "socks4d.socket\n")


def test_t_tries_the_log_file_and_does_not_make_it(config, tmp_path):
    def check(path):
        (config / "log.yaml").write_text(
            f"log: {{target: 'file:{path}'}}\n"
            "rules: [{action: allow, from: [any], to: [any]}]\n")
        strict = run("-t", "--strict", "-c", "log.yaml", cwd=config)
        got = run("-t", "-c", "log.yaml", cwd=config)
        assert got.returncode == 0 and is_ok(got, "log.yaml")
        assert strict.returncode == (1 if got.stderr else 0)
        return got.stderr

    log = tmp_path / "folder" / "log"
    warning = f"log.yaml: warning: log.target: this user cannot write {log}: "
    assert check(log) == warning + "its folder does not exist; create it\n"
    log.parent.mkdir()
    assert check(log) == ""
    assert not log.exists()
    log.mkdir()
    assert check(log).startswith(warning + "it is not a regular file; ")


def test_t_shows_all_errors_of_a_file(config):
    (config / "gw.yaml").write_text("""workers: many
listne: []
sets:
  a: [10.0.0.1/8, 300.0.0.1]
rules:
  - {action: alow, from: [b], to: [any]}
  - {action: allow, from: [a], to: ["*.example"], port: [ftp, 80-]}
timeouts: {idle: 5}
""")
    got = run("-t", "-c", "gw.yaml", cwd=config)
    assert (got.returncode, got.stdout) == (1, "")
    places = [line.split(": ")[0] for line in got.stderr.splitlines()]
    assert sorted(places) == sorted("gw.yaml:" + place for place in (
        "1:10", "2:1", "4:7", "4:19", "6:14", "6:27", "7:37", "7:58", "7:63",
        "8:18")), got.stderr


@pytest.mark.parametrize("task", [["-t"], ["-T"], []], ids=["t", "T", "run"])
def test_an_error_is_one_line_with_its_place_and_1(config, task):
    (config / "gw.yaml").write_text("workers: 1\nlistne: []\n")
    got = run(*task, "-c", "gw.yaml", cwd=config)
    assert (got.returncode, got.stdout) == (1, "")
    assert got.stderr == (
        'gw.yaml:2:1: unknown key "listne" (did you mean "listen"?)\n')


def test_a_file_that_cannot_be_read_is_named(config):
    for name, why in (("missing", "No such file"), (".", "Is a directory")):
        got = run("-t", "-c", name, cwd=config)
        assert (got.returncode, got.stdout) == (1, "")
        assert got.stderr.startswith(f"{name}: cannot be ") \
            and why in got.stderr


def test_a_listener_off_loopback_is_refused_with_the_remedy():
    got = run("-l", "0.0.0.0:1080")
    assert (got.returncode, got.stdout) == (1, "")
    assert "insecure_plaintext: true" in got.stderr


def files():
    return sorted([*ROOT.glob("tests/config/good/*.yaml"),
                   *ROOT.glob("dist/examples/*.yaml")])


@pytest.mark.parametrize("file", files(), ids=lambda file: file.stem)
def test_a_dump_dumps_to_itself(file, tmp_path):
    first = run("-T", "-c", str(file))
    assert first.returncode == 0, first.stderr
    again = tmp_path / "again.yaml"
    again.write_text(first.stdout)
    second = run("-T", "-c", str(again))
    assert (second.returncode, second.stdout) == (0, first.stdout)


def test_a_dump_has_every_key_and_computed_figures():
    """Every key of the manual's table, in its order."""
    text = run("-T").stdout
    for line in ("workers: auto # ", "  sessions: auto # ",
                 "  pending: auto # ", "  memory: auto # "):
        assert line in text
    for key in ("listen", "address", "name", "socks4a", "insecure_plaintext",
                "workers", "user", "sandbox", "sets", "rules", "action",
                "from", "listener", "command", "to", "port", "user", "ident",
                "peer", "require_connect", "timeouts", "request", "ident",
                "resolve", "connect", "bind", "idle", "half_closed", "drain",
                "limits", "sessions", "pending", "userid", "memory",
                "per_source", "binds", "rate", "relay", "splice",
                "connect_reply", "advertise", "ports", "on_stranger",
                "egress", "resolver", "servers", "log", "target", "format",
                "level"):
        assert re.search(rf"^[ -]*{key}:", text, re.M), key


def test_the_figures_follow_the_descriptors():
    def limited():
        resource.setrlimit(resource.RLIMIT_NOFILE, (500, 500))

    text = run("-T", preexec_fn=limited).stdout
    workers, descriptors = map(int, re.search(
        r"workers: auto # (\d+), each of (\d+) descriptors", text).groups())
    sessions = int(re.search(r"  sessions: auto # (\d+)", text)[1])
    pending = int(re.search(r"  pending: auto # (\d+)", text)[1])
    assert descriptors == 500
    assert 0 < sessions < workers * 500 / 2
    assert pending == max(1, sessions // 4)


def test_l_replaces_the_listeners():
    text = run("-T", "-l", "127.0.0.1:1090", "-l", "[::1]:1091").stdout
    assert 'address: "127.0.0.1:1090"' in text
    assert 'address: "[::1]:1091"' in text
    assert "1080" not in text


@pytest.mark.feature
@pytest.mark.parametrize("arguments, listeners", [
    ([], 1),
    (["-l", "127.0.0.1:1090"], 1),
    (["-l", "127.0.0.1:1090", "-l", "[::1]:1091"], 2),
])
def test_socks4a_serves_names_on_every_listener(arguments, listeners):
    got = run("-T", "--socks4a", *arguments)
    assert (got.returncode, got.stderr) == (0, "")
    assert got.stdout.count("socks4a: true\n") == listeners
    assert "socks4a: true" not in run("-T", *arguments).stdout


@pytest.mark.feature
def test_socks4a_changes_no_listener_of_a_file(config):
    got = run("-T", "--socks4a", "-c", "gw.yaml", cwd=config)
    assert (got.returncode, got.stdout) == (1, "")
    assert "write socks4a: true into the file" in got.stderr


@pytest.mark.feature
def test_names_without_socks4a_are_warned_about(config):
    rules = "rules: [{action: allow, from: [any], to: [.example.org]}]\n"
    (config / "gw.yaml").write_text(rules)
    got = run("-t", "-c", "gw.yaml", cwd=config)
    assert got.returncode == 0 and is_ok(got, "gw.yaml")
    assert got.stderr.startswith("gw.yaml: warning: rules name hosts")
    (config / "gw.yaml").write_text(
        "listen: [{address: 127.0.0.1:1080, socks4a: only}]\n" + rules)
    got = run("-t", "-c", "gw.yaml", cwd=config)
    assert (got.returncode, got.stderr) == (0, "")


@pytest.mark.feature
@pytest.mark.parametrize("question, answer, status", [
    ("--from 192.168.20.7 --to 198.51.100.1 --port 21 --user mary",
     'allow  rule "ftp" (gw.yaml:7)  90', 0),
    ("--from 192.168.20.7 --to 198.51.100.1 --port 21 --user admin",
     'allow  rule "ftp" (gw.yaml:7)  90', 0),
    ("--from 192.168.20.7 --to 198.51.100.1 --port 21",
     'deny  default (no rule matches; rule "ftp" (gw.yaml:7) would but for its '
     "user)  91", 1),
    ("--from 192.168.20.200 --to 198.51.100.1 --port 21 --user mary",
     'deny  rule "guests" (gw.yaml:6)  91', 1),
    ("--from ::1 --to 198.51.100.1 --port 80 --listener outer",
     'allow  rule "rule-3" (gw.yaml:9)  90', 0),
    ("--from ::1 --to 198.51.100.1 --port 80 --listener inner",
     "deny  default (no rule matches)  91", 1),
    ("--from ::1 --to 127.0.0.1 --port 1080 --listener outer",
     "deny  default (a listener of the gateway's own)  91", 1),
    ("--from ::1 --to 127.9.9.9 --port 1081 --listener outer",
     "deny  default (a listener of the gateway's own)  91", 1),
    ("--from ::1 --to 198.51.100.1 --port 1081 --listener outer",
     'allow  rule "rule-3" (gw.yaml:9)  90', 0),
    ("--from ::1 --to 224.0.0.1 --port 80",
     "deny  default (CONNECT to 0/8, 224/4 and 240/4 is never granted)  91",
     1),
    ("--from ::1 --to 198.51.100.1 --port 0",
     "deny  default (nothing can listen on port 0)  91", 1),
    ("--from ::1 --to ftp.example.org --port 21",
     "deny  default (a SOCKS 4A request, and the listener has socks4a: "
     "false)  91", 1),
    ("--from ::1 --to 0.0.0.1 --port 21",
     "deny  default (a SOCKS 4A request, and the listener has socks4a: "
     "false)  91", 1),
    ("--from ::1 --to 198.51.100.1 --port 21 --command bind",
     'allow  rule "back" (gw.yaml:10)  90', 0),
])
def test_explain_answers_in_one_line(config, question, answer, status):
    got = run("explain", "-c", "gw.yaml", *question.split(), cwd=config)
    assert (got.stdout, got.stderr) == (answer + "\n", "")
    assert got.returncode == status


def test_explain_tells_a_full_disk(config):
    with open("/dev/full", "w") as full:
        got = subprocess.run([BINARY, "explain", "--from", "127.0.0.1", "--to",
                              "192.0.2.80", "--port", "80"], stdout=full,
                             stderr=subprocess.PIPE, text=True, timeout=60,
                             check=False)
    assert got.returncode == 2
    assert got.stderr == "socks4d: standard output: No space left on device\n"


def test_explain_in_json(config):
    got = run("explain", "-c", "gw.yaml", "--json", "--from", "192.168.20.7",
              "--to", "198.51.100.1", "--port", "21", "--user", "mary",
              cwd=config)
    assert got.returncode == 0
    assert json.loads(got.stdout) == {
        "action": "allow", "rule": "ftp", "file": "gw.yaml", "line": 7,
        "code": 90}
    got = run("explain", "--json", "--from", "192.168.20.7", "--to",
              "198.51.100.1", "--port", "21")
    assert got.returncode == 1
    assert json.loads(got.stdout) == {
        "action": "deny", "rule": "default", "why": "default (no rule "
        "matches)", "code": 91}


NAMES = """\
listen:
  - {address: 127.0.0.1:1080, name: both, socks4a: true}
  - {address: 127.0.0.1:1081, name: plain}
  - {address: 127.0.0.1:1082, name: names, socks4a: only}
rules:
  - {name: ads, action: deny, from: [any], to: [.ads.example], port: [80]}
  - {name: ftp, action: allow, from: [any], to: [.example], port: [21],
     ident: require}
  - {name: ten, action: allow, from: [any], to: [10.0.0.0/8], port: [80],
     ident: log}
  - {name: no, action: deny, from: [any], to: [192.0.2.0/24], port: [80]}
  - {name: web, action: allow, from: [any], to: [.example], port: [80]}
  - {name: mail, action: allow, from: [any], to: [any], port: [25],
     ident: require}
"""
BAD_NAME = "deny  default (a bad name: a number, or octets that none has)  91"


@pytest.fixture
def names(tmp_path):
    (tmp_path / "gw.yaml").write_text(NAMES)
    return tmp_path


@pytest.mark.feature
@pytest.mark.parametrize("question, answer, status", [
    ("--to x.ads.example --port 80", 'deny  rule "ads" (gw.yaml:6)  91', 1),
    ("--to FTP.Example. --port 21",
     'allow  rule "ftp" (gw.yaml:7)  90 if identd agrees, else 92 or 93', 0),
    ("--to example --port 21", "deny  default (no rule matches)  91", 1),
    ("--to notads.example --port 80",
     'depends on its addresses  allow rule "ten" (gw.yaml:9), deny rule "no" '
     '(gw.yaml:11), allow rule "web" (gw.yaml:12)  90 or 91', 1),
    ("--to ads.test --port 80",
     'depends on its addresses  allow rule "ten" (gw.yaml:9), deny rule "no" '
     '(gw.yaml:11), deny default (no rule matches)  90 or 91', 1),
    ("--to mx.test --port 25",
     'depends on its addresses  allow rule "mail" (gw.yaml:13), deny default '
     "(no rule matches)  90 to 93", 1),
    ("--to 198.51.100.1 --port 25",
     'allow  rule "mail" (gw.yaml:13)  90 if identd agrees, else 92 or 93', 0),
    ("--to 10.1.1.1 --port 80", 'allow  rule "ten" (gw.yaml:9)  90', 0),
    ("--to a.example --port 0",
     "deny  default (nothing can listen on port 0)  91", 1),
    ("--to a.example --port 80 --listener plain",
     "deny  default (a SOCKS 4A request, and the listener has socks4a: false)"
     "  91", 1),
    ("--to 127.1 --port 80 --listener plain",
     "deny  default (a SOCKS 4A request, and the listener has socks4a: false)"
     "  91", 1),
    ("--to 10.1.1.1 --port 80 --listener names",
     "deny  default (no SOCKS 4A request, and the listener has socks4a: only)"
     "  91", 1),
    ("--to a.example --port 21 --listener names",
     'allow  rule "ftp" (gw.yaml:7)  90 if identd agrees, else 92 or 93', 0),
    ("--to 0.0.0.1 --port 80 --listener names",
     "deny  default (CONNECT to 0/8, 224/4 and 240/4 is never granted)  91",
     1),
    ("--to 10.1 --port 80", BAD_NAME, 1),
    ("--to 0x0a.0.0.1 --port 80", BAD_NAME, 1),
    ("--to 10.0.0.01 --port 80", BAD_NAME, 1),
    ("--to 10.0.0.1. --port 80", BAD_NAME, 1),
    ("--to [::1] --port 80", BAD_NAME, 1),
    ("--to b\u00fccher.example --port 21", BAD_NAME, 1),
    (f"--to {'a' * 254} --port 25", BAD_NAME, 1),
])
def test_explain_judges_a_name_by_what_needs_no_address(names, question,
                                                        answer, status):
    got = run("explain", "-c", "gw.yaml", "--from", "::1", *question.split(),
              cwd=names)
    assert (got.stdout, got.stderr) == (answer + "\n", "")
    assert got.returncode == status


@pytest.mark.feature
def test_explain_in_json_tells_what_a_name_depends_on(names):
    def told(to, port):
        got = run("explain", "-c", "gw.yaml", "--json", "--from", "::1",
                  "--to", to, "--port", str(port), cwd=names)
        return got.returncode, json.loads(got.stdout)

    ten = {"action": "allow", "rule": "ten", "file": "gw.yaml", "line": 9,
           "ident": "log"}
    mail = {"action": "allow", "rule": "mail", "file": "gw.yaml", "line": 13,
            "ident": "require"}
    none = {"action": "deny", "rule": "default",
            "why": "default (no rule matches)"}
    assert told("a.test", 80) == (1, {
        "action": "depends", "more": 0, "codes": [90, 91], "rules": [
            ten, {"action": "deny", "rule": "no", "file": "gw.yaml",
                  "line": 11}, none]})
    assert told("a.test", 25) == (1, {
        "action": "depends", "more": 0, "codes": [90, 91, 92, 93],
        "rules": [mail, none]})
    assert told("10.0.0.1", 80) == (0, {**ten, "code": 90})
    assert told("192.0.32.1", 25) == (0, {**mail, "code": 90,
                                          "else": [92, 93]})
    assert told("a.ads.example", 80) == (1, {
        "action": "deny", "rule": "ads", "file": "gw.yaml", "line": 6,
        "code": 91})
    assert told("10.1", 80)[1]["why"].startswith("default (a bad name")


def test_explain_names_eight_rules_and_counts_the_others(names):
    (names / "gw.yaml").write_text(
        "listen: [{address: 127.0.0.1:1080, socks4a: true}]\nrules:\n"
        + "".join(f"  - {{action: allow, from: [any], to: [10.{n}.0.0/16]}}\n"
                  for n in range(11)))
    arguments = ("explain", "-c", "gw.yaml", "--from", "::1", "--to",
                 "a.example", "--port", "80")
    got = run(*arguments, cwd=names).stdout
    assert got.count("allow rule ") == 8 and ", 3 more, deny default" in got
    got = json.loads(run(*arguments, "--json", cwd=names).stdout)
    assert len(got["rules"]) == 9 and got["more"] == 3


FIVE = """\
listen:
  - {address: 127.0.0.1:1080, name: both, socks5: true}
  - {address: 127.0.0.1:1081, name: four}
  - {address: 127.0.0.1:1082, name: five, socks5: only}
  - {address: 127.0.0.1:1083, name: names, socks4a: true}
rules:
  - {name: lab, action: allow, from: [any], to: ["2001:db8::/32", .example],
     version: [5]}
  - {name: asks, action: allow, from: [any], to: [192.0.2.0/24], ident: require}
  - {name: ann, action: allow, from: [10.0.0.0/8], to: [any], user: [ann],
     auth: [password]}
  - {name: by-4, action: allow, from: ["fd00::/8"], to: ["2001:db9::/32"],
     via: [four]}
  - {name: any, action: allow, from: ["fd00::/8"], to: ["2001:dba::/32"],
     via: [four, same]}
parents:
  - {name: four, address: 127.0.0.1:1, protocol: socks4a}
  - {name: same, address: 127.0.0.1:2}
auth: {users: users}
"""


@pytest.mark.parametrize("question, answer", [
    ("--from ::1 --to 2001:db8::1", 'allow  rule "lab" (gw.yaml:7)  0'),
    ("--from ::1 --to 2001:db9::1", "deny  default (no rule matches)  2"),
    ("--from fd00::1 --to 2001:db9::1",
     "deny  default (the rule's parents are asked in SOCKS 4, which carries "
     "IPv4 addresses alone)  8"),
    ("--from fd00::1 --to 2001:dba::1",
     'allow  rule "any" (gw.yaml:14)  via four, same  0'),
    ("--from ::1 --to a.example", 'allow  rule "lab" (gw.yaml:7)  0'),
    ("--from ::1 --to a.test",
     'depends on its addresses  allow rule "lab" (gw.yaml:7), allow rule '
     '"asks" (gw.yaml:9), deny default (no rule matches)  0 or 2'),
    ("--from ::1 --to 192.0.2.1",
     'allow  rule "asks" (gw.yaml:9)  0 if identd agrees, else 2'),
    ("--from ::1 --to 192.0.2.1 --listener four",
     "deny  default (a SOCKS5 request, and the listener has socks5: false)"
     "  255"),
    ("--from 10.0.0.1 --to 198.51.100.1",
     "deny  default (a rule asks for a password; --auth password has one)"
     "  255"),
    ("--from ::1 --to 198.51.100.1 --user ann",
     "deny  default (no rule matches)  2"),
    ("--from 10.0.0.1 --to 198.51.100.1 --auth password --user ann",
     'allow  rule "ann" (gw.yaml:10)  0'),
    ("--from 10.0.0.1 --to 198.51.100.1 --auth password --user bob",
     'deny  default (no rule matches; rule "ann" (gw.yaml:10) would but for its '
     "user)  2"),
])
def test_explain_answers_for_socks5(config, question, answer):
    (config / "gw.yaml").write_text(FIVE)
    got = run("explain", "-c", "gw.yaml", "--socks5", "--port", "80",
              *question.split(), cwd=config)
    assert (got.stdout, got.stderr) == (answer + "\n", "")
    assert got.returncode == (0 if answer.startswith("allow") else 1)


@pytest.mark.parametrize("more, answer", [
    ("", 'deny  default (no rule matches; rule "ann" (gw.yaml:3) would but for '
     "its user)  2"),
    (", auth: [password]", 'allow  rule "ann" (gw.yaml:3)  0')])
def test_explain_knows_no_user_where_no_rule_asks_for_a_password(
        config, more, answer):
    (config / "users").write_text("ann:*\n")
    (config / "gw.yaml").write_text(
        "listen: [{address: 127.0.0.1:1080, socks5: true}]\nrules:\n"
        f"  - {{name: ann, action: allow, from: [any], to: [any], user: [ann]"
        f"{more}}}\nauth: {{users: users}}\n")
    got = run("explain", "-c", "gw.yaml", "--socks5", "--port", "80", "--from",
              "10.0.0.1", "--to", "198.51.100.1", "--auth", "password",
              "--user", "ann", cwd=config)
    assert (got.stdout, got.stderr) == (answer + "\n", "")


def test_explain_names_the_rule_that_lacks_only_a_proof(config):
    """SOCKS 4 has no password, and its client would not know."""
    (config / "gw.yaml").write_text(FIVE)
    question = ("explain", "-c", "gw.yaml", "--from", "10.0.0.1", "--to",
                "198.51.100.1", "--port", "80", "--user", "ann")
    got = run(*question, cwd=config)
    assert (got.returncode, got.stdout) == (1, (
        'deny  default (no rule matches; rule "ann" (gw.yaml:10) would but for '
        "its auth (a password, which only SOCKS5 has))  91\n"))
    assert json.loads(run(*question, "--json", cwd=config).stdout) == {
        "action": "deny", "rule": "default",
        "why": "default (no rule matches)", "nearest": "ann",
        "unmet": "auth (a password, which only SOCKS5 has)", "code": 91}


def test_explain_in_json_has_the_codes_of_socks5(config):
    (config / "gw.yaml").write_text(FIVE)
    def told(*words):
        got = run("explain", "-c", "gw.yaml", "--json", "--from", "::1",
                  "--port", "80", *words, cwd=config)
        return json.loads(got.stdout)

    asked = told("--socks5", "--to", "192.0.2.1")
    assert (asked["code"], asked["else"]) == (0, [2])
    assert told("--socks5", "--to", "a.test")["codes"] == [0, 2]
    # The rule that has this name is for version 5.
    names = told("--to", "a.example", "--listener", "names")
    assert "lab" not in [rule["rule"] for rule in names["rules"]]
    four = told("--to", "192.0.2.1", "--listener", "five")
    assert four["code"] == 91 and "socks5: only" in four["why"]


@pytest.mark.parametrize("question, sentence", [
    ("--from x --to 192.0.2.1 --port 1", "--from x: "),
    ("--from ::1 --to 192.0.2.1 --port 1 --auth password --user ann",
     "add --socks5"),
    ("--from 127.1 --to 192.0.2.1 --port 1", "--from 127.1: "),
    ("--from ::1 --to ::2 --port 1", "--to ::2: SOCKS 4 carries IPv4"),
    ("--from ::1 --to 192.0.2.1 --port 65536", "--port 65536: "),
    ("--from ::1 --to 192.0.2.1 --port http", "--port http: "),
    ("--from ::1 --to 192.0.2.1 --port 1 --command udp", "--command udp: "),
    ("--from ::1 --to 192.0.2.1 --port 1 --listener x", "--listener x: "),
])
def test_explain_refuses_what_is_no_question(config, question, sentence):
    got = run("explain", "-c", "gw.yaml", *question.split(), cwd=config)
    assert (got.returncode, got.stdout) == (2, "")
    assert sentence in got.stderr


def test_explain_with_a_bad_configuration_is_no_refusal(config):
    (config / "gw.yaml").write_text("workers: none\n")
    got = run("explain", "-c", "gw.yaml", "--from", "::1", "--to",
              "192.0.2.1", "--port", "1", cwd=config)
    assert (got.returncode, got.stdout) == (2, "")
    assert got.stderr.startswith("gw.yaml:1:10: workers: ")


def test_the_manual_lists_every_option(tmp_path):
    """The page's table is made from the option table, as the parser is."""
    (tmp_path / "tls.yaml").write_text(
        'listen: [{address: "127.0.0.1:1443",'
        ' tls: {certificate: gw.pem, key: gw.key}}]\n'
        "parents: [{name: hq, address: 127.0.0.9:1080, tls: {}}]\n")
    made = pathlib.Path(BINARY).parent / "options.roff"
    paths = [line[3:].replace("\\", "")
             for line in made.read_text().splitlines()
             if line.startswith(".B ")]
    dumped = {key for arguments in ([], ["-c", "tls.yaml"])
              for key in re.findall(r"^[ -]*(\w+):",
                                    run("-T", *arguments, cwd=tmp_path).stdout,
                                    re.M)}
    assert {path.split(".")[-1] for path in paths} == dumped
    assert len(paths) == len(set(paths)) > 50
    assert made.read_text().isascii()
