#ifndef GATEWAY_MONITOR_UPGRADE_H
#define GATEWAY_MONITOR_UPGRADE_H

#include <stdbool.h>

#include "gateway/monitor/config_version.h"
#include "gateway/monitor/handover.h"
#include "gateway/monitor/listeners.h"
#include "gateway/monitor/notify.h"
#include "gateway/monitor/observer_links.h"
#include "gateway/monitor/own_addresses.h"
#include "gateway/monitor/reload.h"
#include "gateway/monitor/sink.h"
#include "gateway/monitor/slots.h"
#include "gateway/monitor/upgrade_probe.h"

/*
 * Another binary in place of this one, which stays the same process:
 *
 *   USR2 ─► check ─► hand over ─► exec ═► adopt ─► new workers ─► upgraded
 *             │          │          │                   │
 *             └──────────┴──────────┴► upgrade_failed   └► the old ones drain
 *
 * Until the exec nothing is changed, so that a bad binary costs nothing. What
 * a reload would refuse (another user, another sandbox, a file with a
 * mistake) is refused here, too. A HUP that comes meanwhile waits; a USR2 leads
 * to one more upgrade.
 */
struct upgrade;
typedef void upgrade_failed_fn(struct upgrade *upgrade, const char *why);

struct upgrade {
    struct services *services; /* borrowed, like all up to failed */
    char **argv;               /* our own */
    const char *program;
    const struct config_version *config_version;
    const struct listeners *listeners;
    struct sink *sink;
    struct slots *slots;
    struct signer_links *signer_links;
    struct authenticator_links *authenticator_links;
    struct observer_links *observer_links;
    struct own_addresses *own_addresses;
    struct reload *reload;
    struct notify *notify;
    upgrade_failed_fn *failed; /* the gateway serves as before */
    bool held;                 /* it has not begun to serve, or is ending */
    bool again;                /* was asked for meanwhile */
    uint32_t runs;             /* how many were begun */
    int binary;                /* that is checked; owned, -1 */
    uint64_t since_us;
    struct upgrade_probe probe;
};

/* Fill in what is borrowed first. Held until it is released. */
void upgrade_init(struct upgrade *upgrade);
void upgrade_release(struct upgrade *upgrade);

/* The operator wants it. */
void upgrade_request(struct upgrade *upgrade);

/* A reload is over. */
void upgrade_start_if_asked(struct upgrade *upgrade);

/* The gateway ends: no more of it. */
void upgrade_cancel(struct upgrade *upgrade);

#endif
