#ifndef GATEWAY_WORKER_IDENTITY_H
#define GATEWAY_WORKER_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/loop.h"
#include "gateway/worker/stream.h"

/*
 * The query to the client's identd: whose is this connection [V4-2-4]?
 *
 *     client ──── client->port ─── local->port ────► gateway
 *     identd ◄─── 113 ──────────── local->addr ───── gateway
 *
 * It is sent once, from the address that the client reached, since identd looks
 * for a connection between the two hosts that speak with it. The answer is a
 * claim [V4-C.1-1]; it may also be missing, drip, flood or never end. So one
 * line is read, of at most IDENTITY_LINE_MAX octets, within one deadline that
 * no octet moves.
 */

/* Octets of an answer, without its LF (RFC 1413). */
#define IDENTITY_LINE_MAX 1000

/* symbol, name in the record, how it came about. Only NAMED has a user to
   compare USERID with [V4-3.3-6]. */
#define IDENTITY_OUTCOMES(X)                                                   \
    X(NAMED, "named")             /* identd names a user */                    \
    X(ERROR, "error")             /* it says ERROR */                          \
    X(REFUSED, "refused")         /* port 113 refuses */                       \
    X(UNREACHABLE, "unreachable") /* the network says so */                    \
    X(LATE, "timeout")            /* no whole answer before the deadline */    \
    X(CLOSED, "closed")           /* ended or reset before a whole answer */   \
    X(MALFORMED, "malformed")     /* not an answer to this query */            \
    X(FAILED, "failed")           /* no descriptor, memory or port here */

enum identity_outcome {
    IDENTITY_UNANSWERED,
#define X(symbol, name) IDENTITY_##symbol,
    IDENTITY_OUTCOMES(X)
#undef X
        IDENTITY_OUTCOME_COUNT
};

struct identity;
typedef void identity_fn(struct identity *identity);

/* Like a watch, it must not be freed before the turn is over in which it was
   answered or cancelled. */
struct identity {
    struct stream stream;
    struct timer timer;
    struct loop *loop; /* borrowed; NULL: never started */
    identity_fn *answered;
    char *word;      /* owned; the user-id with NAMED, identd's word with ERROR,
                        not terminated; else NULL */
    uint8_t *unread; /* owned; the line as far as it has come; NULL mostly */
    uint32_t word_len;
    uint32_t unread_len;
    uint16_t client_port; /* of the connection asked about */
    uint16_t server_port;
    uint8_t asked;   /* octets of the query that are sent */
    uint8_t outcome; /* enum identity_outcome */
};

void identity_init(struct identity *identity);

/*
 * Asks port 113 of client->addr, from local->addr, about the connection
 * between the two. 0: `answered` is called once, later, with outcome and
 * word set and the socket closed; at the latest after timeout_ms. Or a
 * negative errno: it is not called, and outcome is set.
 *
 * No query may be under way. A new query forgets the last answer.
 */
int identity_start(struct identity *identity, struct loop *loop,
                   const struct endpoint *client, const struct endpoint *local,
                   uint64_t timeout_ms, identity_fn *answered);

/* After cancel the callback will not come. Whatever the state; an answer
   that has come stays. */
void identity_cancel(struct identity *identity);

/* The same, and frees the word. */
void identity_fini(struct identity *identity);

/* The longest text, NUL included. */
#define IDENTITY_TEXT_MAX (IDENTITY_LINE_MAX + 8)

/*
 * The answer for the record: the user-id itself, "error: NO-USER", or
 * "failed: timeout"; "failed" where the gateway could not ask, empty while
 * there is none. They may be any octets but NUL, CR and LF: the record escapes
 * them. Writes at most `room` octets (> 0), the NUL behind it included;
 * returns the length without it.
 */
size_t identity_text(const struct identity *identity, char *text, size_t room);

#endif
