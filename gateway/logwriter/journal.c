#include "gateway/logwriter/journal.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "gateway/line_level.h"

#define JOURNAL_PREFIX "SOCKS4D_"

/* Longer names are none to the journal. */
#define JOURNAL_NAME_MAX 64

/* RFC 5424's severities. */
static const char severity[LOG_LEVEL_COUNT] = {
    [LOG_LEVEL_ERROR] = '3',  [LOG_LEVEL_WARNING] = '4',
    [LOG_LEVEL_NOTICE] = '5', [LOG_LEVEL_INFO] = '6',
    [LOG_LEVEL_DEBUG] = '7',
};

struct journal_text {
    const char *at;
    size_t len;
};

/* The fields of a line, in their order: those of an object one by one, with
   its key in front of theirs. */
struct journal_cursor {
    const char *at, *end;
    bool json;
    struct journal_text object; /* none: its length is 0 */
};

static bool
journal_take(struct journal_cursor *cursor, char octet)
{
    if (cursor->at == cursor->end || *cursor->at != octet)
        return false;
    cursor->at++;
    return true;
}

/* Up to one of `ends`, or to the end. */
static struct journal_text
journal_take_until(struct journal_cursor *cursor, const char *ends)
{
    struct journal_text text = {cursor->at, 0};

    while (cursor->at < cursor->end && strchr(ends, *cursor->at) == NULL)
        cursor->at++;
    text.len = (size_t)(cursor->at - text.at);
    return text;
}

/* Behind the first quote: to behind the last. */
static struct journal_text
journal_take_quoted(struct journal_cursor *cursor)
{
    struct journal_text text = {cursor->at, 0};

    while (cursor->at < cursor->end && *cursor->at != '"')
        cursor->at +=
            *cursor->at == '\\' && cursor->end - cursor->at > 1 ? 2 : 1;
    text.len = (size_t)(cursor->at - text.at);
    journal_take(cursor, '"');
    return text;
}

static struct journal_text
journal_take_value(struct journal_cursor *cursor)
{
    static const struct journal_text unknown = {"-", 1};

    if (journal_take(cursor, '"'))
        return journal_take_quoted(cursor);
    struct journal_text text =
        journal_take_until(cursor, cursor->json ? ",}" : " ");
    bool null =
        cursor->json && text.len == 4 && memcmp(text.at, "null", 4) == 0;
    return null ? unknown : text;
}

/* False at the end, or where it is not such a line. */
static bool
journal_next(struct journal_cursor *cursor, struct journal_text *key,
             struct journal_text *value)
{
    while (cursor->json && journal_take(cursor, '}'))
        cursor->object.len = 0;
    journal_take(cursor, cursor->json ? ',' : ' ');
    if (!cursor->json) {
        *key = journal_take_until(cursor, "= ");
        if (key->len == 0 || !journal_take(cursor, '='))
            return false;
        *value = journal_take_value(cursor);
        return true;
    }
    if (!journal_take(cursor, '"'))
        return false;
    *key = journal_take_quoted(cursor);
    if (!journal_take(cursor, ':'))
        return false;
    if (journal_take(cursor, '{')) {
        cursor->object = *key;
        return journal_next(cursor, key, value);
    }
    *value = journal_take_value(cursor);
    return true;
}

/* --- the entry ----------------------------------------------------------- */

static char *
journal_put(char *to, const char *octets, size_t count)
{
    memcpy(to, octets, count);
    return to + count;
}

static char *
journal_put_name(char *to, struct journal_text key)
{
    for (size_t i = 0; i < key.len; i++) {
        char octet = key.at[i];
        bool lower = octet >= 'a' && octet <= 'z';
        *to++ = lower ? (char)(octet - 'a' + 'A') : '_';
    }
    return to;
}

/* JSON's escape of an octet becomes that of text. */
static char *
journal_put_value(char *to, struct journal_text value, bool json)
{
    const char *at = value.at, *end = value.at + value.len;

    while (at < end) {
        if (json && end - at >= 6 && memcmp(at, "\\u00", 4) == 0) {
            to = journal_put(to, "\\x", 2);
            at += 4;
        } else if (*at == '\\' && end - at > 1) {
            *to++ = *at++; /* what it escapes is no other's beginning */
            *to++ = *at++;
        } else {
            *to++ = *at++;
        }
    }
    return to;
}

size_t
journal_format(const char *line, size_t len, char entry[JOURNAL_ENTRY_MAX])
{
    static const char constant[] = "\nSYSLOG_FACILITY=3"
                                   "\nSYSLOG_IDENTIFIER=socks4d\n";
    struct journal_cursor cursor = {.at = line, .end = line + len};
    struct journal_text key, value;
    char *to = entry;

    assert(len <= CHANNEL_BATCH_MAX && memchr(line, '\n', len) == NULL);
    to = journal_put(to, "MESSAGE=", strlen("MESSAGE="));
    to = journal_put(to, line, len);
    to = journal_put(to, "\nPRIORITY=", strlen("\nPRIORITY="));
    *to++ = severity[line_level(line, len)];
    to = journal_put(to, constant, strlen(constant));
    cursor.json = journal_take(&cursor, '{');
    while (journal_next(&cursor, &key, &value)) {
        const struct journal_text *object = &cursor.object;
        size_t name = strlen(JOURNAL_PREFIX) + key.len +
                      (object->len > 0 ? object->len + 1 : 0);
        size_t room = (size_t)(entry + JOURNAL_ENTRY_MAX - to);
        if (name > JOURNAL_NAME_MAX || name + value.len + 2 > room)
            continue;
        to = journal_put(to, JOURNAL_PREFIX, strlen(JOURNAL_PREFIX));
        if (object->len > 0) {
            to = journal_put_name(to, *object);
            *to++ = '_';
        }
        to = journal_put_name(to, key);
        *to++ = '=';
        to = journal_put_value(to, value, cursor.json);
        *to++ = '\n';
    }
    return (size_t)(to - entry);
}
