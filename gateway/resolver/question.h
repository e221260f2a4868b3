#ifndef GATEWAY_RESOLVER_QUESTION_H
#define GATEWAY_RESOLVER_QUESTION_H

#include <ares.h>
#include <stdbool.h>

#include "base/addr.h"
#include "base/loop.h"
#include "gateway/resolver/cache.h"

/*
 * One name on its way through the hosts file and DNS: a c-ares channel of
 * its own, so that every question leaves from a fresh port (an answer has to
 * be guessed with the port as well as the id), sees the hosts file and
 * resolv.conf as they are now, and can be given up alone. Driven by our
 * loop.
 */

/* How long the first server has for its first try; then it doubles. */
#define QUESTION_TRY_MS 1000
#define QUESTION_TRIES 4
/* Sockets at a time: one a server, and one over TCP. */
#define QUESTION_SOCKETS 8

/* What all questions share. */
struct question_means {
    struct loop *loop;
    struct ares_addr_port_node *servers; /* NULL: the system's */
    unsigned sockets;                    /* open now, by all questions */
    unsigned sockets_max;
};

struct question;
typedef void question_fn(struct question *question);

struct question_socket {
    struct watch watch;
    struct question *question;
};

/* Not to be moved while it runs. */
struct question {
    struct list link; /* the owner's */
    struct key key;
    struct answer answer; /* when it is over */
    question_fn *over;
    struct question_means *means; /* borrowed */
    ares_channel channel;         /* owned; NULL */
    struct question_socket sockets[QUESTION_SOCKETS];
    struct timer retry;    /* when c-ares wants to look again */
    struct timer deadline; /* when nobody waits any more */
    struct task finish;
    bool answered; /* c-ares has spoken, or nobody wants to know */
};

/* 0 or a negative errno; once a process, before the first question. */
int question_prepare(void);

void question_init(struct question *question, struct question_means *means);

/*
 * Asks for question->key. `over` is called once, later, never from inside,
 * with `answer` filled in; then it may be started again. Whatever fails is
 * LOOKUP_FAILED.
 */
void question_start(struct question *question, uint64_t patience_ms,
                    question_fn *over);

/* Nobody wants the answer: it is over at the end of the turn, FAILED. */
void question_give_up(struct question *question);

/* Where the patience of somebody who joins ends later. */
void question_extend(struct question *question, uint64_t patience_ms);

#endif
