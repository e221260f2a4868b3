#include "requirement.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 400

static char *
requirement_take_field(char **at)
{
    char *field = *at;
    char *tab = strchr(field, '\t');

    if (tab != NULL)
        *tab++ = '\0';
    *at = tab != NULL ? tab : field + strlen(field);
    return field;
}

static void
requirement_read_rows(struct requirements *to)
{
    char *line = strchr(to->file, '\n'); /* behind the heads of columns */

    while (line != NULL && line[1] != '\0' && to->count < ROWS_MAX) {
        struct requirement *row = &to->each[to->count++];
        char *at = line + 1;
        line = strchr(at, '\n');
        if (line != NULL)
            *line = '\0';
        row->id = requirement_take_field(&at);
        row->section = requirement_take_field(&at);
        row->level = requirement_take_field(&at);
        row->subject = requirement_take_field(&at);
        row->text = requirement_take_field(&at);
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
    requirement_read_rows(requirements);
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

/* How many cases of these levels that cite it have each outcome. */
static size_t
requirement_count_outcomes(const struct requirement *requirement,
                           const struct run *run, bool practice,
                           size_t counts[OUTCOME_COUNT])
{
    size_t cases = 0;

    for (size_t i = 0; i < run->count; i++) {
        const struct conform_case *what = run->cases[i];
        if ((what->level == LEVEL_PRACTICE) != practice ||
            !requirement_is_of(requirement, what))
            continue;
        counts[run->findings[i].outcome]++;
        cases++;
    }
    return cases;
}

enum outcome
requirement_outcome(const struct requirement *requirement,
                    const struct run *run, size_t *cases)
{
    size_t drafts[OUTCOME_COUNT] = {0}, practice[OUTCOME_COUNT] = {0};

    *cases = requirement_count_outcomes(requirement, run, false, drafts) +
             requirement_count_outcomes(requirement, run, true, practice);
    if (drafts[OUTCOME_UNMET] > 0)
        return OUTCOME_UNMET;
    if (drafts[OUTCOME_MET] > 0)
        return OUTCOME_MET;
    if (practice[OUTCOME_UNMET] > 0)
        return OUTCOME_UNMET;
    if (practice[OUTCOME_MET] > 0)
        return OUTCOME_MET;
    return drafts[OUTCOME_UNTESTED] + practice[OUTCOME_UNTESTED] > 0
               ? OUTCOME_UNTESTED
               : OUTCOME_UNTESTABLE;
}
