#ifndef GATEWAY_MONITOR_JOURNAL_H
#define GATEWAY_MONITOR_JOURNAL_H

#include <stdbool.h>

#include "base/must_check.h"

/*
 * systemd's journal, in its native protocol: the monitor connects, the log
 * writer writes (logwriter/journal.h).
 */

/* Whether our stderr leads there: systemd says so in JOURNAL_STREAM, and
   whoever starts the gateway may have turned stderr elsewhere since. */
bool journal_has_stderr(void);

/* A connected, non-blocking socket, or a negative errno. */
MUST_CHECK int journal_connect(void);

/* Whether `fd` is one of those, also when nobody listens any more. */
bool journal_is(int fd);

#endif
