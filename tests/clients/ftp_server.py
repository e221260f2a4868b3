"""vsftpd on the lab's server, anonymous, active mode only."""
import contextlib
import hashlib
import os
import pathlib
import pwd
import re
import shutil
import tempfile

import lab as places
from gateway import wait_for
from streams import MB, piece

# The addresses of dist/examples/ftp.yaml.
PROXY = ("192.168.20.1", 1080)
CLIENT = "192.168.20.7"
SERVER = "198.51.100.21"

CONF = """
listen=YES
listen_address={address}
listen_port=21
background=NO
anonymous_enable=YES
local_enable=NO
write_enable=YES
anon_upload_enable=YES
anon_root={root}
secure_chroot_dir={empty}
no_anon_password=YES
pasv_enable=NO
port_enable=YES
connect_from_port_20=YES
vsftpd_log_file={log}
log_ftp_protocol=YES
xferlog_enable=YES
"""


def wire(lab):
    """The lab's hosts get the addresses of the example. The client has no
    way to a name server, so that none is waited for."""
    lab.gateway.ip("""
        address add 192.168.20.1/24 dev inside
        address add 198.51.100.1/24 dev outside
    """)
    lab.client.ip(f"""
        route delete default
        address add {CLIENT}/24 dev wire
    """)
    lab.server.ip(f"address add {SERVER}/24 dev wire")


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class FtpServer:
    """pub/small and pub/large can be fetched, upload/ can be sent to."""

    def __init__(self, lab, sizes):
        # The one user it becomes must get at it.
        self.folder = pathlib.Path(
            tempfile.mkdtemp(dir="/tmp", prefix="socks4-ftp-"))
        self.folder.chmod(0o755)
        self.root = self.folder / "root"
        self.upload = self.root / "upload"
        self.log_path = self.folder / "log"
        for folder in (self.root, self.root / "pub", self.upload,
                       self.folder / "empty"):
            folder.mkdir(mode=0o755)
        os.chown(self.upload, pwd.getpwnam("ftp").pw_uid, -1)
        for name, size in sizes.items():
            with open(self.root / "pub" / name, "wb") as file:
                for at in range(0, size, MB):
                    file.write(piece(at, min(MB, size - at)))
        self._start(lab)

    def _start(self, lab):
        conf = self.folder / "conf"
        conf.write_text(CONF.format(
            address=SERVER, root=self.root, log=self.log_path,
            empty=self.folder / "empty"))
        self.process = lab.server.popen(
            ["vsftpd", str(conf)], preexec_fn=places.die_with_parent)
        wait_for("vsftpd", lambda: lab.server.listens(21)
                 or self.process.poll() is not None)
        assert self.process.poll() is None

    def log(self):
        with contextlib.suppress(FileNotFoundError):
            return self.log_path.read_text(errors="replace")
        return ""

    def ports(self):
        """The PORT and EPRT commands that it obeyed."""
        return re.findall(r'FTP command: Client "[^"]*", "((?:PORT|EPRT) .*)"',
                          self.log())

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)
