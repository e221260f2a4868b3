#include "tests/scenario/script.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct script *script;
    struct script_scenario *scenario; /* the last one */
    char **config;                    /* where indented lines go; NULL: none */
    unsigned line;
};

static void *
grow(void *array, size_t count, size_t size)
{
    void *grown = realloc(array, (count + 1) * size);
    if (grown == NULL)
        abort();
    memset((char *)grown + count * size, 0, size);
    return grown;
}

static char *
append(char *text, const char *more)
{
    size_t len = text != NULL ? strlen(text) : 0;
    size_t added = strlen(more);

    text = realloc(text, len + added + 1);
    if (text == NULL)
        abort();
    memcpy(text + len, more, added + 1);
    return text;
}

/* Cuts a comment off, but not inside quotes, and blanks at the end. */
static void
strip(char *line)
{
    bool quoted = false;
    size_t len;

    for (char *at = line; *at != '\0'; at++) {
        if (*at == '"' && (at == line || at[-1] != '\\'))
            quoted = !quoted;
        if (*at == '#' && !quoted && (at == line || isblank(at[-1]))) {
            *at = '\0';
            break;
        }
    }
    len = strlen(line);
    while (len > 0 && isspace((unsigned char)line[len - 1]))
        line[--len] = '\0';
}

/* Single blanks between words, as they are within quotes. */
static char *
squeeze(const char *from, size_t len)
{
    char *text = malloc(len + 1), *to = text;
    bool quoted = false;

    if (text == NULL)
        abort();
    for (size_t i = 0; i < len; i++) {
        if (from[i] == '"' && (i == 0 || from[i - 1] != '\\'))
            quoted = !quoted;
        if (!quoted && isblank(from[i]) && (to == text || to[-1] == ' '))
            continue;
        *to++ = from[i];
    }
    while (to > text && to[-1] == ' ')
        to--;
    *to = '\0';
    return text;
}

static void
add_statement(struct reader *reader, const char *from, size_t len, bool joined)
{
    struct script_scenario *scenario = reader->scenario;
    char *text = squeeze(from, len);

    if (*text == '\0') {
        free(text);
        return;
    }
    scenario->statements = grow(scenario->statements, scenario->count,
                                sizeof(*scenario->statements));
    scenario->statements[scenario->count++] = (struct script_statement){
        .text = text, .line = reader->line, .joined = joined};
}

/* "a; b" are two statements, "a & b" too, but in one moment. */
static void
add_statements(struct reader *reader, const char *line)
{
    const char *from = line;
    bool quoted = false;

    for (const char *at = line;; at++) {
        if (*at == '"' && (at == line || at[-1] != '\\'))
            quoted = !quoted;
        if (*at == '\0' || (!quoted && (*at == ';' || *at == '&'))) {
            add_statement(reader, from, (size_t)(at - from), *at == '&');
            from = at + 1;
        }
        if (*at == '\0')
            break;
    }
}

static void
add_scenario(struct reader *reader, const char *title)
{
    struct script *script = reader->script;

    script->scenarios =
        grow(script->scenarios, script->count, sizeof(*script->scenarios));
    reader->scenario = &script->scenarios[script->count++];
    reader->scenario->title = append(NULL, title);
    reader->scenario->line = reader->line;
}

static bool
complain(const struct reader *reader, const char *what)
{
    fprintf(stderr, "%s:%u: %s\n", reader->script->file, reader->line, what);
    return false;
}

static bool
read_line(struct reader *reader, char *line)
{
    if (reader->config != NULL && isblank(line[0])) {
        size_t skip = strspn(line, " ");
        *reader->config = append(*reader->config, line + (skip < 4 ? skip : 4));
        return true;
    }
    strip(line);
    if (*line == '\0')
        return true;
    reader->config = NULL;
    if (strncmp(line, "scenario: ", 10) == 0) {
        add_scenario(reader, line + 10);
        return true;
    }
    if (reader->scenario == NULL)
        return complain(reader, "a line before the first 'scenario:'");
    if (strcmp(line, "config:") == 0 || strcmp(line, "config adds:") == 0) {
        reader->config = &reader->scenario->config;
        reader->scenario->config_adds = line[6] == ' ';
        return true;
    }
    if (strcmp(line, "played once") == 0)
        reader->scenario->plain = true;
    else if (strcmp(line, "swept too") == 0)
        reader->scenario->swept = true;
    else if (strcmp(line, "serves SOCKS5") == 0)
        reader->scenario->version_5 = true;
    else if (strcmp(line, "never flaky") == 0)
        reader->scenario->never_flaky = true;
    else
        add_statements(reader, line);
    return true;
}

/* Whether a statement names what only one version has; or whose configuration
   would be another one. */
static bool
names_version(const char *text)
{
    static const char *const words[] = {
        "CONNECT", "BIND",    "REPLY",   "granted",      "reply",
        "code",    "version", "refused", "reloads",      "gateway hears",
        "header",  "metrics", "asks",    "goes through", " 04 "};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strstr(text, words[i]) != NULL)
            return true;
    return false;
}

static void
find_versions(struct script_scenario *scenario)
{
    bool relayed = false, named = false;

    for (size_t i = 0; i < scenario->count; i++) {
        const char *text = scenario->statements[i].text;
        relayed |= strstr(text, "relayed") != NULL ||
                   strstr(text, " stall with ") != NULL;
        named |= names_version(text);
    }
    scenario->any_version = relayed && !named;
}

bool
script_load(struct script *script, const char *file)
{
    struct reader reader = {.script = script};
    char *line = NULL;
    size_t room = 0;
    bool good = true;
    FILE *stream = fopen(file, "r");

    memset(script, 0, sizeof(*script));
    script->file = file;
    if (stream == NULL) {
        perror(file);
        return false;
    }
    while (good && getline(&line, &room, stream) >= 0) {
        reader.line++;
        good = read_line(&reader, line);
    }
    free(line);
    fclose(stream);
    for (size_t i = 0; i < script->count; i++)
        find_versions(&script->scenarios[i]);
    if (good && script->count == 0)
        good = complain(&reader, "no scenario");
    return good;
}

void
script_free(struct script *script)
{
    for (size_t i = 0; i < script->count; i++) {
        struct script_scenario *scenario = &script->scenarios[i];
        for (size_t k = 0; k < scenario->count; k++)
            free(scenario->statements[k].text);
        free(scenario->statements);
        free(scenario->config);
        free(scenario->title);
    }
    free(script->scenarios);
}
