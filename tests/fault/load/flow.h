#ifndef FAULT_FLOW_H
#define FAULT_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "bench/poller.h"
#include "tests/fault/load/plan.h"

/*
 * One end of a session, client's or server's: it sends its pattern, checks
 * every octet of the other's, and says how that ended. A flow closes only
 * after both streams have ended, or when something was not as it must be.
 */

enum flow_result {
    FLOW_EXACT,   /* all octets, and the ending that was due */
    FLOW_SHORT,   /* an orderly end before the last octet */
    FLOW_FOREIGN, /* an octet that was not the next one */
    FLOW_RESET,   /* broken off, though nobody meant to */
    FLOW_CLEAN,   /* an orderly end where a reset was due */
    FLOW_EARLY    /* likewise, but no octet had come: it was never relayed */
};

struct flow;
typedef void (*flow_over)(struct flow *flow, enum flow_result result);

/* The flows of a loop that wait for the clock. */
struct flow_sleepers {
    int poller;
    struct list list;
};

struct flow {
    struct watch watch;      /* first: a flow is what its watch points to */
    const struct plan *plan; /* borrowed */
    struct flow_sleepers *sleepers; /* borrowed */
    flow_over over;
    int side;
    uint64_t seed;
    struct plan_break breaks;
    uint64_t sent, received;
    uint64_t write_ns, read_ns; /* not before */
    bool shut, ended;           /* sent FIN; saw FIN */
    uint32_t armed;             /* asked of the poller */
    struct list sleeping;
};

void flow_sleepers_init(struct flow_sleepers *sleepers, int poller);

/* How long the loop may wait, and whose time has come. */
int flow_sleepers_wait_ms(const struct flow_sleepers *sleepers);
void flow_sleepers_wake(struct flow_sleepers *sleepers);

/* Empty, without a socket. */
void flow_init(struct flow *flow);

/*
 * Begins on flow->watch, which the poller knows. `over` comes once, when the
 * socket is closed, perhaps at once.
 */
void flow_start(struct flow *flow, struct flow_sleepers *sleepers,
                const struct plan *plan, int side, uint64_t seed,
                flow_over over);

/* Breaks off with a reset; `over` does not come. */
void flow_break(struct flow *flow);

#endif
