#ifndef GATEWAY_MONITOR_LISTENERS_H
#define GATEWAY_MONITOR_LISTENERS_H

#include "gateway/config/config.h"
#include "gateway/monitor/sink.h"

/*
 * The listening sockets: one an address, without SO_REUSEPORT, shared by
 * all workers. The monitor keeps them open, so that what waits in a queue
 * survives every worker.
 */
struct listeners {
    int fds[CONFIG_LISTENERS_MAX]; /* owned */
    size_t count;
};

/* In the order of config->listeners; one that was passed to us (passed.h) is
   used instead of opened. 0, or -1 after one line on stderr that says which
   address, why and what to do. */
int listeners_open(struct listeners *listeners, const struct config *config);
void listeners_close(struct listeners *listeners);

/* One line an address. */
void listeners_report(const struct listeners *listeners,
                      const struct config *config, struct sink *sink);

#endif
