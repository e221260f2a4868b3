#ifndef GATEWAY_WORKER_PEER_LINK_H
#define GATEWAY_WORKER_PEER_LINK_H

#include "base/loop.h"
#include "gateway/channel.h"

/*
 * A worker's link to another process, the resolver, the signer or the
 * authenticator; embedded in what sends on it (peer_question.h, signing.h). The
 * monitor makes it and passes it. When it ends, the process is gone or keeps
 * this link no longer: the worker asks for another one until it comes, and
 * sends on it what has no answer yet.
 */
struct peer_link;

struct peer_link_ops {
    size_t answer_size; /* at most PEER_LINK_ANSWER_MAX */
    void (*receive)(struct peer_link *link, const void *answer);
    /* It takes messages again; it is another one. */
    void (*flush)(struct peer_link *link);
    void (*resend)(struct peer_link *link);
};

#define PEER_LINK_ANSWER_MAX 4096

struct peer_link {
    struct loop *loop; /* borrowed, like ops */
    const struct peer_link_ops *ops;
    enum channel_peer peer;
    struct watch watch; /* owns its descriptor, -1 */
    struct task more;   /* answers wait on it */
    struct timer ask;   /* when it is asked for again */
};

void peer_link_init(struct peer_link *link, struct loop *loop,
                    enum channel_peer peer, const struct peer_link_ops *ops);

/* On fd, which is taken, in place of any before. */
void peer_link_open(struct peer_link *link, int fd);

/* It did not arrive: asks for it. */
void peer_link_ask(struct peer_link *link);

/* 0, -EAGAIN (ops->flush will be called), or another negative errno: there is
   none now (ops->resend will be called when there is one). */
MUST_CHECK int peer_link_send(struct peer_link *link, const void *message,
                              size_t size);

void peer_link_close(struct peer_link *link);

#endif
