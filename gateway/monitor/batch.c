#include "gateway/monitor/batch.h"

#include <stdio.h>
#include <string.h>

#define BATCH_TIME_LEN (LOG_TIME_MAX - 1)
/* "2026-11-23T20:31:" */
#define BATCH_MINUTE_LEN 17
_Static_assert(2 * BATCH_TIME_MS < 60000, "earliest and latest are of the same "
                                          "minute or of two");

/* Objects within the object of a line. */
#define BATCH_DEPTH_MAX 2

/* What may stand in a value between quotes, without them, in a key. */
enum {
    BATCH_QUOTED = 1,
    BATCH_BARE = 2,
    BATCH_KEY = 4,
    BATCH_HEX = 8,
    BATCH_DIGIT = 16
};

static unsigned char batch_classes[256];

static void
batch_fill_classes(void)
{
    for (unsigned octet = 0x20; octet <= 0x7e; octet++) {
        unsigned class = 0;
        if (octet != '"' && octet != '\\')
            class |= BATCH_QUOTED;
        if ((class & BATCH_QUOTED) != 0 && octet != ' ' && octet != '=')
            class |= BATCH_BARE;
        if ((octet >= 'a' && octet <= 'z') || octet == '_' || octet == '.')
            class |= BATCH_KEY;
        if (strchr("0123456789abcdef", (int)octet) != NULL)
            class |= BATCH_HEX;
        if (octet >= '0' && octet <= '9')
            class |= BATCH_DIGIT;
        batch_classes[octet] = (unsigned char)class;
    }
}

struct batch_cursor {
    const char *at, *end;
    bool json;
};

/* Whether there was one. */
static inline bool
batch_skip(struct batch_cursor *cursor, unsigned class)
{
    const char *at = cursor->at, *end = cursor->end;
    while (at < end && (batch_classes[(unsigned char)*at] & class) != 0)
        at++;
    bool some = at > cursor->at;
    cursor->at = at;
    return some;
}

static inline bool
batch_take(struct batch_cursor *cursor, char octet)
{
    if (cursor->at == cursor->end || *cursor->at != octet)
        return false;
    cursor->at++;
    return true;
}

static bool
batch_take_word(struct batch_cursor *cursor, const char *word)
{
    while (*word != '\0')
        if (!batch_take(cursor, *word++))
            return false;
    return true;
}

static bool
batch_take_hex(struct batch_cursor *cursor)
{
    for (int i = 0; i < 2; i++, cursor->at++)
        if (cursor->at == cursor->end ||
            (batch_classes[(unsigned char)*cursor->at] & BATCH_HEX) == 0)
            return false;
    return true;
}

/* Behind the backslash. */
static bool
batch_take_escape(struct batch_cursor *cursor)
{
    if (batch_take(cursor, '"') || batch_take(cursor, '\\'))
        return true;
    if (!cursor->json && batch_take(cursor, 'x'))
        return batch_take_hex(cursor);
    if (!batch_take(cursor, 'u'))
        return false;
    if (batch_take(cursor, '2')) /* the ellipsis of a value that was cut */
        return batch_take_word(cursor, "026");
    return cursor->json && batch_take_word(cursor, "00") &&
           batch_take_hex(cursor);
}

/* Behind the first quote: to behind the last. */
static bool
batch_take_string(struct batch_cursor *cursor)
{
    for (;;) {
        batch_skip(cursor, BATCH_QUOTED);
        if (batch_take(cursor, '"'))
            return true;
        if (!batch_take(cursor, '\\') || !batch_take_escape(cursor))
            return false;
    }
}

static bool
batch_take_key(struct batch_cursor *cursor, const char **key, size_t *len)
{
    if (cursor->json && !batch_take(cursor, '"'))
        return false;
    *key = cursor->at;
    if (!batch_skip(cursor, BATCH_KEY))
        return false;
    *len = (size_t)(cursor->at - *key);
    if (!cursor->json)
        return batch_take(cursor, '=');
    return batch_take(cursor, '"') && batch_take(cursor, ':');
}

static bool batch_take_object(struct batch_cursor *cursor, unsigned depth);

/* Of one that is quoted, what is between the quotes. */
static bool
batch_take_value(struct batch_cursor *cursor, unsigned depth,
                 const char **value, size_t *len)
{
    *value = cursor->at;
    if (batch_take(cursor, '"')) {
        (*value)++;
        if (!batch_take_string(cursor))
            return false;
        *len = (size_t)(cursor->at - *value) - 1;
        return true;
    }
    bool good;
    if (!cursor->json)
        good = batch_skip(cursor, BATCH_BARE);
    else if (batch_take(cursor, '{'))
        good = batch_take_object(cursor, depth + 1);
    else if (batch_take(cursor, 'n'))
        good = batch_take_word(cursor, "ull");
    else
        good = batch_skip(cursor, BATCH_DIGIT);
    *len = (size_t)(cursor->at - *value);
    return good;
}

