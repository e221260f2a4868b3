#ifndef GATEWAY_WORKER_PRIMARY_H
#define GATEWAY_WORKER_PRIMARY_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/list.h"
#include "gateway/channel.h"

/*
 * The primary connection a BIND belongs to [V4-4-2]: where a rule says
 * require_connect, a BIND is granted only beside a live CONNECT of the same
 * client host to the same DSTIP, in whichever worker that may be. The
 * monitor keeps the list; it is told of every CONNECT before its client is,
 * and asked by message. What the channel does not take at once waits here,
 * in order; room for the end of a CONNECT is made when it is told.
 */

struct primary_question;
typedef void primary_fn(struct primary_question *question, bool lives);

/* Embedded in who asks; not to be moved before answered or cancelled. */
struct primary_question {
    struct list link;
    uint64_t id;
    primary_fn *answered;
};

/* 0, -EAGAIN (primary_flush will be called), or another errno. */
typedef int primary_send_fn(const struct channel_message *message);

struct primary {
    primary_send_fn *send;
    bool wanted; /* a rule asks for it: CONNECTs are to be told */
    struct list asking;
    struct channel_message *queue; /* owned */
    size_t queued;
    size_t room;
    size_t told; /* CONNECTs whose end is still to be told */
};

void primary_init(struct primary *primary, primary_send_fn *send);
void primary_fini(struct primary *primary);

/*
 * A CONNECT stands, and is over. `id` is the session's. begin returns 0, or
 * -ENOMEM: then it is not told, and no end must follow.
 */
int primary_begin(struct primary *primary, uint64_t id, struct addr client,
                  struct addr to);
void primary_end(struct primary *primary, uint64_t id, struct addr client,
                 struct addr to);

/* Asks. The answer comes by callback, later, unless cancelled. 0 or a
   negative errno. */
int primary_ask(struct primary *primary, struct primary_question *question,
                uint64_t id, struct addr client, struct addr to,
                primary_fn *answered);
void primary_cancel(struct primary_question *question);

/* The monitor's answer came; the channel takes messages again. */
void primary_hear(struct primary *primary,
                  const struct channel_message *message);
void primary_flush(struct primary *primary);

#endif
