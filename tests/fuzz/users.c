#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "gateway/users_file.h"
#include "tests/fuzz/fuzz.h"

/*
 * A users file. What is taken is what a reader without a table finds: each line
 * that is no comment is name:hash, each name once, and each is found. What is
 * not taken has a fault with a place in the text.
 */

static const uint8_t *whole;
static size_t whole_size;
static unsigned errors;

static size_t
line_length(const uint8_t *line, const uint8_t *end)
{
    const uint8_t *stop =
        line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;

    return (size_t)((stop != NULL ? stop : end) - line);
}

static void
on_fault(void *context, bool is_error, unsigned line, unsigned column,
         const char *why)
{
    const uint8_t *at = whole, *end = whole + whole_size;

    (void)context;
    assert(line >= 1 && column >= 1 && why[0] != '\0');
    for (unsigned i = 1; i < line; i++)
        at += line_length(at, end) + 1;
    assert(at <= end && column <= line_length(at, end) + 1);
    errors += is_error;
}

static void
check_line(const struct users_file *users, const uint8_t *line, size_t len,
           unsigned number, size_t *count)
{
    size_t blanks = 0;

    while (blanks < len && (line[blanks] == ' ' || line[blanks] == '\t'))
        blanks++;
    if (blanks == len || line[blanks] == '#')
        return;
    const uint8_t *colon = memchr(line, ':', len);
    assert(colon != NULL && colon > line && colon + 1 < line + len);
    size_t name_len = (size_t)(colon - line);
    const struct users_file_entry *entry =
        users_file_find(users, (const char *)line, name_len);
    assert(entry != NULL && entry->line == number);
    assert(entry->name_len == name_len &&
           entry->hash_len == len - name_len - 1);
    assert(memcmp(entry->hash, colon + 1, entry->hash_len) == 0);
    assert(entry->locked == (colon[1] == '!' || colon[1] == '*'));
    assert(memchr(entry->hash, '\0', entry->hash_len) == NULL || entry->locked);
    (*count)++;
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct users_file users;
    size_t count = 0;
    unsigned number = 0;

    if (size > FUZZ_INPUT_MAX)
        return 0;
    fuzz_put(input, size);
    whole = fuzz_place;
    whole_size = size;
    errors = 0;
    int error = users_file_parse(&users, (const char *)fuzz_place, size,
                                 on_fault, NULL);
    assert(error == (errors > 0 ? -EINVAL : 0));
    const uint8_t *end = whole + size;
    for (const uint8_t *at = whole; error == 0 && at < end;) {
        size_t len = line_length(at, end);
        check_line(&users, at, len, ++number, &count);
        at += len + 1;
    }
    assert(users.count == count);
    users_file_free(&users);
    return 0;
}
