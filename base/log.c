#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char *const log_level_names[LOG_LEVEL_COUNT] = {
    [LOG_LEVEL_ERROR] = "error",   [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_NOTICE] = "notice", [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

/* A key and a number, or a key and the quotes of a value, fit in this. */
#define FIELD_ROOM 96
/* The longest single octet (\u00XX), the closing quote, "}\n". */
#define TAIL_ROOM 10

char *
log_time(uint64_t wall_ms, char text[LOG_TIME_MAX])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t len = strftime(text, LOG_TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + len, LOG_TIME_MAX - len, ".%03uZ",
             (unsigned)(wall_ms % 1000));
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
