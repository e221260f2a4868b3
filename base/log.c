#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

const char *const log_level_names[LOG_LEVEL_COUNT] = {
    [LOG_LEVEL_ERROR] = "error",   [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_NOTICE] = "notice", [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

/* A key and a number, or a key and the quotes of a value, fit in this. */
#define FIELD_ROOM 96
/* The longest single octet (\u00XX), the closing quote, "}\n". */
#define TAIL_ROOM 10

/* The civil date of a day since 1970-01-01, counted in years that begin in
   March, so that the leap day is a year's last. */
static void
civil_date(unsigned days, unsigned *year, unsigned *month, unsigned *day)
{
    unsigned since = days + 719468; /* 0000-03-01 */
    unsigned era = since / 146097;  /* of 400 years */
    unsigned of_era = since % 146097;
    unsigned years =
        (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * years + years / 4 - years / 100);
    unsigned march = (5 * of_year + 2) / 153;

    *day = of_year - (153 * march + 2) / 5 + 1;
    *month = march < 10 ? march + 3 : march - 9;
    *year = years + era * 400 + (*month <= 2);
}

static char *
put_digits(char *at, unsigned number, int digits, char behind)
{
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + number % 10);
        number /= 10;
    }
    at[digits] = behind;
    return at + digits + 1;
}

/* Without gmtime_r, which reads the time zone's file at its first call: a
   confined process has no files. */
char *
log_time(uint64_t wall_ms, char text[LOG_TIME_MAX])
{
    unsigned of_day = (unsigned)(wall_ms / 1000 % 86400);
    unsigned year, month, day;
    char *at = text;

    civil_date((unsigned)(wall_ms / 86400000), &year, &month, &day);
    at = put_digits(at, year, 4, '-');
    at = put_digits(at, month, 2, '-');
    at = put_digits(at, day, 2, 'T');
    at = put_digits(at, of_day / 3600, 2, ':');
    at = put_digits(at, of_day / 60 % 60, 2, ':');
    at = put_digits(at, of_day % 60, 2, '.');
    at = put_digits(at, (unsigned)(wall_ms % 1000), 3, 'Z');
    *at = '\0';
    return text;
}

static void
put(struct log_line *line, const char *text)
{
    size_t len = strlen(text);
    memcpy(line->text + line->len, text, len);
    line->len += len;
}

static void
put_octet(struct log_line *line, unsigned char octet)
{
    char escaped[8];
    if (octet == '"' || octet == '\\')
        snprintf(escaped, sizeof(escaped), "\\%c", octet);
    else if (octet >= 0x20 && octet <= 0x7e)
        snprintf(escaped, sizeof(escaped), "%c", octet);
    else
        snprintf(escaped, sizeof(escaped), line->json ? "\\u%04X" : "\\x%02X",
                 octet);
    put(line, escaped);
}

/* Whether there is room for the field; if so, its key is put. */
static bool
put_key(struct log_line *line, const char *key)
{
    if (line->len + strlen(key) + FIELD_ROOM > LOG_LINE_MAX)
        return false;
    if (line->len > 0)
        put(line, line->json ? "," : " ");
    else if (line->json)
        put(line, "{");
    put(line, line->json ? "\"" : "");
    put(line, key);
    put(line, line->json ? "\":" : "=");
    return true;
}

static bool
needs_quotes(const char *value)
{
    return *value == '\0' || strpbrk(value, " \"\\=") != NULL;
}

void
log_text(struct log_line *line, const char *key, const char *value)
{
    if (!put_key(line, key))
        return;
    bool quoted = line->json || needs_quotes(value);
    put(line, quoted ? "\"" : "");
    for (; *value != '\0' && line->len + TAIL_ROOM < LOG_LINE_MAX; value++)
        put_octet(line, (unsigned char)*value);
    put(line, quoted ? "\"" : "");
}

void
log_number(struct log_line *line, const char *key, uint64_t value)
{
    char digits[24];
    if (!put_key(line, key))
        return;
    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    put(line, digits);
}

void
log_ending(struct log_line *line, pid_t pid, int status)
{
    log_number(line, "pid", (uint64_t)pid);
    if (WIFSIGNALED(status))
        log_number(line, "signal", (uint64_t)WTERMSIG(status));
    else
        log_number(line, "status", (uint64_t)WEXITSTATUS(status));
}

void
log_start(struct log_line *line, bool json, uint64_t wall_ms, const char *event,
          enum log_level level)
{
    char time[LOG_TIME_MAX];
    line->len = 0;
    line->json = json;
    log_text(line, "time", log_time(wall_ms, time));
    log_text(line, "event", event);
    log_text(line, "level", log_level_names[level]);
}

void
log_end(struct log_line *line)
{
    put(line, line->json ? "}\n" : "\n");
}

/* What follows the time, which has a fixed length; NULL: another line. */
static const char *
behind_time(const char *text, size_t len, bool *json)
{
    const size_t time = LOG_TIME_MAX - 1;
    *json = len > 0 && text[0] == '{';
    size_t skip =
        *json ? strlen("{\"time\":\"\",") + time : strlen("time= ") + time;
    return len > skip ? text + skip : NULL;
}

static bool
starts(const char *text, const char *end, const char *with)
{
    size_t len = strlen(with);
    return (size_t)(end - text) >= len && memcmp(text, with, len) == 0;
}

static bool
is_record(const char *text, size_t len)
{
    bool json;
    const char *at = behind_time(text, len, &json);
    return at != NULL &&
           starts(at, text + len,
                  json ? "\"event\":\"session\"," : "event=session ");
}

size_t
log_count_records(const char *text, size_t len)
{
    size_t records = 0;
    const char *end = text + len;
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        stop = stop == NULL ? end : stop;
        records += is_record(text, (size_t)(stop - text));
        text = stop + 1;
    }
    return records;
}

enum log_level
log_line_level(const char *text, size_t len, enum log_level otherwise)
{
    bool json;
    const char *end = text + len;
    const char *at = behind_time(text, len, &json);
    if (at != NULL)
        at = memchr(at, json ? ',' : ' ', (size_t)(end - at));
    const char *key = json ? ",\"level\":\"" : " level=";
    if (at == NULL || !starts(at, end, key))
        return otherwise;
    at += strlen(key);
    for (int level = 0; level < LOG_LEVEL_COUNT; level++) {
        if (starts(at, end, log_level_names[level]))
            return (enum log_level)level;
    }
    return otherwise;
}
