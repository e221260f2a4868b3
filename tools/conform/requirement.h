#ifndef CONFORM_REQUIREMENT_H
#define CONFORM_REQUIREMENT_H

#include "runner.h"

/* What the drafts ask for: the rows of requirements.tsv. */
struct requirement {
    const char *id;
    const char *section;
    const char *level;
    const char *subject;
    const char *text;
};

struct requirements {
    struct requirement *each; /* owned */
    size_t count;
    char *file; /* owned: what the others point into */
};

/* 0 or a negative errno. */
int requirements_read(struct requirements *requirements, const char *path);
void requirements_free(struct requirements *requirements);

/*
 * The result of a requirement: unmet if one case is, then met, then not tested,
 * else not testable. *cases is how many cases cite it. Cases of good practice
 * count only if no other case is met or unmet: they ask for more than the
 * drafts do.
 */
enum outcome requirement_outcome(const struct requirement *requirement,
                                 const struct run *run, size_t *cases);

/* Whether the case cites it. */
bool requirement_is_of(const struct requirement *requirement,
                       const struct conform_case *what);

#endif
