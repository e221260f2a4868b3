#ifndef GATEWAY_MONITOR_LIVE_CONNECTS_H
#define GATEWAY_MONITOR_LIVE_CONNECTS_H

#include "base/list.h"
#include "base/must_check.h"
#include "gateway/channel.h"
#include "gateway/segment.h"

/*
 * The live CONNECTs that require_connect asks for [V4-4-2], of all workers.
 * Kept here and not in the shared segment, since it grants access: a worker
 * can only speak for its own sessions, and they go with it.
 */
#define LIVE_CONNECTS_BUCKETS 4096

/* Each is in two tables. What is equal is one entry with a count, so that no
   bucket gets long by what a client or a worker repeats. */
struct live_connects {
    struct list buckets[LIVE_CONNECTS_BUCKETS]; /* own their entries */
    struct list pairs[LIVE_CONNECTS_BUCKETS];   /* likewise: client and to */
    uint64_t secret[2]; /* no worker can choose its bucket */
    unsigned quota;     /* of one worker */
    unsigned counts[SEGMENT_SLOTS];
};

void live_connects_init(struct live_connects *live_connects, unsigned quota);
void live_connects_fini(struct live_connects *live_connects);

/* A worker says that a CONNECT of its stands, or is over, in the same words. 0;
   -EDQUOT where it has as many as it may; -ENOMEM: it is not kept, and a BIND
   beside it is refused. */
MUST_CHECK int live_connects_register(struct live_connects *live_connects,
                                      unsigned slot,
                                      const struct channel_message *message);
void live_connects_unregister(struct live_connects *live_connects,
                              unsigned slot,
                              const struct channel_message *message);

/* Whether one lives from message->client to message->to. */
bool live_connects_has(const struct live_connects *live_connects,
                       const struct channel_message *message);

/* Each of them, in no order, and whose it is. `message` as it was added. */
typedef void live_connects_each_fn(void *context, unsigned slot,
                                   const struct channel_message *message);
void live_connects_each(const struct live_connects *live_connects,
                        live_connects_each_fn *each, void *context);

/* The worker is dead, and its sessions with it. */
void live_connects_drop(struct live_connects *live_connects, unsigned slot);

#endif
