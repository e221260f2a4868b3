/*
 * The first octet chooses: its lowest bit BIND, the next lenient, the next
 * the end of the stream, the rest the size of the pieces. What follows is
 * what a gateway sends.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/naive_client.h"

static void
start(struct socks4_client *client, int command, int lenient)
{
    struct socks4_request request = {.command = (uint8_t)command,
                                     .dstip = 0xc0000201};
    uint8_t room[SOCKS4_REQUEST_ROOM(0, 0)];

    assert(socks4_client_start(client, &request, room, sizeof room) == 0);
    client->lenient = (uint8_t)lenient;
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
        uint8_t *piece = malloc(size);
        size_t took;

        assert(piece != NULL);
        memcpy(piece, octets + used, size);
        took = socks4_client_take(client, piece, size);
        free(piece);
        used += took;
        if (took == 0)
            break;
    }
    return used;
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct socks4_client client;
    struct naive_end wanted;
    int command, lenient, ends;

    if (size < 1 || size > 64)
        return 0;
    command = input[0] & 1 ? SOCKS4_BIND : SOCKS4_CONNECT;
    lenient = input[0] >> 1 & 1;
    ends = input[0] >> 2 & 1;
    start(&client, command, lenient);
    wanted = naive_client(command, lenient, input + 1, size - 1, ends);
    assert(give(&client, input + 1, size - 1, (size_t)(input[0] >> 3) + 1) ==
           wanted.used);
    if (ends)
        socks4_client_end(&client);
    assert(client.state == wanted.state);
    assert(client.error == wanted.error);
    assert(client.forgave == wanted.forgave);
    return 0;
}
