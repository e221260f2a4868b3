"""Every test that needs a network has one of its own, see support/lab.py."""
import inspect
import os
import pathlib
import re
import resource
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent / "support"))

import namespace  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "feature: runs on the sanitizer build too, one a feature")
    config.addinivalue_line("markers", "long: only in the long form")
    config.addinivalue_line(
        "markers", "userid: about the USERID, which SOCKS5 does not have")
    config.addinivalue_line(
        "markers", "long_with(parameter): with that one only in the long form")
    plain_surroundings()
    own_temporary_folder()
    namespace.enter()


# What a service manager, a proxy or a login says is not said to the tests.
FOREIGN = re.compile("(?i)(NOTIFY_|WATCHDOG_|LISTEN_|SOCKS4?_SERVER|LC_|LANG|.*_proxy$)")


def plain_surroundings():
    """The same umask, environment and limits, whoever runs the tests."""
    os.umask(0o022)  # what a test makes for another user is theirs to read
    for name in list(filter(FOREIGN.match, os.environ)):
        del os.environ[name]
    os.environ["LC_ALL"] = "C.UTF-8"
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def own_temporary_folder():
    """By the user's number: in a user namespace everybody is called root."""
    folder = pathlib.Path(tempfile.gettempdir()) / f"socks4-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(folder)


def is_long(item):
    marker = item.get_closest_marker("long_with")
    parameters = item.callspec.params.values() if marker else ()
    return item.get_closest_marker("long") or (
        marker and marker.args[0] in parameters)


def names_no_version(item):
    """Whether it opens sessions as gateway.open does, and is about no version
    of its own."""
    text = inspect.getsource(item.function)
    return (".open(" in text and not item.get_closest_marker("userid")
            and not re.search(r"[.]ask|socks5|request\(", text))


def pytest_collection_modifyitems(config, items):
    """Long forms are not part of the short run; and where SOCKS4_SHARD says
    "1/3", only every third test runs here, beginning with the second."""
    if os.environ.get("SOCKS4_LONG") != "1":
        items[:] = [item for item in items if not is_long(item)]
    if os.environ.get("SOCKS4_VERSION") == "5":
        items[:] = [item for item in items if names_no_version(item)]
    shard, _, shards = os.environ.get("SOCKS4_SHARD", "0/1").partition("/")
    items[:] = items[int(shard)::int(shards)]


@pytest.fixture
def lab():
    from lab import Lab
    made = Lab()
    yield made
    made.close()


@pytest.fixture
def start_gateway(lab, tmp_path):
    """Starts gateways; each is held to the laws when the test is over."""
    from gateway import Gateway
    from laws import laws
    started = []

    def start(*arguments, wrapper=(), stderr=None, **settings):
        folder = tmp_path / f"gateway-{len(started)}"
        folder.mkdir()
        made = Gateway(lab, folder, **settings)
        started.append(made)
        return made.start(*arguments, wrapper=wrapper, stderr=stderr)

    yield start
    for made in started:
        laws(made)


@pytest.fixture
def gateway(start_gateway):
    """One with nothing special about it: whoever comes, to anywhere."""
    return start_gateway()


@pytest.fixture
def open_folder():
    """A folder that every user can reach, wherever the tree lies."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="socks4-") as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


@pytest.fixture
def real_root():
    if os.geteuid() != 0 or not namespace.real_root():
        pytest.skip("needs root: other users to become")
