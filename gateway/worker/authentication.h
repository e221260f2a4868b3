#ifndef GATEWAY_WORKER_AUTHENTICATION_H
#define GATEWAY_WORKER_AUTHENTICATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/must_check.h"
#include "gateway/authentication_proto.h"
#include "gateway/worker/peer_question.h"

/*
 * Asks whether a user has this password, by message to the authenticator, a
 * process of its own: a hash that is slow to compute stops no relay. While
 * there is no authenticator, questions wait (peer_question.h). The caller keeps
 * the deadline and cancels when it passes.
 *
 * The password: authentication_start copies it, so the caller overwrites its
 * own octets (explicit_bzero) as soon as that has returned. The copy is
 * overwritten when the answer is there or the question is cancelled.
 */
struct authentication;

/* `authentication` is not in a list any more: it may be freed or used again. */
typedef void authentication_fn(struct authentication *authentication,
                               enum authentication_outcome outcome);

/* Embedded in the caller's struct; must not move before it is answered or
   cancelled. All zero: no question. */
struct authentication {
    struct peer_question asked;
    struct authentication_question *question; /* owned; NULL: none waits */
    authentication_fn *answered;
};

/* One a worker: struct sessions has it. */
struct authentications {
    struct peer_questions asked;
};

void authentications_init(struct authentications *authentications,
                          struct loop *loop);

/*
 * `source`: source_hash of the client's address. `user`, `password`: opaque
 * octets, each at most 255, copied. The answer comes by callback, later, never
 * from inside this call; without an authenticator it never comes. After
 * timeout_ms the authenticator gives up by itself, without an answer. 0 or
 * -ENOMEM, and nothing waits.
 */
MUST_CHECK int authentication_start(struct authentications *authentications,
                                    struct authentication *authentication,
                                    uint64_t source, const void *user,
                                    size_t user_len, const void *password,
                                    size_t password_len, uint64_t timeout_ms,
                                    authentication_fn *answered);

/* No callback afterwards. Idempotent, also after the answer. */
void authentication_cancel(struct authentications *authentications,
                           struct authentication *authentication);

#endif
