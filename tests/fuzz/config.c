/* Any octets as a configuration: taken or refused with one line, and with
   warnings of a line each; what is taken means the same once more by way of its
   dump. */

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/config/option.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/config_equal.h"

char *__wrap_file_read_path(const char *path, size_t *len);
int __wrap_access(const char *path, int mode);

/* A set may name a file, and no file of this machine is read: the only one has
   a path of one letter. */
char *
__wrap_file_read_path(const char *path, size_t *len)
{
    static const char text[] = "10.0.0.0/8\n# c\n host.t\na\n";

    errno = ENOENT;
    if (strlen(path) != 1)
        return NULL;
    *len = strlen(text);
    return strdup(text);
}

int
__wrap_access(const char *path, int mode)
{
    (void)mode;
    return strlen(path) == 1 ? 0 : -1;
}

/* Where warnings go: one stream for all runs, whose octets the next run
   overwrites. */
static struct {
    char *text;
    size_t len;
    FILE *to;
} warned;

static FILE *
warnings_begin(void)
{
    if (warned.to == NULL)
        warned.to = open_memstream(&warned.text, &warned.len);
    assert(warned.to != NULL);
    rewind(warned.to);
    return warned.to;
}

/* Each is a line, and begins with the file. */
static void
warnings_check(void)
{
    fflush(warned.to);
    for (size_t at = 0; at < warned.len;) {
        const char *end = memchr(warned.text + at, '\n', warned.len - at);
        assert(end != NULL);
        size_t len = (size_t)(end - warned.text) - at;
        assert(len > 2 && warned.text[at] != '\0' &&
               warned.text[at + 1] == ':');
        for (size_t i = 0; i < len; i++)
            assert((unsigned char)warned.text[at + i] >= ' ');
        at += len + 1;
    }
}

static void
error_check(const struct config_error *error)
{
    size_t len = strnlen(error->text, sizeof(error->text));

    assert(len > 2 && len < sizeof(error->text));
    /* The configuration, or the file of a set. */
    assert(error->text[1] == ':');
    for (size_t i = 0; i < len; i++)
        assert((unsigned char)error->text[i] >= ' ');
}

