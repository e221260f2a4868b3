#ifndef TOOLS_ROUTE_V5_ADDRESS_H
#define TOOLS_ROUTE_V5_ADDRESS_H

#include "base/addr.h"
#include "socks4/v5.h"

/* An endpoint as an address of SOCKS5, and an address of SOCKS5 as one of ours:
   0.0.0.0 where it is a name. */

static inline struct socks4_v5_address
v5_address(const struct endpoint *at)
{
    struct socks4_v5_address address = {.type = SOCKS4_V5_IPV4,
                                        .port = at->port};

    if (addr_is_v4(at->addr)) {
        address.ip4 = addr_to_v4(at->addr);
        return address;
    }
    address.type = SOCKS4_V5_IPV6;
    addr_to_octets(at->addr, address.ip6);
    return address;
}

static inline struct addr
v5_address_addr(const struct socks4_v5_address *address)
{
    if (address->type == SOCKS4_V5_IPV6)
        return addr_from_octets(address->ip6);
    return addr_v4(address->type == SOCKS4_V5_IPV4 ? address->ip4 : 0);
}

#endif
