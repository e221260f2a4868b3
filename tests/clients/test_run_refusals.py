"""socks4 run connects through the gateway or not at all."""
import os
import pathlib
import shutil
import struct
import subprocess

import pytest

import lab as places
import namespace
import programs
from evidence import records_of
from misbehaving import GRANTED, REJECTED, Script, hold
from servers import start_thread
from starts import copied

needs_root = pytest.mark.skipif(not namespace.real_root(),
                                reason="needs root: files of other users")
CONNECT = len(b"\4\1ppaaaa\0")


class Bait:
    """A server that the client reaches directly; it counts who came."""

    def __init__(self, host):
        self.count = 0
        self.listener = host.listen(places.INSIDE)
        self.listener.settimeout(None)
        self.address = self.listener.getsockname()
        start_thread(self._accept, host)

    def _accept(self, host):
        while True:
            host.accept(self.listener)[0].close()
            self.count += 1


@pytest.fixture
def bait(lab):
    return Bait(lab.gateway)


def python(code):
    return ["/usr/bin/python3", "-c", code]


def connecting(to):
    """A program that connects, and says 13 or how it failed."""
    return python(f"""
import socket
try:
    socket.create_connection({to!r}, 10).close()
    print("connected")
except OSError as fault:
    print(fault.errno)
""")


@pytest.mark.parametrize("steps, says", [
    (None, "cannot connect to the gateway {at}: Connection refused"),
    ([CONNECT, hold], "connected to the gateway {at}, which did not answer:"
     " Connection timed out"),
    ([CONNECT, b"HTTP/1.0"], "the gateway {at} does not answer as a SOCKS 4"
     " gateway: "),
    ([CONNECT, REJECTED], "the gateway {at} refused, or could not reach the"
     " destination (91)"),
])
def test_verbose_says_where_it_failed(lab, call, steps, says):
    at = Script(lab.gateway, *steps).address if steps else "10.1.0.1:9"
    time = "500ms" if steps and hold in steps else "20s"
    done = call(programs.TOOL, "run", "-v", "-t", time, "-p", at, "--",
                *connecting((places.SERVER, 80)))
    assert done.stdout != b"connected\n"
    assert done.stderr.decode().startswith(
        "socks4 run: connect 10.2.0.2:80: " + says.format(at=at)), done.stderr


BROKEN = [
    (["-u", "SOCKS4_RUN_ROUTE"], b"SOCKS4_RUN_ROUTE is missing"),
    (["-u", "SOCKS4_RUN_FLAGS"], b"SOCKS4_RUN_FLAGS is missing"),
    (["-u", "SOCKS4_RUN_TIMEOUT"], b"SOCKS4_RUN_TIMEOUT is missing"),
    (["-u", "SOCKS4_RUN_BYPASS"], b"SOCKS4_RUN_BYPASS is missing"),
    (["-u", "SOCKS4_RUN_PASSWORD_FILE"],
     b"SOCKS4_RUN_PASSWORD_FILE is missing"),
    (["-u", "SOCKS4_RUN_TLS"], b"SOCKS4_RUN_TLS is missing"),
    (["SOCKS4_RUN_TLS=" + "x" * 64], b"SOCKS4_RUN_TLS is too long"),
    (["SOCKS4_RUN_ROUTE="], b"SOCKS4_RUN_ROUTE is wrong"),
    (["SOCKS4_RUN_ROUTE=10.1.0.1:0"], b'port "0" is not 1 to 65535'),
    (["SOCKS4_RUN_ROUTE=gw.example"], b"has a name where an address"),
    (["SOCKS4_RUN_ROUTE=10.1.0.1,gw.example"], b"has a name where an address"),
    (["SOCKS4_RUN_ROUTE=10.1.0.1,[::1]"], b"has a name where an address"),
    (["SOCKS4_RUN_FLAGS=lx"], b"SOCKS4_RUN_FLAGS has an unknown letter"),
    (["SOCKS4_RUN_TIMEOUT=soon"], b"SOCKS4_RUN_TIMEOUT is not a time"),
    (["SOCKS4_RUN_TIMEOUT=0"], b"SOCKS4_RUN_TIMEOUT is not a time"),
    (["SOCKS4_RUN_BYPASS=10.1.0.0/99"], b"SOCKS4_RUN_BYPASS is wrong"),
    (["SOCKS4_RUN_BYPASS=10.1.0.0/16,"], b"SOCKS4_RUN_BYPASS is wrong"),
    (["SOCKS4_RUN_BYPASS=" + "10.1.0.0/16," * 1400 + "::1"],
     b"octets, at most 16383"),
]


