#ifndef GATEWAY_MONITOR_MONITOR_H
#define GATEWAY_MONITOR_MONITOR_H

#include <stdbool.h>

#include "gateway/config/config.h"

/*
 * Runs the gateway in the foreground: opens the listening sockets, keeps the
 * services running, handles signals, until TERM or INT. It parses no octet that
 * came over a network. `config` came from
 * `source`, from which it is read again on HUP; both stay the caller's, like
 * `argv`, with which another binary is executed on USR2. `pid_file` NULL: none.
 * Returns the exit status: 0, or 1 after one line on stderr that says what was
 * in the way and what to do.
 *
 * `config` NULL: this is that other binary, which takes over from the one
 * before (upgrade.h).
 */
int monitor_run(struct config *config, const struct config_source *source,
                const char *pid_file, char **argv);

/* Whether this binary takes over from one before: the environment says so. */
bool monitor_is_successor(void);

#endif
