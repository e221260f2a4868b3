#ifndef FAULT_SESSION_H
#define FAULT_SESSION_H

#include "bench/opening.h"
#include "tests/fault/load/flow.h"
#include "tests/fault/load/orders.h"
#include "tests/fault/load/tally.h"

/* One slot of the client: a session from connect to outcome, then another. */

enum session_state {
    SESSION_IDLE,
    SESSION_OPENING,
    SESSION_REFUSED, /* heard so; its end is to come */
    SESSION_STANDS,  /* held */
    SESSION_RUNS
};

struct session;

/* What all sessions share, and where they report. */
struct session_house {
    const struct orders *orders; /* borrowed */
    struct flow_sleepers sleepers;
    struct list breaking; /* to be broken off by the clock */
    int home;             /* the namespace we live in */
    struct tally tallies[PLANS_MAX];
    struct histogram setup, refusal;
    unsigned opening; /* connects and handshakes under way */
    uint64_t settled; /* sessions that got their answer, or none */
    bool holds;       /* those that stand wait, still */
    void (*idle)(struct session_house *house, struct session *session);
};

struct session {
    struct flow flow;            /* first */
    struct flow peer;            /* BIND: the application server's end */
    struct session_house *house; /* borrowed */
    enum session_state state;
    bool counted; /* in house->opening */
    unsigned plan;
    unsigned ends; /* flows that are not over */
    uint32_t seed;
    uint64_t began_ns;
    uint64_t break_ns;
    struct list breaking;
    struct opening opening;
    enum outcome outcome;
};

void session_init(struct session *session, struct session_house *house);

/* Connects; house->idle when it is over. */
void session_open(struct session *session, uint64_t serial);

/* Begins to run one that stands. */
void session_go(struct session *session);

/* Time is up: breaks it off and counts it. */
void session_give_up(struct session *session);

/* Breaks off those whose moment has come. */
void session_break_due(struct session_house *house);

#endif
