"""File systems of a test's own: small disks, and a /dev with a syslogd."""
import contextlib
import socket
import subprocess

import lab as places


@contextlib.contextmanager
def mounted(at, *arguments):
    subprocess.run(["mount", *arguments, str(at)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


@contextlib.contextmanager
def own_dev(folder):
    """A /dev where a syslogd of the test's can listen."""
    made = folder / "dev"
    made.mkdir()
    with mounted(made, "-t", "tmpfs", "-o", "mode=0755", "none"):
        for name in ("null", "zero", "urandom"):
            (made / name).touch()
            subprocess.run(["mount", "--bind", f"/dev/{name}", made / name],
                           check=True)
        with mounted("/dev", "--rbind", str(made)):
            yield


def listen_as_syslogd():
    daemon = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    daemon.bind("/dev/log")
    daemon.settimeout(places.TIMEOUT)
    return daemon
