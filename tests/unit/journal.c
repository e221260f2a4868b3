#include "gateway/logwriter/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/line_level.h"
#include "gateway/worker/record.h"
#include "gateway/worker/verdict.h"

#define TIME "2026-11-23T20:31:00.123Z"

static char entry[JOURNAL_ENTRY_MAX];

/* What stands behind the fields of the journal's own. */
static void
expect(const char *line, char priority, const char *fields)
{
    char whole[4096];
    int len = snprintf(whole, sizeof(whole),
                       "MESSAGE=%s\nPRIORITY=%c\nSYSLOG_FACILITY=3\n"
                       "SYSLOG_IDENTIFIER=socks4d\n%s",
                       line, priority, fields);
    assert_int_equal(journal_format(line, strlen(line), entry), len);
    assert_memory_equal(entry, whole, (size_t)len);
}

static void
makes_a_field_of_each_key(void **state)
{
    (void)state;
    expect("time=" TIME " event=ready level=notice workers=2", '5',
           "SOCKS4D_TIME=" TIME "\nSOCKS4D_EVENT=ready\n"
           "SOCKS4D_LEVEL=notice\nSOCKS4D_WORKERS=2\n");
    expect("{\"time\":\"" TIME "\",\"event\":\"ready\",\"level\":\"error\","
           "\"workers\":2}",
           '3',
           "SOCKS4D_TIME=" TIME "\nSOCKS4D_EVENT=ready\n"
           "SOCKS4D_LEVEL=error\nSOCKS4D_WORKERS=2\n");
}

static void
makes_the_same_of_text_and_json(void **state)
{
    (void)state;
    const char *fields = "SOCKS4D_USERID=\\\"a=\\\\x \\x0a\\\\u00e9\\u2026(9)\n"
                         "SOCKS4D_NAME=-\nSOCKS4D_MS_TLS=3\n"
                         "SOCKS4D_MS_TOTAL=4\nSOCKS4D_END=fin\n";
    expect("userid=\"\\\"a=\\\\x \\x0a\\\\u00e9\\u2026(9)\" name=- ms.tls=3 "
           "ms.total=4 end=fin",
           '6', fields);
    expect("{\"userid\":\"\\\"a=\\\\x \\u000a\\\\u00e9\\u2026(9)\","
           "\"name\":null,\"ms\":{\"tls\":3,\"total\":4},\"end\":\"fin\"}",
           '6', fields);
}

/* Such a line is none of ours: what is well formed in front of it counts. */
static void
ends_at_what_it_does_not_understand(void **state)
{
    (void)state;
    expect("", '6', "");
    expect("a line of another kind", '6', "");
    expect("a=1 b", '6', "SOCKS4D_A=1\n");
    expect("a=\"1\\", '6', "SOCKS4D_A=1\\\n");
    expect("{", '6', "");
    expect("{\"a\"", '6', "");
    expect("{\"a\":1,", '6', "SOCKS4D_A=1\n");
    expect("{\"a\":{\"b\":{\"c\":1},\"d\":2}}", '6',
           "SOCKS4D_B_C=1\nSOCKS4D_D=2\n");
}

/* A key is never one of the journal's own, whatever it is called. */
static void
gives_every_key_its_prefix(void **state)
{
    (void)state;
    expect("_uid=0 priority=0 m.e=x", '6',
           "SOCKS4D__UID=0\nSOCKS4D_PRIORITY=0\nSOCKS4D_M_E=x\n");
    char line[128] = "";
    memset(line, 'k', 56);
    strcpy(line + 56, "=1 k=2");
    char fields[128] = "SOCKS4D_";
    memset(fields + 8, 'K', 56);
    strcpy(fields + 64, "=1\nSOCKS4D_K=2\n");
    expect(line, '6', fields);
    memmove(line + 1, line, strlen(line) + 1); /* one more */
    expect(line, '6', "SOCKS4D_K=2\n");
}

/* As long as a batch, of as many fields as that can have. */
static void
leaves_out_what_finds_no_room(void **state)
{
    (void)state;
    static char line[CHANNEL_BATCH_MAX];
    static const char *const pieces[] = {"a=1 ", "a= ", "{\"a\":1,",
                                         "a=\"\\x00\" "};
    for (size_t i = 0; i < 4; i++) {
        size_t len = strlen(pieces[i]);
        for (size_t at = 0; at < sizeof(line); at++)
            line[at] = pieces[i][at % len];
        for (size_t cut = 0; cut < 64; cut++) {
            size_t size = journal_format(line, sizeof(line) - cut, entry);
            assert_true(size <= JOURNAL_ENTRY_MAX);
            assert_int_equal(entry[size - 1], '\n');
            assert_memory_equal(entry + 8, line, sizeof(line) - cut);
        }
    }
}

static void
finds_the_level_of_every_verdict(void **state)
{
    (void)state;
    char line[4096];
    for (int json = 0; json <= 1; json++) {
        for (int i = 0; i < VERDICT_COUNT; i++) {
            struct record record = {
                .listener = "l",
                .userid = " verdict=\"no-memory\" level=error ",
                .userid_len = 34,
                .command = "connect",
                .verdict = verdict_rows[i].name,
                .code = 91,
                .level = (enum log_level)verdict_rows[i].level};
            size_t len =
                record_format(&record, json ? CONFIG_LOG_JSON : CONFIG_LOG_TEXT,
                              line, sizeof(line));
            assert_true(len > 0);
            assert_int_equal(line_level(line, len - 1), record.level);
        }
    }
}

static void
a_client_that_was_idle_at_the_end_is_no_notice(void **state)
{
    (void)state;
    const char *idle = "time=" TIME " event=session id=1 worker=0 "
                       "verdict=\"stopped\" code=0 up=0";
    const char *asked = "time=" TIME " event=session id=1 worker=0 "
                        "verdict=\"stopped\" code=91 up=0";
    assert_int_equal(line_level(idle, strlen(idle)), LOG_LEVEL_INFO);
    assert_int_equal(line_level(asked, strlen(asked)), LOG_LEVEL_NOTICE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_a_field_of_each_key),
        cmocka_unit_test(makes_the_same_of_text_and_json),
        cmocka_unit_test(ends_at_what_it_does_not_understand),
        cmocka_unit_test(gives_every_key_its_prefix),
        cmocka_unit_test(leaves_out_what_finds_no_room),
        cmocka_unit_test(finds_the_level_of_every_verdict),
        cmocka_unit_test(a_client_that_was_idle_at_the_end_is_no_notice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
