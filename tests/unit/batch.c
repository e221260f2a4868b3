/* Which lines of a worker are written as they are. */
#include "gateway/monitor/batch.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/worker/record.h"
#include "tests/unit/unit.h"

/* 2026-11-23T20:31:00.123Z */
#define WALL_MS 1795465860123u
#define TIME "2026-11-23T20:31:00.123Z"

static struct batch_origin origin;
static struct batch_tally tally;
static char text[70000];

static int
set_up(void **state)
{
    static const char *const events[] = {"session", "limit",
                                         "records_suppressed", NULL};
    (void)state;
    batch_origin_init(&origin, events, 7, WALL_MS);
    return 0;
}

static bool
passes(const char *line)
{
    snprintf(text, sizeof(text), "%s\n", line);
    return batch_check_line(text, strlen(line), &origin, &tally);
}

#define TEXT "time=" TIME " event=session id=1 worker=7"
#define JSON                                                                   \
    "{\"time\":\"" TIME "\",\"event\":\"session\",\"id\":1,\"worker\":7"

static void
lets_through_what_a_worker_writes(void **state)
{
    (void)state;
    assert_true(passes(TEXT));
    assert_true(passes(TEXT " userid=\"a \\\"b\\x00\" dest=[::1]:80 name=-"));
    assert_true(passes("time=" TIME " event=limit level=warning worker=7"));
    assert_true(passes(JSON "}"));
    assert_true(passes(JSON ",\"ms\":{\"total\":3},\"userid\":\"\\u0000\","
                            "\"name\":null}"));
    assert_true(passes(TEXT " userid=\"aa\\u2026(1023)\""));
    assert_true(passes(JSON ",\"userid\":\"aa\\u2026(1023)\"}"));
}

static void
lets_every_record_through(void **state)
{
    const struct endpoint end = {addr_v4(0x0a000001), 1080};
    struct record record = {.wall_ms = WALL_MS,
                            .id = 1,
                            .worker = 7,
                            .listener = "in side",
                            .client = end,
                            .userid = "o\"neil \n",
                            .userid_len = 8,
                            .command = "connect",
                            .verdict = "granted",
                            .ended_by = "client",
                            .end = "fin",
                            .version = "4a",
                            .hint = "say \"socks4a: true\"",
                            .local = &end};
    (void)state;
    for (int format = 0; format < 2; format++) {
        size_t len =
            record_format(&record, format ? CONFIG_LOG_JSON : CONFIG_LOG_TEXT,
                          text, sizeof(text));
        assert_true(batch_check_line(text, len - 1, &origin, &tally));
    }
}

static void
counts_what_a_line_accounts_for(void **state)
{
    (void)state;
    tally = (struct batch_tally){0};
    assert_true(passes(TEXT));
    assert_true(passes(JSON ",\"count\":9}"));
    assert_true(
        passes("time=" TIME " event=limit worker=7 limit=rate count=5"));
    assert_true(passes("time=" TIME
                       " event=limit worker=7 limit=descriptors count=50"));
    assert_true(passes("{\"time\":\"" TIME "\",\"event\":\"records_suppressed"
                       "\",\"worker\":7,\"count\":412}"));
    assert_false(passes(TEXT " event=limit"));
    assert_int_equal(tally.records, 2);
    assert_int_equal(tally.limited, 5);
    assert_int_equal(tally.suppressed, 412);
}

