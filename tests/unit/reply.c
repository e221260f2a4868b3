#include "tests/fuzz/naive.h"
#include "tests/unit/unit.h"

static ssize_t
decode(const void *octets, size_t len, struct socks4_reply *reply)
{
    memset(reply, 0xa5, sizeof *reply);
    return socks4_reply_decode(octets, len, reply);
}

/* [V4-3.3-1] [V4-3.3-2] [V4-3.3-8] */
static void
finds_the_fields_of_a_reply(void **state)
{
    struct socks4_reply reply;

    (void)state;
    assert_int_equal(decode("\0\132\1\273\300\0\2\1data", 12, &reply), 8);
    assert_int_equal(reply.version, 0);
    assert_int_equal(reply.code, SOCKS4_GRANTED);
    assert_int_equal(reply.dstport, 443);
    assert_int_equal(reply.dstip, 0xc0000201);
}

/* [V4-3.3-2] [V4-3.3-3] [V4-D.1-1] [V4-D.3-1] */
static void
takes_four_of_all_65536_pairs_of_vn_and_cd(void **state)
{
    struct socks4_reply reply, expected;
    unsigned taken = 0;

    (void)state;
    for (unsigned pair = 0; pair < 65536; pair++) {
        uint8_t octets[8] = {(uint8_t)(pair >> 8), (uint8_t)pair};
        ssize_t result = decode(octets, 8, &reply);

        assert_int_equal(result, naive_reply(octets, 8, &expected));
        taken += result == 8;
    }
    assert_int_equal(taken, 4);
}

static void
answers_the_same_for_every_prefix_at_the_guard(void **state)
{
    static const char *const replies[] = {
        "\0\132\1\273\300\0\2\1", "\0\135\377\377\377\377\377\377",
        "\0\131\1\273\300\0\2\1", "\0\136\1\273\300\0\2\1",
        "\4\132\1\273\300\0\2\1", "HTTP/1.0",
    };
    struct socks4_reply reply, expected;
    struct guard guard;

    (void)state;
    guard_init(&guard, 8);
    for (size_t i = 0; i < COUNT(replies); i++) {
        for (size_t len = 0; len <= 8; len++) {
            const uint8_t *at = guard_put(&guard, replies[i], len);

            assert_int_equal(decode(at, len, &reply),
                             naive_reply(at, len, &expected));
        }
    }
    guard_fini(&guard);
}

static void
gives_the_fields_as_far_as_they_have_come(void **state)
{
    static const char octets[] = "\0\133\1\273\300\0\2\1";
    struct socks4_reply reply;

    (void)state;
    decode(octets, 1, &reply);
    assert_int_equal(reply.code, 0);
    decode(octets, 3, &reply);
    assert_int_equal(reply.code, SOCKS4_REJECTED);
    assert_int_equal(reply.dstport, 0);
    decode(octets, 7, &reply);
    assert_int_equal(reply.dstport, 443);
    assert_int_equal(reply.dstip, 0);
    assert_int_equal(decode("\0\131\1\273", 4, &reply), SOCKS4_E_CODE);
    assert_int_equal(reply.code, 89);
    assert_int_equal(reply.dstport, 0);
}

/* [V4-3.3-1] [V4-3.3-2] [V4-3.3-3] [V4-D.1-1] [V4-D.3-1] */
static void
writes_eight_octets_of_the_four_codes_and_nothing_else(void **state)
{
    struct guard guard;
    uint8_t *octets;

    (void)state;
    guard_init(&guard, 8);
    octets = guard_room(&guard, 8);
    for (unsigned code = 0; code < 256; code++) {
        struct socks4_reply reply = {.version = 4,
                                     .code = (uint8_t)code,
                                     .dstport = 0x1234,
                                     .dstip = 0x56789abc};
        uint8_t expected[] = {0,    (uint8_t)code, 0x12, 0x34,
                              0x56, 0x78,          0x9a, 0xbc};
        int known = code >= 90 && code <= 93;

        memset(octets, 0xee, 8);
        assert_int_equal(socks4_reply_encode(&reply, octets),
                         known ? 8 : SOCKS4_E_CODE);
        if (!known)
            memset(expected, 0xee, 8);
        assert_memory_equal(octets, expected, 8);
    }
    guard_fini(&guard);
}

static void
decodes_what_it_has_encoded(void **state)
{
    struct random random;
    struct socks4_reply back;
    uint8_t octets[8];

    (void)state;
    random_init(&random, 90);
    for (unsigned i = 0; i < 10000; i++) {
        struct socks4_reply reply = {
            .code = (uint8_t)(90 + random_below(&random, 4)),
            .dstport = (uint16_t)random_next(&random),
            .dstip = (uint32_t)random_next(&random),
        };

        assert_int_equal(socks4_reply_encode(&reply, octets), 8);
        assert_int_equal(decode(octets, 8, &back), 8);
        assert_int_equal(back.version, 0);
        assert_int_equal(back.code, reply.code);
        assert_int_equal(back.dstport, reply.dstport);
        assert_int_equal(back.dstip, reply.dstip);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_fields_of_a_reply),
        cmocka_unit_test(takes_four_of_all_65536_pairs_of_vn_and_cd),
        cmocka_unit_test(answers_the_same_for_every_prefix_at_the_guard),
        cmocka_unit_test(gives_the_fields_as_far_as_they_have_come),
        cmocka_unit_test(
            writes_eight_octets_of_the_four_codes_and_nothing_else),
        cmocka_unit_test(decodes_what_it_has_encoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
