#include "tests/fuzz/naive_v5.h"
#include "tests/unit/unit.h"

/* A message, the answer, and how many octets make it certain. */
static const struct row {
    const char *name;
    enum v5_kind kind;
    const char *octets;
    size_t len;
    ssize_t result;
    size_t certain;
} rows[] = {
#define ROW(name, kind, octets, result, certain)                               \
    {                                                                          \
        name, kind, octets, sizeof(octets) - 1, result, certain                \
    }
    ROW("greeting", V5_GREETING, "\5\2\0\2", 4, 4),
    ROW("greeting without methods", V5_GREETING, "\5\0\5", 2, 2),
    ROW("greeting, a request behind it", V5_GREETING, "\5\1\0\5\1\0\1", 3, 3),
    ROW("greeting of version 4", V5_GREETING, "\4\1\0\120", SOCKS4_E_V5_VERSION,
        1),
    ROW("choice", V5_CHOICE, "\5\2", 2, 2),
    ROW("choice of none, a reply behind it", V5_CHOICE, "\5\377\5\0", 2, 2),
    ROW("choice of version 0", V5_CHOICE, "\0\132", SOCKS4_E_V5_VERSION, 1),
    ROW("password", V5_PASSWORD, "\1\3bob\6secret", 12, 12),
    ROW("password, a request behind it", V5_PASSWORD, "\1\1b\1s\5\1\0\1", 5, 5),
    ROW("password empty", V5_PASSWORD, "\1\3bob\0x", 6, 6),
    ROW("user empty", V5_PASSWORD, "\1\0\1sx", 4, 4),
    ROW("user and password empty", V5_PASSWORD, "\1\0\0", 3, 3),
    ROW("any octet but NUL", V5_PASSWORD, "\1\2\377\12\2\200:", 7, 7),
    ROW("NUL in the user", V5_PASSWORD, "\1\3b\0b\1s", SOCKS4_E_NUL, 4),
    ROW("NUL ends the password", V5_PASSWORD, "\1\1b\3se\0", SOCKS4_E_NUL, 7),
    ROW("password of version 5", V5_PASSWORD, "\5\1b\1s",
        SOCKS4_E_V5_PASSWORD_VERSION, 1),
    ROW("status", V5_STATUS, "\1\0", 2, 2),
    ROW("status, failed", V5_STATUS, "\1\1x", 2, 2),
    ROW("status of version 5", V5_STATUS, "\5\0", 2, 2),
    ROW("status of version 0", V5_STATUS, "\0\0", SOCKS4_E_V5_PASSWORD_VERSION,
        1),
    ROW("CONNECT to IPv4", V5_REQUEST, "\5\1\0\1\300\0\2\1\0\120", 10, 10),
    ROW("BIND for IPv4", V5_REQUEST, "\5\2\0\1\300\0\2\1\0\25x", 10, 10),
    ROW("UDP ASSOCIATE", V5_REQUEST, "\5\3\0\1\0\0\0\0\0\0", 10, 10),
    ROW("CONNECT to IPv6", V5_REQUEST,
        "\5\1\0\4 \1\15\270\0\0\0\0\0\0\0\0\0\0\0\1\1\273x", 22, 22),
    ROW("CONNECT to a name", V5_REQUEST, "\5\1\0\3\4host\0\120x", 11, 11),
    ROW("CONNECT to a name of one octet", V5_REQUEST, "\5\1\0\3\1h\0\120", 8,
        8),
    ROW("RSV not 0", V5_REQUEST, "\5\1\5\1\300\0\2\1\0\120", 10, 10),
    ROW("request of version 4", V5_REQUEST, "\4\1\0\120\300\0\2\1\0",
        SOCKS4_E_V5_VERSION, 1),
    ROW("command 0", V5_REQUEST, "\5\0\0\1\300\0\2\1\0\120",
        SOCKS4_E_V5_COMMAND, 2),
    ROW("command 4", V5_REQUEST, "\5\4\0\1\300\0\2\1\0\120",
        SOCKS4_E_V5_COMMAND, 2),
    ROW("tor's RESOLVE", V5_REQUEST, "\5\360\0\3\1h\0\0", SOCKS4_E_V5_COMMAND,
        2),
    ROW("ATYP 0", V5_REQUEST, "\5\1\0\0\300\0\2\1\0\120", SOCKS4_E_V5_TYPE, 4),
    ROW("ATYP 2", V5_REQUEST, "\5\1\0\2\300\0\2\1\0\120", SOCKS4_E_V5_TYPE, 4),
    ROW("ATYP 5", V5_REQUEST, "\5\1\0\5\300\0\2\1\0\120", SOCKS4_E_V5_TYPE, 4),
    ROW("a name that is empty", V5_REQUEST, "\5\1\0\3\0\0\120",
        SOCKS4_E_DOMAIN_EMPTY, 5),
    ROW("NUL in a name", V5_REQUEST, "\5\1\0\3\4ho\0t\0\120", SOCKS4_E_NUL, 8),
    ROW("NUL begins a name", V5_REQUEST, "\5\1\0\3\4\0ost\0\120", SOCKS4_E_NUL,
        6),
    ROW("reply", V5_REPLY, "\5\0\0\1\300\0\2\1\234\100SSH", 10, 10),
    ROW("reply with a name", V5_REPLY, "\5\0\0\3\2gw\234\100", 9, 9),
    ROW("reply 255", V5_REPLY, "\5\377\0\1\0\0\0\0\0\0", 10, 10),
    ROW("reply of version 0", V5_REPLY, "\0\132\0\0", SOCKS4_E_V5_VERSION, 1),
    ROW("refusal with ATYP 0", V5_REPLY, "\5\1\0\0", SOCKS4_E_V5_TYPE, 4),
    ROW("datagram", V5_UDP, "\0\0\0\1\300\0\2\1\0\65data", 10, 10),
    ROW("datagram without data", V5_UDP,
        "\0\0\0\4 \1\15\270\0\0\0\0\0\0\0\0\0\0\0\1\0\65", 22, 22),
    ROW("datagram to a name", V5_UDP, "\0\0\0\3\4host\0\65", 11, 11),
    ROW("fragment", V5_UDP, "\0\0\201\1\300\0\2\1\0\65data", 10, 10),
    ROW("datagram, RSV not 0", V5_UDP, "\1\2\0\1\300\0\2\1\0\65", 10, 10),
    ROW("datagram with ATYP 6", V5_UDP, "\0\0\0\6\300\0\2\1\0\65",
        SOCKS4_E_V5_TYPE, 4),
};

