#ifndef CONFORM_RUNNER_H
#define CONFORM_RUNNER_H

#include "play.h"

/* The server did not survive the run. */
struct run_death {
    bool happened;
    unsigned ms;      /* after the first case began */
    size_t under_way; /* cases that were being played */
};

/* The cases of a run and what came of them: findings[i] is cases[i]'s. */
struct run {
    const struct conform_case **cases; /* owned array of borrowed cases */
    struct finding *findings;          /* owned */
    bool *lost;                        /* owned: was under way at the death */
    size_t count;
    struct run_death death;
};

/*
 * Plays the cases that are for this server and match `only` (ids or names
 * of cases with commas between, "*" for any end; NULL: all), many at once,
 * those that the server stalls at (setting->stalls) last and one at a time.
 * 0 or -ENOMEM.
 */
int run_cases(struct run *run, const struct setting *setting,
              const struct cases *cases, const char *only);
void run_free(struct run *run);

/* How many cases of this level have this outcome. */
size_t run_count(const struct run *run, enum level level, enum outcome outcome);

/* 0: nothing unmet; 1: a MUST unmet; 2: only SHOULD or practice; 3: nothing
   unmet, but no case could be tested, or the server died. */
int run_status(const struct run *run);

#endif
