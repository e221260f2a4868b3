#include "gateway/worker/spent_ports.h"

bool
spent_ports_has(const struct spent_ports *spent, const struct endpoint *to,
                struct addr from, uint64_t now_us)
{
    if (now_us >= spent->latest_us)
        return false;
    for (unsigned i = 0; i < SPENT_PORTS; i++) {
        const struct spent_ports_way *way = &spent->ways[i];
        if (now_us < way->until_us && endpoint_equal(&way->to, to) &&
            addr_equal(way->from, from))
            return true;
    }
    return false;
}

void
spent_ports_add(struct spent_ports *spent, const struct endpoint *to,
                struct addr from, uint64_t now_us)
{
    spent->latest_us = now_us + SPENT_PORTS_US;
    spent->ways[spent->next] =
        (struct spent_ports_way){*to, from, spent->latest_us};
    spent->next = (spent->next + 1) % SPENT_PORTS;
}
