"""Clients of real users, and real identds on their host: which of them the
gateway believes."""
import subprocess

import pytest

import lab as places
import programs
from conftest import LOGIN
from evidence import records_of
from gateway import ROOT, wait_for
from identd import PORT

USER = "games"
UNPACKED = ROOT / "build-check/packages"  # by ./check

RULES = ("[{name: asked, action: allow, command: [connect, bind],"
         " from: [any], to: [any], ident: %s}]")

HIDE = "user %s { default { force hide } }\n" % USER

# oidentd looks for the name of who asks before it answers; ident2 goes into
# the background, but not out of this.
ALONE = ["unshare", "--mount", "--pid", "--fork", "--kill-child",
         "--mount-proc", "sh", "-c",
         'mount --bind nobody_to_ask /etc/resolv.conf && "$@" &&'
         " exec sleep infinity", "sh"]


def oidentd(config):
    return ["/usr/sbin/oidentd", "-i", "-S", "-u", "nobody", "-g", "nogroup",
            "-C", str(config)]


def ident2(_config):
    """Answers, and does not close."""
    return [str(UNPACKED / "ident2/usr/sbin/ident2"), "-d", "-p", str(PORT)]


@pytest.fixture
def start_identd(real_root, lab, tmp_path):
    def start(command, settings=""):
        config = tmp_path / "oidentd.conf"
        config.write_text(settings)
        (tmp_path / "nobody_to_ask").touch()
        with open(tmp_path / "identd", "wb") as log:
            lab.client.popen([*ALONE, *command(config)], cwd=tmp_path,
                             stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                             preexec_fn=places.die_with_parent)
        wait_for("identd", lambda: lab.client.listens(PORT))
    return start


@pytest.fixture(params=[oidentd, ident2], ids=["oidentd", "ident2"])
def daemon(start_identd, request):
    start_identd(request.param)


def as_user(user, argv):
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
            *argv]


@pytest.fixture
def call_as(call):
    """As call, of a process that belongs to that user."""
    def run(user, argv, **more):
        return call(*as_user(user, argv), **more)
    return run


@pytest.fixture
def gateway(start_gateway):
    return start_gateway(rules=RULES % "require")


@pytest.fixture
def echo(lab):
    """A server that sends back what it got, once that has ended."""
    lab.server.popen(["socat", f"TCP-LISTEN:7,bind={places.SERVER},reuseaddr",
                      "EXEC:cat"], preexec_fn=places.die_with_parent)
    wait_for("the server", lambda: lab.server.listens(7))
    return places.SERVER, 7


def record_of(gateway, verdict, code, ident):
    record, = records_of(gateway, 1)
    assert (record["verdict"], record["code"]) == (verdict, code)
    assert (record["rule"], record["ident"]) == ("asked", ident)
    return record


def test_a_users_own_name_is_believed(gateway, daemon, call_as, echo):
    """[V4-2-4] socat sends the login name unasked."""
    done = call_as(USER, programs.socat(echo), given=b"hello", LOGNAME=USER,
                   USER=USER)
    assert (done.returncode, done.stdout) == (0, b"hello"), done.stderr
    assert record_of(gateway, "granted", 90, USER)["userid"] == USER


def test_another_users_name_is_not(gateway, daemon, call_as, echo):
    """[V4-3.3-7]"""
    done = call_as(USER, programs.curl("http://%s:%d/" % echo, user=LOGIN))
    assert done.returncode == 97
    assert b"(93)" in done.stderr, done.stderr
    assert record_of(gateway, "ident-differs", 93, USER)["userid"] == LOGIN


def test_a_client_that_names_nobody_is_refused(gateway, daemon, call_as, echo):
    """[V4-3.3-7] As browsers do."""
    done = call_as(USER, programs.curl("http://%s:%d/" % echo))
    assert done.returncode == 97
    assert b"(93)" in done.stderr, done.stderr
    assert record_of(gateway, "ident-differs", 93, USER)["userid"] == ""


def test_a_user_whom_identd_hides_is_refused(gateway, start_identd, call_as,
                                             echo):
    """[V4-3.3-6]"""
    start_identd(oidentd, HIDE)
    done = call_as(USER, programs.curl("http://%s:%d/" % echo, user=USER))
    assert done.returncode == 97
    assert b"(92)" in done.stderr, done.stderr
    record_of(gateway, "ident-error", 92, "error: HIDDEN-USER")


def test_a_client_over_ipv6_has_the_same_name(start_gateway, start_identd,
                                              call_as, echo):
    """[V4-2-4]"""
    gateway = start_gateway(
        rules=RULES % "require", listen='[{address: "[%s]:1080", name: six,'
        ' insecure_plaintext: true}]' % places.INSIDE6)
    start_identd(oidentd)
    six = "SOCKS4:[%s]:%s:%d,socksuser=%s" % (places.INSIDE6, *echo, USER)
    done = call_as(USER, ["socat", "-t", "20", "-", six], given=b"hello")
    assert (done.returncode, done.stdout) == (0, b"hello"), done.stderr
    record = record_of(gateway, "granted", 90, USER)
    assert record["client"].startswith("[%s]" % places.CLIENT6)


def test_a_name_that_is_only_logged_refuses_nobody(start_gateway, daemon,
                                                   start_client, echo):
    """[V4-C.1-1]"""
    gateway = start_gateway(rules=RULES % "log")
    process = start_client(*as_user(USER, programs.socat(echo, user=LOGIN)))
    process.stdin.write(b"hello")
    process.stdin.flush()
    assert process.stdout.read(5) == b"hello"
    wait_for("identd to have answered", lambda: not is_asked(gateway))
    process.communicate(timeout=places.TIMEOUT)
    assert record_of(gateway, "granted", 90, USER)["userid"] == LOGIN


def is_asked(gateway):
    return any(remote == PORT
               for _, remote, _ in gateway.lab.gateway.connections())
