#include "socks4/codec.h"
#include "tests/unit/unit.h"

static const struct socks4_framing lenient = {2000, 1};

static struct socks4_request
plain(void)
{
    return (struct socks4_request){.command = SOCKS4_CONNECT,
                                   .dstport = 80,
                                   .dstip = 0xc0000201,
                                   .userid = "fred",
                                   .userid_len = 4};
}

static struct socks4_request
named(void)
{
    return (struct socks4_request){.command = SOCKS4_BIND,
                                   .dstport = 21,
                                   .dstip = 1,
                                   .userid = "me",
                                   .userid_len = 2,
                                   .domain = "a.example",
                                   .domain_len = 9};
}

/* Encodes where there is room enough and no octet is touched on error. */
static ssize_t
encode(const struct socks4_request *request)
{
    uint8_t octets[512], untouched[512];
    ssize_t result;

    memset(octets, 0xee, sizeof octets);
    memset(untouched, 0xee, sizeof untouched);
    result = socks4_request_encode(request, octets, sizeof octets);
    if (result < 0)
        assert_memory_equal(octets, untouched, sizeof octets);
    return result;
}

/* [V4-3.1-1] [V4-3.1-4] [V4-3.1-5] [V4-D.1-1] */
static void
writes_a_plain_request(void **state)
{
    struct socks4_request request = plain();
    uint8_t octets[13];

    (void)state;
    request.version = 77;
    assert_int_equal(socks4_request_encode(&request, octets, 13), 13);
    assert_memory_equal(octets, "\4\1\0\120\300\0\2\1fred\0", 13);
}

static void
writes_a_request_without_userid(void **state)
{
    struct socks4_request request = plain();
    uint8_t octets[9];

    (void)state;
    request.userid = NULL;
    request.userid_len = 0;
    assert_int_equal(socks4_request_encode(&request, octets, 9), 9);
    assert_memory_equal(octets, "\4\1\0\120\300\0\2\1\0", 9);
}

/* [4A-3.1-1] [4A-3.1.2-1] [4A-3.1.2-4] */
static void
writes_a_4a_request(void **state)
{
    struct socks4_request request = named();
    uint8_t octets[21];

    (void)state;
    assert_int_equal(socks4_request_encode(&request, octets, 21), 21);
    assert_memory_equal(octets, "\4\2\0\25\0\0\0\1me\0a.example\0", 21);
}

/* [V4-D.2-1] */
static void
writes_no_other_command(void **state)
{
    struct socks4_request request = plain();

    (void)state;
    for (unsigned command = 0; command < 256; command++) {
        request.command = (uint8_t)command;
        assert_int_equal(encode(&request),
                         command == 1 || command == 2 ? 13 : SOCKS4_E_COMMAND);
    }
}

/* [4A-3.1.1-1] */
static void
writes_a_domain_with_its_sign_and_never_else(void **state)
{
    static const uint32_t others[] = {0, 0x100, 0x01000001, 0xffffffff};
    struct socks4_request request = named();

    (void)state;
    for (request.dstip = 1; request.dstip <= 255; request.dstip++)
        assert_int_equal(encode(&request), 21);
    for (size_t i = 0; i < COUNT(others); i++) {
        request.dstip = others[i];
        assert_int_equal(encode(&request), SOCKS4_E_4A);
    }
    request = plain();
    request.dstip = 7;
    assert_int_equal(encode(&request), SOCKS4_E_4A);
    request.dstip = 0;
    assert_int_equal(encode(&request), 13);
}

/* [V4-2-3] */
static void
writes_no_nul_inside_a_field(void **state)
{
    struct socks4_request request = named();

    (void)state;
    request.userid = "m\0";
    assert_int_equal(encode(&request), SOCKS4_E_NUL);
    request = named();
    request.domain = "a\0example";
    assert_int_equal(encode(&request), SOCKS4_E_NUL);
    request = plain();
    request.userid = "\0red";
    assert_int_equal(encode(&request), SOCKS4_E_NUL);
}

