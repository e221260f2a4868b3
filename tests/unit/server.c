#include "socks4/server.h"
#include "tests/fuzz/naive.h"
#include "tests/unit/unit.h"

static const struct socks4_framing framing = {.userid_max = 8, .socks4a = 1};

static const struct {
    const char *octets;
    size_t len;
} requests[] = {
    {"\4\1\0\120\300\0\2\120me\0GET /", 16},
    {"\4\2\0\25\300\0\2\25\0", 9},
    {"\4\1\0\120\0\0\0\7me\0host\0", 16},
    {"\4\1\0\120\0\0\0\7me\0\0", 12},
    {"\4\3\0\120\300\0\2\120\0", 9},
    {"\4\1\0\120\300\0\2\120verylongname\0", 21},
    {"\5\1\0", 3},
    {"GET / HTTP/1.0\r\n", 16},
};

/* A server that has read it all. */
static ssize_t
read_all(struct socks4_server *server, const char *octets, size_t len)
{
    struct socks4_request request;

    memset(server, 0, sizeof *server);
    return socks4_server_read(server, &framing, (const uint8_t *)octets, len,
                              &request);
}

/* [V4-3.1-1] [V4-3.1-7] [4A-4.1-1] */
static void
reads_the_same_for_every_prefix_at_the_guard(void **state)
{
    struct socks4_request request;
    struct guard guard;

    (void)state;
    guard_init(&guard, 64);
    for (size_t i = 0; i < COUNT(requests); i++) {
        struct socks4_server server = {0};
        ssize_t used = 0;

        for (size_t len = 0; len <= requests[i].len && used == 0; len++) {
            const uint8_t *at = guard_put(&guard, requests[i].octets, len);

            used = socks4_server_read(&server, &framing, at, len, &request);
            assert_int_equal(used, naive_request(&framing, at, len));
            assert_int_equal(server.state, used == 0 ? SOCKS4_SERVER_REQUEST
                                           : used == SOCKS4_E_VERSION
                                               ? SOCKS4_SERVER_DROPPED
                                               : SOCKS4_SERVER_DECIDE);
            assert_int_equal(server.error, used < 0 ? used : 0);
        }
        assert_true(used != 0);
        assert_int_equal(
            socks4_server_read(&server, &framing, guard.start, 0, &request),
            SOCKS4_E_ORDER);
    }
    guard_fini(&guard);
}

/* [V4-3.3-1] [V4-3.3-2] [V4-3.3-4] */
static void
grants_a_connect_once(void **state)
{
    struct socks4_server server;
    uint8_t octets[8];

    (void)state;
    assert_int_equal(read_all(&server, requests[0].octets, 16), 11);
    assert_int_equal(server.command, SOCKS4_CONNECT);
    assert_int_equal(server.dstport, 80);
    assert_int_equal(server.dstip, 0xc0000250);
    assert_int_equal(socks4_server_grant(&server, 40000, 0xc0000202, octets),
                     8);
    assert_memory_equal(octets, "\0\132\234\100\300\0\2\2", 8);
    assert_int_equal(server.state, SOCKS4_SERVER_OPEN);
    assert_int_equal(socks4_server_grant(&server, 1, 1, octets),
                     SOCKS4_E_ORDER);
    assert_int_equal(socks4_server_refuse(&server, 91, octets), SOCKS4_E_ORDER);
    assert_memory_equal(octets, "\0\132\234\100\300\0\2\2", 8);
}

/* [V4-4.2-2] [V4-4.2-5] [V4-4.2-6] [V4-4.3-1] [V4-4.3-2] [V4-4.3-4] */
static void
grants_a_bind_twice(void **state)
{
    struct socks4_server server;
    uint8_t octets[8];

    (void)state;
    read_all(&server, requests[1].octets, 9);
    assert_int_equal(socks4_server_grant(&server, 40000, 0xc0000202, octets),
                     8);
    assert_memory_equal(octets, "\0\132\234\100\300\0\2\2", 8);
    assert_int_equal(server.state, SOCKS4_SERVER_PEER);
    assert_int_equal(socks4_server_grant(&server, 20, 0xc0000215, octets), 8);
    assert_memory_equal(octets, "\0\132\0\24\300\0\2\25", 8);
    assert_int_equal(server.state, SOCKS4_SERVER_OPEN);
    assert_int_equal(socks4_server_grant(&server, 1, 1, octets),
                     SOCKS4_E_ORDER);
}

