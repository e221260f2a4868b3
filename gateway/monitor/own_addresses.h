#ifndef GATEWAY_MONITOR_OWN_ADDRESSES_H
#define GATEWAY_MONITOR_OWN_ADDRESSES_H

#include <stddef.h>
#include <stdio.h>

#include "base/loop.h"
#include "gateway/addresses.h"
#include "gateway/config/config.h"
#include "gateway/monitor/sink.h"

/*
 * Follows the addresses of this machine, which rules do not reach by accident:
 * those of its interfaces, and those that are routed to it. The kernel says
 * over netlink that one came or went, and then all are read again. Where
 * netlink is not available the list is not known, and workers ask the kernel
 * for each address.
 */
struct own_addresses {
    int fd;                /* of the memory file, for workers; owned, -1 */
    struct addresses *map; /* owned; NULL: cannot be had */
    struct loop *loop;     /* borrowed */
    struct watch netlink;  /* owns its descriptor, -1 */
    struct timer again;
    uint64_t rested_us; /* monotonic: it is not read before that */
};

/* 0, or a negative errno where there is not even an empty memory file. */
int own_addresses_open(struct own_addresses *own, struct loop *loop);
void own_addresses_close(struct own_addresses *own);

/* Before another binary begins, whose list is another one: the workers of this
   binary, which outlive it, do not know it any more. */
void own_addresses_forget(struct own_addresses *own);
/* It did not begin. */
void own_addresses_recall(struct own_addresses *own);

/* Warns if the configuration's egress.address, a rule's egress or bind.address
   is not one of them: then no CONNECT could come out, and no BIND could listen.
 */
void own_addresses_check(const struct own_addresses *own,
                         const struct config *config, struct sink *sink);

/* For -t: a line for each of these, and for each listener that the kernel would
   not open for the same reason or for its port. How many there are. */
size_t own_addresses_warn(const struct config *config, FILE *to);

#endif
