"""A system call from inside a process of the gateway: the process itself makes
it, as somebody would who has taken it over (inject.c)."""
import ctypes
import errno
import os
import signal
import socket
import struct
import subprocess

from gateway import ROOT


def build(folder):
    built = os.path.join(folder, "inject")
    subprocess.run(["cc", "-O1", "-D_GNU_SOURCE", "-o", built,
                    ROOT / "tests/support/inject.c"], check=True, timeout=60)
    return built


def number(name):
    found = ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_name(
        name.encode())
    assert found >= 0, name
    return found


def call(program, pid, name, *arguments):
    """Octets, or a string with its NUL, go by address. What it returns, or the
    signal that killed the process."""
    words = []
    for argument in arguments:
        if isinstance(argument, str):
            argument = argument.encode() + b"\0"
        words.append("x" + argument.hex() if isinstance(argument, bytes)
                     else str(argument % 2**64))
    done = subprocess.run([program, str(pid), str(number(name)), *words],
                          timeout=60, check=True, text=True,
                          stdout=subprocess.PIPE)
    what, value = done.stdout.split()
    if what == "killed":
        return signal.Signals(int(value))
    value = int(value)
    return errno.errorcode[-value] if value < 0 else value


def landlock_abi():
    """What this kernel has of it; 0: nothing, as before Linux 5.13."""
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    return max(0, syscall(444, None, ctypes.c_size_t(0), 1))


def bounds_ports():
    """Whether this kernel does: Linux 6.7."""
    return landlock_abi() >= 4


def at(host, port):
    """A sockaddr_in."""
    return (struct.pack("=H", socket.AF_INET) + struct.pack("!H", port)
            + socket.inet_aton(host) + bytes(8))
