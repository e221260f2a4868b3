#ifndef GATEWAY_WORKER_SHARED_SESSIONS_H
#define GATEWAY_WORKER_SHARED_SESSIONS_H

#include "base/addr.h"
#include "gateway/segment.h"

/*
 * This worker's entries in the shared segment, one a session: if the worker
 * dies, the monitor writes a line of each (monitor/lost_sessions.h). Which of
 * them are free is this worker's own knowledge, since other workers can write
 * to the segment.
 */
#define SHARED_SESSIONS_NONE UINT16_MAX

struct shared_sessions {
    struct segment_session *entries; /* borrowed */
    uint32_t touched;                /* the first so many were ever used */
    uint32_t free_count;
    uint16_t free[SEGMENT_SESSIONS]; /* of those; the newest is used again */
};

void shared_sessions_init(struct shared_sessions *shared,
                          struct segment *segment, unsigned slot);

/* An entry for a session; SHARED_SESSIONS_NONE: all are taken. */
uint16_t shared_sessions_add(struct shared_sessions *shared, uint64_t id,
                             const struct endpoint *client, uint64_t began_us);
/* Its client is another: a balancer has said so. Does nothing for
   SHARED_SESSIONS_NONE. */
void shared_sessions_client(struct shared_sessions *shared, uint16_t index,
                            const struct endpoint *client);
/* It relays. Does nothing for SHARED_SESSIONS_NONE. */
void shared_sessions_relay(struct shared_sessions *shared, uint16_t index,
                           const struct endpoint *dest);
/* It has ended. Likewise. */
void shared_sessions_remove(struct shared_sessions *shared, uint16_t index);

#endif
