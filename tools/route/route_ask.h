#ifndef TOOLS_ROUTE_ROUTE_ASK_H
#define TOOLS_ROUTE_ROUTE_ASK_H

#include "tools/route/route.h"

/*
 * Asking the gateways of a route, each in its version, over the connection to
 * the first one.
 */

/* What the last gateway is asked for. */
struct route_dest {
    uint8_t command; /* SOCKS4_CONNECT or SOCKS4_BIND, as in version 5 */
    uint16_t port;
    struct addr addr;
    const char *name; /* the gateway resolves it; NULL: it is `addr` */
};

/* How far the gateways were asked. */
struct route_asked {
    size_t hop;          /* the gateway that was asked last */
    bool begun;          /* one was asked */
    bool socks5;         /* which of the clients is its */
    struct addr gateway; /* its address; 0.0.0.0: not known */
    struct socks4_client v4;
    struct socks4_v5_client v5;
};

/*
 * Asks each gateway for the next one, and the last for `dest`. `password` is
 * for the gateways of version 5 that have a user name; NULL: they get none.
 * dial->gateway is the address of the first one. Returns
 *
 *   0        granted, or for a BIND: the last gateway listens, route_bound
 *            says where; call route_accept
 *   > 0      refused, with that code of the gateway's version
 *   -EPROTO, -EACCES, -EINVAL
 *            with route_error, as dial.h says
 *   other negative errno
 */
int route_ask(const struct route *route, const struct socks4_stream *stream,
              const struct socks4_dial *dial, const struct route_dest *dest,
              const char *password, struct route_asked *asked);

/* Waits for the peer of a BIND. Results as route_ask. */
int route_accept(const struct socks4_stream *stream,
                 const struct socks4_dial *dial, struct route_asked *asked);

/* The socks4_error that goes with the result, or 0; the code of the last
   reply, or 0. */
int route_error(const struct route_asked *asked);
int route_code(const struct route_asked *asked);

/* The address and port of the last reply, 0.0.0.0 if it has none: where a
   CONNECT comes from, where a BIND listens, or who its peer is. */
struct endpoint route_bound(const struct route_asked *asked);

/* The second reply of a BIND, for a caller that receives the octets itself:
   whether it is awaited, how many octets to receive, and what was received; len
   0: the end. */
bool route_awaits_peer(const struct route_asked *asked);
size_t route_wants(const struct route_asked *asked);
void route_take(struct route_asked *asked, const uint8_t *octets, size_t len);
bool route_is_open(const struct route_asked *asked);

/* A socket as a stream; *fd must stay where it is. */
struct socks4_stream route_socket_stream(int *fd);

/*
 * Where asking ended: the gateway that was the last to be asked, or not even
 * connected to, and what it was asked for. `dest` is the destination's text.
 */
#define ROUTE_STAGE_MAX (SOCKS4_DOMAIN_MAX + 40)

struct route_stage {
    char gateway[ROUTE_STAGE_MAX]; /* "HOST:PORT" */
    char target[ROUTE_STAGE_MAX];  /* "the gateway HOST:PORT", or dest */
};

void route_find_stage(const struct route *route,
                      const struct route_asked *asked, const char *dest,
                      struct route_stage *stage);

/* The same and the result as one clause: "granted", or what failed there. */
char *route_say_result(const struct route *route, int result,
                       const struct route_asked *asked, const char *dest,
                       char text[ROUTE_FAULT_MAX]);

#endif
