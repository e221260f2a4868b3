"""Namespaces: where the tests live, and the hosts they make."""
import contextlib
import ctypes
import os
import threading

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def _unshare(flags):
    _check(_libc.unshare(flags), "unshare")


def enter():
    """Moves this process into network and mount namespaces of its own, once.

    An ordinary user becomes root of a user namespace with that one id: what
    is done to the network is allowed then, becoming another user is not (see
    real_root). Must be called before there is a second thread.
    """
    if os.environ.get("SOCKS4_NAMESPACE") == str(os.getpid()):
        return
    uid, gid = os.getuid(), os.getgid()
    _unshare(CLONE_NEWNET | CLONE_NEWNS | (CLONE_NEWUSER if uid else 0))
    if uid:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"0 {uid} 1")
        _write("/proc/self/gid_map", f"0 {gid} 1")
    _check(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "mount")
    _own_control_folder()
    os.environ["SOCKS4_NAMESPACE"] = str(os.getpid())


def _own_control_folder():
    """Where a gateway has its control socket: that of the machine's own, or of
    another test, is not seen here."""
    with contextlib.suppress(OSError):
        os.makedirs("/run/socks4d", mode=0o755, exist_ok=True)
        _check(_libc.mount(b"none", b"/run/socks4d", b"tmpfs", 0, b"mode=755"),
               "mount")


def real_root():
    """Whether there are other users to become."""
    with open("/proc/self/uid_map") as lines:
        return sum(int(line.split()[2]) for line in lines) > 1


def _write(path, text):
    with open(path, "w") as file:
        file.write(text)


class Network:
    """A network namespace; it goes when the last descriptor on it goes."""

    def __init__(self):
        made = []
        thread = threading.Thread(target=lambda: made.append(self._make()))
        thread.start()
        thread.join()
        self.fd = made[0]

    @staticmethod
    def _make():
        _unshare(CLONE_NEWNET)
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    @property
    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    @contextlib.contextmanager
    def inside(self):
        """This thread, and what it starts, in the namespace.

        A socket stays where it was made."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _check(_libc.setns(self.fd, CLONE_NEWNET), "setns")
            yield
        finally:
            _check(_libc.setns(home, CLONE_NEWNET), "setns")
            os.close(home)

    def close(self):
        os.close(self.fd)
