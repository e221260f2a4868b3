#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first, for printing. */
static const struct unit duration_units[] = {
    {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit size_units[] = {
    {"G", 1 << 30}, {"M", 1 << 20}, {"k", 1 << 10}, {"", 1}};
static const struct unit count_units[] = {{"M", 1000000}, {"k", 1000}, {"", 1}};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Digits at the start of `text`; `end` is behind them. */
static int
text_read_digits(const char *text, uint64_t *number, const char **end)
{
    uint64_t value = 0;
    const char *at = text;

    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return -ERANGE;
    if (at == text || (text[0] == '0' && at - text > 1))
        return -EINVAL;
    *number = value;
    *end = at;
    return 0;
}

static int
text_read_figure(const char *text, const struct unit *units, size_t count,
                 uint64_t *value)
{
    const char *end;
    uint64_t number;
    int rc = text_read_digits(text, &number, &end);

    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(end, units[i].name) != 0)
            continue;
        if (__builtin_mul_overflow(number, units[i].factor, value))
            return -ERANGE;
        return 0;
    }
    return -EINVAL;
}

int
text_number(const char *text, uint64_t *number)
{
    const char *end;
    uint64_t value;
    int rc = text_read_digits(text, &value, &end);

    if (rc != 0)
        return rc;
    if (*end != '\0')
        return -EINVAL;
    *number = value;
    return 0;
}

int
text_duration(const char *text, uint64_t *ms)
{
    if (strcmp(text, "0") == 0) {
        *ms = 0;
        return 0;
    }
    return text_read_figure(text, duration_units, COUNT(duration_units), ms);
}

int
text_size(const char *text, uint64_t *octets)
{
    return text_read_figure(text, size_units, COUNT(size_units), octets);
}

int
text_count(const char *text, uint64_t *count)
{
    return text_read_figure(text, count_units, COUNT(count_units), count);
}

int
text_bool(const char *text, bool *truth)
{
    static const char *const yes[] = {"true", "yes", "on"};
    static const char *const no[] = {"false", "no", "off"};

    for (size_t i = 0; i < COUNT(yes); i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *truth = strcmp(text, yes[i]) == 0;
            return 0;
        }
    }
    return -EINVAL;
}

bool
text_is_wildcard(const char *text)
{
    return strcmp(text, "any") == 0 || strcmp(text, "all") == 0 ||
           strcmp(text, "*") == 0;
}

static char *
text_write_figure(uint64_t value, const struct unit *units, char *text)
{
    while (value % units->factor != 0)
        units++;
    snprintf(text, TEXT_FIGURE_MAX, "%llu%s",
             (unsigned long long)(value / units->factor), units->name);
    return text;
}

char *
text_format_duration(uint64_t ms, char text[TEXT_FIGURE_MAX])
{
    if (ms == 0)
        return strcpy(text, "0");
    return text_write_figure(ms, duration_units, text);
}

char *
text_format_size(uint64_t octets, char text[TEXT_FIGURE_MAX])
{
    if (octets == 0)
        return strcpy(text, "0");
    return text_write_figure(octets, size_units, text);
}

#define WORD_MAX 40 /* longer words are not typing errors */

static unsigned
text_least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment distance; both words are shorter than WORD_MAX. */
static unsigned
text_distance(const char *a, const char *b)
{
    unsigned rows[3][WORD_MAX + 1];
    unsigned width = (unsigned)strlen(b);
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];

    for (unsigned j = 0; j <= width; j++)
        before[j] = last[j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        row[0] = i;
        for (unsigned j = 1; j <= width; j++) {
            row[j] = text_least(last[j], row[j - 1]) + 1;
            row[j] = text_least(row[j], last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = text_least(row[j], before[j - 2] + 1);
        }
        unsigned *free_row = before;
        before = last;
        last = row;
        row = free_row;
    }
    return last[width];
}

const char *
text_nearest(const char *word, const void *names, size_t count,
             text_name_fn *name_at)
{
    size_t len = strlen(word);
    const char *best = NULL;
    unsigned least_far = (unsigned)(len + 2) / 3 + 1;

    if (len > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const char *name = name_at(names, i);
        if (!name || strlen(name) > WORD_MAX)
            continue;
        unsigned far =
            strcasecmp(word, name) == 0 ? 0 : text_distance(word, name);
        if (far < least_far) {
            least_far = far;
            best = name;
        }
    }
    return best;
}

char *
text_hint(const char *nearest, char text[TEXT_HINT_MAX])
{
    text[0] = '\0';
    if (nearest)
        snprintf(text, TEXT_HINT_MAX, " (did you mean \"%.64s\"?)", nearest);
    return text;
}

static bool
text_is_printable(char octet)
{
    return octet >= 0x20 && octet <= 0x7e;
}

char *
text_show(const char *octets, size_t len, char *text, size_t room)
{
    size_t used = 0, whole = 0;

    for (size_t i = 0; i < len && whole < room; i++)
        whole += text_is_printable(octets[i]) ? 1 : 4;
    for (size_t i = 0; i < len; i++) {
        size_t need = text_is_printable(octets[i]) ? 1 : 4;
        if (whole >= room && used + need + sizeof("...") > room) {
            memcpy(text + used, "...", 3);
            used += 3;
            break;
        }
        if (need == 1)
            text[used] = octets[i];
        else
            snprintf(text + used, room - used, "\\x%02x",
                     (unsigned char)octets[i]);
        used += need;
    }
    text[used] = '\0';
    return text;
}

/* The length of a UTF-8 character, by its first octet; 0: malformed. */
static size_t
text_utf8_length(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

size_t
text_utf8_char(const char *octets, uint32_t *character)
{
    static const uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    size_t length = text_utf8_length((unsigned char)octets[0]);

    *character = (unsigned char)octets[0] & masks[length];
    for (size_t i = 1; i < length; i++)
        *character = *character << 6 | ((unsigned char)octets[i] & 0x3f);
    return length;
}

/* Accepts one complete character in its shortest form, not a surrogate and not
   a control character. */
static size_t
text_check_char(const char *octets, size_t len)
{
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = text_utf8_length((unsigned char)octets[0]);
    uint32_t c;

    if (length == 0 || length > len)
        return 0;
    for (size_t i = 1; i < length; i++)
        if (((unsigned char)octets[i] & 0xc0) != 0x80)
            return 0;
    text_utf8_char(octets, &c);
    if (c < lowest[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
        return 0;
    return c >= 0x7f && c <= 0x9f && c != 0x85 ? 0 : length;
}

size_t
text_check_utf8(const char *octets, size_t len)
{
    size_t at = 0;

    while (at < len) {
        while (at < len && octets[at] >= 0x20 && octets[at] <= 0x7e)
            at++;
        if (at == len)
            break;
        size_t length = text_check_char(octets + at, len - at);
        if (length == 0)
            break;
        at += length;
    }
    return at;
}
