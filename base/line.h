#ifndef BASE_LINE_H
#define BASE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * A line for programs to read, in the caller's memory: key=value pairs in
 * text, one object in JSON. Fields come in the order of the calls:
 *
 *   event=session id=7 userid="o\"neil" name=-
 *   {"event":"session","id":7,"userid":"o\"neil","name":null,"ms":{"connect":3}}
 *
 * Between quotes, octets outside 0x20 to 0x7e are \xXX in text and \u00XX in
 * JSON, in lower case, and a quote or backslash stands behind a backslash: no
 * octet from outside can end a value, a field or the line.
 *
 * A field that does not fit is left out and the line is full: line_end then
 * returns 0. Keys are constants that need no escaping; a key may be NULL in an
 * array.
 */

struct line {
    char *text; /* borrowed */
    char *at;
    char *end;
    bool json;
    bool full;
    char separator; /* what comes before the next field; 0: nothing */
};

void line_start(struct line *line, char *text, size_t room, bool json);

/* Adds the newline. The line's length, or 0 if not everything fitted. */
size_t line_end(struct line *line);

/* How many octets can still be written. */
static inline size_t
line_room(const struct line *line)
{
    return (size_t)(line->end - line->at);
}

/* A field takes at most so many octets besides its key and its value's octets,
   an octet at most so many, the end of a line at most so many. */
#define LINE_FIELD_MAX 6
#define LINE_OCTET_MAX 6
#define LINE_END_MAX 2

/* How many of the octets take, escaped, at most `room`. */
size_t line_fit(const char *octets, size_t count, size_t room, bool json);

/* The mark of a value that was cut, with the length of the whole. */
#define LINE_CUT_MAX (sizeof("\\u2026(18446744073709551615)") - 1)

/* Writes one octet as it must appear between quotes, at most LINE_OCTET_MAX
   octets and no NUL; returns the end. */
char *line_escape(char *at, unsigned char octet, bool json);

/* A word of the program, quoted in JSON only. NULL: "-" or null. */
void line_put_word(struct line *line, const char *key, size_t key_len,
                   const char *word, size_t len);

/* Octets of any origin, always quoted. NULL: "-" or null. */
void line_put_octets(struct line *line, const char *key, size_t key_len,
                     const char *octets, size_t count);

/*
 * The same, of a value that whoever sent it can make long: if it takes more
 * than `max` octets escaped, as many of its octets as fit into these, and then
 * an ellipsis and its whole length: "aaaa\u2026(1023)". The escape of the
 * ellipsis is the same in text and JSON, and no octet is ever escaped so.
 */
void line_put_cut(struct line *line, const char *key, size_t key_len,
                  const char *octets, size_t count, size_t max);

void line_put_number(struct line *line, const char *key, size_t key_len,
                     uint64_t number);

/* Octets of any origin; in text they are quoted only where the value is empty
   or contains a blank, '=' or an octet that must be escaped. */
void line_text(struct line *line, const char *key, const char *octets,
               size_t count);

/* An object within the line, until line_object_end; and an array. In JSON
   only. */
void line_object(struct line *line, const char *key);
void line_object_end(struct line *line);
void line_array(struct line *line, const char *key);
void line_array_end(struct line *line);

/*
 * Inline: of a key that is a literal neither the length costs anything nor much
 * the copy. A record has some forty fields, and is a quarter of what a session
 * costs us. Where room is short, the functions above decide what fits.
 */

/* Copies; returns the end. */
char *line_copy(char *at, const char *octets, size_t count);
char *line_copy_digits(char *at, uint64_t number);
/* The octets between quotes, escaped. */
char *line_quote(char *at, const char *octets, size_t count, bool json);

/* More than any number takes, or what stands for NULL. */
#define LINE_SHORT_MAX 20

static inline size_t
line_key_length(const char *key)
{
    return key != NULL ? strlen(key) : 0;
}

/* Whether there is room for a key and a value, whatever stands around them. */
static inline bool
line_is_roomy(const struct line *line, size_t key_len, size_t value)
{
    return line_room(line) >= key_len + value + LINE_FIELD_MAX;
}

/* Writes what comes before a value, for which there is room. */
static inline char *
line_put_key(struct line *line, const char *key, size_t key_len)
{
    char *at = line->at;

    *at = line->separator;
    at += line->separator != '\0';
    line->separator = line->json ? ',' : ' ';
    if (key == NULL)
        return at;
    if (line->json)
        *at++ = '"';
    memcpy(at, key, key_len);
    at += key_len;
    if (line->json)
        *at++ = '"';
    *at++ = line->json ? ':' : '=';
    return at;
}

/* NULL as a value; false: it may not fit. */
static inline bool
line_put_nothing(struct line *line, const char *key, size_t key_len)
{
    if (!line_is_roomy(line, key_len, LINE_SHORT_MAX))
        return false;
    char *at = line_put_key(line, key, key_len);
    memcpy(at, line->json ? "null" : "-   ", 4);
    line->at = at + (line->json ? 4 : 1);
    return true;
}

static inline void
line_word(struct line *line, const char *key, const char *word)
{
    size_t key_len = line_key_length(key);
    size_t len = word != NULL ? strlen(word) : 0;

    if (word == NULL && line_put_nothing(line, key, key_len))
        return;
    if (word == NULL || line->json || !line_is_roomy(line, key_len, len))
        line_put_word(line, key, key_len, word, len);
    else
        line->at = line_copy(line_put_key(line, key, key_len), word, len);
}

static inline void
line_octets(struct line *line, const char *key, const char *octets,
            size_t count)
{
    size_t key_len = line_key_length(key);

    if (octets == NULL && line_put_nothing(line, key, key_len))
        return;
    if (octets == NULL ||
        !line_is_roomy(line, key_len, count * LINE_OCTET_MAX))
        line_put_octets(line, key, key_len, octets, count);
    else
        line->at = line_quote(line_put_key(line, key, key_len), octets, count,
                              line->json);
}

static inline void
line_cut(struct line *line, const char *key, const char *octets, size_t count,
         size_t max)
{
    if (count <= max / LINE_OCTET_MAX)
        line_octets(line, key, octets, count);
    else
        line_put_cut(line, key, line_key_length(key), octets, count, max);
}

static inline void
line_string(struct line *line, const char *key, const char *string)
{
    line_octets(line, key, string, string != NULL ? strlen(string) : 0);
}

static inline void
line_number(struct line *line, const char *key, uint64_t number)
{
    size_t key_len = line_key_length(key);

    if (!line_is_roomy(line, key_len, LINE_SHORT_MAX)) {
        line_put_number(line, key, key_len, number);
        return;
    }
    char *at = line_put_key(line, key, key_len);
    if (number < 10) {
        *at++ = (char)('0' + number);
        line->at = at;
    } else {
        line->at = line_copy_digits(at, number);
    }
}

#endif
