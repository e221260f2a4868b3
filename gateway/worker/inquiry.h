#ifndef GATEWAY_WORKER_INQUIRY_H
#define GATEWAY_WORKER_INQUIRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "gateway/worker/peer_link.h"

/*
 * Questions to another process, each with a number that its answer repeats:
 * what lookup.h and authentication.h have in common. Those that the link does
 * not take at once wait here, in order; so do those asked while there is no
 * process to ask. A new process is asked all that has no answer yet. An answer
 * to none of them is ignored.
 */

/* Embedded in the caller's; must not move while it waits. */
struct inquiry {
    struct list link;
    uint64_t id;
    bool sent; /* the other process has it */
};

struct inquiries;

struct inquiries_ops {
    struct peer_link_ops link; /* INQUIRIES_LINK(size of an answer, which begins
                                  with the id) */
    /* By peer_link_send, whose result it returns. */
    int (*send)(struct inquiries *inquiries, struct inquiry *inquiry);
    /* It waits no more: it may be freed or asked again. */
    void (*receive)(struct inquiry *inquiry, const void *answer);
};

/* A power of two. The search for the question of an answer takes one bucket. */
#define INQUIRY_BUCKETS 256

/* One a process that is asked. */
struct inquiries {
    struct peer_link link;
    const struct inquiries_ops *ops; /* borrowed */
    uint64_t last_id;
    struct list unsent; /* in order */
    struct list sent[INQUIRY_BUCKETS];
};

void inquiries_init(struct inquiries *inquiries, struct loop *loop,
                    enum channel_peer peer, const struct inquiries_ops *ops);

/* Gives it a number, and sends it or lets it wait. No callback comes from
   inside this call. */
void inquiry_start(struct inquiries *inquiries, struct inquiry *inquiry);

/* It waits no more. True: the other process has it, and may be told so.
   Idempotent, also after the answer. */
bool inquiry_stop(struct inquiry *inquiry);

#define INQUIRIES_LINK(size)                                                   \
    {                                                                          \
        .answer_size = (size), .receive = inquiries_receive,                   \
        .flush = inquiries_flush, .resend = inquiries_resend                   \
    }
void inquiries_receive(struct peer_link *link, const void *answer);
void inquiries_flush(struct peer_link *link);
void inquiries_resend(struct peer_link *link);

#endif
