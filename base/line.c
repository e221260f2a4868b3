#include "base/line.h"

#include <assert.h>
#include <stdio.h>

void
line_start(struct line *line, char *text, size_t room, bool json)
{
    *line = (struct line){.text = text,
                          .at = text,
                          .end = text + room,
                          .json = json,
                          .separator = json ? '{' : '\0'};
}

/* A line is made of some eighty pieces, most of them shorter than a call of
   memcpy takes: two moves that overlap copy such a piece. */
char *
line_copy(char *at, const char *octets, size_t count)
{
    uint64_t first, last;

    if (count - 8 <= 8) {
        memcpy(&first, octets, 8);
        memcpy(&last, octets + count - 8, 8);
        memcpy(at, &first, 8);
        memcpy(at + count - 8, &last, 8);
    } else if (count > 16) {
        memcpy(at, octets, count);
    } else if (count >= 4) {
        memcpy(&first, octets, 4);
        memcpy(&last, octets + count - 4, 4);
        memcpy(at, &first, 4);
        memcpy(at + count - 4, &last, 4);
    } else if (count > 0) {
        at[0] = octets[0];
        at[count / 2] = octets[count / 2];
        at[count - 1] = octets[count - 1];
    }
    return at + count;
}

char *
line_copy_digits(char *at, uint64_t number)
{
    char digits[20];
    size_t first = sizeof(digits);

    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return line_copy(at, digits + first, sizeof(digits) - first);
}

static bool
line_has_room(struct line *line, size_t need)
{
    if (line_room(line) >= need)
        return true;
    line->full = true;
    return false;
}

/* Writes the separator and the key if the value fits as well; returns where
   the value begins, or NULL. */
static char *
line_field(struct line *line, const char *key, size_t len, size_t value)
{
    size_t around = line->json ? 4 : 2;

    if (!line_has_room(line, around + len + value))
        return NULL;
    return line_put_key(line, key, len);
}

void
line_put_word(struct line *line, const char *key, size_t key_len,
              const char *word, size_t len)
{
    bool quoted = line->json && word != NULL;

    if (word == NULL) {
        word = line->json ? "null" : "-";
        len = line->json ? 4 : 1;
    }
    char *at = line_field(line, key, key_len, quoted ? len + 2 : len);
    if (at == NULL)
        return;
    if (quoted)
        *at++ = '"';
    at = line_copy(at, word, len);
    if (quoted)
        *at++ = '"';
    line->at = at;
}

void
line_put_number(struct line *line, const char *key, size_t key_len,
                uint64_t number)
{
    char digits[LINE_SHORT_MAX];
    size_t count = (size_t)(line_copy_digits(digits, number) - digits);
    char *at = line_field(line, key, key_len, count);

    if (at != NULL)
        line->at = line_copy(at, digits, count);
}

/* ---- Octets from outside ---- */

static bool
line_is_plain(unsigned char octet)
{
    return octet >= 0x20 && octet <= 0x7e && octet != '"' && octet != '\\';
}

char *
line_escape(char *at, unsigned char octet, bool json)
{
    static const char hex[] = "0123456789abcdef";

    if (octet == '"' || octet == '\\') {
        *at++ = '\\';
        *at++ = (char)octet;
    } else if (line_is_plain(octet)) {
        *at++ = (char)octet;
    } else {
        at = json ? line_copy(at, "\\u00", 4) : line_copy(at, "\\x", 2);
        *at++ = hex[octet >> 4];
        *at++ = hex[octet & 15];
    }
    return at;
}

size_t
line_fit(const char *octets, size_t count, size_t room, bool json)
{
    char escaped[LINE_OCTET_MAX];

    for (size_t i = 0; i < count; i++) {
        size_t need =
            (size_t)(line_escape(escaped, (unsigned char)octets[i], json) -
                     escaped);
        if (need > room)
            return i;
        room -= need;
    }
    return count;
}

char *
line_quote(char *at, const char *octets, size_t count, bool json)
{
    *at++ = '"';
    for (size_t i = 0; i < count; i++) {
        unsigned char octet = (unsigned char)octets[i];
        if (line_is_plain(octet))
            *at++ = (char)octet;
        else
            at = line_escape(at, octet, json);
    }
    *at++ = '"';
    return at;
}

void
line_put_octets(struct line *line, const char *key, size_t key_len,
                const char *octets, size_t count)
{
    if (octets == NULL) {
        line_put_word(line, key, key_len, NULL, 0);
        return;
    }
    char *at = line_field(line, key, key_len, count + 2);
    if (at == NULL)
        return;
    size_t room = (size_t)(line->end - at) - 2;
    if (room < count * LINE_OCTET_MAX &&
        line_fit(octets, count, room, line->json) < count) {
        line->full = true;
        return;
    }
    line->at = line_quote(at, octets, count, line->json);
}

void
line_put_cut(struct line *line, const char *key, size_t key_len,
             const char *octets, size_t count, size_t max)
{
    char mark[LINE_CUT_MAX + 1];
    size_t kept = count;

    if (octets != NULL && count > max / LINE_OCTET_MAX)
        kept = line_fit(octets, count, max, line->json);
    line_put_octets(line, key, key_len, octets, kept);
    if (kept == count || line->full)
        return;
    int len = snprintf(mark, sizeof(mark), "\\u2026(%zu)", count);
    if (!line_has_room(line, (size_t)len))
        return;
    line->at = line_copy(line->at - 1, mark, (size_t)len); /* at the quote */
    *line->at++ = '"';
}

void
line_text(struct line *line, const char *key, const char *octets, size_t count)
{
    bool bare = count > 0 && !line->json;

    for (size_t i = 0; i < count && bare; i++)
        bare = line_is_plain((unsigned char)octets[i]) && octets[i] != ' ' &&
               octets[i] != '=';
    if (bare)
        line_put_word(line, key, line_key_length(key), octets, count);
    else
        line_put_octets(line, key, line_key_length(key), octets, count);
}

/* ---- Fields within fields ---- */

void
line_object(struct line *line, const char *key)
{
    assert(line->json);
    char *at = line_field(line, key, line_key_length(key), 1);
    if (at != NULL)
        line->at = at;
    line->separator = '{';
}

/* An object or array without a field has not written what opens it. */
static void
line_close(struct line *line, char open, char close)
{
    bool empty = line->separator == open;

    line->separator = ',';
    if (!line_has_room(line, 2))
        return;
    if (empty)
        *line->at++ = open;
    *line->at++ = close;
}

void
line_object_end(struct line *line)
{
    line_close(line, '{', '}');
}

void
line_array(struct line *line, const char *key)
{
    assert(line->json);
    char *at = line_field(line, key, line_key_length(key), 1);
    if (at != NULL)
        line->at = at;
    line->separator = '[';
}

void
line_array_end(struct line *line)
{
    line_close(line, '[', ']');
}

size_t
line_end(struct line *line)
{
    if (line->json)
        line_object_end(line);
    if (!line_has_room(line, 1) || line->full)
        return 0;
    *line->at++ = '\n';
    return (size_t)(line->at - line->text);
}
