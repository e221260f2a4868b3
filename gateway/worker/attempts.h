#ifndef GATEWAY_WORKER_ATTEMPTS_H
#define GATEWAY_WORKER_ATTEMPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/list.h"

/*
 * A worker's attempts: the sessions whose request was read and which wait for
 * a name, for identd, for a server or for the monitor. Where pending sessions
 * run short one of them is refused, and this finds which, in bounded work:
 *
 *     one whose client has sent its FIN, the first that did;
 *     then the oldest of the holder that has most.
 *
 * A holder is an IPv4 address or an IPv6 /48. Within a /48 the /56, and within
 * that the /64 that has most is preferred. Holders are found by a hash that
 * nobody outside can compute; two that share a hash count as one.
 */

#define ATTEMPTS_HOLDERS 1024
#define ATTEMPTS_BLOCKS 1024
#define ATTEMPTS_RANKS 512

struct session;

struct attempts_holder {
    struct list rank;         /* in attempts->ranks */
    struct list link;         /* in attempts->with_fin, while fin_received has
                                 a session */
    struct list fin_received; /* sessions whose client has sent its FIN */
    struct list waiting;      /* the others, the oldest first */
    size_t count;             /* of both; 0: the lists are not set up */
};

struct attempts {
    const uint64_t *secret; /* borrowed: of the hash */
    size_t count;
    size_t most;                       /* the highest rank that is in use */
    struct list ranks[ATTEMPTS_RANKS]; /* holders by their count; the last rank
                                          has all that have more, too */
    struct list with_fin;              /* holders */
    struct attempts_holder holders[ATTEMPTS_HOLDERS];
    uint32_t blocks[2][ATTEMPTS_BLOCKS]; /* attempts of each /56 and /64 */
};

void attempts_init(struct attempts *attempts, const uint64_t secret[2]);

/* The session's link, which is in no list, is one of the attempts' until
   attempts_remove. */
void attempts_add(struct attempts *attempts, struct session *session,
                  bool fin_received);
void attempts_remove(struct attempts *attempts, struct session *session);
/* The client of an attempt has sent its FIN. */
void attempts_receive_fin(struct attempts *attempts, struct session *session);

/* Each of the lists that a session may be in; NULL: there is none in it. */
#define ATTEMPTS_LISTS (2 * ATTEMPTS_HOLDERS)
struct list *attempts_list(struct attempts *attempts, size_t i);

/* Any; NULL: there is none. */
struct session *attempts_any(struct attempts *attempts);
/* The first whose client has sent its FIN; NULL: there is none. */
struct session *attempts_fin_received(struct attempts *attempts);
/* How many the holder has that has most. */
size_t attempts_most(const struct attempts *attempts);
/* The oldest of that holder; of `from`, whose source has that index, itself
   where it has as many. */
struct session *attempts_of_most(struct attempts *attempts, struct addr from,
                                 int source_index);
/* The first that is charged to the source `from` at `source_index`; NULL: it
   has none here, or none that was found. */
struct session *attempts_of_source(struct attempts *attempts, struct addr from,
                                   int source_index);

#endif
