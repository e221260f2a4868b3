#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Values in configurations and on command lines, parsed strictly: no blanks, no
 * signs, no leading zeros, nothing after the value. Each returns 0 and the
 * value, -EINVAL for malformed text, or -ERANGE for what does not fit 64 bits.
 */

/* Decimal digits. */
int text_number(const char *text, uint64_t *number);

/* "500ms", "10s", "2m", "1h" in milliseconds; "0" needs no unit. */
int text_duration(const char *text, uint64_t *ms);

/* "4096", "64k", "1M", "2G" octets; k is 1024. */
int text_size(const char *text, uint64_t *octets);

/* "250000", "100k", "1M"; k is 1000. */
int text_count(const char *text, uint64_t *count);

/* true, yes, on; false, no, off. */
int text_bool(const char *text, bool *truth);

/* What people write for "everything": any, all, *. */
bool text_is_wildcard(const char *text);

/* Writes the shortest text that parses to the same value; returns `text`. */
#define TEXT_FIGURE_MAX 24
char *text_format_duration(uint64_t ms, char text[TEXT_FIGURE_MAX]);
char *text_format_size(uint64_t octets, char text[TEXT_FIGURE_MAX]);

/*
 * The name that was probably meant: the nearest one by insertions, deletions,
 * substitutions and transpositions, at most a third of the word's length away.
 * NULL: none is that near. names[i] is read through `name_at`,
 * which is given `names` and i.
 */
typedef const char *text_name_fn(const void *names, size_t i);
const char *text_nearest(const char *word, const void *names, size_t count,
                         text_name_fn *name_at);

/* ` (did you mean "NAME"?)`, or nothing where there is none; returns `text`. */
#define TEXT_HINT_MAX 96
char *text_hint(const char *nearest, char text[TEXT_HINT_MAX]);

/*
 * Makes octets fit for a message: printable ASCII as it is, everything else as
 * \xNN, "..." where the text had to be cut. Always terminated; returns `text`.
 * `room` is at least 8.
 */
char *text_show(const char *octets, size_t len, char *text, size_t room);

/*
 * The offset of the first octet that is not well-formed UTF-8 or is a
 * control character other than tab, newline and carriage return; `len` if
 * there is none.
 */
size_t text_check_utf8(const char *octets, size_t len);

/* Whether it begins with a byte order mark, as some editors write one. */
static inline bool
text_has_mark(const char *octets, size_t len)
{
    return len >= 3 && octets[0] == '\xef' && octets[1] == '\xbb' &&
           octets[2] == '\xbf';
}

/* Decodes one character of well-formed UTF-8; returns its length. */
size_t text_utf8_char(const char *octets, uint32_t *character);

#endif
