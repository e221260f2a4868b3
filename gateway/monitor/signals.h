#ifndef GATEWAY_MONITOR_SIGNALS_H
#define GATEWAY_MONITOR_SIGNALS_H

#include <stdbool.h>

#include "base/must_check.h"

/*
 * Signals count at the monitor alone, which reads them from a descriptor.
 * Its children ignore those meant for it: a Ctrl-C goes to all of them.
 */

/* Blocks what the monitor listens to, ignores SIGPIPE; the descriptor, or a
   negative errno. */
MUST_CHECK int signals_open(void);

/* The next signal that came; 0 when there is none. */
MUST_CHECK int signals_next(int fd);

/* In a child, before exec: ignores the monitor's, unblocks all. */
void signals_leave(void);

/*
 * Whether the terminal on a standard descriptor was closed. Then HUP is the
 * kernel's: who started the gateway by hand in that terminal has left, and
 * nobody asks for a reload.
 */
bool signals_terminal_is_gone(void);

#endif
