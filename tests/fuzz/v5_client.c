/*
 * What a server of version 5 says to a client. The first octet chooses: its
 * lowest bit BIND, the next a login, the next the end of the stream, the next
 * that nothing is ever sent, the rest the size of the pieces. Whatever the
 * pieces are, the client comes to the same, and takes no octet behind it.
 */

#include "socks4/v5_client.h"
#include "tests/fuzz/fuzz.h"

static const struct socks4_v5_password login = {
    .user = "me", .user_len = 2, .password = "secret", .password_len = 6};

/* Gives it all in pieces of that size; returns what it took. What is received
   is never more than the client wants if `asks`. */
static size_t
play(struct socks4_v5_client *client, uint8_t choice, const uint8_t *octets,
     size_t len, size_t step, int asks)
{
    static uint8_t room[SOCKS4_V5_CLIENT_ROOM];
    struct socks4_v5_request request = {
        .command = choice & 1 ? SOCKS4_V5_BIND : SOCKS4_V5_CONNECT,
        .address = {.type = SOCKS4_V5_IPV4, .port = 80, .ip4 = 0xc0000250}};
    const uint8_t *unsent;
    size_t used = 0, took = 1;

    assert(socks4_v5_client_start(client, &request, choice & 2 ? &login : NULL,
                                  room) == 0);
    while (took > 0) {
        size_t size = len - used < step ? len - used : step;
        size_t wanted = socks4_v5_client_wants(client);

        if (!(choice & 8))
            socks4_v5_client_sent(client,
                                  socks4_v5_client_unsent(client, &unsent));
        assert(wanted <= SOCKS4_V5_REPLY_MAX);
        if (asks && size > wanted)
            size = wanted;
        fuzz_put(octets + used, size);
        took = socks4_v5_client_take(client, fuzz_part(size), size);
        assert(took <= size);
        assert(!asks || took == size ||
               client->state >= SOCKS4_V5_CLIENT_REFUSED);
        used += took;
    }
    if (choice & 4)
        socks4_v5_client_end(client);
    /* Nothing of the password is left where it may not be sent any more. It
       stands behind VER, ULEN, "me" and PLEN. */
    if (client->state > SOCKS4_V5_CLIENT_LOGIN)
        assert(memcmp(room + 5, "secret", 6) != 0);
    return used;
}

static void
check_end(const struct socks4_v5_client *client, size_t used, size_t len)
{
    int ended = client->state >= SOCKS4_V5_CLIENT_OPEN;

    assert(client->state >= SOCKS4_V5_CLIENT_METHOD &&
           client->state <= SOCKS4_V5_CLIENT_FAILED);
    assert((socks4_v5_client_wants(client) == 0) == ended);
    assert(ended || used == len);
    assert((client->state == SOCKS4_V5_CLIENT_FAILED) <= (client->error != 0));
    assert((client->state == SOCKS4_V5_CLIENT_REFUSED) ==
           (client->code != 0 || client->error == SOCKS4_E_V5_UNACCEPTABLE ||
            client->error == SOCKS4_E_V5_DENIED));
    assert(client->state != SOCKS4_V5_CLIENT_OPEN || client->error == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct socks4_v5_client one, other;
    size_t used;

    if (size < 1 || size > 600)
        return 0;
    used = play(&one, input[0], input + 1, size - 1, 1, 0);
    check_end(&one, used, size - 1);
    for (int asks = 0; asks < 2; asks++) {
        assert(play(&other, input[0], input + 1, size - 1,
                    asks ? 600 : (input[0] >> 4) + 2u, asks) == used);
        assert(one.state == other.state && one.error == other.error &&
               one.code == other.code && one.method == other.method &&
               one.in_len == other.in_len &&
               memcmp(one.in, other.in, one.in_len) == 0);
        assert(one.bound.type == other.bound.type &&
               one.bound.port == other.bound.port &&
               one.bound.ip4 == other.bound.ip4 &&
               one.bound.name_len == other.bound.name_len);
    }
    return 0;
}
