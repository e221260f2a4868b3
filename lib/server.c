#include <string.h>

#include "socks4/server.h"

/* Keeps the fields that replies and the caller need later. */
static void
server_keep(struct socks4_server *server, const struct socks4_request *request,
            size_t len)
{
    server->begun = len > 0;
    server->version = request->version;
    if (request->version != SOCKS4_VERSION)
        return;
    server->has_header = len >= SOCKS4_HEADER_SIZE;
    server->command = server->has_header ? request->command : 0;
    server->dstport = request->dstport;
    server->dstip = request->dstip;
}

ssize_t
socks4_server_read(struct socks4_server *server,
                   const struct socks4_framing *framing, const uint8_t *octets,
                   size_t len, struct socks4_request *request)
{
    ssize_t used;

    if (server->state != SOCKS4_SERVER_REQUEST) {
        memset(request, 0, sizeof *request);
        return SOCKS4_E_ORDER;
    }
    used = socks4_request_decode(framing, octets, len, request);
    server_keep(server, request, len);
    if (used == 0)
        return 0;
    server->state = SOCKS4_SERVER_DECIDE;
    if (used < 0)
        server->error = (int)used;
    if (used == SOCKS4_E_VERSION)
        server->state = SOCKS4_SERVER_DROPPED; /* [V4-3.1-2, 4A-4.1-2] */
    return used;
}

static ssize_t
server_reply(struct socks4_server *server, int code, uint16_t port, uint32_t ip,
             uint8_t octets[SOCKS4_REPLY_SIZE])
{
    struct socks4_reply reply = {
        .code = (uint8_t)code, .dstport = port, .dstip = ip};

    server->code = (uint8_t)code;
    return socks4_reply_encode(&reply, octets);
}

ssize_t
socks4_server_grant(struct socks4_server *server, uint16_t port, uint32_t ip,
                    uint8_t octets[SOCKS4_REPLY_SIZE])
{
    int is_first = server->state == SOCKS4_SERVER_DECIDE && server->error == 0;

    if (!is_first && server->state != SOCKS4_SERVER_PEER)
        return SOCKS4_E_ORDER;
    server->state = is_first && server->command == SOCKS4_BIND
                        ? SOCKS4_SERVER_PEER
                        : SOCKS4_SERVER_OPEN;
    return server_reply(server, SOCKS4_GRANTED, port, ip, octets);
}

/* Whether the client speaks SOCKS 4, as far as is known. */
static int
server_heard_socks4(const struct socks4_server *server)
{
    return server->begun && server->version == SOCKS4_VERSION;
}

ssize_t
socks4_server_refuse(struct socks4_server *server, int code,
                     uint8_t octets[SOCKS4_REPLY_SIZE])
{
    int second = server->state == SOCKS4_SERVER_PEER;

    if (code <= SOCKS4_GRANTED || code > SOCKS4_OTHER_USER)
        return SOCKS4_E_CODE;
    if (server->state == SOCKS4_SERVER_OPEN ||
        server->state == SOCKS4_SERVER_REFUSED)
        return SOCKS4_E_ORDER;
    if (!server_heard_socks4(server)) {
        server->state = SOCKS4_SERVER_DROPPED;
        return 0;
    }
    server->state = SOCKS4_SERVER_REFUSED;
    return server_reply(server, code, second ? 0 : server->dstport,
                        second ? 0 : server->dstip, octets);
}
