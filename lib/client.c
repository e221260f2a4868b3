#include <string.h>

#include "octets.h"
#include "socks4/client.h"

static void
client_fail(struct socks4_client *client, int error)
{
    client->state = SOCKS4_CLIENT_FAILED;
    client->error = error;
}

int
socks4_client_start(struct socks4_client *client,
                    const struct socks4_request *request, uint8_t *room,
                    size_t size)
{
    ssize_t len = socks4_request_encode(request, room, size);

    memset(client, 0, sizeof *client);
    client->command = request->command;
    if (len < 0) {
        client_fail(client, (int)len);
        return (int)len;
    }
    client->state = SOCKS4_CLIENT_SEND;
    client->request = room;
    client->unsent = (size_t)len;
    return 0;
}

size_t
socks4_client_unsent(const struct socks4_client *client, const uint8_t **octets)
{
    if (client->state != SOCKS4_CLIENT_SEND)
        return 0;
    *octets = client->request;
    return client->unsent;
}

void
socks4_client_sent(struct socks4_client *client, size_t count)
{
    if (client->state != SOCKS4_CLIENT_SEND)
        return;
    if (count > client->unsent)
        count = client->unsent;
    client->request += count;
    client->unsent -= count;
    if (client->unsent == 0)
        client->state = SOCKS4_CLIENT_REPLY;
}

size_t
socks4_client_wants(const struct socks4_client *client)
{
    switch (client->state) {
    case SOCKS4_CLIENT_SEND:
    case SOCKS4_CLIENT_REPLY:
    case SOCKS4_CLIENT_PEER:
        return (size_t)(SOCKS4_REPLY_SIZE - client->got);
    default:
        return 0;
    }
}

/* Accepts and notes the deviation if the client is lenient. */
static int
client_forgives(struct socks4_client *client, unsigned forgiven)
{
    if (!client->lenient)
        return 0;
    client->forgave |= forgiven;
    return 1;
}

static int
client_knows_code(uint8_t code)
{
    return code >= SOCKS4_GRANTED && code <= SOCKS4_OTHER_USER;
}

/* Returns the error of a wrong octet at that place of a reply, or 0. */
static int
client_check(struct socks4_client *client, size_t at, uint8_t octet)
{
    if (at == 0 && octet != SOCKS4_REPLY_VERSION &&
        (octet != SOCKS4_VERSION ||
         !client_forgives(client, SOCKS4_FORGAVE_VERSION)))
        return SOCKS4_E_VERSION; /* [V4-3.3-2] */
    if (at != 1)
        return 0;
    if (!client_knows_code(octet) &&
        !client_forgives(client, SOCKS4_FORGAVE_CODE))
        return SOCKS4_E_CODE; /* [V4-3.3-3] */
    if (octet == SOCKS4_GRANTED && client->state == SOCKS4_CLIENT_SEND)
        return SOCKS4_E_EARLY;
    return 0;
}

/* The address to tell the peer; 0 means the gateway's own [V4-4.2-7]. */
static void
client_keep_bound(struct socks4_client *client)
{
    client->bound_port = client->reply.dstport;
    client->bound_ip = client->reply.dstip;
    if (client->bound_ip == 0)
        client->bound_ip = client->gateway_ip;
}

/* Takes a whole reply [V4-3.3-1]. */
static void
client_take_reply(struct socks4_client *client)
{
    client->reply.version = client->octets[0];
    client->reply.code = client->octets[1];
    client->reply.dstport = octets_get16(client->octets + 2);
    client->reply.dstip = octets_get32(client->octets + 4);
    client->code = client->reply.code;
    client->got = 0;
    if (client->code != SOCKS4_GRANTED) {
        client->state = SOCKS4_CLIENT_REFUSED;
    } else if (client->command == SOCKS4_BIND &&
               client->state == SOCKS4_CLIENT_REPLY) {
        client_keep_bound(client);
        client->state = SOCKS4_CLIENT_PEER;
    } else {
        client->state = SOCKS4_CLIENT_OPEN;
    }
}

size_t
socks4_client_take(struct socks4_client *client, const uint8_t *octets,
                   size_t len)
{
    size_t wanted = socks4_client_wants(client);
    size_t taken = 0;

    while (taken < len && taken < wanted) {
        int error = client_check(client, client->got, octets[taken]);

        client->octets[client->got++] = octets[taken++];
        if (error != 0) {
            client_fail(client, error);
            return taken;
        }
    }
    if (taken > 0 && taken == wanted)
        client_take_reply(client);
    return taken;
}

void
socks4_client_end(struct socks4_client *client)
{
    if (socks4_client_wants(client) == 0)
        return;
    if (client->got == 0) {
        client_fail(client, SOCKS4_E_NO_REPLY);
    } else if (client->got >= 2 && client->octets[1] != SOCKS4_GRANTED &&
               client_forgives(client, SOCKS4_FORGAVE_SHORT)) {
        memset(client->octets + client->got, 0,
               (size_t)(SOCKS4_REPLY_SIZE - client->got));
        client_take_reply(client);
    } else {
        client_fail(client, SOCKS4_E_SHORT);
    }
}
