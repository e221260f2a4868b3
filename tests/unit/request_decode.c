#include "tests/fuzz/naive.h"
#include "tests/unit/unit.h"

#define USERID_MAX 16

/* Octets, whether 4A is on, the answer, and how many octets make it
   certain. */
static const struct row {
    const char *name;
    const char *octets;
    size_t len;
    int socks4a;
    ssize_t result;
    size_t certain;
} rows[] = {
#define ROW(name, octets, socks4a, result, certain)                            \
    {                                                                          \
        name, octets, sizeof(octets) - 1, socks4a, result, certain             \
    }
    ROW("CONNECT", "\4\1\0\120\300\0\2\1fred\0", 0, 13, 13),
    ROW("BIND", "\4\2\0\25\300\0\2\1fred\0", 0, 13, 13),
    ROW("no USERID", "\4\1\0\120\300\0\2\1\0", 0, 9, 9),
    ROW("octets behind it", "\4\1\0\120\300\0\2\1a\0GET /\0", 0, 10, 10),
    ROW("another request behind it",
        "\4\1\0\120\300\0\2\1\0\4\1\0\120\300\0\2\1\0", 0, 9, 9),
    ROW("any octet but NUL", "\4\1\377\377\377\0\2\1\1\12\200\377\0", 0, 13,
        13),
    ROW("0.0.0.0", "\4\1\0\120\0\0\0\0a\0b\0", 0, 10, 10),
    ROW("0.0.0.0 and 4A", "\4\1\0\120\0\0\0\0a\0b\0", 1, 10, 10),
    ROW("0.0.1.1 and 4A", "\4\1\0\120\0\0\1\1a\0b\0", 1, 10, 10),
    ROW("0.1.0.1 and 4A", "\4\1\0\120\0\1\0\1a\0b\0", 1, 10, 10),
    ROW("1.0.0.1 and 4A", "\4\1\0\120\1\0\0\1a\0b\0", 1, 10, 10),
    ROW("strict 0.0.0.1", "\4\1\0\120\0\0\0\1me\0host\0", 0, SOCKS4_E_4A, 11),
    ROW("strict 0.0.0.255", "\4\2\0\120\0\0\0\377\0host\0", 0, SOCKS4_E_4A, 9),
    ROW("4A 0.0.0.1", "\4\1\0\120\0\0\0\1me\0host\0", 1, 16, 16),
    ROW("4A 0.0.0.255", "\4\2\0\120\0\0\0\377\0host\0", 1, 14, 14),
    ROW("4A, octets behind it", "\4\1\0\120\0\0\0\7\0h\0SSH-2.0\n", 1, 11, 11),
    ROW("4A, DOMAIN empty", "\4\1\0\120\0\0\0\1me\0\0", 1,
        SOCKS4_E_DOMAIN_EMPTY, 12),
    ROW("USERID too long", "\4\1\0\120\300\0\2\1ABCDEFGHIJKLMNOPQ\0", 0,
        SOCKS4_E_USERID_LONG, 25),
    ROW("SOCKS 5", "\5\1\0", 0, SOCKS4_E_VERSION, 1),
    ROW("TLS", "\26\3\1\2\0\1\0\1\374\3\3", 0, SOCKS4_E_VERSION, 1),
    ROW("HTTP", "GET / HTTP/1.0\r\n\r\n", 1, SOCKS4_E_VERSION, 1),
    ROW("nothing but zeros", "\0\0\0\0\0\0\0\0\0", 1, SOCKS4_E_VERSION, 1),
    ROW("command 0", "\4\0\0\120\300\0\2\1a\0", 0, SOCKS4_E_COMMAND, 8),
    ROW("command 3", "\4\3\0\120\300\0\2\1a\0", 1, SOCKS4_E_COMMAND, 8),
    ROW("command 255 and 0.0.0.1", "\4\377\0\120\0\0\0\1a\0b\0", 1,
        SOCKS4_E_COMMAND, 8),
};

