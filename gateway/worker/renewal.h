#ifndef GATEWAY_WORKER_RENEWAL_H
#define GATEWAY_WORKER_RENEWAL_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/worker/worker.h"

/*
 * A new configuration on its way to a worker: first its text, then the
 * monitor's listening sockets, a message each. Once none is lacking it is
 * swapped in, whole.
 */
struct renewal {
    uint32_t number;               /* the monitor's, of this configuration */
    struct config *config;         /* reference; NULL: nothing is on its way */
    int fds[CONFIG_LISTENERS_MAX]; /* owned, -1; of config->listeners */
};

void renewal_init(struct renewal *renewal);

/* It is on its way, in place of any before; `config` is taken over by
   reference. NULL: only forget the one before. */
void renewal_begin(struct renewal *renewal, uint32_t number,
                   struct config *config);

/* The socket of listener `index` of configuration `number` came: kept where
   `worker` lacks it, else closed. */
void renewal_add(struct renewal *renewal, const struct worker *worker,
                 uint32_t number, uint32_t index, int fd);

/* Whether it has all that `worker` lacks. */
bool renewal_complete(const struct renewal *renewal,
                      const struct worker *worker);

/* Swaps it in. 0, or a negative errno and the old one stays. */
int renewal_apply(struct renewal *renewal, struct worker *worker);

#endif
