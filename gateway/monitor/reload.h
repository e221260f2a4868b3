#ifndef GATEWAY_MONITOR_RELOAD_H
#define GATEWAY_MONITOR_RELOAD_H

#include <stdbool.h>

#include "base/loop.h"
#include "gateway/config/config.h"
#include "gateway/monitor/authenticator_links.h"
#include "gateway/monitor/config_version.h"
#include "gateway/monitor/listeners.h"
#include "gateway/monitor/notify.h"
#include "gateway/monitor/observer_links.h"
#include "gateway/monitor/resolver_links.h"
#include "gateway/monitor/signer_links.h"
#include "gateway/monitor/sink.h"
#include "gateway/monitor/slots.h"

/*
 * Another configuration while the gateway runs. It is read as at the start;
 * everything that can fail is done before anything is changed, so that a
 * bad one changes nothing. Then all is changed at once here, and the workers
 * are sent the config version:
 *
 *   HUP ─► parse ─► the same? ─► open listeners, log ─► swap ─► send
 *            │          │                │                        │
 *      reload_failed  unchanged    reload_failed         reloaded: all have it
 *
 * Any number of requests that come while workers are being waited for lead to
 * one more reload.
 */
struct reload;
typedef void reload_done_fn(struct reload *reload);

#define RELOAD_FAILURE_MAX 160

struct reload {
    struct loop *loop; /* borrowed, like all up to done */
    const struct config_source *source;
    struct config_version *config_version; /* in force; replaced */
    struct listeners *listeners;
    struct sink *sink;
    struct slots *slots;
    struct services *services;
    struct resolver_links *resolver_links;
    struct signer_links *signer_links;
    struct authenticator_links *authenticator_links;
    struct observer_links *observer_links;
    const struct user *user; /* as which children run */
    int program;             /* this binary */
    struct notify *notify;
    reload_done_fn *done; /* whatever came of it, the gateway serves */
    bool held;            /* the gateway is starting or ending, or an upgrade
                             is being checked */
    bool running;         /* workers are being waited for */
    bool again;           /* requested meanwhile */
    bool unchanged;       /* the last one found the same */
    uint32_t runs;        /* how many were begun */
    char *diagnostics;    /* owned, NULL: all that the last one had to say */
    /* Why the last one failed, for the service manager; empty: it did not. */
    char failure[RELOAD_FAILURE_MAX];
    unsigned ticks; /* a second apart, since the workers were sent it */
    uint64_t since_ms;
    struct timer timeout;
};

/* Fill in what is borrowed first. Held until it is released. */
void reload_init(struct reload *reload);
void reload_release(struct reload *reload);

/* An upgrade is being checked: requests wait for the release. */
void reload_hold(struct reload *reload);

/* The operator asks for it. The log file is opened again in any case. */
void reload_request(struct reload *reload);

/* What came of the one that is over, in lines. */
const char *reload_outcome(struct reload *reload);

/* Something about the workers has changed. */
void reload_progress(struct reload *reload);

/* The gateway ends: no more of it. */
void reload_cancel(struct reload *reload);

#endif
