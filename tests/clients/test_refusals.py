"""What clients make of a refusal: every one of them says so and fails."""
import pytest

import lab as places
import programs
from conftest import LOGIN
from evidence import refused

RULES = ("[{name: no, action: deny, from: [any], to: [any], port: [81]},"
         " {name: all, action: allow, from: [any], to: [any]}]")

# port: (the verdict, the rule)
REASONS = {81: ("denied-by-rule", "no"), 82: ("connect-refused", "all")}

PROXYCHAINS = "Strict chain  ...  {proxy}  ...  {to} <--denied"

# name: (command line, USERID, exit status, what it says)
CLIENTS = {
    "curl": (lambda to, _: programs.curl("http://%s:%d/" % to, user="mary"),
             "mary", 97, "curl: (97) Can't complete SOCKS4 connection to {to}."
             " (91), request rejected or failed."),
    "git": (lambda to, _: ["git", "-c",
                           f"http.proxy=socks4://{programs.PROXY}",
                           "ls-remote", "http://%s:%d/" % to],
            "", 128, "Can't complete SOCKS4 connection to {to}."
            " (91), request rejected or failed."),
    "socks4": (lambda to, _: programs.socks4(to, "-u", "mary"),
               "mary", 91, "socks4: 91: {proxy} refused, or could not reach "
               "{to}: check host and port"),
    "nc": (lambda to, _: programs.nc(to),
           "", 1, "connection failed, SOCKSv4 error: "
           "Request rejected or failed"),
    "ncat": (lambda to, _: programs.ncat(to),
             "", 1, "Ncat: Proxy connection failed."),
    "socat": (lambda to, _: programs.socat(to),
              LOGIN, 1, "E socks: connect request rejected or failed"),
    "ssh": (lambda to, _: ["ssh", "-F", "none", "-o", "BatchMode=yes",
                           "-o", "ProxyCommand=" + programs.ssh_proxy(),
                           "-p", str(to[1]), to[0]],
            "", 255, "SOCKSv4 error: Request rejected or failed"),
    "proxychains": (lambda to, folder: programs.proxychains(
                        folder, "curl", "-q", "-sS", "http://%s:%d/" % to,
                        quiet=False),
                    "", 7, PROXYCHAINS),
    "Node": (lambda to, _: programs.node(to, "mary"),
             "mary", 1, "Socks4 Proxy rejected connection - (Failed)"),
    "Perl": (lambda to, _: programs.perl(to, "mary"),
             "mary", 1, "request rejected or failed"),
    "PySocks": (lambda to, _: programs.python(to),
                "", 1, "0x5b: Request rejected or failed"),
}


@pytest.mark.parametrize("port", REASONS)
@pytest.mark.parametrize("name", CLIENTS)
def test_the_client_says_that_it_was_refused(start_gateway, call, tmp_path,
                                             name, port):
    """[V4-3.2-3] [V4-3.3-1..3] [V4-3.3-5] [V4-3.3-9]"""
    command, userid, status, says = CLIENTS[name]
    verdict, rule = REASONS[port]
    to = (places.SERVER, port)
    gateway = start_gateway(rules=RULES)
    done = call(*command(to, tmp_path))
    assert done.returncode == status, done
    assert done.stdout == b""
    expected = says.format(to="%s:%d" % to, proxy=programs.PROXY)
    assert expected in done.stderr.decode()
    refused(gateway, to, verdict, rule, userid)
