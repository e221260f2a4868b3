#ifndef GATEWAY_ROLE_H
#define GATEWAY_ROLE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Which processes there are besides the monitor: a row a role, in roles.c. The
 * monitor executes this binary again with
 *
 *     argv: TITLE WORD UID GID MODE [what the role takes besides]
 *
 * and keeps it running (monitor/service.h). A process is added by a row here, a
 * folder with its main file, and a confinement table (confine/table.h).
 */
struct config;
struct confine_table;

struct role {
    const char *word;  /* argv[1] */
    const char *title; /* argv[0], for ps(1) */
    const char *name;  /* in the log: NAME_ready, NAME_ended */
    /* Returns the exit status. */
    int (*main)(int argc, char **argv);
    const struct confine_table *confinement;
    /* Whether a configuration needs it. NULL: the monitor knows by itself. */
    bool (*needed)(const struct config *config);
    /* The events of lines that it may write into the log itself, NULL behind
       the last (monitor/batch.h). NULL: it writes none. */
    const char *const *events;
};

/* Where argv has what every role gets, and what comes after it. */
enum { ROLE_UID = 2, ROLE_GID, ROLE_MODE, ROLE_OWN };

enum {
    ROLE_WORKER,
    ROLE_RESOLVER,
    ROLE_LOGWRITER,
    ROLE_SIGNER,
    ROLE_AUTHENTICATOR,
    ROLE_OBSERVER,
    ROLE_UPGRADE_CHECK,
    ROLE_CERTIFICATE_CHECK
};

extern const struct role roles[];
extern const size_t role_count;

/* NULL: `word` names none. */
const struct role *role_find(const char *word);

#endif