static const char *const forged[] = {
    "",
    "hello",
    /* another worker's, another process's */
    "time=" TIME " event=session id=1 worker=6",
    "time=" TIME " event=session id=1 worker=77",
    "time=" TIME " event=session id=1 worker=7 worker=6",
    "time=" TIME " event=session id=1",
    "time=" TIME " event=ready level=notice worker=7",
    "time=" TIME " event=upgraded worker=7",
    "time=" TIME " event=session id=1 code=90 worker=7",
    TEXT " event=ready",
    TEXT " event=limit",
    TEXT " time=" TIME,
    "event=session time=" TIME " worker=7",
    JSON ",\"event\":\"ready\"}",
    JSON ",\"worker\":6}",
    JSON ",\"\\u0065vent\":\"ready\"}",
    JSON ",\"event\" :\"ready\"}",
    "{\"time\":\"" TIME "\",\"event\":\"session\",\"id\":1,\"worker\":\"6\"}",
    /* not well formed: what reads it stops, or reads something else */
    JSON "",
    JSON "}}",
    JSON "} event=ready",
    JSON ",}",
    JSON ",garbage}",
    JSON ",\"a\":\"b}",
    JSON ",\"a\":\"\\\"}",
    JSON ",\"a\":\"\\u1234\"}",
    JSON ",\"a\":\"\\u2028\"}",
    TEXT " a=\"\\u0041\"",
    JSON ",\"a\":{\"b\":{\"c\":{\"d\":1}}}}",
    JSON ",\"a\":}",
    TEXT " userid=\"half",
    TEXT " userid=\"a\"event=ready",
    TEXT " userid=a=b",
    TEXT "  name=-",
    TEXT " name=- ",
    TEXT " userid=\"\x1b[0m\"",
    TEXT " userid=\"\xff\"",
    /* no time at all */
    "time=yesterday event=session id=1 worker=7",
    "time=2026-11-23T20:31:00.1x3Z event=session id=1 worker=7",
    "time=2026-11-23 20:31:00.123Z event=session id=1 worker=7",
};

static void
lets_no_forged_line_through(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(forged); i++)
        if (passes(forged[i]))
            fail_msg("%s", forged[i]);
}

/* Each beginning of a line, in memory of its own: a sanitizer sees what is read
   behind its newline. */
static void
nothing_is_read_behind_the_newline(void **state)
{
    static const char *const lines[] = {
        TEXT " a=\"\\\"\\\\\\x00\\u2026(9)\" b=-",
        JSON ",\"a\":\"\\\"\\\\\\u0000\\u2026(9)\",\"b\":{\"c\":null}}"};
    (void)state;
    for (size_t which = 0; which < COUNT(lines); which++) {
        for (size_t len = 0; len <= strlen(lines[which]); len++) {
            char *line = malloc(len + 1);
            memcpy(line, lines[which], len);
            line[len] = '\n';
            bool good = batch_check_line(line, len, &origin, &tally);
            assert_true(good || lines[which][len] != '\0');
            free(line);
        }
    }
}

/* Each octet of a good line, changed to each other one: a line that passes
   still says the same event, worker and time. */
static void
no_change_of_one_octet_changes_where_a_line_is_from(void **state)
{
    (void)state;
    const char *good[] = {TEXT " userid=\"a\" code=90",
                          JSON ",\"userid\":\"a\"}"};
    for (size_t which = 0; which < COUNT(good); which++) {
        size_t len = strlen(good[which]);
        for (size_t at = 0; at < len; at++) {
            for (int octet = 0; octet < 256; octet++) {
                snprintf(text, sizeof(text), "%s\n", good[which]);
                text[at] = (char)octet;
                if (!batch_check_line(text, len, &origin, &tally))
                    continue;
                assert_non_null(
                    strstr(text, which ? "\"session\"" : "=session"));
                assert_non_null(
                    strstr(text, which ? "worker\":7" : "worker=7"));
                assert_non_null(strstr(text, "2026-11-23T20:3"));
            }
        }
    }
}

static void
a_time_far_from_now_becomes_now(void **state)
{
    static const struct {
        const char *said, *becomes;
    } cases[] = {
        {"2026-11-23T20:30:56.000Z", "2026-11-23T20:30:56.000Z"},
        {"2026-11-23T20:31:05.000Z", "2026-11-23T20:31:05.000Z"},
        {"2026-11-23T20:30:55.122Z", TIME},
        {"2026-11-23T20:31:05.124Z", TIME},
        {"2025-11-23T20:31:00.123Z", TIME},
        {"9999-99-99T99:99:99.999Z", TIME},
        {"2026-11-23T20:30:99.999Z", TIME},
    };
    char line[128];
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(line, sizeof(line), "time=%s event=session id=1 worker=7",
                 cases[i].said);
        assert_true(passes(line));
        assert_memory_equal(text + 5, cases[i].becomes, 24);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lets_through_what_a_worker_writes),
        cmocka_unit_test(lets_every_record_through),
        cmocka_unit_test(counts_what_a_line_accounts_for),
        cmocka_unit_test(lets_no_forged_line_through),
        cmocka_unit_test(nothing_is_read_behind_the_newline),
        cmocka_unit_test(no_change_of_one_octet_changes_where_a_line_is_from),
        cmocka_unit_test(a_time_far_from_now_becomes_now),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
