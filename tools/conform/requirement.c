#include "requirement.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 400

static char *
take_field(char **at)
{
    char *field = *at;
    char *tab = strchr(field, '\t');

    if (tab != NULL)
        *tab++ = '\0';
    *at = tab != NULL ? tab : field + strlen(field);
    return field;
}

static void
read_rows(struct requirements *to)
{
    char *line = strchr(to->file, '\n'); /* behind the heads of columns */

    while (line != NULL && line[1] != '\0' && to->count < ROWS_MAX) {
        struct requirement *row = &to->each[to->count++];
        char *at = line + 1;
        line = strchr(at, '\n');
        if (line != NULL)
            *line = '\0';
        row->id = take_field(&at);
        row->section = take_field(&at);
        row->level = take_field(&at);
        row->subject = take_field(&at);
        row->text = take_field(&at);
    }
}

int
requirements_read(struct requirements *requirements, const char *path)
{
    FILE *file = fopen(path, "re");
    size_t room = 0;

    *requirements = (struct requirements){0};
    if (file == NULL)
        return -errno;
    ssize_t len = getdelim(&requirements->file, &room, '\0', file);
    fclose(file);
    requirements->each = calloc(ROWS_MAX, sizeof *requirements->each);
    if (len < 0 || requirements->each == NULL)
        return -EIO;
    read_rows(requirements);
    return 0;
}

void
requirements_free(struct requirements *requirements)
{
    free(requirements->each);
    free(requirements->file);
}

bool
requirement_is_of(const struct requirement *requirement,
                  const struct conform_case *what)
{
    for (unsigned i = 0; i < what->id_count; i++)
        if (strcmp(what->ids[i], requirement->id) == 0)
            return true;
    return false;
}

enum outcome
requirement_outcome(const struct requirement *requirement,
                    const struct run *run, size_t *cases)
{
    size_t counts[OUTCOME_COUNT] = {0};

    *cases = 0;
    for (size_t i = 0; i < run->count; i++) {
        if (!requirement_is_of(requirement, run->cases[i]))
            continue;
        counts[run->findings[i].outcome]++;
        ++*cases;
    }
    if (counts[OUTCOME_UNMET] > 0)
        return OUTCOME_UNMET;
    if (counts[OUTCOME_MET] > 0)
        return OUTCOME_MET;
    return counts[OUTCOME_UNTESTED] > 0 ? OUTCOME_UNTESTED : OUTCOME_UNTESTABLE;
}
