#include "gateway/monitor/inherited.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#ifndef SO_BUF_LOCK /* Linux 5.14 */
#define SO_BUF_LOCK 72
#endif

/* The widest window that TCP can say. A window that is clamped to it is not
   clamped; 0 says the same, but a listening socket cannot be given 0. */
#define WINDOW_MAX (65535 << 14)

static const struct {
    int level, option;
} options[INHERITED_COUNT] = {
    [INHERITED_NO_DELAY] = {IPPROTO_TCP, TCP_NODELAY},
    [INHERITED_KEEPALIVE] = {SOL_SOCKET, SO_KEEPALIVE},
    [INHERITED_KEEP_IDLE] = {IPPROTO_TCP, TCP_KEEPIDLE},
    [INHERITED_KEEP_INTERVAL] = {IPPROTO_TCP, TCP_KEEPINTVL},
    [INHERITED_KEEP_COUNT] = {IPPROTO_TCP, TCP_KEEPCNT},
    [INHERITED_OOB_INLINE] = {SOL_SOCKET, SO_OOBINLINE},
    [INHERITED_REUSE] = {SOL_SOCKET, SO_REUSEADDR},
    [INHERITED_BUFFER_IN] = {SOL_SOCKET, SO_RCVBUF},
    [INHERITED_BUFFER_OUT] = {SOL_SOCKET, SO_SNDBUF},
    [INHERITED_BUFFER_LOCK] = {SOL_SOCKET, SO_BUF_LOCK},
    [INHERITED_WINDOW] = {IPPROTO_TCP, TCP_WINDOW_CLAMP},
};

struct inherited
inherited_get(int fd)
{
    struct inherited now;
    for (size_t i = 0; i < INHERITED_COUNT; i++) {
        socklen_t len = sizeof(now.values[i]);
        if (getsockopt(fd, options[i].level, options[i].option, &now.values[i],
                       &len) != 0)
            now.values[i] = INHERITED_UNKNOWN;
    }
    if (now.values[INHERITED_WINDOW] >= WINDOW_MAX)
        now.values[INHERITED_WINDOW] = 0;
    return now;
}

/* What the kernel must be told, for it to say `value`. */
static int
inherited_tell(size_t option, int value)
{
    switch (option) {
    case INHERITED_BUFFER_IN:
    case INHERITED_BUFFER_OUT:
        return value / 2; /* it doubles them, for its overhead */
    case INHERITED_WINDOW:
        return value == 0 ? WINDOW_MAX : value;
    default:
        return value;
    }
}

void
inherited_set(int fd, const struct inherited *wanted)
{
    for (size_t i = 0; i < INHERITED_COUNT; i++) {
        int value = inherited_tell(i, wanted->values[i]);
        if (wanted->values[i] != INHERITED_UNKNOWN)
            setsockopt(fd, options[i].level, options[i].option, &value,
                       sizeof(value));
    }
}

bool
inherited_equal(const struct inherited *one, const struct inherited *other)
{
    return memcmp(one->values, other->values, sizeof(one->values)) == 0;
}

bool
inherited_set_keepalive(struct inherited *inherited,
                        const struct sys_keepalive *keepalive)
{
    const struct inherited before = *inherited;
    inherited->values[INHERITED_KEEP_IDLE] = keepalive->idle_s;
    inherited->values[INHERITED_KEEP_INTERVAL] = keepalive->interval_s;
    inherited->values[INHERITED_KEEP_COUNT] = keepalive->count;
    return !inherited_equal(inherited, &before);
}
