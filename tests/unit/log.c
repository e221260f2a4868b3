#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* 2026-11-23T20:31:00.123Z */
#define WALL_MS 1795465860123u
#define TIME "2026-11-23T20:31:00.123Z"

static struct log_line line;

static void
expect(const char *text)
{
    log_end(&line);
    assert_int_equal(line.len, strlen(text));
    assert_memory_equal(line.text, text, line.len);
}

static void
begins_with_time_event_and_level(void **state)
{
    (void)state;
    log_start(&line, false, WALL_MS, "ready", LOG_LEVEL_NOTICE);
    log_number(&line, "workers", 2);
    expect("time=" TIME " event=ready level=notice workers=2\n");
    log_start(&line, true, WALL_MS, "ready", LOG_LEVEL_NOTICE);
    log_number(&line, "workers", 2);
    expect("{\"time\":\"" TIME "\",\"event\":\"ready\",\"level\":\"notice\","
           "\"workers\":2}\n");
}

static void
tells_the_same_date_as_the_library(void **state)
{
    (void)state;
    for (uint64_t day = 0; day < 80000; day++) {
        time_t seconds = (time_t)(day * 86400 + day * 7919 % 86400);
        char ours[LOG_TIME_MAX], theirs[LOG_TIME_MAX];
        struct tm tm;
        gmtime_r(&seconds, &tm);
        strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%S.007Z", &tm);
        assert_string_equal(log_time((uint64_t)seconds * 1000 + 7, ours),
                            theirs);
    }
}

static void
quotes_and_escapes_so_that_nothing_forges_a_field(void **state)
{
    (void)state;
    const char *hostile = "a\" b=\\\n\x1b[0m\xff";
    log_start(&line, false, WALL_MS, "x", LOG_LEVEL_ERROR);
    log_text(&line, "v", hostile);
    log_text(&line, "empty", "");
    expect("time=" TIME " event=x level=error "
           "v=\"a\\\" b=\\\\\\x0a\\x1b[0m\\xff\" empty=\"\"\n");
    log_start(&line, true, WALL_MS, "x", LOG_LEVEL_ERROR);
    log_text(&line, "v", hostile);
    expect("{\"time\":\"" TIME "\",\"event\":\"x\",\"level\":\"error\","
           "\"v\":\"a\\\" b=\\\\\\u000a\\u001b[0m\\u00ff\"}\n");
}

static void
cuts_values_and_keeps_its_form_when_it_is_full(void **state)
{
    (void)state;
    char octets[2 * LOG_LINE_MAX];
    for (size_t len = LOG_LINE_MAX - 300; len < LOG_LINE_MAX + 300; len++) {
        memset(octets, len % 2 ? 'a' : '\n', len);
        octets[len] = '\0';
        log_start(&line, true, WALL_MS, "x", LOG_LEVEL_ERROR);
        log_text(&line, "v", octets);
        log_number(&line, "n", UINT64_MAX);
        log_text(&line, "w", octets);
        log_end(&line);
        assert_true(line.len <= LOG_LINE_MAX);
        char last = line.text[line.len - 3];
        assert_true(last == '"' || (last >= '0' && last <= '9'));
        assert_memory_equal(line.text + line.len - 2, "}\n", 2);
    }
}

static void
counts_the_records_among_lines(void **state)
{
    (void)state;
    const char *text =
        "time=" TIME " event=session id=1 userid=\n"
        "time=" TIME " event=ready v=\"event=session \"\n"
        "time=" TIME " event=sessions id=1\n"
        "{\"time\":\"" TIME "\",\"event\":\"session\",\"id\":1}\n"
        "{\"time\":\"" TIME "\",\"event\":\"ready\"}\n"
        "\n{\n"
        "time=" TIME " event=session id=2";
    assert_int_equal(log_count_records(text, strlen(text)), 3);
    assert_int_equal(log_count_records(text, 0), 0);
    for (size_t len = 0; len < strlen(text); len++)
        assert_true(log_count_records(text, len) <= 3);
}

static void
finds_the_level_again(void **state)
{
    (void)state;
    for (int json = 0; json <= 1; json++) {
        for (int level = 0; level < LOG_LEVEL_COUNT; level++) {
            log_start(&line, json, WALL_MS, "x", (enum log_level)level);
            log_end(&line);
            assert_int_equal(
                log_line_level(line.text, line.len, LOG_LEVEL_COUNT), level);
        }
    }
    const char *record = "time=" TIME " event=session id=1 userid= level=error";
    assert_int_equal(log_line_level(record, strlen(record), LOG_LEVEL_INFO),
                     LOG_LEVEL_INFO);
    assert_int_equal(log_line_level("", 0, LOG_LEVEL_INFO), LOG_LEVEL_INFO);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_with_time_event_and_level),
        cmocka_unit_test(tells_the_same_date_as_the_library),
        cmocka_unit_test(quotes_and_escapes_so_that_nothing_forges_a_field),
        cmocka_unit_test(cuts_values_and_keeps_its_form_when_it_is_full),
        cmocka_unit_test(counts_the_records_among_lines),
        cmocka_unit_test(finds_the_level_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
