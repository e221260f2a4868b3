#include "socks4/client.h"
#include "tests/fuzz/naive_client.h"
#include "tests/unit/unit.h"

#define GATEWAY 0xc6336401 /* 198.51.100.1 */

static const struct socks4_request to_web = {.command = SOCKS4_CONNECT,
                                             .dstport = 80,
                                             .dstip = 0xc0000250,
                                             .userid = "me",
                                             .userid_len = 2};
static const struct socks4_request from_ftp = {
    .command = SOCKS4_BIND, .dstport = 21, .dstip = 0xc0000215};

/* What a gateway may send, well or badly. */
static const struct {
    const char *octets;
    size_t len;
} streams[] = {
    {"\0\132\1\273\300\0\2\1SSH-2.0", 15},
    {"\0\133\0\120\300\0\2\120", 8},
    {"\0\134\0\120\300\0\2\120", 8},
    {"\0\135\0\120\300\0\2\120", 8},
    {"\0\132\234\100\0\0\0\0\0\132\0\24\300\0\2\25220 ", 20},
    {"\0\132\234\100\0\0\0\0\0\133\0\0\0\0\0\0", 16},
    {"\0\132\234\100\0\0\0\0\4\132\0\24\300\0\2\25", 16},
    {"\4\132\1\273\300\0\2\1", 8},
    {"\4\133\1\273\300\0\2\1", 8},
    {"\5\377", 2},
    {"\0\0\1\273\300\0\2\1", 8},
    {"\0\136\1\273\300\0\2\1\0\136\1\273\300\0\2\1", 16},
    {"HTTP/1.0 400 Bad", 16},
};

static void
start(struct socks4_client *client, const struct socks4_request *request)
{
    static uint8_t room[64];
    const uint8_t *octets;

    assert_int_equal(socks4_client_start(client, request, room, sizeof room),
                     0);
    client->gateway_ip = GATEWAY;
    socks4_client_sent(client, socks4_client_unsent(client, &octets));
    assert_int_equal(client->state, SOCKS4_CLIENT_REPLY);
}

/* Gives all of it at once, again where a reply ended; what was taken. */
static size_t
give(struct socks4_client *client, const void *octets, size_t len)
{
    const uint8_t *at = octets;
    size_t used = 0, took;

    while ((took = socks4_client_take(client, at + used, len - used)) > 0)
        used += took;
    return used;
}

/* [V4-3.1-1] [V4-4.1-1] */
static void
sends_the_request_however_little_goes_out_at_once(void **state)
{
    static const char wanted[] = "\4\1\0\120\300\0\2\120me";
    uint8_t room[SOCKS4_REQUEST_ROOM(2, 0)];
    struct socks4_client client;

    (void)state;
    for (size_t step = 1; step <= sizeof room; step++) {
        uint8_t sent[sizeof room];
        size_t used = 0, left;
        const uint8_t *at;

        socks4_client_start(&client, &to_web, room, sizeof room);
        while ((left = socks4_client_unsent(&client, &at)) > 0) {
            size_t size = left < step ? left : step;

            assert_int_equal(client.state, SOCKS4_CLIENT_SEND);
            assert_int_equal(left, sizeof room - used);
            memcpy(sent + used, at, size);
            used += size;
            socks4_client_sent(&client, size);
        }
        assert_int_equal(used, sizeof room);
        assert_memory_equal(sent, wanted, sizeof room);
        assert_int_equal(client.state, SOCKS4_CLIENT_REPLY);
    }
}

