#include "case.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const level_names[LEVEL_COUNT] = {"MUST", "SHOULD", "practice"};

#define CASES_MAX 500

/* Where we are in a file, for messages. */
struct case_reader {
    struct conform_case *to;
    const char *path;
    unsigned line;
    bool socks5;
};

static int
case_fault(const struct case_reader *reader, const char *why)
{
    fprintf(stderr, "socks4-conform: %s:%u: %s\n", reader->path, reader->line,
            why);
    return -EINVAL;
}

/* The next word of *at, which ends it with a NUL; a blank inside double
   quotes is part of it. NULL: no more. */
static char *
case_take_word(char **at)
{
    char *word = *at + strspn(*at, " \t");
    char *end = word;
    bool quoted = false;

    if (*word == '\0' || *word == '#')
        return NULL;
    for (; *end != '\0' && (quoted || (*end != ' ' && *end != '\t')); end++)
        if (*end == '"')
            quoted = !quoted;
    *at = *end != '\0' ? end + 1 : end;
    *end = '\0';
    return word;
}

static int
case_pick(const char *word, const char *const names[], unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(word, names[i]) == 0)
            return (int)i;
    return -1;
}

static int
case_read_ids(struct case_reader *reader, char *at)
{
    struct conform_case *to = reader->to;
    char *word;

    while ((word = case_take_word(&at)) != NULL) {
        if (to->id_count == CASE_IDS_MAX)
            return case_fault(reader, "too many ids");
        to->ids[to->id_count++] = word;
    }
    return 0;
}

/* Words of `names`, each a bit of *set. */
static int
case_read_set(struct case_reader *reader, char *at, const char *const names[],
              unsigned count, const char *usage, unsigned *set)
{
    char *word;

    while ((word = case_take_word(&at)) != NULL) {
        int found = case_pick(word, names, count);
        if (found < 0)
            return case_fault(reader, usage);
        *set |= 1U << found;
    }
    return 0;
}

static int
case_read_needs(struct case_reader *reader, char *at)
{
    static const char *const names[] = {"ident", "dns",   "namespaces", "trust",
                                        "tls",   "plain", "password",   "open"};

    return case_read_set(
        reader, at, names, 8,
        "needs: ident, dns, namespaces, trust, tls, plain, password, open",
        &reader->to->needs);
}

static int
case_read_stalls(struct case_reader *reader, char *at)
{
    static const char *const names[] = {"", "connect", "name", "ident"};

    return case_read_set(reader, at, names, 4, "stalls: connect, name, ident",
                         &reader->to->stalls);
}

static int
case_read_level(struct case_reader *reader, char *at)
{
    int found = case_pick(at, level_names, LEVEL_COUNT);

    if (found < 0)
        return case_fault(reader, "level: MUST, SHOULD, practice");
    reader->to->level = (enum level)found;
    return 0;
}

static int
case_read_mode(struct case_reader *reader, char *at)
{
    static const char *const names[] = {"any", "4", "4a", "5"};
    int found = case_pick(at, names, 4);

    if (found < 0)
        return case_fault(reader, "mode: any, 4, 4a, 5");
    reader->to->mode = (enum mode)found;
    return 0;
}

static int
case_read_tries(struct case_reader *reader, const char *at)
{
    char *end;
    unsigned long tries = strtoul(at, &end, 10);

    if (*end != '\0' || tries == 0 || tries > CASE_TRIES_MAX)
        return case_fault(reader, "tries: a number from 1 to 100");
    reader->to->tries = (unsigned)tries;
    return 0;
}

/* "ids5" and "level5" of a case for 4 and 5: what it shows in version 5. They
   stand behind "ids" and "level", and take their place there. */
static int
case_read_of_5(struct case_reader *reader, const char *key, char *value)
{
    reader->to->shared = true;
    if (key[0] == 'i') {
        if (reader->socks5)
            reader->to->id_count = 0;
        return reader->socks5 ? case_read_ids(reader, value) : 0;
    }
    enum level level = reader->to->level;
    int error = case_read_level(reader, value);
    if (!reader->socks5)
        reader->to->level = level;
    return error;
}

/* "key: value" */
static int
case_read_head(struct case_reader *reader, char *line)
{
    char *value = strchr(line, ':');

    if (value == NULL)
        return case_fault(reader, "neither a step nor `key: value'");
    *value++ = '\0';
    value += strspn(value, " ");
    if (strcmp(line, "ids") == 0)
        return case_read_ids(reader, value);
    if (strcmp(line, "ids5") == 0 || strcmp(line, "level5") == 0)
        return case_read_of_5(reader, line, value);
    if (strcmp(line, "needs") == 0)
        return case_read_needs(reader, value);
    if (strcmp(line, "level") == 0)
        return case_read_level(reader, value);
    if (strcmp(line, "mode") == 0)
        return case_read_mode(reader, value);
    if (strcmp(line, "stalls") == 0)
        return case_read_stalls(reader, value);
    if (strcmp(line, "tries") == 0)
        return case_read_tries(reader, value);
    if (strcmp(line, "group") == 0)
        reader->to->group = value;
    else if (strcmp(line, "slow") == 0)
        reader->to->slow = strcmp(value, "yes") == 0;
    else
        return case_fault(reader, "no such key");
    return 0;
}

