#ifndef GATEWAY_MONITOR_LOCAL_ROUTES_H
#define GATEWAY_MONITOR_LOCAL_ROUTES_H

#include "base/netset.h"

/*
 * The networks that the kernel delivers to this machine itself: its routes of
 * type local, and of IPv6 those of type anycast. They are read from the table
 * local, from main, and from each table to which a rule (ip-rule(8)) leads what
 * this machine sends. Rules for packets with a mark, or from an interface, do
 * not count: no packet of a worker has a mark, and the table of a transparent
 * proxy delivers everything to this machine.
 */

/* A socket that becomes readable when an address or a rule has changed, or a
   route of this kind; other routes do not wake whoever waits for it. Its
   descriptor, or a negative errno. */
int local_routes_listen(void);

/* Fills an empty set. 0, or a negative errno: not all of them are there. */
int local_routes_read(struct netset *set);

#endif
