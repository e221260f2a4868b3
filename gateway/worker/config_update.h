#ifndef GATEWAY_WORKER_CONFIG_UPDATE_H
#define GATEWAY_WORKER_CONFIG_UPDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/worker/worker.h"

/*
 * A new configuration on its way to a worker: first its text, then the files of
 * its TLS listeners in one, and the monitor's listening sockets, a message each.
 * Once none is lacking it is swapped in, whole.
 */
struct config_update {
    uint32_t number;               /* the monitor's, of this configuration */
    struct config *config;         /* reference; NULL: nothing is on its way */
    struct tls_files files;        /* owned */
    bool has_files;                /* they came */
    int fds[CONFIG_LISTENERS_MAX]; /* owned, -1; of config->listeners */
};

void config_update_init(struct config_update *config_update);

/* It is on its way, in place of any before; `config` is taken over by
   reference. NULL: only forget the one before. */
void config_update_begin(struct config_update *config_update, uint32_t number,
                         struct config *config);

/* The files of configuration `number` came in fd, which is taken; `len` octets.
 */
void config_update_add_files(struct config_update *config_update,
                             uint32_t number, int fd, uint64_t len);

/* The socket of listener `index` of configuration `number` came: kept where
   `worker` lacks it, else closed. */
void config_update_add(struct config_update *config_update,
                       const struct worker *worker, uint32_t number,
                       uint32_t index, int fd);

/* Whether it has all that `worker` lacks. */
bool config_update_complete(const struct config_update *config_update,
                            const struct worker *worker);

/* Swaps it in. 0, or a negative errno and the old one stays. */
int config_update_apply(struct config_update *config_update,
                        struct worker *worker);

#endif