/* Behind its brace: to behind the other. */
static bool
batch_take_object(struct batch_cursor *cursor, unsigned depth)
{
    const char *key, *value;
    size_t key_len, len;
    if (depth > BATCH_DEPTH_MAX)
        return false;
    do {
        if (!batch_take_key(cursor, &key, &key_len) ||
            !batch_take_value(cursor, depth, &value, &len))
            return false;
    } while (batch_take(cursor, ','));
    return batch_take(cursor, '}');
}

static bool
batch_is(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(text, word, len) == 0;
}

static bool
batch_is_event(const char *text, size_t len, const char *const *events)
{
    for (; events != NULL && *events != NULL; events++)
        if (batch_is(text, len, *events))
            return true;
    return false;
}

/* As log_time writes it. Where it is too far from now it becomes now. */
static bool
batch_check_time(char *time, size_t len, const struct batch_origin *origin)
{
    if (len != BATCH_TIME_LEN)
        return false;
    for (size_t i = 0; i < len; i++) {
        bool digit = origin->now[i] >= '0' && origin->now[i] <= '9';
        if (digit ? time[i] < '0' || time[i] > '9' : time[i] != origin->now[i])
            return false;
    }
    bool minute = memcmp(time, origin->earliest, BATCH_MINUTE_LEN) == 0 ||
                  memcmp(time, origin->latest, BATCH_MINUTE_LEN) == 0;
    if (!minute || time[BATCH_MINUTE_LEN] > '5' ||
        memcmp(time, origin->earliest, len) < 0 ||
        memcmp(time, origin->latest, len) > 0)
        memcpy(time, origin->now, len);
    return true;
}

/* Where a line is from: these fields, each in its place and once, and no other
   by their names. */
struct origin_fields {
    unsigned number; /* of the field */
    bool worker;     /* it has been there */
    /* What it accounts for. */
    const char *event;
    size_t event_len;
    uint64_t count;
    bool descriptors; /* limit: no connection was limited by it */
};

static uint64_t
batch_number(const char *text, size_t len)
{
    uint64_t number = 0;
    for (size_t i = 0; i < len && text[i] >= '0' && text[i] <= '9'; i++)
        number = number * 10 + (uint64_t)(text[i] - '0');
    return number;
}

static void
batch_account(const struct origin_fields *had, struct batch_tally *tally)
{
    if (batch_is(had->event, had->event_len, "session"))
        tally->records++;
    else if (batch_is(had->event, had->event_len, "records_suppressed"))
        tally->suppressed += had->count;
    else if (batch_is(had->event, had->event_len, "limit") && !had->descriptors)
        tally->limited += had->count;
}

static inline bool
batch_check_field(struct origin_fields *had, const char *key, size_t key_len,
                  const char *value, size_t len,
                  const struct batch_origin *origin)
{
    unsigned number = had->number++;
    switch (key_len) {
    case 4:
        if (memcmp(key, "time", 4) == 0)
            return number == 0;
        break;
    case 5:
        if (memcmp(key, "event", 5) == 0) {
            had->event = value;
            had->event_len = len;
            return number == 1 && batch_is_event(value, len, origin->events);
        }
        if (memcmp(key, "count", 5) == 0)
            had->count = batch_number(value, len);
        else if (memcmp(key, "limit", 5) == 0)
            had->descriptors = batch_is(value, len, "descriptors");
        break;
    case 6:
        if (memcmp(key, "worker", 6) != 0)
            break;
        if (had->worker || (number != 2 && number != 3))
            return false;
        had->worker = true;
        return batch_is(value, len, origin->number);
    }
    return number > 1 && (number <= 3 || had->worker);
}

bool
batch_check_line(char *line, size_t len, const struct batch_origin *origin,
                 struct batch_tally *tally)
{
    struct batch_cursor cursor = {line, line + len, len > 0 && line[0] == '{'};
    const char *key, *value;
    size_t key_len, value_len;
    struct origin_fields had = {0};
    cursor.at += cursor.json;
    do {
        if (!batch_take_key(&cursor, &key, &key_len) ||
            !batch_take_value(&cursor, 0, &value, &value_len) ||
            !batch_check_field(&had, key, key_len, value, value_len, origin))
            return false;
        if (had.number == 1 &&
            !batch_check_time(line + (value - line), value_len, origin))
            return false;
    } while (batch_take(&cursor, cursor.json ? ',' : ' '));
    if (cursor.json && !batch_take(&cursor, '}'))
        return false;
    if (cursor.at != cursor.end || !had.worker)
        return false;
    batch_account(&had, tally);
    return true;
}

void
batch_origin_init(struct batch_origin *origin, const char *const *events,
                  unsigned number, uint64_t wall_ms)
{
    if (batch_classes['a'] == 0)
        batch_fill_classes();
    origin->events = events;
    snprintf(origin->number, sizeof(origin->number), "%u", number);
    log_time(wall_ms, origin->now);
    log_time(wall_ms - BATCH_TIME_MS, origin->earliest);
    log_time(wall_ms + BATCH_TIME_MS, origin->latest);
}
