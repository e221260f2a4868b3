#ifndef GATEWAY_WORKER_OBSERVED_H
#define GATEWAY_WORKER_OBSERVED_H

#include <stdbool.h>

#include "base/list.h"
#include "base/loop.h"
#include "gateway/observer_proto.h"
#include "gateway/worker/peer_link.h"

/*
 * A worker's side of the observer: it lists sessions, ends them, and reports
 * those that begin and end, as it is asked to. An ask is served in slices, one
 * in a turn of the loop, and waits for room in the link; a report that finds no
 * room is dropped. While nobody asks, a session costs a comparison where it
 * begins, ends and changes its state.
 */
struct session;
struct sessions;

/*
 * A walk over all sessions of a worker, which may begin, end and change their
 * state meanwhile. `forward`: one that changes its state may be met twice, and
 * none is missed; else none is met twice, and one may be missed.
 */
struct sessions_walk {
    struct list link; /* in sessions->walks */
    struct list *at, *head;
    size_t place; /* which list */
    bool forward;
};

struct observed_ask {
    uint32_t kind; /* 0: free */
    uint32_t id;
    uint32_t left; /* rows */
    uint32_t by;
    uint64_t matched;
    bool walked;
    struct observer_filter filter;
    struct sessions_walk walk;
};

struct observed_follow {
    uint32_t id; /* 0: free */
    bool ends;   /* begins are not sent */
    uint64_t dropped;
    struct observer_filter filter;
};

struct observed_trace {
    struct observed *observed; /* NULL: free */
    struct timer end;
    struct observer_filter filter;
    uint64_t second; /* lines in that one */
    unsigned lines;
    uint64_t dropped;
};

struct observed {
    struct peer_link link;
    struct loop *loop;
    struct observed_ask asks[OBSERVER_ASKS_MAX];
    unsigned next; /* the ask whose turn it is */
    struct task work;
    struct observed_follow follows[OBSERVER_FOLLOWS_MAX];
    unsigned follow_count;
    struct observed_trace traces[OBSERVER_TRACES_MAX];
    unsigned trace_count;
    bool waits; /* `reply` found no room */
    struct observer_reply reply;
};

void observed_init(struct observed *observed, struct loop *loop);
/* Forgets all that was asked. */
void observed_fini(struct observed *observed);

/* For session.c, where follow_count or trace_count is not 0: a session begins
   to relay, or has ended; it has left the state of that name. */
void observed_report(struct observed *observed, struct session *session,
                     bool begins);
void observed_trace(struct observed *observed, struct session *session,
                    const char *left);

#endif
