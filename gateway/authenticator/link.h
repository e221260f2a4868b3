#ifndef GATEWAY_AUTHENTICATOR_LINK_H
#define GATEWAY_AUTHENTICATOR_LINK_H

#include "base/loop.h"
#include "gateway/authenticator/questions.h"

/* Whether the question is answered at once, and its password accepted. It may
   open the link anew. */
typedef bool
authenticator_link_known_fn(const struct authentication_question *asked);

/*
 * A worker's link: questions come in, answers go out. While an answer waits for
 * room no question is read, nor is one of the worker's taken. Nothing that a
 * worker sends is trusted.
 */
struct authenticator_link {
    struct loop *loop; /* borrowed, like all up to work */
    struct questions *questions;
    struct task *work;  /* deferred when there is a question to answer */
    authenticator_link_known_fn *known;
    struct watch watch; /* owns its descriptor, -1 */
    struct authenticator_client client;
    struct authentication_answer answer; /* for which there was no room, if
                                            client.blocked */
    struct task again;
    unsigned opened; /* how often */
};

void authenticator_link_init(struct authenticator_link *link, struct loop *loop,
                             struct questions *questions, struct task *work,
                             authenticator_link_known_fn *known);

/* Serves on fd, which is taken, in place of any before. */
void authenticator_link_open(struct authenticator_link *link, int fd);

/* Drops all that it asked. Idempotent. */
void authenticator_link_close(struct authenticator_link *link);

/* To the worker that client is part of. */
void authenticator_link_answer(struct authenticator_client *client, uint64_t id,
                               enum authentication_outcome outcome);

/* For questions_init: an answer that is dropped if there is no room. */
void authenticator_link_overloaded(struct authenticator_client *client,
                                   uint64_t id);

#endif
