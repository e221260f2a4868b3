#ifndef TOOLS_ROUTE_ROUTE_H
#define TOOLS_ROUTE_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "socks4/dial.h"

/*
 * The route to a destination: gateways, nearest first, with commas between
 * them. One gateway is
 *
 *     [USER@]HOST[:PORT]
 *     socks4://[USER@]HOST[:PORT][/]     this host resolves names
 *     socks4a://[USER@]HOST[:PORT][/]    that gateway resolves names
 *     socks5://[USER@]HOST[:PORT][/]     version 5; this host resolves names
 *     socks5h://[USER@]HOST[:PORT][/]    version 5; that gateway does
 *
 * HOST is a name, an IPv4 address, or an IPv6 address in brackets, which can
 * be the first gateway's or one that a gateway of version 5 is asked for.
 * PORT is 1080 by default. USER is the USERID of version 4, or the user name
 * of version 5; in a URL, %XX in it is an octet. A password is not part of
 * it.
 */

#define ROUTE_HOPS_MAX 8
#define ROUTE_USERID_MAX 1023
#define ROUTE_WORD_MAX 4096 /* one gateway as text, NUL included */
#define ROUTE_FIRST_MAX 8
#define ROUTE_FAULT_MAX 1024

struct route_hop {
    char host[SOCKS4_DOMAIN_MAX + 1];
    char user[ROUTE_USERID_MAX + 1]; /* empty: none */
    uint16_t port;
    bool socks5;
    bool resolves; /* this gateway resolves the names that it is asked for */
};

/* The gateways, and after route_resolve the addresses of the first one and
   the destinations to ask the others for. */
struct route {
    struct route_hop hops[ROUTE_HOPS_MAX];
    size_t count;
    struct sockaddr_storage first[ROUTE_FIRST_MAX];
    size_t first_count;
    struct addr addrs[ROUTE_HOPS_MAX];
    bool named[ROUTE_HOPS_MAX]; /* the gateway before it resolves its name */
};

/* A sentence that says what is wrong. */
struct route_fault {
    char text[ROUTE_FAULT_MAX];
};

/* What holds for a gateway whose text does not say it. */
struct route_defaults {
    const char *userid; /* of version 4 */
    const char *user;   /* of version 5 */
    bool socks5;
    bool resolves; /* also for those that are socks4:// or socks5:// */
};

/* Parses the list. 0, or -EINVAL and the fault. No fault has a password in
   it, where a user wrote one. */
int route_parse(struct route *route, const char *list,
                const struct route_defaults *defaults,
                struct route_fault *fault);

/* The scheme of such a gateway: "socks5h". */
const char *route_scheme(const struct route_hop *hop);

/* Whether the last gateway resolves the destination's name; whether it takes
   an IPv6 address. */
bool route_resolves_names(const struct route *route);
bool route_carries_ipv6(const struct route *route);

/*
 * Resolves the name of the first gateway, and of each other one unless the
 * gateway before it resolves names. 0; -EINVAL: that gateway cannot carry the
 * address; -EHOSTUNREACH: the name is not known. Blocks as long as the
 * system's resolver does.
 */
int route_resolve(struct route *route, struct route_fault *fault);

/*
 * Resolves one host to what that gateway can carry: an address; a name for
 * the gateway to resolve (*named); or the first address of the name that the
 * system knows, for version 4 the first IPv4 address. Results as
 * route_resolve.
 */
int route_find(const char *host, const struct route_hop *by, struct addr *addr,
               bool *named, struct route_fault *fault);

/* Connects to the first gateway: socks4_dial_open for each of its addresses
   until one answers. */
int route_dial(const struct route *route, struct socks4_dial *dial, int *fd);

#endif