static ssize_t
decode(const struct row *row, const void *octets, size_t len,
       struct socks4_request *request)
{
    struct socks4_framing framing = {USERID_MAX, row->socks4a};

    memset(request, 0xa5, sizeof *request);
    return socks4_request_decode(&framing, octets, len, request);
}

static void
assert_view(const char *view, size_t len, const void *octets, size_t at,
            size_t expected_len)
{
    assert_ptr_equal(view, (const char *)octets + at);
    assert_int_equal(len, expected_len);
}

static void
assert_same(const struct socks4_request *a, const struct socks4_request *b)
{
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->command, b->command);
    assert_int_equal(a->dstport, b->dstport);
    assert_int_equal(a->dstip, b->dstip);
    assert_int_equal(a->userid_len, b->userid_len);
    assert_int_equal(a->domain_len, b->domain_len);
    assert_int_equal(a->domain == NULL, b->domain == NULL);
    if (a->userid_len > 0)
        assert_memory_equal(a->userid, b->userid, a->userid_len);
    if (a->domain_len > 0)
        assert_memory_equal(a->domain, b->domain, a->domain_len);
}

/* [V4-3.1-1] [V4-3.1-4] [V4-3.1-5] [V4-2-2] [V4-2-3] [V4-3.1-7]
   [V4-4.1-1] */
static void
finds_the_fields_of_a_request(void **state)
{
    static const char octets[] = "\4\2\0\25\300\0\2\1fred\0data";
    struct socks4_framing strict = {USERID_MAX, 0};
    struct socks4_request request;

    (void)state;
    assert_int_equal(socks4_request_decode(&strict, (const uint8_t *)octets,
                                           sizeof octets - 1, &request),
                     13);
    assert_int_equal(request.version, 4);
    assert_int_equal(request.command, SOCKS4_BIND);
    assert_int_equal(request.dstport, 21);
    assert_int_equal(request.dstip, 0xc0000201);
    assert_view(request.userid, request.userid_len, octets, 8, 4);
    assert_null(request.domain);
    assert_int_equal(request.domain_len, 0);
}

/* [4A-3.1-1] [4A-3.1.2-1] [4A-3.1.2-4] [4A-4.1-3] [4A-4.2-1] */
static void
finds_the_domain_of_a_4a_request(void **state)
{
    static const char octets[] = "\4\1\1\273\0\0\0\1me\0a.example\0data";
    struct socks4_framing framing = {USERID_MAX, 1};
    struct socks4_request request;

    (void)state;
    assert_int_equal(socks4_request_decode(&framing, (const uint8_t *)octets,
                                           sizeof octets - 1, &request),
                     21);
    assert_int_equal(request.command, SOCKS4_CONNECT);
    assert_int_equal(request.dstport, 443);
    assert_view(request.userid, request.userid_len, octets, 8, 2);
    assert_view(request.domain, request.domain_len, octets, 11, 9);
}

/* [V4-3.1-1] [V4-3.1-6] [V4-A-1] [V4-A-3] [4A-4.2-2] [4A-4.2-3]
   [4A-A.2.2-1] */
static void
answers_at_the_octet_that_makes_it_certain(void **state)
{
    struct socks4_request whole, part;

    (void)state;
    for (const struct row *row = rows; row < rows + COUNT(rows); row++) {
        ssize_t result = decode(row, row->octets, row->len, &whole);

        if (result != row->result)
            fail_msg("%s: %zd", row->name, result);
        for (size_t len = 0; len <= row->len; len++) {
            result = decode(row, row->octets, len, &part);
            if (result != (len < row->certain ? 0 : row->result))
                fail_msg("%s: %zd after %zu octets", row->name, result, len);
            if (len >= row->certain)
                assert_same(&part, &whole);
        }
    }
}

/* Receives chunk after chunk, as a session does, until there is an answer;
   each time into memory of its own. */
static ssize_t
receive(const struct row *row, const size_t *ends, size_t count,
        struct socks4_request *request, uint8_t room[2][128])
{
    ssize_t result = 0;

