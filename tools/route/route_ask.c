#include "tools/route/route_ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/route/v5_address.h"

/* --- The requests --- */

/* What that gateway is asked for: the next one, or the destination. */
static struct route_dest
route_dest_of(const struct route *route, size_t hop,
              const struct route_dest *last)
{
    const struct route_hop *next = &route->hops[hop + 1];

    if (hop + 1 == route->count)
        return *last;
    return (struct route_dest){.command = SOCKS4_CONNECT,
                               .port = next->port,
                               .addr = route->addrs[hop + 1],
                               .name =
                                   route->named[hop + 1] ? next->host : NULL};
}

static struct socks4_request
route_request_v4(const struct route_hop *hop, const struct route_dest *dest)
{
    struct socks4_request request = {.command = dest->command,
                                     .dstport = dest->port,
                                     .userid = hop->user,
                                     .userid_len = strlen(hop->user)};

    if (dest->name == NULL) {
        request.dstip = addr_to_v4(dest->addr);
        return request;
    }
    request.dstip = 1; /* [4A-3.1.1-1] */
    request.domain = dest->name;
    request.domain_len = strlen(dest->name);
    return request;
}

static struct socks4_v5_request
route_request_v5(const struct route_dest *dest)
{
    const struct endpoint to = {dest->addr, dest->port};
    struct socks4_v5_request request = {.command = dest->command,
                                        .address = v5_address(&to)};

    if (dest->name != NULL) {
        request.address.type = SOCKS4_V5_NAME;
        request.address.name = dest->name;
        request.address.name_len = strlen(dest->name);
    }
    return request;
}

/* The address of that gateway, for a BIND's reply that has none. */
static struct addr
route_gateway_addr(const struct route *route, size_t hop,
                   const struct socks4_dial *dial)
{
    struct sockaddr_storage sa = {0};
    struct endpoint at;

    if (hop > 0)
        return route->named[hop] ? addr_v4(0) : route->addrs[hop];
    if (dial->gateway == NULL || dial->gateway_len > sizeof(sa))
        return addr_v4(0);
    memcpy(&sa, dial->gateway, dial->gateway_len);
    endpoint_from_sockaddr(&at, &sa);
    return at.addr;
}

static int
route_ask_v4(const struct socks4_stream *stream, const struct socks4_dial *dial,
             const struct route_hop *hop, const struct route_dest *dest,
             struct route_asked *asked)
{
    struct socks4_request request = route_request_v4(hop, dest);
    struct socks4_dialled dialled;
    int result = socks4_dial_over_stream(stream, dial, &request, 1, &dialled);

    asked->v4 = dialled.client;
    return result;
}

static int
route_ask_v5(const struct socks4_stream *stream, const struct socks4_dial *dial,
             const struct route_hop *hop, const struct route_dest *dest,
             const char *password, struct route_asked *asked)
{
    struct socks4_v5_request request = route_request_v5(dest);
    struct socks4_v5_password login = {
        .user = hop->user, .user_len = strlen(hop->user), .password = password};
    bool has_login = password != NULL && login.user_len > 0;

    if (has_login)
        login.password_len = strlen(password);
    return socks4_v5_dial_over_stream(stream, dial, &request,
                                      has_login ? &login : NULL, &asked->v5);
}

int
route_ask(const struct route *route, const struct socks4_stream *stream,
          const struct socks4_dial *dial, const struct route_dest *last,
          const char *password, struct route_asked *asked)
{
    struct socks4_dial blind = *dial; /* the gateways' addresses are ours */
    int result = 0;

    memset(asked, 0, sizeof(*asked));
    blind.gateway = NULL;
    for (size_t i = 0; i < route->count && result == 0; i++) {
        const struct route_hop *hop = &route->hops[i];
        struct route_dest dest = route_dest_of(route, i, last);

        asked->hop = i;
        asked->begun = true;
        asked->socks5 = hop->socks5;
        asked->gateway = route_gateway_addr(route, i, dial);
        result = hop->socks5
                     ? route_ask_v5(stream, &blind, hop, &dest, password, asked)
                     : route_ask_v4(stream, &blind, hop, &dest, asked);
    }
    return result;
}

int
route_accept(const struct socks4_stream *stream, const struct socks4_dial *dial,
             struct route_asked *asked)
{
    struct socks4_dialled dialled = {.fd = -1, .client = asked->v4};
    int result;

    if (asked->socks5)
        return socks4_v5_dial_accept_stream(stream, dial, &asked->v5);
    result = socks4_dial_accept_stream(stream, dial, &dialled);
    asked->v4 = dialled.client;
    return result;
}

/* --- The answers --- */

int
route_error(const struct route_asked *asked)
{
    return asked->socks5 ? asked->v5.error : asked->v4.error;
}

int
route_code(const struct route_asked *asked)
{
    return asked->socks5 ? asked->v5.code : asked->v4.code;
}

