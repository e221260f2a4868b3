/*
 * The first octet chooses: its lowest bit BIND, the next lenient, the next
 * the end of the stream, the highest that the request has not gone out, the
 * rest the size of the pieces. What follows is what a gateway sends.
 */

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/naive_client.h"

#define GATEWAY 0xc0000263

static void
start(struct socks4_client *client, const struct naive_case *the)
{
    static uint8_t room[SOCKS4_REQUEST_ROOM(0, 0)];
    struct socks4_request request = {.command = (uint8_t)the->command,
                                     .dstip = 0xc0000201};

    assert(socks4_client_start(client, &request, room, sizeof room) == 0);
    client->lenient = (uint8_t)the->lenient;
    client->gateway_ip = GATEWAY;
    if (!the->early)
        socks4_client_sent(client, sizeof room);
}

/* Gives it all in pieces of that size; returns what it took. */
static size_t
give(struct socks4_client *client, const uint8_t *octets, size_t len,
     size_t step)
{
    size_t used = 0;

    while (used < len) {
        size_t size = len - used < step ? len - used : step;
        size_t took;

        fuzz_put(octets + used, size);
        took = socks4_client_take(client, fuzz_part(size), size);
        used += took;
        if (took == 0)
            break;
    }
    return used;
}

/* What the peer of a BIND is told: the first reply, or the gateway itself. */
static void
check_bound(const struct socks4_client *client, const struct naive_end *wanted)
{
    const struct socks4_reply *first = &wanted->first;

    if (client->command != SOCKS4_BIND || first->code == 0) {
        assert(client->bound_ip == 0 && client->bound_port == 0);
        return;
    }
    assert(client->bound_port == first->dstport);
    assert(client->bound_ip == (first->dstip ? first->dstip : GATEWAY));
}

static void
check_end(const struct socks4_client *client, const struct naive_end *wanted)
{
    assert(client->state == wanted->state);
    assert(client->error == wanted->error);
    assert(client->forgave == wanted->forgave);
    assert(client->code == wanted->reply.code);
    assert(client->reply.version == wanted->reply.version);
    assert(client->reply.code == wanted->reply.code);
    assert(client->reply.dstport == wanted->reply.dstport);
    assert(client->reply.dstip == wanted->reply.dstip);
    check_bound(client, wanted);
    assert((socks4_client_wants(client) > 0) ==
           (wanted->state < SOCKS4_CLIENT_OPEN));
    if (wanted->state < SOCKS4_CLIENT_OPEN)
        assert(socks4_client_wants(client) == 8 - wanted->used % 8);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct socks4_client client;
    struct naive_case the;
    struct naive_end wanted;

    if (size < 1 || size > 64)
        return 0;
    the.command = input[0] & 1 ? SOCKS4_BIND : SOCKS4_CONNECT;
    the.lenient = input[0] >> 1 & 1;
    the.ends = input[0] >> 2 & 1;
    the.early = input[0] >> 7;
    start(&client, &the);
    wanted = naive_client(&the, input + 1, size - 1);
    assert(give(&client, input + 1, size - 1, (input[0] >> 3 & 15) + 1u) ==
           wanted.used);
    if (the.ends)
        socks4_client_end(&client);
    check_end(&client, &wanted);
    return 0;
}
