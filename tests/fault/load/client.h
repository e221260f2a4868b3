#ifndef FAULT_CLIENT_H
#define FAULT_CLIENT_H

#include "tests/fault/load/orders.h"

/*
 * The clients, and the peers of their BINDs: `slots` sessions at once, one
 * after the other in each slot. Prints "open" when the first session of every
 * slot is granted or refused, and at the end the outcomes as one line of JSON.
 * Whatever happens to a session is counted as an outcome; the run goes on.
 */

/* 0, or a negative errno. */
int client_run(const struct orders *orders);

/*
 * Clients that send one octet of an endless USERID per gap, until the gateway
 * ends them. Prints "open" when all are connected, and one line of JSON at the
 * end.
 */
int drip_run(const struct orders *orders);

#endif
