#ifndef GATEWAY_WORKER_LOOKUP_H
#define GATEWAY_WORKER_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/lookup_proto.h"
#include "gateway/worker/peer_question.h"

/*
 * Looks up the addresses of a name [4A-4.3-1] by message to the resolver, a
 * process of its own. While there is no resolver, lookups wait
 * (peer_question.h). The caller keeps the deadline and cancels the lookup when
 * it passes: an answer that comes later is ignored.
 */

struct lookup;

/* `addresses`: `count` of them, borrowed for the call; none unless FOUND, and
   none of a family that is not wanted. */
typedef void lookup_fn(struct lookup *lookup, enum lookup_outcome outcome,
                       const struct addr *addresses, size_t count);

/* Embedded in the caller's struct; must not move before it is answered or
   cancelled. */
struct lookup {
    struct peer_question asked;
    uint64_t source;
    const char *name; /* borrowed, until answered or cancelled */
    size_t name_len;
    uint32_t timeout_ms;
    uint8_t families; /* enum lookup_family */
    lookup_fn *answered;
};

/* One a worker. */
struct lookups {
    struct peer_questions asked;
};

void lookups_init(struct lookups *lookups, struct loop *loop);

/* Nothing is looked up: lookup_cancel may be called. */
void lookup_init(struct lookup *lookup);

/*
 * Looks up `name`, 1 to 255 octets, borrowed until answered or cancelled. The
 * resolver shares its room between sources. The answer comes by callback,
 * later, never from inside this call. The resolver gives up by itself after
 * timeout_ms, but the caller keeps a deadline of its own: without a resolver
 * there is no answer.
 */
void lookup_start(struct lookups *lookups, struct lookup *lookup,
                  uint64_t source, const char *name, size_t len,
                  enum lookup_family families, uint64_t timeout_ms,
                  lookup_fn *answered);

/* No callback afterwards; the resolver is told, if the link has room.
   Idempotent, also after the answer. */
void lookup_cancel(struct lookups *lookups, struct lookup *lookup);

#endif
