#ifndef GATEWAY_WORKER_LOOKUP_H
#define GATEWAY_WORKER_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "gateway/names.h"

/*
 * A name's addresses [4A-4.3-1]: asked of the resolver, a process of its
 * own, by message. What its channel does not take at once waits here, in
 * order; so does what is asked while there is no resolver. The deadline of a
 * question is its asker's: it cancels, and an answer that comes later finds
 * nobody.
 */

struct lookup;

/* `addresses`: host order, `count` of them, borrowed for the call; none
   unless FOUND. */
typedef void lookup_fn(struct lookup *lookup, enum lookup_outcome outcome,
                       const uint32_t *addresses, size_t count);

/* Embedded in who asks; not to be moved before answered or cancelled. */
struct lookup {
    struct list link;
    uint64_t id;
    const char *name; /* borrowed, until answered or cancelled */
    size_t name_len;
    uint32_t patience_ms;
    bool sent; /* the resolver has it */
    lookup_fn *answered;
};

struct lookups;

/* 0, -EAGAIN (lookups_flush will be called), or another negative errno: no
   resolver is there now (lookups_resend will be called when one is). */
typedef int lookup_send_fn(struct lookups *lookups,
                           const struct lookup_question *question);

/* A power of two; what an answer has to be looked for in is one of them. */
#define LOOKUP_BUCKETS 256

/* One a worker. */
struct lookups {
    lookup_send_fn *send;
    uint64_t last_id;
    struct list waiting; /* not sent yet, in order */
    struct list sent[LOOKUP_BUCKETS];
};

void lookups_init(struct lookups *lookups, lookup_send_fn *send);

/*
 * Asks for `name`, 1 to 255 octets, borrowed until answered or cancelled.
 * The answer comes by callback, later, never from inside. The resolver gives
 * up by itself after patience_ms, but whoever asks keeps a deadline of its
 * own: without a resolver there is no answer.
 */
void lookup_start(struct lookups *lookups, struct lookup *lookup,
                  const char *name, size_t len, uint64_t patience_ms,
                  lookup_fn *answered);

/* No callback afterwards; the resolver is told, if its channel has room.
   Idempotent, also after the answer. */
void lookup_cancel(struct lookups *lookups, struct lookup *lookup);

/* The resolver's answer came. One that nobody waits for is ignored. */
void lookups_hear(struct lookups *lookups, const struct lookup_answer *answer);

/* The channel takes messages again; there is a new resolver, which is asked
   whatever is not answered. */
void lookups_flush(struct lookups *lookups);
void lookups_resend(struct lookups *lookups);

#endif
