#ifndef FAULT_ORDERS_H
#define FAULT_ORDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/argument.h"
#include "tests/fault/load/plan.h"

/* What the command line asks for. */

struct orders {
    struct plan plans[PLANS_MAX];
    unsigned plan_count;
    unsigned shares; /* of all plans together */
    uint16_t port;   /* of the first plan's server; the next has the next */
    bool direct;     /* no SOCKS: the gateway has the servers' ports */
    uint32_t gateway_ip;
    uint16_t gateway_port;
    struct spread sources, targets;
    int server_network; /* where a BIND's peer comes from; -1: here */
    unsigned slots;     /* sessions at once */
    uint64_t count;     /* sessions in all; 0: until told to stop */
    unsigned rate;      /* new ones a second at most; 0: as it comes */
    unsigned opening;   /* connects and handshakes at once */
    bool holds;         /* each stands open until told to go on */
    bool drips;         /* requests that never end, an octet each gap */
    unsigned gap_ms;
    uint64_t limit_ms; /* all is over by then */
};

/* Fills `orders`; prints what is wrong and returns false. */
bool orders_parse(struct orders *orders, int argc, char **argv);

/* The plan of a session, by its number. */
unsigned orders_plan(const struct orders *orders, uint64_t serial);

extern const char orders_usage[];

#endif
