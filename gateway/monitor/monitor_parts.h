#ifndef GATEWAY_MONITOR_MONITOR_PARTS_H
#define GATEWAY_MONITOR_MONITOR_PARTS_H

#include "base/loop.h"
#include "base/must_check.h"
#include "gateway/monitor/authenticator_links.h"
#include "gateway/monitor/config_version.h"
#include "gateway/monitor/listeners.h"
#include "gateway/monitor/notify.h"
#include "gateway/monitor/observer_links.h"
#include "gateway/monitor/own_addresses.h"
#include "gateway/monitor/pid_file.h"
#include "gateway/monitor/reload.h"
#include "gateway/monitor/resolver_links.h"
#include "gateway/monitor/service.h"
#include "gateway/monitor/signer_links.h"
#include "gateway/monitor/sink.h"
#include "gateway/monitor/slots.h"
#include "gateway/monitor/upgrade.h"
#include "gateway/monitor/user.h"

/*
 * Shared by the files of the monitor, included by no other:
 *
 *     monitor.c        events, and the end
 *     monitor_start.c  the start, from nothing or from another binary
 *
 *   SERVING ──TERM──► DRAINING ──TERM──► STOPPING
 *                         └──── no child ─────┴──► FLUSHING ──► the end
 */
enum monitor_state { SERVING, DRAINING, STOPPING, FLUSHING };

#define MONITOR_DAY_MS 86400000

struct monitor {
    struct loop loop;
    struct config_version config_version; /* the configuration in force */
    enum monitor_state state;
    bool announced; /* `ready' or `upgraded' was said */
    int status;     /* to exit with */
    struct user user;
    int program;               /* this binary, as it was at the start; owned */
    char path[PATH_MAX];       /* and where the next one will be */
    int segment_fd, signal_fd; /* owned */
    struct segment *segment;
    struct watch signal_watch;
    struct timer timeout;
    uint64_t flushing_ms; /* since when */
    bool last_said;       /* `ended' */
    struct notify notify;
    struct pid_file pid_file;
    struct listeners listeners;
    struct services services;
    struct sink sink;
    struct own_addresses own_addresses;
    struct slots slots;
    struct resolver_links resolver_links;
    struct signer_links signer_links;
    struct authenticator_links authenticator_links;
    struct observer_links observer_links;
    struct reload reload;
    struct upgrade upgrade;
    struct handover *handover; /* of the binary before; owned, NULL */
    struct timer overdue;      /* new workers should be ready by then */
    struct timer check;        /* of the listeners */
    struct timer day;          /* of certificates and session tickets */
    struct timer old_timeout;  /* old workers were told to end */
};

/* What another configuration or binary needs to know, before either of: */
void monitor_prepare(struct monitor *monitor,
                     const struct config_source *source, char **argv);

/* The first process: opens everything and starts the children. 0, or -1 after
   one line on stderr. */
MUST_CHECK int monitor_begin(struct monitor *monitor, struct config *config);

/* Another binary in the same process: takes over what there is, and starts
   children of its own beside. 0, or -1 after one line on stderr: then all
   that is left drains, since nobody is its monitor any more. */
MUST_CHECK int monitor_adopt(struct monitor *monitor);

/* Events that its parts report (monitor.c). */
bool monitor_is_alive(const struct notify *notify);
void monitor_services_changed(struct services *services);
void monitor_worker_wants_link(struct slots *slots, unsigned number,
                               enum channel_peer peer);
MUST_CHECK int monitor_pass_link(struct links *links, unsigned number, int fd);
void monitor_on_operator(struct observer_links *links,
                         enum channel_action action);
uint32_t monitor_runs(const struct observer_links *links,
                      enum channel_action action);
void monitor_signal_ready(struct watch *watch, uint32_t events);
void monitor_on_timeout(struct timer *timer);
void monitor_reload_over(struct reload *reload);
void monitor_upgrade_failed(struct upgrade *upgrade, const char *why);
void monitor_on_overdue(struct timer *timer);
void monitor_check_listeners(struct timer *timer);
void monitor_on_day(struct timer *timer);
void monitor_on_old_timeout(struct timer *timer);

/* Those that have died by now. */
void monitor_reap(struct monitor *monitor);

#endif
