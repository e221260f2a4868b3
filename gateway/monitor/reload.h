#ifndef GATEWAY_MONITOR_RELOAD_H
#define GATEWAY_MONITOR_RELOAD_H

#include <stdbool.h>

#include "base/loop.h"
#include "gateway/config/config.h"
#include "gateway/monitor/config_version.h"
#include "gateway/monitor/listeners.h"
#include "gateway/monitor/notify.h"
#include "gateway/monitor/resolver_links.h"
#include "gateway/monitor/sink.h"
#include "gateway/monitor/slots.h"

/*
 * Another configuration while the gateway runs. It is read as at the start;
 * everything that can fail is done before anything is changed, so that a
 * bad one changes nothing. Then all is changed at once here, and the workers
 * are told:
 *
 *   HUP ─► parse ─► the same? ─► open listeners, log ─► swap ─► tell
 *            │          │                │                        │
 *      reload_failed  unchanged    reload_failed         reloaded: all have it
 *
 * Who asks while workers are being waited for is served once more after it,
 * however often he asked.
 */
struct reload;
typedef void reload_done_fn(struct reload *reload);

struct reload {
    struct loop *loop; /* borrowed, like all up to done */
    const struct config_source *source;
    struct config_version *config_version; /* in force; replaced */
    struct listeners *listeners;
    struct sink *sink;
    struct slots *slots;
    struct services *services;
    struct resolver_links *resolver_links;
    struct notify *notify;
    reload_done_fn *done; /* whatever came of it, the gateway serves */
    bool held;            /* it has not begun to serve, or is ending, or an
                             upgrade is tried */
    bool running;         /* workers are being waited for */
    bool again;           /* was asked for meanwhile */
    unsigned ticks;       /* how often it has looked, a second apart */
    uint64_t since_ms;
    struct timer timeout;
};

/* Fill in what is borrowed first. Held until it is released. */
void reload_init(struct reload *reload);
void reload_release(struct reload *reload);

/* An upgrade is tried: who asks meanwhile is served when it is released. */
void reload_hold(struct reload *reload);

/* The operator wants it. The log file is opened again in any case. */
void reload_request(struct reload *reload);

/* Whether `file` (NULL: none) can be read again and again; else -1 and why. */
int reload_check(const char *file, struct config_error *error);

/* Something about the workers has changed. */
void reload_progress(struct reload *reload);

/* The gateway ends: no more of it. */
void reload_cancel(struct reload *reload);

#endif
