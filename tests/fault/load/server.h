#ifndef FAULT_SERVER_H
#define FAULT_SERVER_H

#include "tests/fault/load/orders.h"

/*
 * The application servers: one port per plan, on every address of this host.
 * Prints a line of JSON when the ports are open, and one for each line on
 * standard input; returns at its end. 0, or a negative errno.
 */
int server_run(const struct orders *orders);

#endif
