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
 * The room is fixed. When it is full the oldest question of whoever holds most
 * makes room and is answered OVERLOADED: of the worker that holds most, the
 * source that holds most. A worker is looked at first, because it names its
 * sources itself.
 */
#define QUESTIONS_MAX 1024

/* A worker. */
struct asker {
    struct list link;    /* of those with something to do, in turn */
    struct list sources; /* with a question that waits, in turn */
    size_t held;
    bool blocked; /* no room for answers: none of its questions is taken */
};

/* What one source of one worker asks: at least one question. */
struct asking_source {
    struct list link; /* of its asker; of the free ones */
    struct list questions;
    struct asker *asker;
    uint64_t source;
    size_t held;
};

struct question {
    struct list link; /* of its source, the oldest first; of the free ones */
    struct asking_source *source; /* NULL: it was taken */
    uint64_t give_up_ms;
    struct authentication_question asked; /* has a password */
};

struct questions;

/* That there is no room for question `id`; where this cannot be sent, the
   session's time runs out. */
typedef void questions_overloaded_fn(struct asker *asker, uint64_t id);

struct questions {
    questions_overloaded_fn *overloaded;
    struct list askers; /* in turn */
    struct list free_questions, free_sources;
    struct question table[QUESTIONS_MAX];
    struct asking_source sources[QUESTIONS_MAX];
};

void questions_init(struct questions *questions,
                    questions_overloaded_fn *overloaded);

void asker_init(struct asker *asker);

/* Copies the question, or has somebody's answered OVERLOADED, perhaps this
   one. */
void questions_add(struct questions *questions, struct asker *asker,
                   const struct authentication_question *asked,
                   uint64_t now_ms);

/* Its password is overwritten. Unknown ids are ignored. */
void questions_cancel(struct questions *questions, struct asker *asker,
                      uint64_t id);

/*
 * The next one, which is nobody's turn any more and must be released; `asker`
 * is who wants the answer. NULL: none waits. Those whose sessions have given
 * up are dropped.
 */
struct question *questions_take(struct questions *questions, uint64_t now_ms,
                                struct asker **asker);
/* Overwrites its password. */
void questions_release(struct questions *questions, struct question *question);

/* The worker is gone, and all that it asked. */
void questions_leave(struct questions *questions, struct asker *asker);

#endif