@pytest.mark.parametrize("change, says", BROKEN)
def test_broken_settings_connect_nowhere(call, bait, change, says):
    """Neither to the bait nor by a name, and the reason is printed once."""
    done = call(*programs.run("env", *change, *connecting(bait.address)))
    assert (done.returncode, done.stdout) == (0, b"13\n"), done
    assert says in done.stderr and done.stderr.count(b"\n") == 1, done
    done = call(*programs.run("env", *change, *connecting(("bait.test", 80))))
    assert (done.returncode, done.stdout) == (0, b"-4\n"), done
    assert bait.count == 0


def test_settings_are_those_of_the_start(gateway, call):
    """A program that removes them from its environment goes on as before."""
    done = call(*programs.run(*python(f"""
import ctypes, socket
libc = ctypes.CDLL(None)
assert libc.clearenv() == 0
try:
    socket.create_connection(({places.SERVER!r}, 9), 10)
except OSError as fault:
    print(fault.errno)
""")))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"111\n", b"")
    records_of(gateway, 1)


def test_fast_open_and_mptcp_are_no_way_around(lab, call, bait):
    """Sending with an address connects, too; so does a socket of MPTCP."""
    script = Script(lab.gateway, CONNECT, REJECTED)
    done = call(programs.TOOL, "run", "-p", script.address, *python(f"""
import errno, socket
for send in (lambda s: s.sendto(b"x", socket.MSG_FASTOPEN, {bait.address!r}),
             lambda s: s.sendmsg([b"x"], [], socket.MSG_FASTOPEN,
                                 {bait.address!r})):
    with socket.socket() as sock:
        try:
            send(sock)
        except OSError as fault:
            print(fault.errno == errno.EOPNOTSUPP)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    print(sock.sendto(b"x", ("127.0.0.1", 9)))
try:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
except OSError:
    sock = socket.socket()  # a kernel without MPTCP has no such way
print(sock.connect_ex({bait.address!r}) == errno.ECONNREFUSED)
"""))
    assert (done.returncode, done.stdout) == (0, b"True\nTrue\n1\nTrue\n"), done
    assert bait.count == 0 and len(script.heard) == 1


def test_names_beyond_the_table_are_not_resolved_here(lab, call):
    """[4A-3.1.2-5] The system's resolver would tell the network of them."""
    script = Script(lab.gateway, hold)
    done = call(programs.TOOL, "run", "-a", "-v", "-p", script.address,
                *python("""
import socket
def resolves(name):
    try:
        return socket.gethostbyname(name)[:7] == "198.18."
    except OSError:
        return False
print(all(resolves(f"n{i}.test") for i in range(4096)))
print(resolves("one-too-many.test"), resolves("n0.test"))
print(resolves("x" * 60 + ".test"))
"""))
    assert (done.returncode, done.stdout) == (0, b"True\nFalse True\nFalse\n")
    assert b"one-too-many.test: cannot be resolved" in done.stderr


# --- The command line ---


LONG = ",".join(f"10.{n // 256}.{n % 256}.0/24" for n in range(1400))
HALF = ",".join(f"10.{n // 256}.{n % 256}.0/24" for n in range(700))


@pytest.mark.parametrize("options, says", [
    (["--bypass", "10.0.0.0/33"], "--bypass: \"10.0.0.0/33\" is not an address"),
    (["--bypass", ""], "--bypass: wants an address"),
    (["--bypass", "10.0.0.1,"], "remove the last comma"),
    (["--bypass", LONG], f"the list has {len(LONG)} octets, at most 16383"),
    (["--bypass", HALF, "--bypass", HALF],
     "octets in all, at most 16383"),
    (["--bypass", "host.example"], "add -a, or write addresses"),
    (["--bypass", "*.example", "-a"], "\"*.example\" is not an address"),
    (["-p", "socks6://10.1.0.1"], "-p: gateway \"socks6://10.1.0.1\": socks6"),
    (["-p", "10.1.0.1:x"], "port \"x\" is not 1 to 65535"),
    (["-u", "x" * 1024], "-u: USERID is longer than 1023 octets"),
    (["-t", "0"], "wants a time"),
    (["-t", "1y"], "wants a time"),
])
def test_a_wrong_option_runs_nothing(call, options, says):
    done = call(*programs.run("echo", "ran", options=options))
    assert (done.returncode, done.stdout) == (2, b""), done
    assert says in done.stderr.decode(), done