/* Every part of every row, its last octet right before what cannot be read:
   answer and fields are those of the plain reader. */
static void
decodes_the_same_however_it_is_split(void **state)
{
    union v5_message message;
    struct guard guard;

    (void)state;
    guard_init(&guard, 600);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];

        for (size_t part = 0; part <= row->len; part++) {
            const uint8_t *at =
                guard_put(&guard, (const uint8_t *)row->octets, part);
            struct naive_v5 naive = {.kind = row->kind, .place = at};
            ssize_t result;

            for (size_t n = 0; n < part; n++)
                naive_v5_add(&naive, at[n]);
            memset(&message, 0xa5, sizeof message);
            result = v5_decode(row->kind, at, part, &message);
            if (result != (part < row->certain ? 0 : row->result))
                fail_msg("%s: %zd at %zu octets", row->name, result, part);
            assert_int_equal(result, naive.answer);
            assert_true(v5_same(row->kind, &message, &naive.message));
        }
    }
    guard_fini(&guard);
}

/* Octets that look like a message more often than chance would have it. */
static size_t
make_octets(struct random *random, uint8_t octets[600])
{
    static const uint8_t types[] = {1, 3, 4};
    size_t len = random_below(random, 600);

    for (size_t i = 0; i < len; i++)
        octets[i] = (uint8_t)(random_below(random, 400) == 0
                                  ? 0
                                  : 1 + random_below(random, 255));
    octets[0] = random_below(random, 16) == 0 ? octets[0]
                : random_below(random, 2)     ? 5
                                              : 1;
    octets[1] = random_below(random, 2) == 0 ? octets[1] : 1;
    octets[2] = random_below(random, 4) == 0 ? octets[2] : 0;
    octets[3] =
        random_below(random, 16) == 0 ? octets[3] : types[octets[4] % 3];
    return len;
}

