#ifndef GATEWAY_WORKER_BACKLOG_H
#define GATEWAY_WORKER_BACKLOG_H

#include <stdint.h>

#include "base/loop.h"
#include "gateway/config/config.h"
#include "gateway/segment.h"

/*
 * What relays keep in the kernel when a reader stalls: the receive queue of
 * the writer's connection, the send queue of the reader's, and a pipe.
 *
 *     writer ──► [ receive queue ] ──► (pipe) ──► [ send queue ] ──► reader
 *
 * A relay has an entry here from when a direction has moved BACKLOG_STEP
 * octets, since it can hold little before that, until it holds little again.
 * While it has one,
 *
 * - a queue that the kernel lets grow towards the bound is bounded for good.
 *   The kernel's own tuning goes on until then: it keeps the queues of slow
 *   paths short;
 * - once a second, a direction that has moved nothing since the last look is
 *   measured and charged, and gives its pipe back. The healthy ones cost no
 *   system call.
 */

#define BACKLOG_STEP 65536

struct relay;
struct pipe;
struct backlog;

/* There is more of it than its maximum: the owner ends relays. */
typedef void backlog_fn(struct backlog *backlog);

struct backlog_entry {
    struct list link;
    struct relay *relay;  /* borrowed */
    uint64_t moved[2];    /* of each direction, at the last look */
    uint64_t check_at[2]; /* moved so much, the queues are checked again */
    uint64_t octets;      /* in the kernel, of the directions that stall */
    struct pipe *pipe[2]; /* lent; NULL mostly */
};

struct backlog {
    struct loop *loop;             /* borrowed */
    struct segment_column *column; /* borrowed; charged with `octets` */
    backlog_fn *full;
    struct list entries; /* the one that was looked at longest ago first */
    uint64_t count;
    struct timer look;
    uint64_t look_ms; /* when entries are to be looked at again */
    uint64_t octets, max;
    uint32_t in_max, out_max; /* of a queue; 0: the kernel's tuning stays */
    uint64_t out_given;       /* to where a send queue can be raised */
    uint32_t check_step;      /* octets moved between two checks of a queue */
};

void backlog_init(struct backlog *backlog, struct loop *loop,
                  struct segment_column *column, backlog_fn *full);
void backlog_set(struct backlog *backlog, const struct config_budget *budget);
/* All relays must have been forgotten. */
void backlog_fini(struct backlog *backlog);

/* An entry, for a relay that has none. Without memory it stays so. */
void backlog_enter(struct relay *relay);
/* The direction (enum relay_direction) has moved BACKLOG_STEP octets, or as
   much as its entry says. */
void backlog_check(struct relay *relay, unsigned way);
/* The relay ends; its pipes are given back already. */
void backlog_forget(struct relay *relay);

#endif
