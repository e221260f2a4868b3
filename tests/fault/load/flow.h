#ifndef FAULT_FLOW_H
#define FAULT_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "bench/poller.h"
#include "tests/fault/load/plan.h"

/*
 * One end of a session, client's or server's: it sends its pattern, checks
 * every octet of the other end's, and reports how the session ended. A flow
 * closes only after both streams have ended, or at the first fault.
 */

enum flow_result {
    FLOW_EXACT,   /* all octets, and the expected ending */
    FLOW_SHORT,   /* an orderly end before the last octet */
    FLOW_FOREIGN, /* an octet that is not the next one of the pattern */
    FLOW_RESET,   /* a reset where none was due */
    FLOW_CLEAN,   /* an orderly end where a reset was due */
    FLOW_EARLY,   /* likewise, before the first octet: it was never relayed */
    FLOW_LOST     /* a reset, but not all octets that were sent before it */
};

struct flow;
typedef void (*flow_over)(struct flow *flow, enum flow_result result);

/* The flows of a loop that wait for a point in time. */
struct flow_sleepers {
    int poller;
    struct list list;
};

struct flow {
    struct watch watch;             /* first */
    const struct plan *plan;        /* borrowed */
    struct flow_sleepers *sleepers; /* borrowed */
    flow_over over;
    int side;
    uint64_t seed;
    struct plan_break breaks;
    uint64_t sent, received;
    uint64_t write_ns, read_ns; /* not earlier than that */
    bool shut, ended;           /* FIN sent; FIN received */
    uint32_t armed;             /* the events it waits for */
    struct list sleeping;
};

void flow_sleepers_init(struct flow_sleepers *sleepers, int poller);

/* How long the loop may wait; runs the flows whose time has come. */
int flow_sleepers_wait_ms(const struct flow_sleepers *sleepers);
void flow_sleepers_wake(struct flow_sleepers *sleepers);

/* An empty flow without a socket. */
void flow_init(struct flow *flow);

/*
 * Starts on flow->watch, which is registered with the poller. `over` is called
 * once, after the socket is closed, possibly before flow_start returns.
 */
void flow_start(struct flow *flow, struct flow_sleepers *sleepers,
                const struct plan *plan, int side, uint64_t seed,
                flow_over over);

/* Closes with a reset; `over` is not called. */
void flow_break(struct flow *flow);

#endif
