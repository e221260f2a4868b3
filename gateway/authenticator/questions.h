#ifndef GATEWAY_AUTHENTICATOR_QUESTIONS_H
#define GATEWAY_AUTHENTICATOR_QUESTIONS_H

#include <stdbool.h>

#include "base/list.h"
#include "gateway/authentication_proto.h"

/*
 * The questions that wait for their turn. Workers take turns, and so do the
 * sources of each worker, so that a source which asks a lot delays another one
 * by one question a worker.
 *
 * The room is fixed. When it is full, one question makes room and is answered
 * OVERLOADED: of the worker that holds most, and within it of the source that
 * holds most, the oldest. The worker comes first, because it names its sources
 * itself.
 */
#define QUESTIONS_MAX 1024

/* A worker. */
struct authenticator_client {
    struct list link;    /* of those with something to do, in turn */
    struct list sources; /* with a question that waits, in turn */
    size_t held;
    bool blocked; /* no room for answers: none of its questions is taken */
};

/* What one source of one worker asks: at least one question. */
struct question_source {
    struct list link; /* of its client; of the free ones */
    struct list questions;
    struct authenticator_client *client;
    uint64_t source;
    size_t held;
};

struct question {
    struct list link; /* of its source, the oldest first; of the free ones */
    struct question_source *source; /* NULL: it was taken */
    uint64_t give_up_ms;
    struct authentication_question asked; /* has a password */
};

struct questions;

/* Tells the client that there is no room for question `id`. Where this cannot
   be sent, the session's time runs out. */
typedef void questions_overloaded_fn(struct authenticator_client *client,
                                     uint64_t id);

struct questions {
    questions_overloaded_fn *overloaded;
    struct list clients; /* in turn */
    struct list free_questions, free_sources;
    struct question table[QUESTIONS_MAX];
    struct question_source sources[QUESTIONS_MAX];
};

void questions_init(struct questions *questions,
                    questions_overloaded_fn *overloaded);

void authenticator_client_init(struct authenticator_client *client);

/* Copies the question. Where there is no room, one is answered OVERLOADED,
   perhaps this one. */
void questions_add(struct questions *questions,
                   struct authenticator_client *client,
                   const struct authentication_question *asked,
                   uint64_t now_ms);

/* Its password is overwritten. Unknown ids are ignored. */
void questions_cancel(struct questions *questions,
                      struct authenticator_client *client, uint64_t id);

/*
 * The next one, out of its queue: the caller releases it when it is answered.
 * `client` is the worker that asked. NULL: none waits. Questions whose sessions
 * have given up are dropped.
 */
struct question *questions_take(struct questions *questions, uint64_t now_ms,
                                struct authenticator_client **client);
/* Overwrites its password. */
void questions_release(struct questions *questions, struct question *question);

/* The worker is gone, and all that it asked. */
void questions_leave(struct questions *questions,
                     struct authenticator_client *client);

#endif
