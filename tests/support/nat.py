"""Networks behind address translation, beside the lab's own.

    gateway 10.5.0.1 ──── 10.5.0.2 router 192.168.7.1 ──── 192.168.7.2 inner

    gateway 10.6.0.1 ──── 10.6.0.2 router 203.0.113.1 ──── 203.0.113.2 outer
"""
from lab import Host

HIDDEN = "192.168.7.2"  # what the application server calls itself
SEEN = "10.5.0.2"  # what the gateway sees of it

PUBLIC = "203.0.113.1"  # what the world calls the gateway
FAR = "203.0.113.2"
OWN = "10.6.0.1"
FORWARDED = (40000, 40099)


def _join(lab, near, far, link):
    """A router on a new leg of the gateway's, and a host behind it."""
    router, behind = Host("router"), Host("behind")
    lab.hosts += [router, behind]
    lab.gateway.ip(f"""
        link add {link} type veth peer name near netns {router.network.path}
        address add {near[0]}/24 dev {link}
        link set {link} up
    """)
    router.ip(f"""
        link set lo up
        link add far type veth peer name wire netns {behind.network.path}
        address add {near[1]}/24 dev near
        address add {far[0]}/24 dev far
        link set near up
        link set far up
    """)
    behind.ip(f"""
        link set lo up
        address add {far[1]}/24 dev wire
        link set wire up
    """)
    router.write("/proc/sys/net/ipv4/ip_forward", "1")
    return router, behind


def _translate(router, rules):
    router.run(["nft", "-f", "-"], input=rules, text=True)


def before_server(lab):
    """An application server behind NAT: it has the router's address for
    everybody else. The gateway knows a way to its own, too."""
    router, server = _join(lab, ("10.5.0.1", SEEN), ("192.168.7.1", HIDDEN),
                           "office")
    server.ip("route add default via 192.168.7.1")
    lab.gateway.ip(f"route add 192.168.7.0/24 via {SEEN}")
    _translate(router, """
        table ip nat {
            chain out {
                type nat hook postrouting priority srcnat;
                oifname "near" masquerade
            }
        }
    """)
    return server


def before_gateway(lab):
    """The gateway behind NAT: the router has its public address, and
    forwards a range of ports to it, unchanged."""
    router, server = _join(lab, (OWN, "10.6.0.2"), (PUBLIC, FAR), "uplink")
    lab.gateway.ip("route add default via 10.6.0.2")
    _translate(router, """
        table ip nat {
            chain in {
                type nat hook prerouting priority dstnat;
                iifname "far" tcp dport %d-%d dnat to %s
            }
            chain out {
                type nat hook postrouting priority srcnat;
                oifname "far" masquerade
            }
        }
    """ % (*FORWARDED, OWN))
    return server