    for (size_t i = 0; i < count && result == 0; i++) {
        uint8_t *at = room[i % 2];

        memset(room, 0x5a, 2 * sizeof *room);
        memcpy(at, row->octets, ends[i]);
        result = decode(row, at, ends[i], request);
    }
    return result;
}

/* [V4-3.1-1] */
static void
decodes_the_same_however_it_is_split(void **state)
{
    struct socks4_request whole, split;
    uint8_t room[2][128];

    (void)state;
    for (const struct row *row = rows; row < rows + COUNT(rows); row++) {
        decode(row, row->octets, row->len, &whole);
        for (size_t a = 0; a <= row->len; a++) {
            for (size_t b = a; b <= row->len; b++) {
                size_t ends[] = {a, b, row->len};

                assert_int_equal(receive(row, ends, 3, &split, room),
                                 row->result);
                assert_same(&split, &whole);
            }
        }
    }
}

/* [4A-B.4-1] */
static void
reads_no_octet_that_is_not_there(void **state)
{
    struct socks4_request request;
    struct guard guard;

    (void)state;
    guard_init(&guard, 128);
    for (const struct row *row = rows; row < rows + COUNT(rows); row++) {
        for (size_t len = 0; len <= row->len; len++) {
            const uint8_t *at = guard_put(&guard, row->octets, len);

            assert_int_equal(decode(row, at, len, &request),
                             len < row->certain ? 0 : row->result);
        }
    }
    guard_fini(&guard);
}

static void
gives_the_fields_as_far_as_they_have_come(void **state)
{
    static const char octets[] = "\4\1\0\120\0\0\0\1me\0ab";
    struct row row = {.socks4a = 1};
    struct socks4_request request;

    (void)state;
    assert_int_equal(decode(&row, NULL, 0, &request), 0);
    assert_int_equal(request.version, 0);
    decode(&row, octets, 1, &request);
    assert_int_equal(request.version, 4);
    assert_int_equal(request.command, 0);
    decode(&row, octets, 3, &request);
    assert_int_equal(request.command, 1);
    assert_int_equal(request.dstport, 0);
    decode(&row, octets, 7, &request);
    assert_int_equal(request.dstport, 80);
    assert_int_equal(request.dstip, 0);
    assert_null(request.userid);
    decode(&row, octets, 8, &request);
    assert_int_equal(request.dstip, 1);
    assert_view(request.userid, request.userid_len, octets, 8, 0);
    decode(&row, octets, 9, &request);
    assert_view(request.userid, request.userid_len, octets, 8, 1);
    assert_null(request.domain);
    decode(&row, octets, 11, &request);
    assert_view(request.userid, request.userid_len, octets, 8, 2);
    assert_view(request.domain, request.domain_len, octets, 11, 0);
    decode(&row, octets, 13, &request);
    assert_view(request.domain, request.domain_len, octets, 11, 2);
}

/* What a record may say of a request that is refused. */
static void
gives_the_fields_of_a_refused_request_too(void **state)
{
    static const char other[] = "\4\11\0\120\300\0\2\1fred\0";
    static const char asks_4a[] = "\4\1\0\120\0\0\0\5fred\0host\0";
    struct row strict = {.socks4a = 0};
    struct socks4_request request;

    (void)state;
    assert_int_equal(decode(&strict, "\5\1\0\120", 4, &request),
                     SOCKS4_E_VERSION);
    assert_int_equal(request.version, 5);
    assert_int_equal(request.command, 0);
    assert_int_equal(request.dstport, 0);

    assert_int_equal(decode(&strict, other, sizeof other - 1, &request),
                     SOCKS4_E_COMMAND);
    assert_int_equal(request.command, 9);
    assert_int_equal(request.dstport, 80);
    assert_int_equal(request.dstip, 0xc0000201);
    assert_null(request.userid);

    assert_int_equal(decode(&strict, asks_4a, sizeof asks_4a - 1, &request),
                     SOCKS4_E_4A);
    assert_int_equal(request.dstip, 5);
    assert_view(request.userid, request.userid_len, asks_4a, 8, 4);
    assert_null(request.domain);
}