bool
route_awaits_peer(const struct route_asked *asked)
{
    return asked->socks5 ? asked->v5.state == SOCKS4_V5_CLIENT_PEER
                         : asked->v4.state == SOCKS4_CLIENT_PEER;
}

bool
route_is_open(const struct route_asked *asked)
{
    return asked->socks5 ? asked->v5.state == SOCKS4_V5_CLIENT_OPEN
                         : asked->v4.state == SOCKS4_CLIENT_OPEN;
}

size_t
route_wants(const struct route_asked *asked)
{
    return asked->socks5 ? socks4_v5_client_wants(&asked->v5)
                         : socks4_client_wants(&asked->v4);
}

void
route_take(struct route_asked *asked, const uint8_t *octets, size_t len)
{
    if (asked->socks5 && len > 0)
        socks4_v5_client_take(&asked->v5, octets, len);
    else if (asked->socks5)
        socks4_v5_client_end(&asked->v5);
    else if (len > 0)
        socks4_client_take(&asked->v4, octets, len);
    else
        socks4_client_end(&asked->v4);
}

struct endpoint
route_bound(const struct route_asked *asked)
{
    const struct socks4_v5_address *bound = &asked->v5.bound;
    struct endpoint at = {addr_v4(asked->v4.reply.dstip),
                          asked->v4.reply.dstport};

    if (asked->socks5)
        at = (struct endpoint){v5_address_addr(bound), bound->port};
    if (!addr_is_any(at.addr))
        return at;
    /* A BIND listens at the gateway itself then [V4-4.2-7]. */
    at.addr = addr_v4(0);
    if (route_awaits_peer(asked) &&
        (asked->socks5 || addr_is_v4(asked->gateway)))
        at.addr = asked->gateway;
    return at;
}

/* --- A socket as a stream --- */

static ssize_t
route_result(ssize_t moved)
{
    if (moved >= 0)
        return moved;
    return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

static ssize_t
route_read(void *context, void *octets, size_t count)
{
    return route_result(
        recv(*(const int *)context, octets, count, MSG_DONTWAIT));
}

static ssize_t
route_write(void *context, const void *octets, size_t count)
{
    return route_result(send(*(const int *)context, octets, count,
                             MSG_DONTWAIT | MSG_NOSIGNAL));
}

struct socks4_stream
route_socket_stream(int *fd)
{
    return (struct socks4_stream){
        .context = fd, .fd = *fd, .read = route_read, .write = route_write};
}

/* --- What to say of it --- */

static void
route_format_hop(const struct route_hop *hop, const char *before,
                 char text[ROUTE_STAGE_MAX])
{
    bool is_v6 = strchr(hop->host, ':') != NULL;

    snprintf(text, ROUTE_STAGE_MAX, is_v6 ? "%s[%s]:%u" : "%s%s:%u", before,
             hop->host, hop->port);
}

void
route_find_stage(const struct route *route, const struct route_asked *asked,
                 const char *dest, struct route_stage *stage)
{
    size_t next = asked->hop + 1;

    route_format_hop(&route->hops[asked->hop], "", stage->gateway);
    if (next < route->count)
        route_format_hop(&route->hops[next], "the gateway ", stage->target);
    else
        snprintf(stage->target, sizeof(stage->target), "%s", dest);
}

char *
route_say_result(const struct route *route, int result,
                 const struct route_asked *asked, const char *dest,
                 char text[ROUTE_FAULT_MAX])
{
    const char *error = socks4_error_text(route_error(asked));
    struct route_stage stage;

    route_find_stage(route, asked, dest, &stage);
    if (result == 0)
        snprintf(text, ROUTE_FAULT_MAX, "granted");
    else if (!asked->begun)
        snprintf(text, ROUTE_FAULT_MAX, "cannot connect to the gateway %s: %s",
                 stage.gateway, strerror(-result));
    else if (result > 0 && asked->socks5)
        snprintf(text, ROUTE_FAULT_MAX, "the gateway %s refused %s: %s (%d)",
                 stage.gateway, stage.target, socks4_v5_code_text(result),
                 result);
    else if (result == SOCKS4_REJECTED)
        snprintf(text, ROUTE_FAULT_MAX,
                 "the gateway %s refused, or could not reach %s (91)",
                 stage.gateway, stage.target);
    else if (result > 0)
        snprintf(text, ROUTE_FAULT_MAX, "the gateway %s refused: %s (%d)",
                 stage.gateway, socks4_code_text(result), result);
    else if (result == -EACCES && route_error(asked) != 0)
        snprintf(text, ROUTE_FAULT_MAX, "the gateway %s did not let you in: %s",
                 stage.gateway, error);
    else if (result == -EPROTO)
        snprintf(text, ROUTE_FAULT_MAX,
                 "the gateway %s does not answer as a SOCKS %d gateway: %s",
                 stage.gateway, asked->socks5 ? 5 : 4, error);
    else
        snprintf(text, ROUTE_FAULT_MAX,
                 "connected to the gateway %s, which did not answer: %s",
                 stage.gateway, strerror(-result));
    return text;
}
