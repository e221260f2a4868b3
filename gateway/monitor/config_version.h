#ifndef GATEWAY_MONITOR_CONFIG_VERSION_H
#define GATEWAY_MONITOR_CONFIG_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/must_check.h"
#include "gateway/config/config.h"
#include "gateway/monitor/certificates.h"
#include "gateway/monitor/users_copy.h"
#include "gateway/segment.h"

/*
 * A configuration as the monitor hands it out: its effective text, in a
 * sealed memory file, so that every worker parses the same; and a number
 * that says which one it is.
 */
#define CONFIG_VERSION_ID_MAX CONFIG_ID_MAX

struct config_version {
    struct config *config; /* reference */
    uint32_t number;       /* counted from 0 since the start */
    char *text;            /* owned */
    size_t len;
    int fd;                           /* owned; the text again, sealed */
    char id[CONFIG_VERSION_ID_MAX];   /* of the text: a hash, for people */
    struct certificates certificates; /* owned; none, until they are read */
    struct users_copy users;          /* likewise */
};

/* Takes over `config` by reference, if it returns 0; else a negative errno. */
MUST_CHECK int config_version_make(struct config_version *config_version,
                                   struct config *config, uint32_t number);

/* Only the id that it would have. 0 or a negative errno. */
MUST_CHECK int config_version_find_id(const struct config *config,
                                      char id[CONFIG_VERSION_ID_MAX]);

/* From the text of another one, which stays the caller's. 0, -EBADMSG where it
   is no configuration, or another negative errno. */
MUST_CHECK int config_version_take(struct config_version *config_version,
                                   int fd, uint32_t number);
void config_version_free(struct config_version *config_version);

/* What metrics need of it, into the segment, before any worker has it: numbers
   for the names of listeners, parents and rules, and when certificates end. */
void config_version_publish(const struct config_version *config_version,
                            struct segment *segment);

/* How many seconds more than others a worker may take to read it: one for each
   MiB, some ten times what an idle machine needs. */
unsigned
config_version_read_seconds(const struct config_version *config_version);

/* Whether both mean the same: the text, the files of TLS listeners, and the
   users file. */
bool config_version_equal(const struct config_version *a,
                          const struct config_version *b);

/* What differs and can be changed by a restart only: the option's name, or
   NULL. */
const char *config_version_fixed(const struct config_version *a,
                                 const struct config_version *b);

#endif
