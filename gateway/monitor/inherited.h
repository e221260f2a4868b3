#ifndef GATEWAY_MONITOR_INHERITED_H
#define GATEWAY_MONITOR_INHERITED_H

#include "base/must_check.h"
#include "base/sys.h"

/*
 * The options of a listening socket that accepted connections inherit and that
 * a worker may set (confine/worker.c): it sets them on its sessions, and no
 * filter tells a session from a listener. The monitor remembers them and sets
 * them again.
 */
enum inherited_option {
    INHERITED_NO_DELAY,
    INHERITED_KEEPALIVE,
    INHERITED_KEEP_IDLE,
    INHERITED_KEEP_INTERVAL,
    INHERITED_KEEP_COUNT,
    INHERITED_OOB_INLINE,
    INHERITED_REUSE,
    INHERITED_BUFFER_IN,
    INHERITED_BUFFER_OUT,
    INHERITED_BUFFER_LOCK, /* behind the buffers: setting these locks them */
    INHERITED_WINDOW,
    INHERITED_COUNT
};

#define INHERITED_UNKNOWN (-1) /* the kernel has no such option */

struct inherited {
    int values[INHERITED_COUNT];
};

/* What `fd` has now. */
struct inherited inherited_get(int fd);

/* Sets all of it, as far as the kernel takes it: a buffer above the limit of
   the system becomes that limit. Before Linux 5.14 a buffer that was set is not
   tuned by the kernel any more. */
void inherited_set(int fd, const struct inherited *wanted);

bool inherited_equal(const struct inherited *one,
                     const struct inherited *other);

/* Whether that changes it. */
bool inherited_set_keepalive(struct inherited *inherited,
                             const struct sys_keepalive *keepalive);

#endif
