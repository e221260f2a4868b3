#ifndef FAULT_CLIENT_H
#define FAULT_CLIENT_H

#include "tests/fault/load/orders.h"

/*
 * The clients, and the peers of their BINDs: `slots` sessions at once, one
 * after the other in each. Prints "open" when the first of all slots are
 * decided, then what became of them as one line of JSON. Whatever happens to
 * a session is an outcome that is counted, never the end of the run.
 */

/* 0, or a negative errno. */
int client_run(const struct orders *orders);

/*
 * Clients that send an octet of an endless USERID each gap, until they are
 * cut: "open" when all are connected, then a line of JSON.
 */
int drip_run(const struct orders *orders);

#endif
