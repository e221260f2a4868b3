#ifndef GATEWAY_MONITOR_SIGNER_LINKS_H
#define GATEWAY_MONITOR_SIGNER_LINKS_H

#include <stdbool.h>

#include "gateway/config/config.h"
#include "gateway/monitor/certificates.h"
#include "gateway/monitor/config_version.h"
#include "gateway/monitor/handover.h"
#include "gateway/monitor/links.h"
#include "gateway/monitor/service.h"

/*
 * What is special to the signer, as a service: the private keys that it is
 * given, and the links of the workers to it.
 *
 * The keys of a config version are kept as long as a handshake may be going on
 * that began with it; a signer that is started anew is given all of them. They
 * are memory files: their octets are in no memory of this process.
 */
#define SIGNER_KEYS_MAX HANDOVER_KEYS_MAX

struct signer_key {
    int fd; /* owned */
    uint64_t len;
    uint32_t version; /* the config version that has it */
    bool client;      /* it is a parent's, not a listener's */
    bool sent;        /* the current process has it */
};

struct signer_links {
    struct service service;
    struct links links;
    const struct config *config; /* borrowed; in force */
    uint32_t version;            /* of it */
    struct signer_key keys[SIGNER_KEYS_MAX]; /* the oldest first */
    size_t count;
    struct timer grace;
    uint32_t grace_version; /* when it is over, those before this one go */
    uint64_t request_ms;    /* the longest time-out that there was */
};

/* Fill in links.workers and links.pass first. Starts a signer at once, if it is
   needed, with the keys of `config_version`, which are taken, and those that a
   binary before hands over (or NULL); its signer goes on meanwhile. */
void signer_links_start(struct signer_links *links, struct services *services,
                        struct config_version *config_version,
                        struct handover *handover);

/*
 * Another configuration, whose keys are taken: they reach the signer before any
 * worker can ask for them, which is told of them only afterwards.
 */
void signer_links_reconfigure(struct signer_links *links,
                              struct config_version *config_version);

/* The configuration in force has another number now, and the same keys. */
void signer_links_renumber(struct signer_links *links, uint32_t version);

/* What the next binary needs besides the service. */
void signer_links_hand_over(const struct signer_links *links,
                            struct handover *handover);

/* Closes everything. */
void signer_links_fini(struct signer_links *links);

#endif
