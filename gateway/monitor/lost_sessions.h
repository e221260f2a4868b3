#ifndef GATEWAY_MONITOR_LOST_SESSIONS_H
#define GATEWAY_MONITOR_LOST_SESSIONS_H

#include "base/list.h"
#include "base/must_check.h"
#include "gateway/monitor/archive.h"
#include "gateway/monitor/sink.h"
#include "gateway/segment.h"

/*
 * Sessions whose worker has died: a line (session_lost) of each, from what the
 * worker had written of it into the shared segment. Any worker can write
 * anything there, so that no more than the number of entries is believed.
 *
 * The lines wait until the log queue has room for them; where it does not flow
 * they are left out. How many sessions a worker took along is in another line.
 */

struct lost_sessions {
    struct loop *loop; /* borrowed, like sink */
    struct sink *sink;
    struct list blocks; /* the oldest first */
    size_t count;       /* sessions in all of them */
    struct timer more;
};

void lost_sessions_init(struct lost_sessions *lost, struct loop *loop,
                        struct sink *sink);

/* Takes all entries of a slot whose worker, which had started at started_ms,
   is dead, and frees them for the next one. Where there is no memory, or
   HANDOVER_SESSIONS_MAX wait, they are left out. */
void lost_sessions_take(struct lost_sessions *lost, struct segment *segment,
                        unsigned slot, uint64_t started_ms);

/* Whether lines wait. */
bool lost_sessions_wait(const struct lost_sessions *lost);
/* Those that do are not written. */
void lost_sessions_drop(struct lost_sessions *lost);

/* The next binary writes those that wait: struct handed_session, one after the
   other. 0 or -ENOMEM. */
MUST_CHECK int lost_sessions_hand_over(const struct lost_sessions *lost,
                                       struct archive_blob *blob);
void lost_sessions_adopt(struct lost_sessions *lost,
                         const struct archive_blob *blob);

#endif