static void
agrees_with_a_naive_decoder_on_random_octets(void **state)
{
    struct random random;
    unsigned taken = 0, rounds = 300000;
    uint8_t octets[600], back[600];
    union v5_message message;

    (void)state;
    random_init(&random, 5);
    for (unsigned i = 0; i < rounds; i++) {
        size_t len = make_octets(&random, octets);
        struct naive_v5 naive = {.kind = (enum v5_kind)random_below(&random, 7),
                                 .place = octets};
        ssize_t result = v5_decode(naive.kind, octets, len, &message);

        for (size_t n = 0; n < len && naive.answer == 0; n++)
            naive_v5_add(&naive, octets[n]);
        assert_int_equal(result, naive.answer);
        assert_true(v5_same(naive.kind, &message, &naive.message));
        if (result <= 0)
            continue;
        taken++;
        assert_int_equal(v5_encode(naive.kind, &message, back, sizeof back),
                         naive_v5_size(&naive));
        for (ssize_t n = 0; n < naive_v5_size(&naive); n++)
            assert_int_equal(back[n], naive_v5_written(&naive, (size_t)n));
    }
    printf("# taken: %u of %u\n", taken, rounds);
    assert_true(taken > rounds / 5);
}

static void
finds_the_fields_of_a_greeting_and_a_password(void **state)
{
    static const uint8_t hello[] = {5, 3, 0, 2, 0x80, 5};
    static const uint8_t secret[] = "\1\3bob\6secret\5";
    struct socks4_v5_greeting greeting;
    struct socks4_v5_password password;

    (void)state;
    assert_int_equal(socks4_v5_greeting_decode(hello, 6, &greeting), 5);
    assert_int_equal(greeting.version, 5);
    assert_int_equal(greeting.count, 3);
    assert_int_equal(greeting.methods_len, 3);
    assert_ptr_equal(greeting.methods, hello + 2);
    assert_true(socks4_v5_offers(&greeting, SOCKS4_V5_NONE));
    assert_true(socks4_v5_offers(&greeting, SOCKS4_V5_PASSWORD));
    assert_true(socks4_v5_offers(&greeting, 0x80));
    assert_false(socks4_v5_offers(&greeting, SOCKS4_V5_GSSAPI));
    assert_false(socks4_v5_offers(&greeting, 5)); /* what is behind it */

    assert_int_equal(socks4_v5_password_decode(secret, 13, &password), 12);
    assert_int_equal(password.user_len, 3);
    assert_memory_equal(password.user, "bob", 3);
    assert_int_equal(password.password_len, 6);
    assert_memory_equal(password.password, "secret", 6);
}

static void
finds_the_fields_of_a_request(void **state)
{
    static const uint8_t four[] = {5, 2, 7, 1, 1, 2, 3, 4, 0x12, 0x34};
    static const uint8_t six[] = {5, 1, 0,  4,  1,  2,  3,  4,  5,  6,    7,
                                  8, 9, 10, 11, 12, 13, 14, 15, 16, 0xab, 0xcd};
    static const uint8_t name[] = "\5\3\0\3\4host\200\1";
    struct socks4_v5_request request;

    (void)state;
    assert_int_equal(socks4_v5_request_decode(four, 10, &request), 10);
    assert_int_equal(request.version, 5);
    assert_int_equal(request.command, SOCKS4_V5_BIND);
    assert_int_equal(request.reserved, 7);
    assert_int_equal(request.address.type, SOCKS4_V5_IPV4);
    assert_int_equal(request.address.ip4, 0x01020304);
    assert_int_equal(request.address.port, 0x1234);
    assert_null(request.address.name);

    assert_int_equal(socks4_v5_request_decode(six, 22, &request), 22);
    assert_int_equal(request.address.type, SOCKS4_V5_IPV6);
    assert_memory_equal(request.address.ip6, six + 4, 16);
    assert_int_equal(request.address.port, 0xabcd);

    assert_int_equal(socks4_v5_request_decode(name, 11, &request), 11);
    assert_int_equal(request.command, SOCKS4_V5_UDP);
    assert_int_equal(request.address.type, SOCKS4_V5_NAME);
    assert_ptr_equal(request.address.name, name + 5);
    assert_int_equal(request.address.name_len, 4);
    assert_int_equal(request.address.port, 0x8001);
}

