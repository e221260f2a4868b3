"""A worker that was taken over: what it does is done by a program that is
confined as a worker is, and has that worker's socket (taken_worker.c)."""
import os
import subprocess

from gateway import ROOT


def build(folder):
    """The program, built."""
    built = os.path.join(folder, "taken_worker")
    parts = sorted((ROOT / "gateway/confine").glob("*.c"))
    subprocess.run(
        ["cc", "-D_GNU_SOURCE", "-I", ROOT, "-o", built,
         ROOT / "tests/support/taken_worker.c", *parts, "-lseccomp"],
        check=True, timeout=60)
    os.chmod(built, 0o755)
    return built


def attempt(program, gateway, worker, sock, what, text=""):
    """The same socket, in a process confined like the worker and where it is:
    its exit status, or the signal that killed it, negative."""
    number = os.dup(sock.fileno())
    try:
        with gateway.lab.gateway.network.inside():
            return subprocess.run(
                [program, what, worker.status("Uid"), worker.status("Gid"),
                 str(number), text],
                pass_fds=[number], timeout=60).returncode
    finally:
        os.close(number)
