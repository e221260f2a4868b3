#ifndef GATEWAY_MONITOR_CONNECTS_H
#define GATEWAY_MONITOR_CONNECTS_H

#include "base/list.h"
#include "gateway/channel.h"

/*
 * The live CONNECTs that require_connect asks for [V4-4-2], of all workers.
 * Kept here and not in the shared segment, since it grants access: a worker
 * can only speak for its own sessions, and they go with it.
 */
#define CONNECTS_BUCKETS 1024

struct connects {
    struct list buckets[CONNECTS_BUCKETS]; /* own their entries */
};

void connects_init(struct connects *connects);
void connects_fini(struct connects *connects);

/* A worker says that a CONNECT of its stands, or is over. One that finds no
   memory is not kept: a BIND beside it is refused. */
void connects_add(struct connects *connects, unsigned slot,
                  const struct channel_message *message);
void connects_remove(struct connects *connects, unsigned slot,
                     const struct channel_message *message);

/* Whether one lives from message->client to message->dstip. */
bool connects_has(const struct connects *connects,
                  const struct channel_message *message);

/* Each of them, in no order, and whose it is. `message` as it was added. */
typedef void connects_each_fn(void *context, unsigned slot,
                              const struct channel_message *message);
void connects_each(const struct connects *connects, connects_each_fn *each,
                   void *context);

/* The worker is dead, and its sessions with it. */
void connects_drop(struct connects *connects, unsigned slot);

#endif
