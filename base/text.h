#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What people write in configurations and on command lines, read strictly:
 * no blanks, no signs, no leading zeros, nothing behind the last octet.
 * 0 and the value; -EINVAL where it is not that; -ERANGE where it is too
 * large for 64 bits.
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

/* The shortest text that gives the same again; returns `text`. */
#define TEXT_FIGURE_MAX 24
char *text_format_duration(uint64_t ms, char text[TEXT_FIGURE_MAX]);
char *text_format_size(uint64_t octets, char text[TEXT_FIGURE_MAX]);

/*
 * The name that was probably meant: nearest by insertions, deletions,
 * substitutions and transpositions, at most a third of the word's length
 * away. NULL where none is that near. names[i] is read through `name_at`,
 * which is given `names` and i.
 */
typedef const char *text_name_fn(const void *names, size_t i);
const char *text_nearest(const char *word, const void *names, size_t count,
                         text_name_fn *name_at);

/*
 * As much of `len` octets as is fit to be shown in a message: printable
 * ASCII as it is, the rest as \xNN, "..." where it had to be cut. Always
 * terminated; returns `text`. `room` is at least 8.
 */
char *text_show(const char *octets, size_t len, char *text, size_t room);

/*
 * The offset of the first octet that is not well-formed UTF-8 or is a
 * control character other than tab, newline and carriage return; `len` if
 * there is none.
 */
size_t text_check_utf8(const char *octets, size_t len);

/* One character of well-formed UTF-8; the octets it took. */
size_t text_utf8_char(const char *octets, uint32_t *character);

#endif