/* [V4-3.1-2] [V4-3.1-3] [V4-4.1-2] [V4-4.1-3] [V4-D.1-1] [V4-D.2-1]
   [V4-1-7] [4A-4.1-1] [4A-4.1-2] */
static void
takes_two_of_all_65536_pairs_of_vn_and_cd(void **state)
{
    struct row row = {.socks4a = 0};
    struct socks4_request request;
    unsigned taken = 0;

    (void)state;
    for (unsigned pair = 0; pair < 65536; pair++) {
        uint8_t vn = (uint8_t)(pair >> 8), cd = (uint8_t)pair;
        uint8_t octets[] = {vn, cd, 0, 80, 192, 0, 2, 1, 0};
        ssize_t result = decode(&row, octets, sizeof octets, &request);

        if (vn != 4)
            assert_int_equal(result, SOCKS4_E_VERSION);
        else if (cd != 1 && cd != 2)
            assert_int_equal(result, SOCKS4_E_COMMAND);
        else
            assert_int_equal(result, 9);
        taken += result > 0;
    }
    assert_int_equal(taken, 2);
}

/* A request with fields of these sizes; its length. */
static size_t
make_request(uint8_t *octets, uint32_t dstip, size_t userid, size_t domain)
{
    size_t len = 8;

    memset(octets, 0, 8);
    octets[0] = 4;
    octets[1] = 1;
    octets[4] = (uint8_t)(dstip >> 24);
    octets[7] = (uint8_t)dstip;
    memset(octets + len, 'u', userid);
    len += userid;
    octets[len++] = 0;
    if (socks4_is_4a(dstip)) {
        memset(octets + len, 'd', domain);
        len += domain;
        octets[len++] = 0;
    }
    return len;
}

/* The result for every prefix: `result` from `certain` on, before it 0. */
static void
assert_certain_at(size_t userid_max, const uint8_t *octets, size_t len,
                  ssize_t result, size_t certain)
{
    struct socks4_framing framing = {userid_max, 1};
    struct socks4_request request;
    struct guard guard;

    guard_init(&guard, len);
    for (size_t part = 0; part <= len; part++) {
        const uint8_t *at = guard_put(&guard, octets, part);

        assert_int_equal(socks4_request_decode(&framing, at, part, &request),
                         part < certain ? 0 : result);
        assert_true(request.userid_len <= userid_max);
        assert_true(request.domain_len <= SOCKS4_DOMAIN_MAX);
    }
    guard_fini(&guard);
}

/* [4A-B.4-1] */
static void
refuses_a_userid_one_octet_past_its_limit(void **state)
{
    static const size_t limits[] = {0, 1, 2, 255, 1023};
    uint8_t octets[2048];

    (void)state;
    for (size_t i = 0; i < COUNT(limits); i++) {
        size_t max = limits[i];
        size_t len;

        if (max > 0) {
            len = make_request(octets, 0x7f000001, max - 1, 0);
            assert_certain_at(max, octets, len, (ssize_t)len, len);
        }
        len = make_request(octets, 0x7f000001, max, 0);
        assert_certain_at(max, octets, len, (ssize_t)len, len);
        len = make_request(octets, 0x7f000001, max + 1, 0);
        assert_certain_at(max, octets, len, SOCKS4_E_USERID_LONG, len - 1);
        len = make_request(octets, 0x7f000001, max + 700, 0);
        assert_certain_at(max, octets, len, SOCKS4_E_USERID_LONG, 8 + max + 1);
    }
}

