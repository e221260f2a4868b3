#ifndef GATEWAY_WORKER_SESSION_H
#define GATEWAY_WORKER_SESSION_H

#include "base/addr.h"
#include "base/loop.h"
#include "gateway/config/config.h"
#include "gateway/worker/primary.h"
#include "gateway/worker/rendezvous.h"
#include "gateway/worker/request.h"
#include "gateway/worker/sessions.h"
#include "gateway/worker/verdict.h"

/*
 * A session, from accept to its record:
 *
 *     REQUEST ──► CONNECT ────────────► RELAY ──► HALF_CLOSED ──► END
 *        │ └──► (PRIMARY) ──► LISTEN ─────┘ └─────────────────────► END
 *        └──────────┴────────────┴──► REFUSE (reply, linger) ─────► END
 *
 * One door in (session_open), one out (session_end, in session.c), one
 * setter of the state between. A session always waits for one named thing;
 * the table says under which timer.
 */

/*
 * symbol, name, timer, phase of the record, counts as pending,
 * states it may come from
 */
#define SESSION_STATES(X)                                                      \
    X(NEW, "new", NONE, NONE, 1, 0)                                            \
    X(REQUEST, "request", REQUEST, REQUEST, 1, FROM(NEW))                      \
    X(CONNECT, "connect", CONNECT, CONNECT, 1, FROM(REQUEST))                  \
    X(PRIMARY, "primary", PRIMARY, NONE, 1, FROM(REQUEST))                     \
    X(LISTEN, "listen", BIND, CONNECT, 0, FROM(REQUEST) | FROM(PRIMARY))       \
    X(RELAY, "relay", IDLE, RELAY, 0, FROM(CONNECT) | FROM(LISTEN))            \
    X(HALF_CLOSED, "half-closed", HALF_CLOSED, RELAY, 0, FROM(RELAY))          \
    X(REFUSE, "refuse", LINGER, NONE, 0,                                       \
      FROM(REQUEST) | FROM(CONNECT) | FROM(PRIMARY) | FROM(LISTEN))            \
    X(END, "end", NONE, NONE, 0,                                               \
      FROM(REQUEST) | FROM(CONNECT) | FROM(PRIMARY) | FROM(LISTEN) |           \
          FROM(RELAY) | FROM(HALF_CLOSED) | FROM(REFUSE))

enum session_state {
#define X(symbol, name, timer, phase, pending, from) SESSION_##symbol,
    SESSION_STATES(X)
#undef X
};

/* What a BIND needs until its peer is there. */
struct bind {
    struct primary_question question;
    struct session *session;
    struct rendezvous rendezvous;
    int source; /* where it is charged; negative: nowhere */
};

struct session {
    struct relay relay; /* with both streams */
    struct request request;
    struct sessions *sessions;
    struct list link;
    struct timer timer;
    struct config *config; /* reference, until it relays; then NULL */
    const char *listener;  /* name; borrowed from the worker's listener */
    struct endpoint client;
    uint64_t id;
    uint64_t phase_us; /* when the present state was entered */
    char *rule;        /* owned; name of the rule that decided */
    struct bind *bind; /* owned; while a BIND waits */
    int source;        /* where it is charged; negative: nowhere */
    uint32_t idle_ms;  /* 0: no such timer */
    uint32_t half_closed_ms;
    uint32_t dropped; /* octets read and dropped after a refusal */
    uint32_t ms[PHASE_COUNT];
    uint16_t listener_index;
    uint8_t state;   /* enum session_state */
    uint8_t verdict; /* enum verdict */
    uint8_t code;    /* sent; 0: none */
    bool told;       /* the monitor knows of this CONNECT */
};

/*
 * Takes an accepted connection. One that is over a limit is reset, and
 * counted. Any other ends in a record whatever happens, but for want of
 * memory, which is counted as a dropped record.
 */
void session_open(struct sessions *sessions, int fd,
                  const struct endpoint *client, size_t listener_index,
                  const char *listener);

/* It gives way for the limit's sake, if its request is still unfinished once
   all that has come of it was read. */
bool session_shed(struct session *session, enum limit limit);

/* Ends it at once, whatever its state: an undecided one is answered, a live
   one reset. */
void session_stop(struct session *session);

/* Only sessions.c, when the turn in which it ended is over. */
void session_free(struct session *session);

#endif