/* What a client has to know of a refusal is in its first two octets. */
static void
gives_the_code_of_a_refusal_that_is_not_whole(void **state)
{
    static const uint8_t octets[] = {5, 2, 0, 0};
    struct socks4_v5_reply reply;

    (void)state;
    assert_int_equal(socks4_v5_reply_decode(octets, 2, &reply), 0);
    assert_int_equal(reply.code, SOCKS4_V5_NOT_ALLOWED);
    assert_int_equal(socks4_v5_reply_decode(octets, 4, &reply),
                     SOCKS4_E_V5_TYPE);
    assert_int_equal(reply.code, SOCKS4_V5_NOT_ALLOWED);
}

/* A name of every length, and the octets it needs. */
static void
reads_and_writes_a_name_of_every_length(void **state)
{
    uint8_t octets[SOCKS4_V5_REQUEST_MAX];
    char name[256];

    (void)state;
    memset(name, 'n', sizeof name);
    for (size_t len = 1; len <= 255; len++) {
        struct socks4_v5_request request = {.command = SOCKS4_V5_CONNECT,
                                            .address = {.type = SOCKS4_V5_NAME,
                                                        .port = 80,
                                                        .name = name,
                                                        .name_len = len}};
        ssize_t size = (ssize_t)(7 + len);

        assert_int_equal(socks4_v5_request_encode(&request, octets, 6 + len),
                         SOCKS4_E_ROOM);
        assert_int_equal(socks4_v5_request_encode(&request, octets, 7 + len),
                         size);
        memset(&request, 0, sizeof request);
        assert_int_equal(socks4_v5_request_decode(octets, 6 + len, &request),
                         0);
        assert_int_equal(socks4_v5_request_decode(octets, 7 + len, &request),
                         size);
        assert_int_equal(request.address.name_len, len);
        assert_int_equal(request.address.port, 80);
    }
}

static void
encodes_no_request_that_no_server_could_read(void **state)
{
    struct socks4_v5_request request = {
        .command = 4, .address = {.type = 2, .name = "a\0b", .name_len = 256}};
    uint8_t octets[SOCKS4_V5_REQUEST_MAX];

    (void)state;
#define IS(error)                                                              \
    assert_int_equal(                                                          \
        socks4_v5_request_encode(&request, octets, sizeof octets), error)
    IS(SOCKS4_E_V5_COMMAND);
    request.command = 0;
    IS(SOCKS4_E_V5_COMMAND);
    request.command = SOCKS4_V5_UDP;
    IS(SOCKS4_E_V5_TYPE);
    request.address.type = SOCKS4_V5_NAME;
    IS(SOCKS4_E_DOMAIN_LONG);
    request.address.name_len = 0;
    IS(SOCKS4_E_DOMAIN_EMPTY);
    request.address.name_len = 3;
    IS(SOCKS4_E_NUL);
    request.address.name_len = 1;
    IS(8);
#undef IS
}