/* "[if granted] [must] who does what": who is words[0]. */
static int
case_read_step(struct case_reader *reader, char *line)
{
    struct conform_case *to = reader->to;
    struct step *step = &to->steps[to->step_count];
    char *word = case_take_word(&line);

    if (to->step_count++ == CASE_STEPS_MAX)
        return case_fault(reader, "too many steps");
    *step = (struct step){.line = reader->line};
    if (word != NULL && strcmp(word, "if") == 0) {
        word = case_take_word(&line);
        if (word == NULL ||
            (strcmp(word, "granted") != 0 && strcmp(word, "refused") != 0))
            return case_fault(reader, "if granted, if refused");
        step->guard = word[0] == 'g' ? GUARD_GRANTED : GUARD_REFUSED;
        word = case_take_word(&line);
    }
    if (word != NULL && strcmp(word, "must") == 0) {
        step->must = true;
        word = case_take_word(&line);
    }
    for (; word != NULL; word = case_take_word(&line)) {
        if (step->count == STEP_WORDS_MAX)
            return case_fault(reader, "too many words");
        step->words[step->count++] = word;
    }
    return step->count >= 2 ? 0
                            : case_fault(reader, "a step is: who does what");
}

static int
case_read_line(struct case_reader *reader, char *line)
{
    struct conform_case *to = reader->to;

    if (line[0] == '#' && to->title == NULL)
        to->title = line + 1 + strspn(line + 1, " ");
    if (line[0] == '#' || line[strspn(line, " ")] == '\0')
        return 0;
    return line[0] == ' ' ? case_read_step(reader, line)
                          : case_read_head(reader, line);
}

static int
case_read_text(struct case_reader *reader)
{
    struct conform_case *to = reader->to;
    char *line = to->text;
    bool checks = false;

    while (line != NULL && *line != '\0') {
        char *next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        reader->line++;
        int error = case_read_line(reader, line);
        if (error < 0)
            return error;
        line = next;
    }
    for (unsigned i = 0; i < to->step_count; i++)
        checks |= to->steps[i].must;
    if (to->title == NULL || to->id_count == 0 || !checks)
        return case_fault(reader, "a case has a title, ids, and a `must'");
    return 0;
}

static char *
case_read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t room = 0;

    if (file == NULL)
        return NULL;
    if (getdelim(&text, &room, '\0', file) < 0) {
        free(text);
        text = NULL;
    }
    fclose(file);
    return text;
}

static int
case_read(struct conform_case *to, const char *folder, const char *name,
          bool socks5)
{
    char path[4096];
    struct case_reader reader = {.to = to, .path = path, .socks5 = socks5};

    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(to->name, sizeof to->name, "%.*s",
             (int)(strlen(name) - strlen(".case")), name);
    to->tries = 1;
    to->text = case_read_file(path);
    return to->text == NULL ? case_fault(&reader, "cannot be read")
                            : case_read_text(&reader);
}

static int
case_is_file(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 5 && strcmp(entry->d_name + len - 5, ".case") == 0;
}

static void
case_drop(struct conform_case *what)
{
    free(what->text);
    *what = (struct conform_case){0};
}

static bool
case_is_for(const struct conform_case *what, bool socks5)
{
    return socks5 ? what->mode == MODE_5 || what->shared : what->mode != MODE_5;
}

int
cases_read(struct cases *cases, const char *folder, bool socks5)
{
    struct dirent **found;
    int count = scandir(folder, &found, case_is_file, alphasort);
    int error = 0;

    *cases = (struct cases){0};
    if (count < 0)
        return -errno;
    cases->each = calloc((size_t)count + 1, sizeof *cases->each);
    for (int i = 0; i < count; i++) {
        if (cases->each != NULL && error == 0 && i < CASES_MAX)
            error = case_read(&cases->each[cases->count++], folder,
                              found[i]->d_name, socks5);
        if (cases->count > 0 && error == 0 &&
            !case_is_for(&cases->each[cases->count - 1], socks5))
            case_drop(&cases->each[--cases->count]);
        free(found[i]);
    }
    free(found);
    return cases->each == NULL ? -ENOMEM : error;
}

void
cases_free(struct cases *cases)
{
    for (size_t i = 0; i < cases->count; i++)
        free(cases->each[i].text);
    free(cases->each);
}