def test_a_wrong_variable_runs_nothing(call):
    done = call(programs.TOOL, "run", "echo", "ran", SOCKS4_SERVER="gw:http")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b'socks4: SOCKS4_SERVER: gateway "gw:http": '
                                  b'port "http" is not')


def test_a_preload_list_is_never_cut(call):
    done = call(*programs.run("echo", "ran"), LD_PRELOAD=":" * 65536)
    assert (done.returncode, done.stdout) == (126, b"")
    assert b"LD_PRELOAD: it would be too long" in done.stderr


def test_userids_of_a_chain_arrive_whole(lab, call):
    """Whatever octets they have."""
    first, last = b"a,b@c%/:d", b"e f\xff"
    script = Script(lab.gateway, CONNECT + len(first), GRANTED,
                    CONNECT + len(last), GRANTED, hold)
    done = call(programs.TOOL, "run", "-u", os.fsdecode(last), "-p",
                "socks4://a%2cb%40c%25%2f%3ad@" + script.address
                + ",10.9.0.1", *connecting((places.SERVER, 80)))
    assert done.stdout == b"connected\n", done
    assert [octets[8:-1] for octets in script.heard] == [first, last]


# --- Programs that the library has no effect in ---


PROGRAM = """
#include <unistd.h>
%s
int
main(void)
{
    return write(1, "ran\\n", 4) == 4 ? 7 : 1;
}
"""
GO_NOTE = """
__attribute__((section(".note.go.buildid"), aligned(4), used))
static const struct { unsigned n[3]; char owner[4], id[4]; } note =
    {{4, 4, 4}, "Go", "id"};
"""
GO_DATA = """
__attribute__((used)) static char info[] = "\\377 Go buildinf:";
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Builds a program of those flags: its path."""
    folder = tmp_path_factory.mktemp("programs")

    def build(name, *flags, extra=""):
        path = folder / name
        if not path.exists():
            subprocess.run(["cc", "-x", "c", "-", "-o", path, *flags],
                           input=PROGRAM % extra, text=True, check=True)
        return path
    return build


def refuses(call, program, reason, file=None):
    """Nothing is run, unless it is forced; then that is said."""
    done = call(*programs.run(str(program)))
    said = done.stderr.decode()
    assert (done.returncode, done.stdout) == (126, b""), done
    assert f"{program} cannot be run through the gateway: " in said, said
    assert reason in said and (file is None or f"{file}: " in said), said
    assert "--force" in said and said.count("\n") == 1
    return said


def forced(call, program, reason):
    done = call(*programs.run(str(program), options=["--force"]))
    assert (done.returncode, done.stdout) == (7, b"ran\n"), done
    assert reason in done.stderr.decode()
    assert done.stderr.endswith(b"; it connects directly\n")


def test_a_dynamic_program_is_run(call, built):
    done = call(*programs.run(str(built("dynamic"))))
    assert (done.returncode, done.stdout, done.stderr) == (7, b"ran\n", b"")


@pytest.mark.parametrize("name, flags, extra, reason", [
    ("static", ["-static"], "", "it is linked statically"),
    ("static-pie", ["-static-pie"], "", "it is linked statically"),
    ("go-note", [], GO_NOTE, "it is a Go program"),
    ("go-data", [], GO_DATA, "it is a Go program"),
])
def test_a_program_out_of_reach_is_not_run(call, built, name, flags, extra,
                                           reason):
    program = built(name, *flags, extra=extra)
    refuses(call, program, reason)
    forced(call, program, reason)


def patched(path, to, change):
    """A copy of the program with other octets."""
    octets = path.read_bytes()
    to.write_bytes(change(octets))
    to.chmod(0o755)
    return to


