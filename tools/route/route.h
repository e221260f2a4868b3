#ifndef TOOLS_ROUTE_ROUTE_H
#define TOOLS_ROUTE_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "socks4/dial.h"

/*
 * The way to a destination: gateways, nearest first, as people write them:
 *
 *     [USERID@]HOST[:PORT][,[USERID@]HOST[:PORT]]...
 *
 * HOST is a name, an IPv4 address, or, for the first, an IPv6 address in
 * brackets; PORT is 1080 where none is given.
 */

#define ROUTE_HOPS_MAX 8
#define ROUTE_USERID_MAX 1023
#define ROUTE_FIRST_MAX 8
#define ROUTE_FAULT_MAX 512

struct route_hop {
    char host[SOCKS4_DOMAIN_MAX + 1];
    char userid[ROUTE_USERID_MAX + 1];
    uint16_t port;
};

/* What a route comes to for one destination: the addresses of the first
   gateway, and the requests to be made one through the other. */
struct route {
    struct route_hop hops[ROUTE_HOPS_MAX];
    size_t count;
    struct sockaddr_storage first[ROUTE_FIRST_MAX]; /* see route_resolve */
    size_t first_count;
    uint32_t ips[ROUTE_HOPS_MAX];
    bool named[ROUTE_HOPS_MAX]; /* the gateway before it resolves it */
};

/* Where a sentence goes that says what is wrong. */
struct route_fault {
    char text[ROUTE_FAULT_MAX];
};

/* Reads the list. `userid` is for the gateways that have none of their own.
   0, or -EINVAL and the fault. */
int route_parse(struct route *route, const char *list, const char *userid,
                struct route_fault *fault);

/*
 * Finds the addresses of the first gateway and, unless `socks4a`, of the
 * others. 0; -EINVAL: it cannot be asked for; -EHOSTUNREACH: a name is not
 * known. May take as long as the system's resolver does.
 */
int route_resolve(struct route *route, bool socks4a, struct route_fault *fault);

/*
 * One host as SOCKS 4 can carry it: an IPv4 address, a name for the gateway
 * to resolve (*ip is then the sign of 4A), or, without `socks4a`, the first
 * IPv4 address that the system knows for the name. As route_resolve.
 */
int route_find(const char *host, bool socks4a, uint32_t *ip, bool *named,
               struct route_fault *fault);

/*
 * Fills `requests` with the CONNECTs to all gateways but the first, and the
 * last one, whose userid becomes that of the last gateway. Returns how many:
 * route->count. What they point to lies in the route and in `last`.
 */
size_t route_requests(const struct route *route,
                      const struct socks4_request *last,
                      struct socks4_request requests[ROUTE_HOPS_MAX]);

/* socks4_dial_open over the first gateway's addresses in their order;
   `last` NULL: a plain connection to the first. */
int route_dial(const struct route *route, struct socks4_dial *dial,
               const struct socks4_request *last,
               struct socks4_dialled *dialled);

#endif
