"""git over HTTP: libcurl again, with a connection an object."""
import functools
import http.server

import pytest

import evidence
import programs
from servers import Tap, Web
from streams import MB, piece

IDENTITY = {"GIT_AUTHOR_NAME": "m", "GIT_AUTHOR_EMAIL": "m@server.test",
            "GIT_COMMITTER_NAME": "m", "GIT_COMMITTER_EMAIL": "m@server.test"}


class Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def git(call):
    def run(*words):
        done = call("git", *words, **IDENTITY)
        assert done.returncode == 0, done.stderr
        return done.stdout
    return run


@pytest.fixture
def repository(git, tmp_path):
    """One commit with a megabyte in it, laid out for plain HTTP."""
    git("init", "-q", "work")
    (tmp_path / "work/file").write_bytes(piece(0, MB))
    git("-C", "work", "add", "file")
    git("-C", "work", "commit", "-q", "-m", "first")
    git("clone", "-q", "--bare", "work", "bare.git")
    git("-C", "bare.git", "update-server-info")
    return tmp_path


def served(lab, repository):
    files = functools.partial(Files, directory=str(repository))
    return Tap(lab.server, Web(lab.server, files).address)


def test_git_clones(gateway, lab, git, repository):
    """[V4-1-1] [V4-1-3]"""
    tap = served(lab, repository)
    git("-c", f"http.proxy=socks4://{programs.PROXY}", "clone", "-q",
        "http://%s:%d/bare.git" % tap.address, "copy")
    assert (repository / "copy/file").read_bytes() == piece(0, MB)
    assert git("-C", "copy", "rev-parse", "HEAD") == \
        git("-C", "work", "rev-parse", "HEAD")
    assert tap.down > MB
    evidence.granted(gateway, tap)
