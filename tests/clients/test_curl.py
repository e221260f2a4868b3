"""curl, and what is built on libcurl."""
import hashlib

import pytest

import evidence
import lab as places
import programs
from gateway import wait_for
from servers import Certificate, Tap, Upload, Web
from streams import KB, MB, digest, piece

USERS = {"nobody": "", "mary": "mary", "a long name": "m" * 255}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return Certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def web(lab):
    return Web(lab.server)


@pytest.fixture
def tap(lab, web):
    return Tap(lab.server, web.address)


def url(tap, path):
    return "http://%s:%d/%s" % (*tap.address, path)


def file_digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.mark.parametrize("user", USERS)
def test_curl_sends_the_user_it_was_given_or_none(gateway, call, tap, user):
    """[V4-2-2] [V4-3.1-1] [V4-3.1-6]"""
    done = call(*programs.curl(url(tap, "1000/7"), user=USERS[user]))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == piece(7, 1000)
    evidence.granted(gateway, tap, USERS[user])


def test_curl_speaks_tls_with_the_server_itself(gateway, lab, call,
                                                certificate):
    """[V4-1-2] [V4-1-6] The certificate is checked, the name resolved here."""
    tap = Tap(lab.server, Web(lab.server, tls=certificate.context).address)
    port = tap.address[1]
    done = call(*programs.curl(
        "--cacert", certificate.path, "--resolve",
        f"server.test:{port}:{places.SERVER}",
        f"https://server.test:{port}/{3 * MB}/0", user="mary"))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == piece(0, 3 * MB)
    assert tap.down > 3 * MB
    evidence.granted(gateway, tap, "mary")


def test_curl_fetches_fifty_files_at_once(gateway, call, tap, tmp_path):
    """[V4-1-1] Fifty sessions side by side, none gets another's octets."""
    files = {f"{index}": (index * 5 * KB + 1, index * 997)
             for index in range(50)}
    (tmp_path / "config").write_text("".join(
        f'url = "{url(tap, "%d/%d" % files[name])}"\noutput = "{name}"\n'
        for name in files))
    done = call(*programs.curl("--parallel", "--parallel-immediate",
                               "--parallel-max", "50", "--no-progress-meter",
                               "--config", "config"))
    assert (done.returncode, done.stderr) == (0, b"")
    for name, (count, offset) in files.items():
        assert (tmp_path / name).read_bytes() == piece(offset, count)
    assert tap.count == 50
    evidence.granted(gateway, tap)


def test_curl_fetches_fifty_megabytes(gateway, call, tap, tmp_path):
    """[V4-1-5]"""
    done = call(*programs.curl(url(tap, f"{50 * MB}/0"), "-o", "file"))
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "file").stat().st_size == 50 * MB
    assert file_digest(tmp_path / "file") == digest(50 * MB)
    evidence.granted(gateway, tap)


def test_curl_uploads_twenty_megabytes(gateway, call, tap, web):
    done = call(*programs.curl("--upload-file", "-", url(tap, "kept"),
                               "--header", f"Content-Length: {20 * MB}",
                               "--header", "Transfer-Encoding:"),
                given=piece(0, 20 * MB))
    assert (done.returncode, done.stderr) == (0, b"")
    assert web.uploads == [Upload("/kept", 20 * MB, digest(20 * MB))]
    evidence.granted(gateway, tap)


@pytest.mark.parametrize("wrap", [programs.proxychains, programs.socksify])
def test_curl_is_taken_through_without_knowing(gateway, call, tap, tmp_path,
                                               wrap):
    """[V4-1-2] Libraries that put themselves before connect()."""
    done = call(*wrap(tmp_path, "curl", "-q", "-sS", url(tap, f"{MB}/0")))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == piece(0, MB)
    evidence.granted(gateway, tap)


# What listens here is no HTTP server or proxy, and speaks no SOCKS 5


SAYS = b"This is a SOCKS 4 gateway, not a web server or an HTTP proxy.\n"


def other_protocol(gateway, call, *arguments):
    """curl with these options; what it wrote, and what the record says."""
    done = call("curl", "--silent", "--show-error", "--noproxy", "",
                "--max-time", "20", *arguments)
    count = gateway.misdirected = getattr(gateway, "misdirected", 0) + 1
    wait_for("the record", lambda: len(gateway.records()) == count)
    record = gateway.records()[-1]
    assert (record["verdict"], record["code"]) == ("not-socks4", 0)
    return done, record["hint"]


def test_curl_is_told_by_http_what_this_is(gateway, call):
    for arguments in ([], ["--data", "x" * 3000], ["--http1.0"]):
        done, hint = other_protocol(gateway, call, "--dump-header", "-",
                                    *arguments, "http://%s:%d/" % gateway.at)
        assert done.returncode == 0 and hint == "looks like HTTP"
        head, body = done.stdout.split(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ") and body == SAYS


def test_curl_with_an_http_proxy_is_told_what_this_is(gateway, call, tap):
    proxy = ("--proxy", "http://%s:%d" % gateway.at)
    done, hint = other_protocol(gateway, call, *proxy, url(tap, "10/0"))
    assert (done.returncode, done.stdout) == (0, SAYS)
    assert hint == "looks like HTTP"
    done, hint = other_protocol(gateway, call, *proxy, "--proxytunnel",
                                url(tap, "10/0"))
    assert done.returncode != 0 and b"400" in done.stderr
    assert hint == "looks like HTTP"


def test_curl_with_socks5_learns_that_no_method_is_accepted(gateway, call,
                                                            tap):
    done, hint = other_protocol(gateway, call, "--socks5",
                                "%s:%d" % gateway.at, url(tap, "10/0"))
    assert done.returncode == 97
    assert b"No authentication method was acceptable" in done.stderr
    assert hint.startswith("looks like SOCKS5")
