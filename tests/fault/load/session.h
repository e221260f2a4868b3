#ifndef FAULT_SESSION_H
#define FAULT_SESSION_H

#include "bench/opening.h"
#include "tests/fault/load/flow.h"
#include "tests/fault/load/orders.h"
#include "tests/fault/load/tally.h"

/* A slot of the client: one session from connect to outcome, then the next. */

enum session_state {
    SESSION_IDLE,
    SESSION_OPENING,
    SESSION_REFUSED, /* waits for the end of stream */
    SESSION_HELD,    /* held until the run begins */
    SESSION_RUNS
};

struct session;

/* What all sessions share. */
struct session_shared {
    const struct orders *orders; /* borrowed */
    struct flow_sleepers sleepers;
    struct list breaking; /* to be reset at their time */
    int home;             /* the network namespace of this process */
    struct tally tallies[PLANS_MAX];
    struct histogram setup, refusal;
    unsigned opening; /* connects and handshakes under way */
    uint64_t settled; /* sessions that were answered, or never will be */
    bool holds;       /* established sessions are held */
    void (*idle)(struct session_shared *shared, struct session *session);
};

struct session {
    struct flow flow;              /* first */
    struct flow peer;              /* BIND: the application server's end */
    struct session_shared *shared; /* borrowed */
    enum session_state state;
    bool counted; /* in shared->opening */
    unsigned plan;
    unsigned ends; /* flows that have not ended */
    uint32_t seed;
    uint64_t began_ns;
    uint64_t break_ns;
    struct list breaking;
    struct opening opening;
    enum outcome outcome;
};

void session_init(struct session *session, struct session_shared *shared);

/* Connects; shared->idle is called at the end. */
void session_open(struct session *session, uint64_t serial);

/* Starts the transfer of a session that is held. */
void session_run(struct session *session);

/* The time limit has passed: resets the session and counts it. */
void session_abandon(struct session *session);

/* Resets the sessions whose time has come. */
void session_break_due(struct session_shared *shared);

#endif
