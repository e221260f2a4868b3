#ifndef GATEWAY_WORKER_LIMITS_H
#define GATEWAY_WORKER_LIMITS_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/loop.h"
#include "gateway/config/config.h"
#include "gateway/labels.h"
#include "gateway/segment.h"
#include "gateway/worker/record.h"

/*
 * What one source may take, and all together [V4-B.2-7, V4-C.4-1]. The
 * charges stand in the shared segment and hold for all workers: those in all
 * are its gauges, those of a source are in the table of sources. Each is
 * charged first and looked at then, so that no limit is ever passed.
 *
 * A connection over a limit was not read yet: it is counted, and reset. For
 * each limit the log gets one line at once and then one a second, which says
 * how many connections it stands for.
 */

/* Where another session may be ended in favour of the newcomer. */
static inline bool
limit_sheds(enum limit limit)
{
    return limit == LIMIT_SOURCE_PENDING || limit == LIMIT_SESSIONS ||
           limit == LIMIT_PENDING || limit == LIMIT_MEMORY;
}

/* What is still to be written of one limit. */
struct complaint {
    struct limits *limits;
    struct timer quiet; /* until the next line */
    uint64_t count;
    struct addr source; /* the newest; all zeros: none in particular */
};

struct limits {
    struct loop *loop; /* borrowed, like all up to records */
    struct segment *segment;
    struct segment_column *column;
    unsigned slot;
    struct record_log *records;
    uint64_t sessions, pending, memory;                    /* in all */
    uint64_t source_sessions, source_pending, source_rate; /* or CONFIG_AUTO */
    uint64_t auto_sessions; /* what auto means for a source's sessions */
    struct complaint complaints[LIMIT_COUNT];
};

void limits_init(struct limits *limits, struct loop *loop,
                 struct segment *segment, unsigned slot,
                 struct record_log *records, const struct config *config);
/* All limits are those of this configuration, from now on. */
void limits_set(struct limits *limits, const struct config *config);
/* Writes the lines that are still due. */
void limits_fini(struct limits *limits);

/*
 * Charges a pending session to its source. Returns one of:
 *
 *   LIMIT_NONE          the session is charged. limits_settle and limits_leave
 *                       give the charge back, with *source_index (negative:
 *                       the table of sources had no room).
 *   a limit that sheds  (limit_sheds) the session is charged, too, beyond the
 *                       limit: the caller ends another session in its favour,
 *                       or gives the charge back.
 *   any other limit     the rate or the sessions of the source: nothing is
 *                       charged.
 *
 * The last twentieth of sessions and pending is reserved for sources that have
 * no session. The client of a `balancer`'s connection is not known yet and may
 * be such a source, so these connections may use that twentieth, and no limit
 * of one source applies to them.
 */
enum limit limits_enter(struct limits *limits, struct addr source,
                        bool balancer, int *source_index);
/*
 * The client of a balancer's connection is known: the session is charged to
 * that source instead. LIMIT_NONE, or the limit that it passes, as above; after
 * a rate or the sessions of a source it is charged to none.
 */
enum limit limits_move(struct limits *limits, struct addr source,
                       int *source_index);
/* Whether one more is within the rate of its source: a connection, or a name of
   a datagram that is to be looked up. */
bool limits_on_time(struct limits *limits, struct addr source,
                    int source_index);
/* Whether its source has nothing else. */
bool limits_newcomer(struct limits *limits, int source_index);
/* How long a connect that begins now may take, of `full_ms`: all of it while
   at most half of limits.pending is taken, then less and less, and
   LIMITS_CONNECT_MS when all is. */
#define LIMITS_CONNECT_MS 5000
uint64_t limits_connect_ms(const struct limits *limits, uint64_t full_ms);
/* The session is not pending any more. */
void limits_settle(struct limits *limits, int source_index);
/* The session is over. */
void limits_leave(struct limits *limits, int source_index);

/* Notes, for the log, something that met a limit. */
void limits_complain(struct limits *limits, enum limit limit,
                     struct addr source);

/*
 * Charges one that takes a port, a waiting BIND or an association, to a source.
 * Returns where (>= 0, for limits_give_port), -EDQUOT if the source has `max`
 * of them already, or -ENOSPC: the source is not known, nothing is charged, and
 * nothing will be given back.
 */
int limits_take_port(struct limits *limits, int source_index,
                     enum segment_charge which, uint64_t max);
void limits_give_port(struct limits *limits, int source_index,
                      enum segment_charge which);

#endif