/* [4A-3.1.2-5] */
static void
writes_a_domain_of_1_to_255_octets(void **state)
{
    char domain[256];
    struct socks4_request request = named();

    (void)state;
    memset(domain, 'd', sizeof domain);
    request.domain = domain;
    request.domain_len = 0;
    assert_int_equal(encode(&request), SOCKS4_E_DOMAIN_EMPTY);
    request.domain_len = 1;
    assert_int_equal(encode(&request), 13);
    request.domain_len = 255;
    assert_int_equal(encode(&request), 267);
    request.domain_len = 256;
    assert_int_equal(encode(&request), SOCKS4_E_DOMAIN_LONG);
}

/* Every room from none to one too many, its end at the guard. */
static void
assert_room(const struct socks4_request *request, size_t needed)
{
    struct guard guard;

    guard_init(&guard, 512);
    for (size_t room = 0; room <= needed + 1; room++) {
        uint8_t *at = guard_room(&guard, room);

        assert_int_equal(socks4_request_encode(request, at, room),
                         room < needed ? SOCKS4_E_ROOM : (ssize_t)needed);
    }
    guard_fini(&guard);
}

static void
writes_nothing_past_its_room(void **state)
{
    struct socks4_request request = plain();

    (void)state;
    assert_room(&request, 13);
    request.userid_len = 0;
    assert_room(&request, 9);
    request = named();
    assert_room(&request, 21);
}

static void
make_request(struct random *random, char fields[2][300],
             struct socks4_request *request)
{
    for (size_t i = 0; i < 300; i++) {
        fields[0][i] = (char)(1 + random_below(random, 255));
        fields[1][i] = (char)(1 + random_below(random, 255));
    }
    *request = (struct socks4_request){
        .command = (uint8_t)(1 + random_below(random, 2)),
        .dstport = (uint16_t)random_below(random, 65536),
        .dstip = (uint32_t)random_below(random, 1ull << 32),
        .userid = fields[0],
        .userid_len = random_below(random, 300),
    };
    if (random_below(random, 2) == 0) {
        request->dstip = 1 + (uint32_t)random_below(random, 255);
        request->domain = fields[1];
        request->domain_len = 1 + random_below(random, 255);
    } else if (socks4_is_4a(request->dstip)) {
        request->dstip = 0;
    }
}

static void
decodes_what_it_has_encoded(void **state)
{
    struct random random;
    struct socks4_request request, back;
    char fields[2][300];
    uint8_t octets[1024];

    (void)state;
    random_init(&random, 1080);
    for (unsigned i = 0; i < 20000; i++) {
        ssize_t len;

        make_request(&random, fields, &request);
        len = socks4_request_encode(&request, octets, sizeof octets);
        assert_true(len > 0);
        assert_int_equal(
            socks4_request_decode(&lenient, octets, (size_t)len, &back), len);
        assert_int_equal(back.version, 4);
        assert_int_equal(back.command, request.command);
        assert_int_equal(back.dstport, request.dstport);
        assert_int_equal(back.dstip, request.dstip);
        assert_int_equal(back.userid_len, request.userid_len);
        assert_memory_equal(back.userid, fields[0], back.userid_len);
        assert_int_equal(back.domain == NULL, request.domain == NULL);
        assert_int_equal(back.domain_len, request.domain_len);
        if (back.domain != NULL)
            assert_memory_equal(back.domain, fields[1], back.domain_len);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_a_plain_request),
        cmocka_unit_test(writes_a_request_without_userid),
        cmocka_unit_test(writes_a_4a_request),
        cmocka_unit_test(writes_no_other_command),
        cmocka_unit_test(writes_a_domain_with_its_sign_and_never_else),
        cmocka_unit_test(writes_no_nul_inside_a_field),
        cmocka_unit_test(writes_a_domain_of_1_to_255_octets),
        cmocka_unit_test(writes_nothing_past_its_room),
        cmocka_unit_test(decodes_what_it_has_encoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
