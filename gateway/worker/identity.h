#ifndef GATEWAY_WORKER_IDENTITY_H
#define GATEWAY_WORKER_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/loop.h"
#include "gateway/worker/stream.h"

/*
 * The question to the client's identd: whose is this connection [V4-2-4]?
 *
 *     client ──── client->port ─── local->port ────► gateway
 *     identd ◄─── 113 ──────────── local->addr ───── gateway
 *
 * It is asked once, from the address that the client reached, since identd
 * looks for the connection between the two hosts that speak with it. What
 * comes back is a claim [V4-C.1-1], and worse may come: nothing, drip by
 * drip, a flood, a line that never ends. So one line is read, of at most
 * IDENTITY_LINE_MAX octets, within one deadline that no octet moves.
 */

/* Octets of an answer, without its LF (RFC 1413). */
#define IDENTITY_LINE_MAX 1000

/* symbol, name in the record, how it came to be. Whatever is not NAMED
   means that there is nobody to compare with [V4-3.3-6]. */
#define IDENTITY_OUTCOMES(X)                                                   \
    X(NAMED, "named")             /* identd names a user */                    \
    X(ERROR, "error")             /* it says ERROR */                          \
    X(REFUSED, "refused")         /* nobody listens there */                   \
    X(UNREACHABLE, "unreachable") /* no way there, says the network */         \
    X(LATE, "timeout")            /* no whole answer before the deadline */    \
    X(CLOSED, "closed")           /* ended or reset before a whole answer */   \
    X(MALFORMED, "malformed")     /* no answer to this question */             \
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

/* As a watch: not to be freed before the turn is over in which it was
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
 * negative errno: it is never called, outcome says what that comes to.
 *
 * It must not be asking already. A new question forgets the last answer.
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
 * "failed: timeout"; "failed" where the fault is ours, empty while there is
 * none. Octets of a stranger, any but NUL, CR and LF: the record escapes
 * them. Writes at most `room` octets (> 0), the NUL behind it included;
 * returns the length without it.
 */
size_t identity_text(const struct identity *identity, char *text, size_t room);

#endif
