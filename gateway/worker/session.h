#ifndef GATEWAY_WORKER_SESSION_H
#define GATEWAY_WORKER_SESSION_H

#include "base/addr.h"
#include "base/loop.h"
#include "gateway/config/config.h"
#include "gateway/segment.h"
#include "gateway/worker/record.h"
#include "gateway/worker/relay.h"
#include "gateway/worker/verdict.h"

/*
 * A session, from accept to its record:
 *
 *     REQUEST ──► CONNECT ──► RELAY ──► HALF_CLOSED ──► END
 *        │           │          └─────────────────────► END
 *        └───────────┴──► REFUSE (reply, linger) ─────► END
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
    X(NEW, "new", NONE, NONE, 0, 0)                                            \
    X(REQUEST, "request", REQUEST, REQUEST, 1, FROM(NEW))                      \
    X(CONNECT, "connect", CONNECT, CONNECT, 1, FROM(REQUEST))                  \
    X(RELAY, "relay", IDLE, RELAY, 0, FROM(CONNECT))                           \
    X(HALF_CLOSED, "half-closed", HALF_CLOSED, RELAY, 0, FROM(RELAY))          \
    X(REFUSE, "refuse", LINGER, NONE, 0, FROM(REQUEST) | FROM(CONNECT))        \
    X(END, "end", NONE, NONE, 0,                                               \
      FROM(REQUEST) | FROM(CONNECT) | FROM(RELAY) | FROM(HALF_CLOSED) |        \
          FROM(REFUSE))

enum session_state {
#define X(symbol, name, timer, phase, pending, from) SESSION_##symbol,
    SESSION_STATES(X)
#undef X
};

/* What all sessions of a worker share. */
struct sessions {
    struct loop *loop;             /* borrowed */
    struct config *config;         /* reference: what new ones begin with */
    struct segment *segment;       /* borrowed */
    struct segment_column *column; /* borrowed: this worker's */
    unsigned slot;
    struct record_log *records; /* borrowed */
    struct relay_pool pool;
    struct list live;
    struct list ended; /* to be freed at the end of the turn */
    struct task reap;
    size_t count;
    size_t max;
    void (*changed)(struct sessions *sessions); /* one has ended */
};

struct session {
    struct relay relay; /* with both streams */
    struct sessions *sessions;
    struct list link;
    struct timer timer;
    struct config *config; /* reference, until it is decided; then NULL */
    const char *listener;  /* name; borrowed from the worker's listener */
    struct endpoint client;
    uint64_t id;
    uint64_t phase_us; /* when the present state was entered */
    char *userid;      /* owned */
    char *rule;        /* owned; name of the rule that decided */
    uint8_t *unread;   /* owned; the request as far as it has come */
    uint32_t userid_len;
    uint32_t unread_len;
    uint32_t idle_ms; /* 0: no such timer */
    uint32_t half_closed_ms;
    uint32_t dropped; /* octets read and dropped after a refusal */
    uint32_t ms[PHASE_COUNT];
    uint32_t dstip;
    uint16_t dstport;
    uint16_t listener_index;
    uint8_t command;    /* 0: none understood */
    uint8_t state;      /* enum session_state */
    uint8_t verdict;    /* enum verdict */
    uint8_t code;       /* sent; 0: none */
    uint8_t has_header; /* the fixed eight octets were seen */
    uint8_t version_seen;
    uint8_t client_ended; /* its FIN was read before the relay */
};

/* `changed` is called whenever a session has ended. */
void sessions_init(struct sessions *sessions, struct loop *loop,
                   struct config *config, struct segment *segment,
                   unsigned slot, struct record_log *records,
                   void (*changed)(struct sessions *));

/* All must have ended. */
void sessions_fini(struct sessions *sessions);

/*
 * Takes an accepted connection. It ends in a record whatever happens, but
 * for want of memory, which is counted as a dropped record.
 */
void session_open(struct sessions *sessions, int fd,
                  const struct endpoint *client, size_t listener_index,
                  const char *listener);

/* Ends every session at once: undecided ones are answered, live ones reset. */
void sessions_stop(struct sessions *sessions);

#endif
