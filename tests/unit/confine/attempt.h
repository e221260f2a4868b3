#ifndef UNIT_CONFINE_ATTEMPT_H
#define UNIT_CONFINE_ATTEMPT_H

#include <errno.h>

#include "gateway/confine/confine.h"

/*
 * Something that a confined process tries, in a process of its own: 0 if it
 * could, else the errno.
 */
typedef int attempt_fn(void);

/* In an attempt: what must hold. */
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            return errno != 0 ? errno : EINVAL;                                \
    } while (0)

/* What became of it, besides 0 and errnos. */
enum { OUTCOME_KILLED = 1000, OUTCOME_DIED, OUTCOME_UNCONFINED };

/* All in this role, as strictly as can be had. */
int attempt_as(const struct confine_table *table, attempt_fn *attempt);

/* The process that made the attempt's. */
extern pid_t attempt_parent;

/* Whom a confined process becomes. */
uid_t attempt_uid(void);
gid_t attempt_gid(void);

/* Runs it in a process of its own, which is not confined. */
int attempt_apart(attempt_fn *attempt);

/* --- what nobody may, each with its name -------------------------------- */

struct forbidden {
    const char *name;
    attempt_fn *attempt;
};

extern const struct forbidden forbidden_to_all[];
extern const size_t forbidden_to_all_count;

#endif
