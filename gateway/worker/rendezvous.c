#include "gateway/worker/rendezvous.h"

#include <errno.h>

#include "base/sys.h"

/* Addresses that nobody has and that are routed like the Internet: the local
   address towards one is listened on where the peer is not named. */
#define SOMEWHERE 0xc0000201u /* 192.0.2.1, RFC 5737 */
static const struct addr somewhere_6 = {UINT64_C(0x20010db8) << 32, 1};

static int
rendezvous_address(const struct rendezvous *rendezvous,
                   const struct config *config, struct addr *local)
{
    struct addr to = rendezvous->to;
    bool v4 = addr_is_v4(to);

    if (v4 && !config->bind.address_auto) {
        *local = addr_v4(config->bind.address);
        return 0;
    }
    if (addr_is_any(to))
        to = v4 ? addr_v4(SOMEWHERE) : somewhere_6;
    return sys_route(to, local);
}

void
rendezvous_init(struct rendezvous *rendezvous)
{
    *rendezvous = (struct rendezvous){.watch.fd = -1};
}

int
rendezvous_open(struct rendezvous *rendezvous, struct loop *loop,
                const struct config *config, uint64_t seed,
                struct endpoint *local, struct endpoint *at, watch_fn *ready)
{
    int error = rendezvous_address(rendezvous, config, &local->addr);

    if (error < 0)
        return error;
    const struct local_ports ports = config_bind_ports(config);
    int fd = sys_listen_within(local, ports.first, ports.last, seed);
    if (fd < 0)
        return fd;
    const struct sys_keepalive keepalive = config_keepalive(config);
    sys_keepalive(fd, &keepalive); /* which the peer's connection inherits */
    *at = *local;
    if (config->bind.advertise_set && addr_is_v4(local->addr))
        at->addr = addr_v4(config->bind.advertise);
    error = loop_watch(loop, &rendezvous->watch, fd, EPOLLIN | EPOLLET, ready);
    if (error < 0)
        sys_close(fd);
    return error;
}

bool
rendezvous_expects(const struct rendezvous *rendezvous, struct addr peer)
{
    switch (rendezvous->peer) {
    case RULE_PEER_ANY:
        return true;
    case RULE_PEER_NETS:
        return netset_has(rendezvous->peers, peer);
    case RULE_PEER_EXACT:
        break;
    }
    return addr_equal(peer, rendezvous->to);
}

int
rendezvous_accept(struct rendezvous *rendezvous, struct endpoint *peer)
{
    int fd;

    do {
        fd = sys_accept(rendezvous->watch.fd, peer);
    } while (fd == -ECONNABORTED);
    return fd;
}

void
rendezvous_close(struct rendezvous *rendezvous)
{
    if (rendezvous->watch.fd < 0)
        return;
    sys_close(rendezvous->watch.fd);
    loop_forget(&rendezvous->watch);
}
