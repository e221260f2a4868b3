#ifndef GATEWAY_MONITOR_LOST_SESSIONS_H
#define GATEWAY_MONITOR_LOST_SESSIONS_H

#include "base/list.h"
#include "gateway/monitor/sink.h"
#include "gateway/segment.h"

/*
 * Sessions whose worker has died: a line (session_lost) of each, from what the
 * worker had written of it into the shared segment. Any worker can write
 * anything there, so that no more than the number of entries is believed.
 *
 * The lines of a worker wait until the log queue has room for them.
 */
#define LOST_SESSIONS_MAX (4 * SEGMENT_SESSIONS)

struct lost_sessions {
    struct loop *loop; /* borrowed, like sink */
    struct sink *sink;
    struct list blocks; /* one a worker, the oldest first */
    size_t count;       /* sessions in all of them */
    struct timer more;
};

void lost_sessions_init(struct lost_sessions *lost, struct loop *loop,
                        struct sink *sink);
/* What still waits is not written. */
void lost_sessions_fini(struct lost_sessions *lost);

/* Takes all entries of a slot whose worker, which had started at started_ms,
   is dead, and frees them for the next one. Where there is no memory, or
   LOST_SESSIONS_MAX wait, they are left out: the number of sessions that were
   lost is in another line. */
void lost_sessions_take(struct lost_sessions *lost, struct segment *segment,
                        unsigned slot, uint64_t started_ms);

/* Writes all that waits, room or not. */
void lost_sessions_flush(struct lost_sessions *lost);

#endif
