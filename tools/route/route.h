#ifndef TOOLS_ROUTE_ROUTE_H
#define TOOLS_ROUTE_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "socks4/dial.h"

/*
 * The route to a destination: gateways, nearest first, with commas between
 * them. One gateway is
 *
 *     [USERID@]HOST[:PORT]
 *     socks4://[USERID@]HOST[:PORT][/]     this host resolves names
 *     socks4a://[USERID@]HOST[:PORT][/]    that gateway resolves names
 *
 * HOST is a name, an IPv4 address, or, for the first gateway, an IPv6 address
 * in brackets. PORT is 1080 by default. In a URL, %XX in the USERID is an
 * octet.
 */

#define ROUTE_HOPS_MAX 8
#define ROUTE_USERID_MAX 1023
#define ROUTE_WORD_MAX 4096 /* one gateway as text, NUL included */
#define ROUTE_FIRST_MAX 8
#define ROUTE_FAULT_MAX 1024

struct route_hop {
    char host[SOCKS4_DOMAIN_MAX + 1];
    char userid[ROUTE_USERID_MAX + 1];
    uint16_t port;
    bool socks4a; /* this gateway resolves the names that it is asked for */
};

/* The gateways, and after route_resolve the addresses of the first one and
   the destinations to ask the others for. */
struct route {
    struct route_hop hops[ROUTE_HOPS_MAX];
    size_t count;
    struct sockaddr_storage first[ROUTE_FIRST_MAX];
    size_t first_count;
    uint32_t ips[ROUTE_HOPS_MAX];
    bool named[ROUTE_HOPS_MAX]; /* the gateway before it resolves its name */
};

/* A sentence that says what is wrong. */
struct route_fault {
    char text[ROUTE_FAULT_MAX];
};

/* Parses the list. `userid` is for the gateways that have none of their own;
   `socks4a`: all gateways resolve names, not only those of socks4a URLs.
   0, or -EINVAL and the fault. */
int route_parse(struct route *route, const char *list, const char *userid,
                bool socks4a, struct route_fault *fault);

/* Whether the last gateway resolves the destination's name. */
bool route_resolves_names(const struct route *route);

/*
 * Resolves the name of the first gateway, and of each other one unless the
 * gateway before it resolves names. 0; -EINVAL: SOCKS 4 cannot carry the
 * address; -EHOSTUNREACH: the name is not known. Blocks as long as the
 * system's resolver does.
 */
int route_resolve(struct route *route, struct route_fault *fault);

/*
 * Resolves one host to what SOCKS 4 can carry: an IPv4 address; a name for
 * the gateway to resolve (*named, and *ip marks 4A); or, without `socks4a`,
 * the first IPv4 address of the name. Results as route_resolve.
 */
int route_find(const char *host, bool socks4a, uint32_t *ip, bool *named,
               struct route_fault *fault);

/*
 * Fills `requests`: a CONNECT to each gateway but the first, then `last`
 * with the userid of the last gateway. Returns their number, route->count.
 * Their pointers point into the route and into what `last` points to.
 */
size_t route_requests(const struct route *route,
                      const struct socks4_request *last,
                      struct socks4_request requests[ROUTE_HOPS_MAX]);

/*
 * Where dialling ended: the gateway that was the last to be asked, or not even
 * connected to, and what it was asked for. `dest` is the destination's text.
 */
#define ROUTE_STAGE_MAX (SOCKS4_DOMAIN_MAX + 40)

struct route_stage {
    char gateway[ROUTE_STAGE_MAX]; /* "HOST:PORT" */
    char target[ROUTE_STAGE_MAX];  /* "the gateway HOST:PORT", or dest */
    bool connected;
};

void route_find_stage(const struct route *route,
                      const struct socks4_dialled *dialled, const char *dest,
                      struct route_stage *stage);

/* The same and the result as one clause: "granted", or what failed there. */
char *route_say_result(const struct route *route, int result,
                       const struct socks4_dialled *dialled, const char *dest,
                       char text[ROUTE_FAULT_MAX]);

/* socks4_dial_open for each address of the first gateway until one answers;
   `last` NULL: a plain connection to the first gateway. */
int route_dial(const struct route *route, struct socks4_dial *dial,
               const struct socks4_request *last,
               struct socks4_dialled *dialled);

#endif