/* [V4-3.3-3] [V4-3.3-5] [V4-3.3-6] [V4-3.3-7] [V4-4.3-6] */
static void
refuses_with_the_requests_address_then_with_zeros(void **state)
{
    struct socks4_server server;
    uint8_t octets[8];

    (void)state;
    for (int code = 0; code < 256; code++) {
        int known = code >= 91 && code <= 93;

        read_all(&server, requests[1].octets, 9);
        assert_int_equal(socks4_server_refuse(&server, code, octets),
                         known ? 8 : SOCKS4_E_CODE);
        assert_int_equal(server.code, known ? code : 0);
    }
    read_all(&server, requests[1].octets, 9);
    socks4_server_refuse(&server, 91, octets);
    assert_memory_equal(octets, "\0\133\0\25\300\0\2\25", 8);
    assert_int_equal(server.state, SOCKS4_SERVER_REFUSED);
    read_all(&server, requests[1].octets, 9);
    socks4_server_grant(&server, 40000, 0xc0000202, octets);
    assert_int_equal(socks4_server_refuse(&server, 91, octets), 8);
    assert_memory_equal(octets, "\0\133\0\0\0\0\0\0", 8);
}

/* [V4-3.2-3] [V4-3.1-3] */
static void
only_refuses_what_is_wrong(void **state)
{
    struct socks4_server server;
    uint8_t octets[8];

    (void)state;
    for (size_t i = 3; i <= 5; i++) {
        assert_true(read_all(&server, requests[i].octets, requests[i].len) < 0);
        assert_int_equal(socks4_server_grant(&server, 1, 1, octets),
                         SOCKS4_E_ORDER);
        assert_int_equal(socks4_server_refuse(&server, 91, octets), 8);
    }
    read_all(&server, requests[4].octets, 9);
    socks4_server_refuse(&server, 91, octets);
    assert_memory_equal(octets, "\0\133\0\120\300\0\2\120", 8);
}

/* [4A-A.2.2-2] [V4-3.1-2] [4A-4.1-2] */
static void
refuses_an_unfinished_request_and_says_nothing_to_another_protocol(void **state)
{
    struct socks4_server server;
    uint8_t octets[8];

    (void)state;
    for (size_t len = 1; len < 11; len++) {
        assert_int_equal(read_all(&server, requests[0].octets, len), 0);
        assert_int_equal(socks4_server_grant(&server, 1, 1, octets),
                         SOCKS4_E_ORDER);
        assert_int_equal(socks4_server_refuse(&server, 91, octets), 8);
        assert_memory_equal(octets,
                            len < 4   ? "\0\133\0\0\0\0\0\0"
                            : len < 8 ? "\0\133\0\120\0\0\0\0"
                                      : "\0\133\0\120\300\0\2\120",
                            8);
    }
    assert_int_equal(read_all(&server, "", 0), 0);
    assert_int_equal(socks4_server_refuse(&server, 91, octets), 0);
    assert_int_equal(server.state, SOCKS4_SERVER_DROPPED);
    read_all(&server, requests[6].octets, 3);
    assert_int_equal(socks4_server_refuse(&server, 91, octets), 0);
    assert_int_equal(socks4_server_grant(&server, 1, 1, octets),
                     SOCKS4_E_ORDER);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_same_for_every_prefix_at_the_guard),
        cmocka_unit_test(grants_a_connect_once),
        cmocka_unit_test(grants_a_bind_twice),
        cmocka_unit_test(refuses_with_the_requests_address_then_with_zeros),
        cmocka_unit_test(only_refuses_what_is_wrong),
        cmocka_unit_test(
            refuses_an_unfinished_request_and_says_nothing_to_another_protocol),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
