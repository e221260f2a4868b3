"""FTP in active mode: each file and each listing is a BIND.

The gateway runs with dist/examples/ftp.yaml as it stands."""
import pytest

import ftp_server
import programs
from ftp_server import SERVER, FtpServer, digest
from gateway import ROOT, Gateway, wait_for
from laws import laws
from streams import KB, MB

EXAMPLE = ROOT / "dist/examples/ftp.yaml"
SIZES = {"small": 3 * KB + 1, "large": 50 * MB + 7}

SOCKS_CONF = """
resolveprotocol: fake
route {
    from: 0.0.0.0/0 to: 0.0.0.0/0 via: %s port = %d
    proxyprotocol: socks_v4
    command: connect bind
}
""" % ftp_server.PROXY


class Example(Gateway):
    """With that file, and a log and workers that the tests can see."""

    def __init__(self, lab, folder):
        super().__init__(lab, folder)
        self.at = ftp_server.PROXY
        for key in ("listen", "rules", "limits"):
            del self.settings[key]

    def write_config(self):
        super().write_config()
        ours = self.config_path.read_text()
        self.config_path.write_text(EXAMPLE.read_text() + "\n" + ours)


@pytest.fixture
def gateway(lab, tmp_path):
    ftp_server.wire(lab)
    folder = tmp_path / "gateway"
    folder.mkdir()
    made = Example(lab, folder).start()
    yield made
    laws(made)


@pytest.fixture
def server(real_root, lab, gateway):
    """vsftpd becomes another user."""
    made = FtpServer(lab, SIZES)
    yield made
    made.close()


# How each client lists pub/, fetches both files and sends them back as
# upload/small and upload/large: its command lines, and what it is told.


def tnftp(folder):
    return [(["tnftp", "-A", "-i", "-n", "-v", SERVER], f"""
user anonymous me@
binary
ls pub {folder}/listing
get pub/small small
get pub/large large
put small upload/small
put large upload/large
quit
""")]


def lftp(folder):
    return [(["lftp", "-c", f"""
set ftp:passive-mode off
set ftp:ssl-allow off
set cmd:fail-exit yes
open {SERVER}
cls -1 pub/ > {folder}/listing
get pub/small
get pub/large
put small -o upload/small
put large -o upload/large
"""], "")]


def ncftp(folder):
    """A program for each."""
    return [(["ncftpls", "-E", "-1", f"ftp://{SERVER}/pub/"], ""),
            (["ncftpget", "-V", "-E", SERVER, ".", "/pub/small", "/pub/large"],
             ""),
            (["ncftpput", "-V", "-E", SERVER, "/upload", "small", "large"],
             "")]


def curl(folder):
    command = ["curl", "-q", "-sS", "--fail", "-P", "-"]
    at = f"ftp://{SERVER}"
    return [([*command, "-l", f"{at}/pub/"], ""),
            ([*command, "-o", "small", f"{at}/pub/small",
              "-o", "large", f"{at}/pub/large"], ""),
            ([*command, "-T", "{small,large}", f"{at}/upload/"], "")]


def inetutils(folder):
    """It has no name for what it sends, and asks for nothing."""
    return [(["inetutils-ftp", "-n", "-i", "-v", SERVER], f"""
user anonymous me@
binary
nlist pub {folder}/listing
get pub/small small
get pub/large large
put small upload/small
put large upload/large
quit
""")]


# What makes it a client of SOCKS: Dante's client library, or ours.
WRAPPERS = {
    "socksify": ["socksify"],
    "run": [programs.TOOL, "run", "-p", "%s:%d" % ftp_server.PROXY, "--"],
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("client", [tnftp, lftp, ncftp, curl, inetutils])
def test_active_mode_is_byte_exact(server, gateway, call, tmp_path, client,
                                   wrapper):
    """[V4-1-2] [V4-4.2-6] [V4-4.2-8] [V4-4.3-5] Listing, fetching and
    sending, by programs that know nothing of SOCKS; vsftpd takes no PORT but
    of the address that it sees."""
    (tmp_path / "socks.conf").write_text(SOCKS_CONF)
    listing = ""
    for command, given in client(tmp_path):
        done = call(*WRAPPERS[wrapper], *command, given=given.encode(), seconds=60,
                    SOCKS_CONF=str(tmp_path / "socks.conf"),
                    NCFTPDIR=str(tmp_path / "ncftp"))
        assert done.returncode == 0, (done, server.log())
        listing = listing or done.stdout.decode()
    if (tmp_path / "listing").exists():
        listing = (tmp_path / "listing").read_text()
    for name in SIZES:
        assert name in listing, listing
        expected = digest(server.root / "pub" / name)
        assert digest(tmp_path / name) == expected
        assert digest(server.upload / name) == expected
    evidence(server, gateway)


def evidence(server, gateway):
    """It was BIND, and PORT or EPRT: one for each transfer."""
    wait_for("the record of the control connection",
             lambda: gateway.records(command="connect"))
    assert len(server.ports()) >= 5, server.log()
    wait_for("the record of each transfer", lambda: len(
        gateway.records(command="bind")) >= len(server.ports()))
    binds = gateway.records(command="bind", verdict="granted")
    assert len(binds) == len(gateway.records(command="bind"))
    assert len(binds) == len(server.ports())
    assert {record["rule"] for record in binds} == {"ftp-data"}
    for size in SIZES.values():
        assert sum(record["down"] == size for record in binds) == 1
        assert sum(record["up"] == size for record in binds) == 1
