#ifndef GATEWAY_WORKER_LIVE_LINK_H
#define GATEWAY_WORKER_LIVE_LINK_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/list.h"
#include "gateway/channel.h"

/*
 * The worker's link to the list of live CONNECTs, which the monitor keeps
 * (monitor/live_connects.h). Where a rule says require_connect, a BIND is
 * granted only beside its primary connection [V4-4-2]: a live CONNECT of the
 * same client host to the same DSTIP, in whichever worker that may be. A
 * CONNECT is registered before its client gets the reply, and the monitor is
 * asked by message. What the channel does not take at once waits here, in
 * order; room for the end of a CONNECT is made when it is registered.
 */

struct live_link_query;
typedef void live_link_fn(struct live_link_query *query, bool lives);

/* Embedded in the caller's struct; must not move before it is answered or
   cancelled. */
struct live_link_query {
    struct list link;
    uint64_t id;
    live_link_fn *answered;
};

/* 0, -EAGAIN (live_link_flush will be called), or another errno. */
struct live_link;
typedef int live_link_send_fn(struct live_link *link,
                              const struct channel_message *message);

struct live_link {
    live_link_send_fn *send;
    bool wanted;         /* a rule asks for it: CONNECTs are registered */
    struct list waiting; /* queries without their answer */
    struct channel_message *queue; /* owned */
    size_t queued;
    size_t room;
    size_t registered; /* CONNECTs that are to be unregistered */
};

void live_link_init(struct live_link *link, live_link_send_fn *send);
void live_link_fini(struct live_link *link);

/*
 * A CONNECT stands, and is over. `id` is the session's. live_link_register
 * returns 0, or -ENOMEM: then it is not registered, and must not be
 * unregistered.
 */
int live_link_register(struct live_link *link, uint64_t id, struct addr client,
                       struct addr to);
void live_link_unregister(struct live_link *link, uint64_t id,
                          struct addr client, struct addr to);

/* Asks whether a CONNECT from `client` to `to` lives. The answer comes by
   callback, later, unless cancelled. 0 or a negative errno. */
int live_link_ask(struct live_link *link, struct live_link_query *query,
                  uint64_t id, struct addr client, struct addr to,
                  live_link_fn *answered);
void live_link_cancel(struct live_link_query *query);

/* The monitor's answer came; the channel takes messages again. */
void live_link_receive(struct live_link *link,
                       const struct channel_message *message);
void live_link_flush(struct live_link *link);

#endif
