#ifndef GATEWAY_MONITOR_USERS_COPY_H
#define GATEWAY_MONITOR_USERS_COPY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/must_check.h"
#include "gateway/config/config.h"

/*
 * The users file of a configuration, as it was when it was read: a sealed
 * memory file for the authenticator. This process looks at its lines, to report
 * what is wrong with them, and keeps none.
 */
struct users_copy {
    int fd; /* owned, -1: the configuration names none */
    uint64_t len;
    uint64_t identity; /* a hash of what tells the file from another that has
                          its name later: inode, size, times; 0: none */
};

void users_copy_init(struct users_copy *copy);
void users_copy_free(struct users_copy *copy);

/*
 * Reads the file that auth.users names, relative to the configuration, and
 * checks it. Nothing is waited for: it must be a regular file. 0; or -1 with
 * the first error as a whole line in `error`. The other errors and what is
 * warned of are lines in `warnings`, which may be NULL.
 */
MUST_CHECK int users_copy_read(struct users_copy *copy,
                               const struct config *config,
                               struct config_error *error, FILE *warnings);

/* Whether both were read from the same file, unchanged. */
bool users_copy_equal(const struct users_copy *a, const struct users_copy *b);

#endif
