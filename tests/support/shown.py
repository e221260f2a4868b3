"""Pages whose commands are run, and must print what the page says. With
OPERATE=write in the environment a page gets what they print now."""
import os
import re
import subprocess

from control import CTL
from gateway import BINARY

CONFIG, LOG = "/etc/socks4d.yaml", "/var/log/socks4d/log"
BLOCK = re.compile(
    r"^    \$ (.*)\n((?:    (?!\$ ).*\n|\n(?=    (?!\$ )))*)", re.M)


class Shown:
    """The gateway of the page, and what its shell says."""

    def __init__(self, gateway):
        self.gateway = gateway

    def run(self, command):
        """What it prints, with the names of the page."""
        program, _, rest = command.partition(" ")
        if program == "socks4ctl":
            command = f"{CTL} {rest}"
        if command.startswith("socks4d explain "):
            command = (f"{BINARY} explain -c {self.gateway.config_path.name}"
                       f"{command[len('socks4d explain'):]}")
        command = command.replace(LOG, str(self.gateway.log_path))
        done = subprocess.run(["bash", "-c", command], text=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              cwd=self.gateway.folder)
        return done.stdout.replace(str(self.gateway.config_path), CONFIG)


def bare(text):
    """Without figures, and what makes room for them."""
    text = re.sub(r"\b[0-9a-f]{8}\b", "#", text)
    text = re.sub(r"\d+(\.\d+)?[kMG]?", "#", text)
    text = re.sub(r"#[smhd](#[smhd])?\b", "#", text)
    return re.sub(r"[ \t]+", " ", text).strip()


def indented(text):
    return "".join(f"    {line}\n" if line else "\n"
                   for line in text.splitlines())


def check_page(path, shown, around):
    """Each command within around(command, where it stands in the page)."""
    page = path.read_text()
    written, wrong, at = [], [], 0
    for block in BLOCK.finditer(page):
        command, printed = block[1], block[2]
        with around(command, block.start()):
            said = shown.run(command)
        if bare(said) != bare(re.sub("^    ", "", printed, flags=re.M)):
            wrong.append((command, said))
        written.append(page[at:block.start()] + f"    $ {command}\n"
                       + indented(said))
        at = block.end()
    if os.environ.get("OPERATE") == "write":
        path.write_text("".join(written) + page[at:])
        return
    assert len(written) >= 8 and not wrong, wrong
