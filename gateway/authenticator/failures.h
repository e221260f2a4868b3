#ifndef GATEWAY_AUTHENTICATOR_FAILURES_H
#define GATEWAY_AUTHENTICATOR_FAILURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How many wrong passwords may be tried: of one source for one user, and of one
 * source for all users. So many may come at once, then one each interval
 * (the generic cell rate algorithm). A source over a limit waits: its
 * passwords, right ones included, are neither looked at nor counted.
 *
 *     a user of a source    10 at once, then one each 5 s
 *     a source              50 at once, then one each second
 *
 * Two limits, because many people may be behind one address: a user who has
 * forgotten the password is kept out alone.
 *
 * The table has a fixed size. A full row drops the entry that would be free
 * first.
 */
#define FAILURES_ROWS 1024
#define FAILURES_ROW 8

struct failure {
    uint64_t key;
    uint64_t due_ms; /* when all of it is forgiven; in the past: free */
};

struct failures {
    uint64_t secret[2]; /* a source cannot choose its row */
    struct failure table[FAILURES_ROWS][FAILURES_ROW];
};

void failures_init(struct failures *failures);

/* Whether a password of the source for this user is looked at now. */
bool failures_permit(const struct failures *failures, uint64_t source,
                     const char *user, size_t len, uint64_t now_ms);

/* Such a password was wrong. */
void failures_note(struct failures *failures, uint64_t source, const char *user,
                   size_t len, uint64_t now_ms);

#endif
