#ifndef GATEWAY_WORKER_SPENT_PORTS_H
#define GATEWAY_WORKER_SPENT_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

/*
 * The servers towards which no local port was free a moment ago. To find that
 * out the kernel looks at all ports of ip_local_port_range, which takes 2 ms
 * for 28 232 of them: a few clients that wear out one server's ports would
 * take all of a worker's time. So nobody asks again within a second.
 */
#define SPENT_PORTS 16
#define SPENT_PORTS_US 1000000

struct spent_ports {
    struct spent_ports_way {
        struct endpoint to;
        struct addr from; /* 0.0.0.0: the system chooses */
        uint64_t until_us;
    } ways[SPENT_PORTS];
    unsigned next;      /* whose place is taken next */
    uint64_t latest_us; /* when the last of them ends */
};

bool spent_ports_has(const struct spent_ports *spent, const struct endpoint *to,
                     struct addr from, uint64_t now_us);
void spent_ports_add(struct spent_ports *spent, const struct endpoint *to,
                     struct addr from, uint64_t now_us);

#endif
