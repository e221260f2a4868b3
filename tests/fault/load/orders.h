#ifndef FAULT_ORDERS_H
#define FAULT_ORDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/argument.h"
#include "tests/fault/load/plan.h"

/* The command line. */

struct orders {
    struct plan plans[PLANS_MAX];
    unsigned plan_count;
    unsigned shares; /* of all plans together */
    uint16_t port;   /* of the first plan's server; then in order */
    bool tls;        /* to the gateway */
    bool direct;     /* no SOCKS: the gateway has the servers' ports */
    uint32_t gateway_ip;
    uint16_t gateway_port;
    struct spread sources, targets;
    int server_network; /* namespace of the peers of BINDs; -1: this one */
    unsigned slots;     /* sessions at once */
    uint64_t count;     /* sessions in all; 0: until standard input ends */
    unsigned rate;      /* new sessions per second at most; 0: no limit */
    unsigned opening;   /* connects and handshakes at once */
    bool holds;         /* sessions are held open until a line arrives */
    bool drips;         /* requests that never end, one octet per gap */
    unsigned gap_ms;
    uint64_t limit_ms; /* a run that takes longer is abandoned */
};

/* Fills `orders`; prints what is wrong and returns false. */
bool orders_parse(struct orders *orders, int argc, char **argv);

/* The plan of a session, by its number. */
unsigned orders_plan(const struct orders *orders, uint64_t serial);

extern const char orders_usage[];

#endif