/* [4A-3.1-1] [4A-3.1.1-1] */
static void
sends_a_name_as_4a_and_refuses_what_cannot_be_sent(void **state)
{
    struct socks4_request request = to_web;
    uint8_t room[SOCKS4_REQUEST_ROOM(2, 4)];
    struct socks4_client client;
    const uint8_t *at;

    (void)state;
    request.domain = "host";
    request.domain_len = 4;
    assert_int_equal(socks4_client_start(&client, &request, room, sizeof room),
                     SOCKS4_E_4A);
    assert_int_equal(client.state, SOCKS4_CLIENT_FAILED);
    assert_int_equal(client.error, SOCKS4_E_4A);
    assert_int_equal(socks4_client_unsent(&client, &at), 0);
    assert_int_equal(socks4_client_wants(&client), 0);
    request.dstip = 1;
    assert_int_equal(
        socks4_client_start(&client, &request, room, sizeof room - 1),
        SOCKS4_E_ROOM);
    assert_int_equal(socks4_client_start(&client, &request, room, sizeof room),
                     0);
    assert_int_equal(socks4_client_unsent(&client, &at), sizeof room);
    assert_memory_equal(at, "\4\1\0\120\0\0\0\1me\0host", sizeof room);
}

static void
judge(const struct socks4_client *client, const struct naive_end *wanted)
{
    assert_int_equal(client->state, wanted->state);
    assert_int_equal(client->error, wanted->error);
    assert_int_equal(client->forgave, wanted->forgave);
}

/* One stream, cut into two pieces at every place, each piece at the guard;
   then, if `ends`, the end. */
static void
try_splits(const struct guard *guard, const struct socks4_request *request,
           int lenient, const char *octets, size_t len, int ends)
{
    const struct naive_case the = {
        .command = request->command, .lenient = lenient, .ends = ends};
    struct naive_end wanted =
        naive_client(&the, guard_put(guard, octets, len), len);

    for (size_t cut = 0; cut <= len; cut++) {
        struct socks4_client client;
        size_t used;

        start(&client, request);
        client.lenient = (uint8_t)lenient;
        used = give(&client, guard_put(guard, octets, cut), cut);
        if (used == cut)
            used += give(&client, guard_put(guard, octets + cut, len - cut),
                         len - cut);
        if (ends)
            socks4_client_end(&client);
        judge(&client, &wanted);
        assert_int_equal(used, wanted.used);
    }
}

/* [V4-3.3-1] [V4-3.3-2] [V4-3.3-3] [V4-4.3-2] */
static void
comes_to_the_same_for_every_prefix_and_every_split(void **state)
{
    struct guard guard;

    (void)state;
    guard_init(&guard, 64);
    for (size_t i = 0; i < COUNT(streams); i++)
        for (size_t len = 0; len <= streams[i].len; len++)
            for (unsigned how = 0; how < 8; how++)
                try_splits(&guard, how & 1 ? &from_ftp : &to_web, how >> 1 & 1,
                           streams[i].octets, len, how >> 2 & 1);
    guard_fini(&guard);
}

/* [V4-3.3-11] [V4-3.3-8] */
static void
leaves_what_follows_the_reply_to_its_caller(void **state)
{
    struct socks4_client client;

    (void)state;
    start(&client, &to_web);
    assert_int_equal(socks4_client_wants(&client), 8);
    assert_int_equal(give(&client, "\0\132", 2), 2);
    assert_int_equal(socks4_client_wants(&client), 6);
    assert_int_equal(give(&client, "\1\273\300\0\2\1SSH-2.0", 13), 6);
    assert_int_equal(client.state, SOCKS4_CLIENT_OPEN);
    assert_int_equal(client.code, SOCKS4_GRANTED);
    assert_int_equal(client.reply.dstport, 443);
    assert_int_equal(client.reply.dstip, 0xc0000201);
    assert_int_equal(socks4_client_wants(&client), 0);
    assert_int_equal(give(&client, "\0\133", 2), 0);
    socks4_client_end(&client);
    assert_int_equal(client.state, SOCKS4_CLIENT_OPEN);
}

