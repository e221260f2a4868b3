"""How each client is told to go through the gateway."""
import pathlib

import lab
from gateway import BINARY

HERE = pathlib.Path(__file__).parent
PROXY = f"{lab.INSIDE}:1080"

PROXYCHAINS = f"""
strict_chain
tcp_read_time_out 15000
tcp_connect_time_out 8000
[ProxyList]
socks4 {lab.INSIDE} 1080
"""

SOCKSIFY = f"""
resolveprotocol: fake
route {{
    from: 0.0.0.0/0 to: 0.0.0.0/0 via: {lab.INSIDE} port = 1080
    %s
}}
"""

INNOCENT = str(HERE / "innocent.py")
TOOL = str(pathlib.Path(BINARY).parent.parent / "tools/socks4")


def words(to):
    return [to[0], str(to[1])]


def curl(*arguments, user=None, version="--socks4"):
    """Silent but for errors; 97 where the proxy said no."""
    proxy = f"{user}@{PROXY}" if user else PROXY
    return ["curl", "-q", "-sS", "--fail", version, proxy, *arguments]


def socks4(to, *options, command="connect"):
    """Our own."""
    return [TOOL, command, *words(to), "-p", PROXY, *options]


def run(*command, options=()):
    """A program that knows nothing of it, in ours."""
    return [TOOL, "run", "-p", PROXY, *options, "--", *command]


def innocent(task, to, *options):
    """That program does what innocent.py says of the task."""
    return run("/usr/bin/python3", INNOCENT, task, *words(to),
               options=options)


def nc(to, *options, version="4"):
    return ["nc.openbsd", *options, "-X", version, "-x", PROXY, *words(to)]


def ncat(to, *options, version="socks4"):
    return ["ncat", *options, "--proxy-type", version, "--proxy", PROXY,
            *words(to)]


def socat(to, *options, user=None, version="SOCKS4"):
    """Waits long for the other direction when one has ended."""
    name = f",socksuser={user}" if user else ""
    address = "%s:%s:%s:%d" % (version, lab.INSIDE, *to)
    return ["socat", "-t", "20", *options, "-", address + name]


def proxychains(folder, *command, quiet=True, resolve="", version="socks4"):
    """`resolve`: proxy_dns, where names are the gateway's to resolve."""
    path = folder / "proxychains.conf"
    path.write_text(resolve + PROXYCHAINS.replace("socks4", version))
    return ["proxychains4", *["-q"] * quiet, "-f", str(path), *command]


def socksify(folder, *command, version="socks_v4", asks="command: connect"):
    """Dante's client library."""
    path = folder / "socks.conf"
    path.write_text(SOCKSIFY % f"proxyprotocol: {version}\n    {asks}")
    return ["env", f"SOCKS_CONF={path}", "socksify", *command]


def socksify_udp(folder, *command):
    """The same for datagrams."""
    return socksify(folder, *command, version="socks_v5",
                    asks="protocol: udp\n    command: udpassociate")


# The scripts beside this file: they send their standard input, end their
# side, and print the answer. Refused, they say why and exit with 1.


def node(to, user="", version="4"):
    return ["node", str(HERE / "socks.js"), *words((lab.INSIDE, 1080)),
            *words(to), user, version]


def node_bind(to, user=""):
    return ["node", str(HERE / "bind.js"), *words((lab.INSIDE, 1080)),
            *words(to), user]


def perl(to, user="", version="4"):
    return ["perl", str(HERE / "socks.pl"), *words((lab.INSIDE, 1080)),
            *words(to), user, version]


def python(to, user="", version="4"):
    return ["/usr/bin/python3", str(HERE / "pysocks.py"),
            *words((lab.INSIDE, 1080)), *words(to), user, version]


def ssh_proxy(ours=False):
    """For ssh's ProxyCommand."""
    if ours:
        return f"{TOOL} connect -p {PROXY} %h %p"
    return f"nc.openbsd -X 4 -x {PROXY} %h %p"