/* What is taken means the same once more by way of its dump. */
static void
config_check(const struct config *config)
{
    struct config_error error = {""};
    struct config *again = config_again(config, &error);

    assert(again != NULL);
    assert(config_differs(config, again) == NULL);
    config_unref(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct config_error error = {""};
    char *copy = malloc(size > 0 ? size : 1);

    assert(copy != NULL);
    if (size > 0)
        memcpy(copy, input, size);
    struct config *config =
        config_parse("f", copy, size, &error, warnings_begin());
    free(copy);
    warnings_check();
    if (config != NULL)
        config_check(config);
    else
        error_check(&error);
    config_unref(config);
    return 0;
}

/* --- What a fuzzer tries --- */

/* By octets alone hardly any key or kind of value is hit. So of two inputs one
   is the last with a line more, moved or gone, or with another value. */

size_t LLVMFuzzerCustomMutator(uint8_t *input, size_t size, size_t room,
                               unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *input, size_t size, size_t room)
    __attribute__((weak)); /* the replay has none */

static const char *const values[] = {
    "true",
    "false",
    "off",
    "on",
    "only",
    "auto",
    "any",
    "try",
    "require",
    "0",
    "1",
    "65535",
    "65536",
    "18446744073709551615",
    "18446744073709551616",
    "-1",
    "1h",
    "500ms",
    "10s",
    "1KiB",
    "64MiB",
    "10.0.0.1:1080",
    "\"[fd00::1]:1080\"",
    "[10.0.0.0/8]",
    "[\"fd00::/8\", private]",
    "[.t, host.t]",
    "[80, 443-500]",
    "60000-60001",
    "[connect, bind, udp]",
    "[4, 4a, 5]",
    "[password]",
    "[]",
    "{}",
    "\"\"",
    "/tmp/f",
    "[a]",
    "[{address: 10.0.0.1:1081, name: a, insecure_plaintext: true}]",
    "[{action: allow, from: [any], to: [any]}]",
    "[{name: a, address: 10.0.0.5:1, insecure_plaintext: true}]",
    "{a: [10.0.0.1, 10.0.0.2-10.0.0.9]}",
    "{a: [\"file:f\", b], b: [.t, c.t]}",
    "{a: \"10.0.0.0/8\\n.t # c\\n\"}",
    "[any, private, self]",
    "[self, loopback, \"2002::/16\"]",
    "[certificate, none]",
    "[.d.t, \"x*\"]",
    "[any, public]",
    "\"file:/a\\nb\"",
    "\"\\e[1m\"",
    "\"a\\u2028\\\"\\\\\"",
    "warning",
    "v1",
    "1.2"};

/* Where line `index` begins, as far as there are so many. */
static size_t
yaml_line_at(const char *text, size_t len, size_t index)
{
    size_t at = 0;

    for (; index > 0; index--) {
        const char *end = memchr(text + at, '\n', len - at);
        if (end == NULL)
            break;
        at = (size_t)(end - text) + 1;
    }
    return at;
}

static size_t
yaml_line_end(const char *text, size_t len, size_t at)
{
    const char *end = memchr(text + at, '\n', len - at);

    return end != NULL ? (size_t)(end - text) + 1 : len;
}

/* An option with a value, each key of its path in the one before; of a list's
   member the rest of the path. */
static void
option_write(FILE *to, const struct option *option, const char *value)
{
    const char *path = option->path;
    const char *member = strstr(path, "[].");
    unsigned depth = 0;

    if (member != NULL)
        path = member + 3;
    for (const char *dot; (dot = strchr(path, '.')) != NULL; path = dot + 1) {
        fprintf(to, "%.*s: {", (int)(dot - path), path);
        depth++;
    }
    fprintf(to, "%s: %s%.*s", path, value, (int)depth, "}}}}}}}}");
}

static const char *
value_of(const struct option *option, unsigned draw)
{
    size_t count = 0;

    if (draw % 2 == 0 && option->fallback != NULL)
        return option->fallback;
    while (option->choices != NULL && option->choices[count] != NULL)
        count++;
    if (count > 0 && draw % 4 != 3)
        return option->choices[draw / 4 % count];
    return values[draw / 4 % (sizeof(values) / sizeof(values[0]))];
}

/* Line by line; a member of a list is put behind a brace where there is one. */
static void
write_changed(FILE *to, const char *text, size_t len, unsigned draw)
{
    size_t lines = 1;
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    unsigned how = draw % 5, more = draw / 5;
    size_t at = yaml_line_at(text, len, more % lines),
           end = yaml_line_end(text, len, at);
    size_t other = yaml_line_at(text, len, more / 64 % lines);
    const struct option *option = &options[more / 7 % option_count];
    const char *value = value_of(option, more / 11);
    const char *brace = memchr(text + at, '{', end - at);
    const char *colon = memmem(text + at, end - at, ": ", 2);

    if (how == 0) { /* it goes */
        fwrite(text, 1, at, to);
    } else if (how == 1) { /* it comes once more, elsewhere */
        fwrite(text, 1, other, to);
        fwrite(text + at, 1, end - at, to);
        fwrite(text + other, 1, len - other, to);
        return;
    } else if (how == 2 && colon != NULL) { /* it has another value */
        fwrite(text, 1, (size_t)(colon + 2 - text), to);
        fprintf(to, "%s\n", value);
    } else if (strstr(option->path, "[].") != NULL && brace != NULL) {
        end = (size_t)(brace + 1 - text);
        fwrite(text, 1, end, to);
        option_write(to, option, value);
        fputs(", ", to);
    } else { /* an option that there was not */
        fwrite(text, 1, at, to);
        option_write(to, option, value);
        fputc('\n', to);
        end = at;
    }
    fwrite(text + end, 1, len - end, to);
}

size_t
LLVMFuzzerCustomMutator(uint8_t *input, size_t size, size_t room, unsigned seed)
{
    char *text = NULL;
    size_t len = 0;

    if (seed % 2 == 0 || size == 0)
        return LLVMFuzzerMutate(input, size, room);
    FILE *to = open_memstream(&text, &len);
    assert(to != NULL);
    write_changed(to, (const char *)input, size, seed / 2);
    fclose(to);
    len = len < room ? len : room;
    memcpy(input, text, len);
    free(text);
    return len;
}
