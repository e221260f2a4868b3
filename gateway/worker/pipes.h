#ifndef GATEWAY_WORKER_PIPES_H
#define GATEWAY_WORKER_PIPES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"
#include "gateway/segment.h"

/*
 * The pipes that bulk transfers borrow: made when one is asked for, kept
 * for the next while they are warm, closed after a second unused. The
 * kernel budgets them per user, so that there are few (architecture:
 * 'Relay'), and the caller must be able to do without.
 */

#define PIPE_SIZE (256 * 1024)

struct pipe {
    struct list link;
    int ends[2];      /* read, write; owned */
    size_t filled;    /* octets inside; the borrower keeps it true */
    uint64_t used_ms; /* when it was returned */
};

struct pipes {
    struct loop *loop;             /* borrowed */
    struct segment_column *column; /* borrowed; charged with `count` */
    struct list idle;              /* empty ones, the last used at the end */
    struct timer sweep;
    size_t count; /* idle and lent */
    size_t lent;
    size_t max;
};

void pipes_init(struct pipes *pipes, struct loop *loop,
                struct segment_column *column, size_t max);

/* All must have been returned. */
void pipes_fini(struct pipes *pipes);

/* An empty pipe, or NULL: then do without. */
struct pipe *pipes_lend(struct pipes *pipes);

/* Whether more than half of them are lent. */
static inline bool
pipes_scarce(const struct pipes *pipes)
{
    return pipes->lent > pipes->max / 2;
}

/* A pipe that still has octets in it is closed: the next borrower would
   send them to somebody else. */
void pipes_return(struct pipes *pipes, struct pipe *pipe);

#endif
