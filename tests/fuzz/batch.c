/*
 * A line of the log as a worker sends it, which may have been taken over: let
 * through as two regular expressions and a reader of fields have it, with the
 * same account, and a time that is near to now.
 */

#include <assert.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/monitor/batch.h"
#include "tests/fuzz/fuzz.h"

#define WALL_MS UINT64_C(1795465860123) /* 2026-11-23T20:31:00.123Z */
#define TIME "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z"

static const char *const events[] = {"session", "limit", "records_suppressed",
                                     NULL};

/* --- the second implementation ------------------------------------------- */

#define KEY "[a-z_.]+"
#define HEX "[0-9a-f]"
/* Printable, without the quote and the backslash. */
#define PLAIN "[] !#-[^-~]"
#define QUOTED(escape)                                                         \
    "\"(" PLAIN "|\\\\([\"\\\\]|u2026|" escape HEX HEX "))*\""
#define BARE "[]!#-<>-[^-~]+"
#define FIELD KEY "=(" QUOTED("x") "|" BARE ")"
#define TEXT "^" FIELD "( " FIELD ")*$"

#define SCALAR QUOTED("u00") "|null|[0-9]+"
#define OBJECT(member) "[{]" member "(," member ")*[}]"
#define MEMBER_2 "\"" KEY "\":(" SCALAR ")"
#define MEMBER_1 "\"" KEY "\":(" SCALAR "|" OBJECT(MEMBER_2) ")"
#define MEMBER_0 "\"" KEY "\":(" SCALAR "|" OBJECT(MEMBER_1) ")"
#define JSON "^" OBJECT(MEMBER_0) "$"

static regex_t text_form, json_form, time_form;

struct field {
    const char *key, *value; /* without quotes */
    int key_len, value_len;
};

/* The next field of a line that has the form. */
static const char *
field_next(const char *at, bool json, struct field *field)
{
    int depth = 0;
    bool quoted = false;

    at += json;
    field->key = at;
    field->key_len = (int)strspn(at, "abcdefghijklmnopqrstuvwxyz_.");
    at += field->key_len + 1 + json;
    const char *begin = at;
    for (; *at != '\0'; at++) {
        if (*at == '"')
            quoted = !quoted;
        else if (quoted && *at == '\\')
            at++;
        else if (!quoted && depth == 0 && strchr(json ? ",}" : " ", *at))
            break;
        else if (!quoted && json)
            depth += (*at == '{') - (*at == '}');
    }
    field->value = begin + (*begin == '"');
    field->value_len = (int)(at - field->value) - (*begin == '"');
    return at;
}

static bool
is(const char *at, int len, const char *word)
{
    return (size_t)len == strlen(word) && memcmp(at, word, (size_t)len) == 0;
}

static uint64_t
number_of(const struct field *field)
{
    uint64_t number = 0;

    for (int i = 0; i < field->value_len && field->value[i] >= '0' &&
                    field->value[i] <= '9';
         i++)
        number = number * 10 + (uint64_t)(field->value[i] - '0');
    return number;
}

/* Whether the line is let through, and what it accounts for. */
static bool
naive_check(const char *line, struct batch_tally *tally)
{
    bool json = line[0] == '{', descriptors = false;
    struct field field, event = {0}, first = {0};
    uint64_t count = 0;
    int workers = 0, worker_at = 0, named[3] = {0};

    if (regexec(json ? &json_form : &text_form, line, 0, NULL, 0) != 0)
        return false;
    const char *at = line + json;
    for (int i = 0; *at != '\0' && *at != '}'; i++) {
        at = field_next(at, json, &field);
        at += *at == ' ' || *at == ',';
        if (i == 0)
            first = field;
        if (i == 1)
            event = field;
        if (is(field.key, field.key_len, "time"))
            named[0] += i == 0 ? 1 : 2;
        if (is(field.key, field.key_len, "event"))
            named[1] += i == 1 ? 1 : 2;
        if (is(field.key, field.key_len, "worker")) {
            worker_at = i;
            workers += is(field.value, field.value_len, "7") ? 1 : 2;
        }
        if (is(field.key, field.key_len, "count"))
            count = number_of(&field);
        if (is(field.key, field.key_len, "limit"))
            descriptors = is(field.value, field.value_len, "descriptors");
    }
    char text[LOG_TIME_MAX] = "";
    if (first.value_len == LOG_TIME_MAX - 1)
        memcpy(text, first.value, LOG_TIME_MAX - 1);
    if (named[0] != 1 || named[1] != 1 || workers != 1 || worker_at < 2 ||
        worker_at > 3 || regexec(&time_form, text, 0, NULL, 0) != 0)
        return false;
    if (is(event.value, event.value_len, "session"))
        tally->records++;
    else if (is(event.value, event.value_len, "records_suppressed"))
        tally->suppressed += count;
    else if (is(event.value, event.value_len, "limit"))
        tally->limited += descriptors ? 0 : count;
    else
        return false;
    return true;
}

/* --- the time ------------------------------------------------------------ */

/* A time of the form in milliseconds; one that cannot be is none near to now.
 */
static int64_t
time_ms(const char *text)
{
    struct tm tm = {0};
    int ms = 0;

    sscanf(text, "%d-%d-%dT%d:%d:%d.%dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
           &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ms);
    if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
        tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 59)
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    return (int64_t)timegm(&tm) * 1000 + ms;
}

static bool
is_near(const char *text)
{
    int64_t away = time_ms(text) - (int64_t)WALL_MS;

    return away >= -BATCH_TIME_MS && away <= BATCH_TIME_MS;
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static struct batch_origin origin;
    struct batch_tally tally = {0}, wanted = {0};

    if (origin.events == NULL) {
        batch_origin_init(&origin, events, 7, WALL_MS);
        assert(regcomp(&text_form, TEXT, REG_EXTENDED | REG_NOSUB) == 0);
        assert(regcomp(&json_form, JSON, REG_EXTENDED | REG_NOSUB) == 0);
        assert(regcomp(&time_form, "^" TIME "$", REG_EXTENDED | REG_NOSUB) ==
               0);
    }
    if (size > FUZZ_INPUT_MAX || memchr(input, '\n', size) != NULL)
        return 0;
    char *line = malloc(size + 1), *whole = calloc(1, size + 1);
    assert(line != NULL && whole != NULL);
    if (size > 0)
        memcpy(line, input, size);
    if (size > 0)
        memcpy(whole, input, size);
    line[size] = '\n';
    bool passes = batch_check_line(line, size, &origin, &tally);
    bool right =
        memchr(input, '\0', size) == NULL && naive_check(whole, &wanted);
    assert(passes == right);
    assert(line[size] == '\n');
    if (passes) {
        const char *time = line + (line[0] == '{' ? 9 : 5);
        size_t at = (size_t)(time - line);
        assert(tally.records == wanted.records);
        assert(tally.suppressed == wanted.suppressed);
        assert(tally.limited == wanted.limited);
        assert(is_near(time));
        /* Nothing else is changed, and a time that is near stays. */
        if (is_near(whole + at))
            assert(memcmp(line, whole, size) == 0);
        assert(memcmp(line, whole, at) == 0);
        assert(memcmp(time + LOG_TIME_MAX - 1, whole + at + LOG_TIME_MAX - 1,
                      size - at - (LOG_TIME_MAX - 1)) == 0);
    }
    free(line);
    free(whole);
    return 0;
}