static void
encodes_no_greeting_or_password_of_a_wrong_length(void **state)
{
    uint8_t octets[SOCKS4_V5_PASSWORD_MAX], methods[256] = {0};
    struct socks4_v5_greeting greeting = {.methods = methods};
    struct socks4_v5_password password = {.user = "a\0", .password = "b\0"};
    char text[256];

    (void)state;
    memset(text, 't', sizeof text);
#define HELLO(count, result)                                                   \
    greeting.methods_len = count;                                              \
    assert_int_equal(                                                          \
        socks4_v5_greeting_encode(&greeting, octets, sizeof octets), result)
    HELLO(0, SOCKS4_E_V5_METHODS);
    HELLO(256, SOCKS4_E_V5_METHODS);
    HELLO(255, SOCKS4_V5_GREETING_MAX);
    HELLO(1, 3);
#undef HELLO
#define IS(users, passwords, result)                                           \
    password.user_len = users;                                                 \
    password.password_len = passwords;                                         \
    assert_int_equal(                                                          \
        socks4_v5_password_encode(&password, octets, sizeof octets), result)
    IS(0, 0, SOCKS4_E_V5_USER);
    IS(256, 0, SOCKS4_E_V5_USER);
    IS(1, 0, SOCKS4_E_V5_PASSWORD);
    IS(1, 256, SOCKS4_E_V5_PASSWORD);
    IS(2, 1, SOCKS4_E_NUL);
    IS(1, 2, SOCKS4_E_NUL);
    IS(1, 1, 5);
    password.user = password.password = text;
    IS(255, 255, SOCKS4_V5_PASSWORD_MAX);
#undef IS
}

static void
encodes_the_nine_replies_and_no_other(void **state)
{
    uint8_t octets[SOCKS4_V5_REPLY_MAX];
    struct socks4_v5_reply reply = {.address = {.type = SOCKS4_V5_IPV4}};

    (void)state;
    for (int code = 0; code < 256; code++) {
        reply.code = (uint8_t)code;
        assert_int_equal(socks4_v5_reply_encode(&reply, octets, sizeof octets),
                         code <= 8 ? 10 : SOCKS4_E_V5_CODE);
        assert_int_equal(
            strcmp(socks4_v5_code_text(code), "unknown reply code") != 0,
            code <= 8);
    }
}

/* RFC 1928, sections 3 to 7; RFC 1929. */
static void
has_the_values_of_the_rfcs(void **state)
{
    uint8_t octets[2];

    (void)state;
    assert_int_equal(socks4_v5_choice_encode(SOCKS4_V5_UNACCEPTABLE, octets),
                     2);
    assert_memory_equal(octets, "\5\377", 2);
    assert_int_equal(socks4_v5_status_encode(1, octets), 2);
    assert_memory_equal(octets, "\1\1", 2);
    assert_int_equal(SOCKS4_V5_NONE, 0);
    assert_int_equal(SOCKS4_V5_GSSAPI, 1);
    assert_int_equal(SOCKS4_V5_PASSWORD, 2);
    assert_int_equal(SOCKS4_V5_CONNECT, 1);
    assert_int_equal(SOCKS4_V5_BIND, 2);
    assert_int_equal(SOCKS4_V5_UDP, 3);
    assert_int_equal(SOCKS4_V5_IPV4, 1);
    assert_int_equal(SOCKS4_V5_NAME, 3);
    assert_int_equal(SOCKS4_V5_IPV6, 4);
    assert_string_equal(socks4_v5_code_text(SOCKS4_V5_TTL_EXPIRED),
                        "TTL expired");
    assert_string_equal(socks4_v5_code_text(7),
                        "command not supported by the server");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_the_same_however_it_is_split),
        cmocka_unit_test(agrees_with_a_naive_decoder_on_random_octets),
        cmocka_unit_test(finds_the_fields_of_a_greeting_and_a_password),
        cmocka_unit_test(finds_the_fields_of_a_request),
        cmocka_unit_test(gives_the_code_of_a_refusal_that_is_not_whole),
        cmocka_unit_test(reads_and_writes_a_name_of_every_length),
        cmocka_unit_test(encodes_no_request_that_no_server_could_read),
        cmocka_unit_test(encodes_no_greeting_or_password_of_a_wrong_length),
        cmocka_unit_test(encodes_the_nine_replies_and_no_other),
        cmocka_unit_test(has_the_values_of_the_rfcs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