/* [V4-4.2-5] [V4-4.2-6] [V4-4.2-7] [V4-4.2-8] [V4-4.3-8] */
static void
stops_between_the_two_replies_of_a_bind(void **state)
{
    static const char both[] = "\0\132\234\100\0\0\0\0\0\132\0\24\300\0\2\25!";
    struct socks4_client client;

    (void)state;
    start(&client, &from_ftp);
    assert_int_equal(socks4_client_take(&client, (const uint8_t *)both, 17), 8);
    assert_int_equal(client.state, SOCKS4_CLIENT_PEER);
    assert_int_equal(client.bound_port, 40000);
    assert_int_equal(client.bound_ip, GATEWAY);
    assert_int_equal(client.reply.dstip, 0);
    assert_int_equal(socks4_client_take(&client, (const uint8_t *)both + 8, 9),
                     8);
    assert_int_equal(client.state, SOCKS4_CLIENT_OPEN);
    assert_int_equal(client.reply.dstport, 20);
    assert_int_equal(client.reply.dstip, 0xc0000215);
    assert_int_equal(client.bound_port, 40000);
    assert_int_equal(client.bound_ip, GATEWAY);
}

/* [V4-4.2-7] */
static void
tells_the_peer_the_address_that_the_gateway_named(void **state)
{
    struct socks4_client client;

    (void)state;
    start(&client, &from_ftp);
    give(&client, "\0\132\234\100\300\0\2\2", 8);
    assert_int_equal(client.bound_ip, 0xc0000202);
    start(&client, &from_ftp);
    client.gateway_ip = 0;
    give(&client, "\0\132\234\100\0\0\0\0", 8);
    assert_int_equal(client.state, SOCKS4_CLIENT_PEER);
    assert_int_equal(client.bound_ip, 0);
}

static void
takes_an_early_refusal_and_no_early_grant(void **state)
{
    uint8_t room[64];
    struct socks4_client client;

    (void)state;
    socks4_client_start(&client, &to_web, room, sizeof room);
    socks4_client_sent(&client, 8);
    assert_int_equal(socks4_client_wants(&client), 8);
    give(&client, "\0\133\0\0\0\0\0\0", 8);
    assert_int_equal(client.state, SOCKS4_CLIENT_REFUSED);
    assert_int_equal(client.code, SOCKS4_REJECTED);
    socks4_client_start(&client, &to_web, room, sizeof room);
    assert_int_equal(give(&client, "\0\132\0\0\0\0\0\0", 8), 2);
    assert_int_equal(client.state, SOCKS4_CLIENT_FAILED);
    assert_int_equal(client.error, SOCKS4_E_EARLY);
}

static void
names_what_it_forgave(void **state)
{
    struct socks4_client client;

    (void)state;
    start(&client, &to_web);
    client.lenient = 1;
    give(&client, "\4\1\0\120", 4);
    socks4_client_end(&client);
    assert_int_equal(client.state, SOCKS4_CLIENT_REFUSED);
    assert_int_equal(client.code, 1);
    assert_int_equal(client.reply.dstip, 0);
    assert_int_equal(client.forgave, SOCKS4_FORGAVE_VERSION |
                                         SOCKS4_FORGAVE_CODE |
                                         SOCKS4_FORGAVE_SHORT);
    for (unsigned one = 1; one <= 4; one *= 2)
        assert_string_not_equal(socks4_forgiven_text(one), "unknown");
    assert_string_equal(socks4_forgiven_text(8), "unknown");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_the_request_however_little_goes_out_at_once),
        cmocka_unit_test(sends_a_name_as_4a_and_refuses_what_cannot_be_sent),
        cmocka_unit_test(comes_to_the_same_for_every_prefix_and_every_split),
        cmocka_unit_test(leaves_what_follows_the_reply_to_its_caller),
        cmocka_unit_test(stops_between_the_two_replies_of_a_bind),
        cmocka_unit_test(tells_the_peer_the_address_that_the_gateway_named),
        cmocka_unit_test(takes_an_early_refusal_and_no_early_grant),
        cmocka_unit_test(names_what_it_forgave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
