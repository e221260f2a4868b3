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

static inline bool
batch_has(char octet, unsigned class)
{
    return (batch_classes[(unsigned char)octet] & class) != 0;
}

/* Each batch_skip function returns the end of what it skips, or NULL if the
   line has something else there. They do not look for the end of the line: its
   newline is in no class and in no word, and stops them. */

static inline const char *
batch_skip_class(const char *at, unsigned class)
{
    for (;; at += 4) {
        if (!batch_has(at[0], class))
            return at;
        if (!batch_has(at[1], class))
            return at + 1;
        if (!batch_has(at[2], class))
            return at + 2;
        if (!batch_has(at[3], class))
            return at + 3;
    }
}

static const char *
batch_skip_word(const char *at, const char *word)
{
    while (*word != '\0')
        if (*at++ != *word++)
            return NULL;
    return at;
}

/* Behind the backslash. */
static const char *
batch_skip_escape(const char *at, bool json)
{
    if (*at == '"' || *at == '\\')
        return at + 1;
    if (at[0] == 'u' && at[1] == '2') /* the ellipsis of a value that was cut */
        return batch_skip_word(at, "u2026");
    at = batch_skip_word(at, json ? "u00" : "x");
    if (at == NULL || !batch_has(at[0], BATCH_HEX) ||
        !batch_has(at[1], BATCH_HEX))
        return NULL;
    return at + 2;
}

/* Behind the first quote: to the last. */
static inline const char *
batch_skip_string(const char *at, bool json)
{
    at = batch_skip_class(at, BATCH_QUOTED);
    while (*at == '\\') {
        at = batch_skip_escape(at + 1, json);
        if (at == NULL)
            return NULL;
        at = batch_skip_class(at, BATCH_QUOTED);
    }
    return *at == '"' ? at : NULL;
}

struct batch_field {
    const char *key, *value; /* of one that is quoted, what is in the quotes */
    size_t key_len, len;
};

static const char *batch_skip_object(const char *at, unsigned depth);

static inline const char *
batch_skip_field(const char *at, bool json, unsigned depth,
                 struct batch_field *field)
{
    if (json && *at++ != '"')
        return NULL;
    field->key = at;
    at = batch_skip_class(at, BATCH_KEY);
    field->key_len = (size_t)(at - field->key);
    if (field->key_len == 0 || (json && *at++ != '"') ||
        *at++ != (json ? ':' : '='))
        return NULL;
    field->value = at;
    if (*at == '"') {
        at = batch_skip_string(++field->value, json);
        if (at == NULL)
            return NULL;
        field->len = (size_t)(at - field->value);
        return at + 1;
    }
    if (json && *at == '{')
        at = batch_skip_object(at + 1, depth + 1);
    else if (json && *at == 'n')
        at = batch_skip_word(at, "null");
    else if (json)
        at = batch_skip_class(at, BATCH_DIGIT);
    else
        at = batch_skip_class(at, BATCH_BARE);
    if (at == NULL || at == field->value)
        return NULL;
    field->len = (size_t)(at - field->value);
    return at;
}

/* Behind its brace: to behind the other. */
static const char *
batch_skip_object(const char *at, unsigned depth)
{
    struct batch_field field;
    if (depth > BATCH_DEPTH_MAX)
        return NULL;
    do {
        at = batch_skip_field(at, true, depth, &field);
    } while (at != NULL && *at++ == ',');
    return at != NULL && at[-1] == '}' ? at : NULL;
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
    bool minute = memcmp(time, origin->earliest, BATCH_MINUTE_LEN) == 0 ||
                  memcmp(time, origin->latest, BATCH_MINUTE_LEN) == 0;
    for (size_t i = minute ? BATCH_MINUTE_LEN : 0; i < len; i++)
        if (batch_has(origin->now[i], BATCH_DIGIT)
                ? !batch_has(time[i], BATCH_DIGIT)
                : time[i] != origin->now[i])
            return false;
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
batch_check_field(struct origin_fields *had, const struct batch_field *field,
                  const struct batch_origin *origin)
{
    const char *key = field->key, *value = field->value;
    size_t len = field->len;
    unsigned number = had->number++;
    switch (field->key_len) {
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
    struct batch_field field;
    struct origin_fields had = {0};
    bool json = *line == '{';
    const char *at = line + json;
    for (;;) {
        at = batch_skip_field(at, json, 0, &field);
        if (at == NULL || !batch_check_field(&had, &field, origin))
            return false;
        if (had.number == 1 &&
            !batch_check_time(line + (field.value - line), field.len, origin))
            return false;
        if (*at != (json ? ',' : ' '))
            break;
        at++;
    }
    if (json && *at++ != '}')
        return false;
    if (at != line + len || !had.worker)
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
