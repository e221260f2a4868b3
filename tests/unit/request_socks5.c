/* SOCKS5 as a client speaks it: every prefix of every message, what is wrong
   at its very octet, and the form and code of each answer. */

#include "gateway/worker/request_socks5.h"

#include <stdlib.h>

#include "socks4/v5.h"
#include "tests/unit/unit.h"

enum { GREETING, PASSWORD, REQUEST }; /* reading.state */

static enum request_password wanted;

static enum request_password
wants(const void *owner)
{
    (void)owner;
    return wanted;
}

static const struct request_terms terms = {
    .userid_max = 1023, .socks5 = CONFIG_SOCKS5_ON, .password = wants};

struct seen {
    struct request request;
    struct request_reading reading;
    struct request_texts texts;
    struct request_rest answer;
    enum request_event event;
    enum verdict verdict;
    ssize_t used;
};

/* The octets stand in memory of just their size. */
static struct seen
look(uint8_t state, const char *octets, size_t len)
{
    struct seen seen = {.request = {.version = REQUEST_SOCKS5},
                        .reading = {.state = state}};
    static uint8_t *copy;

    free(copy);
    copy = malloc(len);
    memcpy(copy, octets, len);
    seen.used = request_socks5_read(&seen.request, &seen.reading, &terms, copy,
                                    len, &seen.texts, &seen.answer, &seen.event,
                                    &seen.verdict);
    return seen;
}

#define OCTETS(text) text, sizeof(text) - 1

static const struct {
    uint8_t state;
    enum request_password password;
    const char *octets;
    size_t len;
    enum request_event event;
    const char *to, *name;
} good[] = {
    {GREETING, REQUEST_PASSWORD_OFF, OCTETS("\5\1\0"), REQUEST_ANSWERS, 0, 0},
    {GREETING, REQUEST_PASSWORD_TAKEN, OCTETS("\5\3\2\1\0"), REQUEST_ANSWERS, 0,
     0},
    {GREETING, REQUEST_PASSWORD_TAKEN, OCTETS("\5\1\2"), REQUEST_ANSWERS, 0, 0},
    {GREETING, REQUEST_PASSWORD_ASKED, OCTETS("\5\2\0\2"), REQUEST_ANSWERS, 0,
     0},
    {PASSWORD, 0, OCTETS("\1\3ann\6secret"), REQUEST_PASSWORD, 0, 0},
    {PASSWORD, 0, OCTETS("\1\0\0"), REQUEST_PASSWORD, 0, 0},
    {REQUEST, 0, OCTETS("\5\1\0\1\xc0\0\2\1\0\x50"), REQUEST_COMPLETE,
     "192.0.2.1", 0},
    {REQUEST, 0, OCTETS("\5\1\0\4\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0\x50"),
     REQUEST_COMPLETE, "2001:db8::1", 0},
    {REQUEST, 0, OCTETS("\5\2\0\4\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1\0\x50"),
     REQUEST_COMPLETE, "192.0.2.1", 0},
    {REQUEST, 0, OCTETS("\5\1\0\3\4host\0\x50"), REQUEST_COMPLETE, "0.0.0.0",
     "host"},
    {REQUEST, 0,
     OCTETS("\5\1\0\3\11"
            "192.0.2.1\0\x50"),
     REQUEST_COMPLETE, "0.0.0.0", "192.0.2.1"},
    {REQUEST, 0, OCTETS("\5\1\0\3\3::1\0\x50"), REQUEST_COMPLETE, "::1", 0},
    {REQUEST, 0, OCTETS("\5\1\0\3\5::1%1\0\x50"), REQUEST_COMPLETE, "0.0.0.0",
     "::1%1"},
};

/* Nothing is told of a message before its last octet. */
static void
every_prefix_waits_for_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        wanted = good[i].password;
        for (size_t len = 1; len < good[i].len; len++) {
            struct seen seen = look(good[i].state, good[i].octets, len);
            assert_int_equal(seen.used, 0);
            assert_false(seen.request.understood);
        }
    }
}

static void
what_lies_behind_a_message_is_not_its_own(void **state)
{
    char octets[600];

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        wanted = good[i].password;
        memset(octets, 'x', sizeof(octets));
        memcpy(octets, good[i].octets, good[i].len);
        for (size_t more = 0; more < 3; more++) {
            struct seen seen =
                look(good[i].state, octets, good[i].len + more * 250);
            assert_int_equal(seen.used, good[i].len);
            assert_int_equal(seen.event, good[i].event);
        }
    }
}

