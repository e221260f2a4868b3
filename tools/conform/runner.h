#ifndef CONFORM_RUNNER_H
#define CONFORM_RUNNER_H

#include "play.h"

/* The cases of a run and what came of them: findings[i] is cases[i]'s. */
struct run {
    const struct conform_case **cases; /* owned array of borrowed cases */
    struct finding *findings;          /* owned */
    size_t count;
};

/*
 * Plays the cases that are for this server and match `only` (ids or names
 * of cases with commas between, "*" for any end; NULL: all), many at once.
 * 0 or -ENOMEM.
 */
int run_cases(struct run *run, const struct setting *setting,
              const struct cases *cases, const char *only);
void run_free(struct run *run);

/* How many cases of this level have this outcome. */
size_t run_count(const struct run *run, enum level level, enum outcome outcome);

/* 0: nothing unmet; 1: a MUST unmet; 2: only SHOULD or practice. */
int run_status(const struct run *run);

#endif