/* [4A-3.1.2-5] [4A-3.1.2-6] [4A-B.4-1] [4A-B.4-3] */
static void
refuses_a_domain_one_octet_past_255(void **state)
{
    uint8_t octets[2048];
    size_t len;

    (void)state;
    for (size_t size = 254; size <= 255; size++) {
        len = make_request(octets, 1, 3, size);
        assert_certain_at(16, octets, len, (ssize_t)len, len);
    }
    len = make_request(octets, 1, 3, 256);
    assert_certain_at(16, octets, len, SOCKS4_E_DOMAIN_LONG, len - 1);
    len = make_request(octets, 1, 3, 900);
    assert_certain_at(16, octets, len, SOCKS4_E_DOMAIN_LONG, 12 + 256);
}

static void
takes_the_largest_limit_there_is(void **state)
{
    uint8_t octets[64];
    size_t len = make_request(octets, 0x7f000001, 40, 0);

    (void)state;
    assert_certain_at(SIZE_MAX, octets, len, (ssize_t)len, len);
}

/* [V4-A-2] [4A-3.1.1-1] [4A-4.2-2] */
static void
knows_the_sign_of_4a(void **state)
{
    (void)state;
    assert_false(socks4_is_4a(0));
    for (uint32_t last = 1; last <= 255; last++)
        assert_true(socks4_is_4a(last));
    assert_false(socks4_is_4a(0x100));
    assert_false(socks4_is_4a(0x101));
    assert_false(socks4_is_4a(0x10001));
    assert_false(socks4_is_4a(0x1000001));
    assert_false(socks4_is_4a(0xffffffff));
}

/* Octets that look like a request more often than chance would have it. */
static size_t
make_octets(struct random *random, uint8_t octets[600])
{
    size_t len = random_below(random, 600);

    for (size_t i = 0; i < len; i++)
        octets[i] = (uint8_t)random_below(random, 256);
    for (size_t i = 0; i < len && random_below(random, 300) != 0; i++)
        octets[i] |= 1;
    if (len < 9)
        return len;
    octets[0] = random_below(random, 16) == 0 ? octets[0] : 4;
    octets[1] = random_below(random, 16) == 0 ? octets[1] : 1;
    if (random_below(random, 2) == 0)
        memset(octets + 4, 0, 3 + random_below(random, 8) / 7);
    for (uint64_t n = random_below(random, 4); n > 0; n--)
        octets[8 + random_below(random, len - 8)] = 0;
    return len;
}

static void
agrees_with_a_naive_decoder_on_random_octets(void **state)
{
    struct random random;
    uint8_t octets[600];
    struct socks4_request request;
    unsigned taken = 0, rounds = 200000;

    (void)state;
    random_init(&random, 4);
    for (unsigned i = 0; i < rounds; i++) {
        struct socks4_framing framing = {random_below(&random, 300),
                                         (int)random_below(&random, 2)};
        size_t len = make_octets(&random, octets);
        ssize_t result = socks4_request_decode(&framing, octets, len, &request);

        assert_int_equal(result, naive_request(&framing, octets, len));
        taken += result > 0;
    }
    printf("# taken: %u of %u\n", taken, rounds);
    assert_true(taken > rounds / 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_fields_of_a_request),
        cmocka_unit_test(finds_the_domain_of_a_4a_request),
        cmocka_unit_test(answers_at_the_octet_that_makes_it_certain),
        cmocka_unit_test(decodes_the_same_however_it_is_split),
        cmocka_unit_test(reads_no_octet_that_is_not_there),
        cmocka_unit_test(gives_the_fields_as_far_as_they_have_come),
        cmocka_unit_test(gives_the_fields_of_a_refused_request_too),
        cmocka_unit_test(takes_two_of_all_65536_pairs_of_vn_and_cd),
        cmocka_unit_test(refuses_a_userid_one_octet_past_its_limit),
        cmocka_unit_test(refuses_a_domain_one_octet_past_255),
        cmocka_unit_test(takes_the_largest_limit_there_is),
        cmocka_unit_test(knows_the_sign_of_4a),
        cmocka_unit_test(agrees_with_a_naive_decoder_on_random_octets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