static void
a_request_is_what_it_says(void **state)
{
    char text[ADDR_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct seen seen = look(good[i].state, good[i].octets, good[i].len);
        if (good[i].to == NULL)
            continue;
        assert_true(seen.request.understood);
        assert_string_equal(addr_format(seen.request.to, text), good[i].to);
        assert_int_equal(seen.request.port, 80);
        assert_int_equal(seen.request.command, good[i].octets[1]);
        assert_int_equal(seen.texts.name_len,
                         good[i].name ? strlen(good[i].name) : 0);
        if (good[i].name)
            assert_memory_equal(seen.texts.name, good[i].name,
                                seen.texts.name_len);
    }
}

static void
the_method_is_what_the_rules_want(void **state)
{
    static const struct {
        enum request_password password;
        const char *offered;
        int method; /* negative: none */
        enum verdict verdict;
    } cases[] = {
        {REQUEST_PASSWORD_OFF, "\5\2\0\2", 0, 0},
        {REQUEST_PASSWORD_OFF, "\5\2\2\1", -1, V_NO_METHOD},
        {REQUEST_PASSWORD_TAKEN, "\5\2\2\0", 0, 0},
        {REQUEST_PASSWORD_TAKEN, "\5\2\2\1", 2, 0},
        {REQUEST_PASSWORD_TAKEN, "\5\2\3\1", -1, V_NO_METHOD},
        {REQUEST_PASSWORD_PREFERRED, "\5\2\0\2", 2, 0},
        {REQUEST_PASSWORD_PREFERRED, "\5\2\0\1", 0, 0},
        {REQUEST_PASSWORD_PREFERRED, "\5\2\3\1", -1, V_NO_METHOD},
        {REQUEST_PASSWORD_ASKED, "\5\2\0\2", 2, 0},
        {REQUEST_PASSWORD_ASKED, "\5\2\0\1", -1, V_PASSWORD_MISSING},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        wanted = cases[i].password;
        struct seen seen = look(GREETING, cases[i].offered, 4);
        if (cases[i].method < 0) {
            assert_int_equal(seen.used, -1);
            assert_int_equal(seen.verdict, cases[i].verdict);
            continue;
        }
        assert_int_equal(seen.used, 4);
        assert_int_equal(seen.answer.count, 2);
        assert_int_equal(seen.answer.octets[0], 5);
        assert_int_equal(seen.answer.octets[1], cases[i].method);
        request_socks5_choose(&seen.reading, &seen.answer);
        assert_int_equal(seen.reading.state,
                         cases[i].method == 2 ? PASSWORD : REQUEST);
    }
}

static void
a_user_and_a_password_are_views(void **state)
{
    (void)state;
    struct seen seen = look(PASSWORD, OCTETS("\1\3ann\6secret"));
    assert_int_equal(seen.texts.userid_len, 3);
    assert_memory_equal(seen.texts.userid, "ann", 3);
    assert_int_equal(seen.answer.count, 6);
    assert_memory_equal(seen.answer.octets, "secret", 6);
}

/* Neither an octet too early nor too late, whatever follows. */
static void
what_is_wrong_is_told_at_its_octet(void **state)
{
    static const struct {
        uint8_t state;
        const char *octets;
        size_t at;
        enum verdict verdict;
    } cases[] = {
        {PASSWORD, "\5\1\0\1aaaaaaaa", 1, V_PASSWORD_MALFORMED},
        {PASSWORD, "\1\3a\0n\3foo", 4, V_PASSWORD_MALFORMED},
        {REQUEST, "\1\1\0\1aaaaaa", 1, V_SOCKS5_MALFORMED},
        {REQUEST, "\4\1\0\1aaaaaa", 1, V_SOCKS5_MALFORMED},
        {REQUEST, "\5\0\0\1aaaaaa", 2, V_BAD_COMMAND},
        {REQUEST, "\5\4\0\1aaaaaa", 2, V_BAD_COMMAND},
        {REQUEST, "\5\1\0\2aaaaaa", 4, V_BAD_TYPE},
        {REQUEST, "\5\1\0\5aaaaaa", 4, V_BAD_TYPE},
        {REQUEST, "\5\1\0\3\0aaaaaa", 5, V_DOMAIN_EMPTY},
        {REQUEST, "\5\1\0\3\5ab\0cdaa", 8, V_NAME_BAD},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t len = 1; len <= 10; len++) {
            struct seen seen = look(cases[i].state, cases[i].octets, len);
            assert_int_equal(seen.used, len < cases[i].at ? 0 : -1);
            if (seen.used < 0)
                assert_int_equal(seen.verdict, cases[i].verdict);
        }
}

