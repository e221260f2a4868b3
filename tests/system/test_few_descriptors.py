"""A limit of open files that is too low: said at the start, with the number."""
import re

import pytest

import lab as places
from gateway import ALLOW_ALL, BINARY
from reloads import events, failed, reloaded
from socks4 import ending
from starts import refused_start


def limited(number):
    """Runs what follows under this limit."""
    return ("sh", "-c", f'ulimit -n {number}; exec "$@"', "sh")


def listeners(count):
    return "[" + ", ".join(
        "{address: '%s:%d', name: n%d, socks4a: true, insecure_plaintext: yes}"
        % (places.INSIDE, 1080 + at, at) for at in range(count)) + "]"


def needed(lab, config):
    """As -T says."""
    got = lab.gateway.run([BINARY, "-T", "-c", str(config)],
                          capture_output=True, text=True)
    return int(re.search(r"# socks4d starts with (\d+) or more", got.stdout)[1])


@pytest.mark.feature
@pytest.mark.parametrize("workers, count", [(1, 1), (8, 1), (2, 6), (32, 4)])
def test_what_it_says_is_enough_and_one_less_is_refused(
        lab, start_gateway, tmp_path, workers, count):
    settings = {"workers": str(workers), "listen": listeners(count),
                "rules": ALLOW_ALL}
    config = tmp_path / "try.yaml"
    config.write_text("".join(f"{key}: {value}\n"
                              for key, value in settings.items()))
    number = needed(lab, config)
    said = refused_start(lab.gateway, *limited(number - 1), BINARY, "-c",
                         str(config))
    assert f"is {number - 1}, and {number} are needed" in said
    got = lab.gateway.run([*limited(number - 1), BINARY, "-T", "-c",
                           str(config)], capture_output=True, text=True)
    assert f"does not start: {number} are needed at least" in got.stdout
    gateway = start_gateway(wrapper=limited(number), **settings)
    assert len(gateway.workers()) == workers
    for _ in range(2 * workers):  # in whichever worker
        client, server = gateway.open()
        client.shut()
        assert ending(server) == ("fin", b"")
        server.close()
    assert not events(gateway, "worker_ended", "worker_not_started")


def test_a_reload_that_needs_more_is_refused(lab, start_gateway, tmp_path):
    config = tmp_path / "try.yaml"
    config.write_text("workers: 20\n")
    gateway = start_gateway(wrapper=limited(needed(lab, config)),
                            workers="20")
    assert "open files are needed" in failed(gateway, workers="60")
    reloaded(gateway, workers="19")
