"""Clients as people run them, on the lab's client."""
import subprocess

import pytest

import lab as places

# The login name: what some clients send, and the others must not.
LOGIN = "marylou"


@pytest.fixture
def start_client(lab, tmp_path):
    """Starts a client with an environment that names no proxy."""
    def start(*argv, **environment):
        clean = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8",
                 "HOME": str(tmp_path), "USER": LOGIN, "LOGNAME": LOGIN,
                 "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
                 "NODE_PATH": "/usr/share/nodejs"}
        return lab.client.popen(
            [str(word) for word in argv], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path,
            env=clean | environment, preexec_fn=places.die_with_parent)
    return start


@pytest.fixture
def call(start_client):
    """Runs one to its end: what came of it, as subprocess.run says it."""
    def run(*argv, given=b"", seconds=places.TIMEOUT, **environment):
        process = start_client(*argv, **environment)
        out, err = process.communicate(given, seconds)
        return subprocess.CompletedProcess(argv, process.returncode, out, err)
    return run