/* Each refusal has a code of RFC 1928 and zeros for an address. */
static void
every_refusal_is_a_reply(void **state)
{
    uint8_t octets[REQUEST_REPLY_MAX];

    (void)state;
    for (int verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        struct request request = {.granted = true};
        const struct request_reading reading = {.state = REQUEST};
        struct socks4_v5_reply reply;
        if (verdict_rows[verdict].class != VERDICT_REFUSED)
            continue;
        size_t size = request_socks5_refuse(&request, &reading,
                                            (enum verdict)verdict, octets);
        assert_int_equal(size, 10);
        assert_int_equal(socks4_v5_reply_decode(octets, size, &reply), 10);
        assert_in_range(reply.code, SOCKS4_V5_FAILURE, SOCKS4_V5_NO_TYPE);
        assert_int_equal(reply.code, request.code);
        assert_int_equal(reply.address.ip4 + reply.address.port, 0);
        assert_false(request.granted);
    }
}

static void
a_refusal_has_the_form_that_is_waited_for(void **state)
{
    struct request request = {0};
    struct request_reading greeting = {.state = GREETING};
    struct request_reading password = {.state = PASSWORD};
    uint8_t octets[REQUEST_REPLY_MAX];

    (void)state;
    assert_int_equal(
        request_socks5_refuse(&request, &greeting, V_PASSWORD_MISSING, octets),
        2);
    assert_memory_equal(octets, "\5\xff", 2);
    assert_int_equal(request.code, 255);
    assert_int_equal(request_socks5_refuse(&request, &password,
                                           V_PASSWORD_MALFORMED, octets),
                     2);
    assert_memory_equal(octets, "\1\1", 2);
    assert_int_equal(request.code, 1);
    assert_int_equal(request_socks5_admit(&password, octets), 2);
    assert_memory_equal(octets, "\1\0", 2);
    assert_int_equal(password.state, REQUEST);
}

static void
a_grant_names_an_address_of_its_family(void **state)
{
    static const char *const addresses[] = {
        "192.0.2.1", "2001:db8::1:2",
        "::",        "::ffff:192.0.2.1",
        "0.0.0.0",   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"};
    uint8_t octets[REQUEST_REPLY_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(addresses); i++) {
        struct request request = {0};
        struct endpoint at = {.port = 4711};
        struct socks4_v5_reply reply;
        assert_int_equal(addr_parse(addresses[i], &at.addr), 0);
        size_t size = request_socks5_grant(&request, &at, octets);
        assert_int_equal(size, addr_is_v4(at.addr) ? 10 : 22);
        assert_int_equal(socks4_v5_reply_decode(octets, size, &reply), size);
        assert_int_equal(reply.code, 0);
        assert_int_equal(reply.address.port, 4711);
        if (addr_is_v4(at.addr))
            assert_int_equal(reply.address.ip4, addr_to_v4(at.addr));
        for (int k = 0; k < 8 && !addr_is_v4(at.addr); k++) {
            assert_int_equal(reply.address.ip6[k],
                             at.addr.hi >> (56 - 8 * k) & 255);
            assert_int_equal(reply.address.ip6[8 + k],
                             at.addr.lo >> (56 - 8 * k) & 255);
        }
        assert_true(request.granted);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_prefix_waits_for_more),
        cmocka_unit_test(what_lies_behind_a_message_is_not_its_own),
        cmocka_unit_test(a_request_is_what_it_says),
        cmocka_unit_test(the_method_is_what_the_rules_want),
        cmocka_unit_test(a_user_and_a_password_are_views),
        cmocka_unit_test(what_is_wrong_is_told_at_its_octet),
        cmocka_unit_test(every_refusal_is_a_reply),
        cmocka_unit_test(a_refusal_has_the_form_that_is_waited_for),
        cmocka_unit_test(a_grant_names_an_address_of_its_family),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