def test_a_program_of_another_kind_is_not_run(call, built, tmp_path):
    plain = built("dynamic")

    def machine(octets):
        return octets[:18] + struct.pack("<H", 8) + octets[20:]  # MIPS

    def loader(octets):
        at = octets.index(b"/lib", 0x100)
        end = octets.index(b"\0", at)
        return octets[:at] + b"/lib/ld-\x1b.so.1".ljust(end - at, b"\0") \
            + octets[end:]
    refuses(call, patched(plain, tmp_path / "mips", machine),
            "it is built for another architecture")
    refuses(call, patched(plain, tmp_path / "musl", loader),
            "its loader is /lib/ld-\\x1b.so.1")


def test_a_script_is_what_its_interpreter_is(call, built, tmp_path):
    static = built("static", "-static")
    for name, line in [("direct", f"#!{static}"),
                       ("by-env", "#!/usr/bin/env -S static -x"),
                       ("twice", f"#!{tmp_path}/direct")]:
        script = tmp_path / name
        script.write_text(line + "\n")
        script.chmod(0o755)
        done = call(*programs.run(str(script)),
                    PATH=f"{static.parent}:/usr/bin:/bin")
        assert (done.returncode, done.stdout) == (126, b""), done
        assert f"{static}: it is linked statically" in done.stderr.decode()
    fine = tmp_path / "fine"
    fine.write_text("#!/bin/sh\necho ran\n")
    fine.chmod(0o755)
    done = call(*programs.run("fine"), PATH=f"{tmp_path}:/usr/bin:/bin")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"ran\n", b"")
    done = call(*programs.run("sh", "-c", "exit 3"), PATH="")
    assert done.returncode == 127


@needs_root
def test_a_program_with_privileges_of_its_own_is_not_run(call, built,
                                                         tmp_path):
    plain = built("dynamic")
    assert not os.statvfs(tmp_path).f_flag & os.ST_NOSUID
    for name, user, mode, reason in [
            ("setuid", 1, 0o4755, "it is set-user-ID"),
            ("setgid", 0, 0o2755, "it is set-group-ID")]:
        program = tmp_path / name
        shutil.copy(plain, program)
        os.chown(program, user, 1)
        program.chmod(mode)
        refuses(call, program, reason)
        done = call("setpriv", "--no-new-privs", *programs.run(str(program)))
        assert (done.returncode, done.stderr) == (7, b""), "no privileges then"
    own = tmp_path / "own"
    shutil.copy(plain, own)
    own.chmod(0o4755)
    assert call(*programs.run(str(own))).returncode == 7, "root's, as root"


@needs_root
def test_a_program_with_file_capabilities_is_not_run(
        call, built, open_folder):
    program = copied(built("dynamic"), open_folder)
    os.setxattr(program, "security.capability", struct.pack(
        "<IIIII", 0x02000001, 1 << 13, 0, 0, 0))
    tool = copied(programs.TOOL, open_folder)
    copied(pathlib.Path(programs.TOOL).parent / "libsocks4-run.so",
           open_folder)
    done = call("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                str(tool), "run", "-p", programs.PROXY, "--", str(program))
    assert (done.returncode, done.stdout) == (126, b""), done
    assert b"it has file capabilities" in done.stderr


def test_the_library_lies_where_the_loader_can_name_it(call, tmp_path):
    """A blank ends a name in LD_PRELOAD: the program would run without."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    for path in (programs.TOOL, "libsocks4-run.so"):
        shutil.copy(os.path.join(os.path.dirname(programs.TOOL), path), folder)
    done = call(str(folder / "socks4"), "run", "-p", programs.PROXY, "echo",
                "ran")
    assert (done.returncode, done.stdout) == (126, b""), done
    assert b"LD_PRELOAD cannot name a path with a blank" in done.stderr


def test_a_library_that_cannot_be_loaded_runs_nothing(call, tmp_path):
    """The loader would only warn, and run the program without it."""
    tool, library = tmp_path / "socks4", tmp_path / "libsocks4-run.so"
    shutil.copy(programs.TOOL, tool)
    for octets in (b"", b"\x7fELF", bytes(4096)):
        library.write_bytes(octets)
        done = call(str(tool), "run", "-p", programs.PROXY, "echo", "ran")
        assert (done.returncode, done.stdout) == (126, b""), done
        assert str(library).encode() in done.stderr, done
        assert done.stderr.endswith(b"; install it again\n")
