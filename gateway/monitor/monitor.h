#ifndef GATEWAY_MONITOR_MONITOR_H
#define GATEWAY_MONITOR_MONITOR_H

#include <stdbool.h>

#include "gateway/config/config.h"

/*
 * The gateway in the foreground, until it is told to end: opens the
 * listening sockets, keeps the workers and the log writer alive, obeys
 * signals. It parses no octet that came over a network. `config` came from
 * `source`, from which it is read again on HUP; both stay the caller's, like
 * `argv`, with which another binary is executed on USR2. Returns the exit
 * status: 0, or 1 after one line on stderr that says what was in the way and
 * what to do.
 *
 * `config` NULL: we are that other binary, and take over from the one before
 * (upgrade.h).
 */
int monitor_run(struct config *config, const struct config_source *source,
                char **argv);

/* Whether we are: the environment says so. */
bool monitor_is_successor(void);

#endif
