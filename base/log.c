#include "base/log.h"

#include <string.h>
#include <sys/wait.h>

const char *const log_level_names[LOG_LEVEL_COUNT + 1] = {
    [LOG_LEVEL_ERROR] = "error",   [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_NOTICE] = "notice", [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

/* Converts days since 1970-01-01 to a date. Counts in years that begin in
   March, so that the leap day is the last day of a year. */
static void
log_civil_date(unsigned days, unsigned *year, unsigned *month, unsigned *day)
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
log_put_digits(char *at, unsigned number, int digits, char behind)
{
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + number % 10);
        number /= 10;
    }
    at[digits] = behind;
    return at + digits + 1;
}

/* Without gmtime_r: its first call reads the time zone file, which a confined
   process cannot open. */
static void
log_put_second(uint64_t second, char text[LOG_TIME_MAX])
{
    unsigned of_day = (unsigned)(second % 86400);
    unsigned year, month, day;
    char *at = text;

    log_civil_date((unsigned)(second / 86400), &year, &month, &day);
    at = log_put_digits(at, year, 4, '-');
    at = log_put_digits(at, month, 2, '-');
    at = log_put_digits(at, day, 2, 'T');
    at = log_put_digits(at, of_day / 3600, 2, ':');
    at = log_put_digits(at, of_day / 60 % 60, 2, ':');
    log_put_digits(at, of_day % 60, 2, '.');
}

/* Most lines are of the same second as the one before. */
char *
log_time(uint64_t wall_ms, char text[LOG_TIME_MAX])
{
    static uint64_t last = UINT64_MAX;
    static char kept[LOG_TIME_MAX];
    uint64_t second = wall_ms / 1000;

    if (second != last)
        log_put_second(second, kept);
    last = second;
    memcpy(text, kept, LOG_TIME_MAX);
    char *at = text + LOG_TIME_MAX - sizeof("000Z");
    *log_put_digits(at, (unsigned)(wall_ms % 1000), 3, 'Z') = '\0';
    return text;
}

/* A field that would have less room for its value than this is left out. */
#define VALUE_MIN 64

/* The octets a value may take, escaped; 0: the field is left out. */
static size_t
log_room(const struct log_line *line, const char *key)
{
    size_t around = strlen(key) + LINE_FIELD_MAX + LINE_END_MAX;
    size_t room = line_room(&line->line);

    return room < around + VALUE_MIN ? 0 : room - around;
}

void
log_octets(struct log_line *line, const char *key, const char *value,
           size_t len)
{
    size_t room = log_room(line, key);

    if (room > 0)
        line_text(&line->line, key, value,
                  line_fit(value, len, room, line->line.json));
}

void
log_text(struct log_line *line, const char *key, const char *value)
{
    log_octets(line, key, value, strlen(value));
}

void
log_number(struct log_line *line, const char *key, uint64_t value)
{
    if (log_room(line, key) > 0)
        line_number(&line->line, key, value);
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

    line->level = level;
    line_start(&line->line, line->text, sizeof(line->text), json);
    log_text(line, "time", log_time(wall_ms, time));
    log_text(line, "event", event);
    log_text(line, "level", log_level_names[level]);
}

void
log_end(struct log_line *line)
{
    line->len = line_end(&line->line);
}

/* What follows the time, which has a fixed length; NULL: not such a line. */
static const char *
log_behind_time(const char *text, size_t len, bool *json)
{
    const size_t time = LOG_TIME_MAX - 1;
    *json = len > 0 && text[0] == '{';
    size_t skip =
        *json ? strlen("{\"time\":\"\",") + time : strlen("time= ") + time;
    return len > skip ? text + skip : NULL;
}

static bool
log_starts(const char *text, const char *end, const char *with)
{
    size_t len = strlen(with);
    return (size_t)(end - text) >= len && memcmp(text, with, len) == 0;
}

static bool
log_is_record(const char *text, size_t len)
{
    bool json;
    const char *at = log_behind_time(text, len, &json);
    return at != NULL &&
           log_starts(at, text + len,
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
        records += log_is_record(text, (size_t)(stop - text));
        text = stop + 1;
    }
    return records;
}

enum log_level
log_line_level(const char *text, size_t len, enum log_level otherwise)
{
    bool json;
    const char *end = text + len;
    const char *at = log_behind_time(text, len, &json);
    if (at != NULL)
        at = memchr(at, json ? ',' : ' ', (size_t)(end - at));
    const char *key = json ? ",\"level\":\"" : " level=";
    if (at == NULL || !log_starts(at, end, key))
        return otherwise;
    at += strlen(key);
    for (int level = 0; level < LOG_LEVEL_COUNT; level++) {
        if (log_starts(at, end, log_level_names[level]))
            return (enum log_level)level;
    }
    return otherwise;
}
