#ifndef GATEWAY_WORKER_PEER_QUESTION_H
#define GATEWAY_WORKER_PEER_QUESTION_H

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
struct peer_question {
    struct list link;
    uint64_t id;
    bool sent; /* the other process has it */
};

struct peer_questions;

struct peer_questions_ops {
    size_t answer_size; /* of an answer, which begins with the id */
    /* By peer_link_send, whose result it returns. */
    int (*send)(struct peer_questions *questions,
                struct peer_question *question);
    /* It waits no more: it may be freed or asked again. */
    void (*receive)(struct peer_question *question, const void *answer);
};

/* A power of two. The search for the question of an answer takes one bucket. */
#define PEER_QUESTION_BUCKETS 256

/* One a process that is asked. */
struct peer_questions {
    struct peer_link link;
    struct peer_link_ops link_ops;
    const struct peer_questions_ops *ops; /* borrowed */
    uint64_t last_id;
    struct list unsent; /* in order */
    struct list sent[PEER_QUESTION_BUCKETS];
};

void peer_questions_init(struct peer_questions *questions, struct loop *loop,
                         enum channel_peer peer,
                         const struct peer_questions_ops *ops);

/* Gives it a number, and sends it or lets it wait. No callback comes from
   inside this call. */
void peer_question_start(struct peer_questions *questions,
                         struct peer_question *question);

/* It waits no more. True: the other process has it, and may be told so.
   Idempotent, also after the answer. */
bool peer_question_stop(struct peer_question *question);

#endif
