#include "gateway/monitor/monitor.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"
#include "gateway/monitor/confinement.h"
#include "gateway/monitor/monitor_parts.h"
#include "gateway/monitor/program.h"
#include "gateway/monitor/signals.h"
#include "gateway/monitor/status.h"

/* After a second TERM, and for the last lines of the log: after the first
   second as long as lines flow, up to LAST_LINES_MS. */
#define TIMEOUT_MS 1000
#define LAST_LINES_MS 10000
#define LAST_LINES_LOOK_MS 10
/* A worker ends by itself at timeouts.drain; after this it counts as hung. */
#define DRAIN_GRACE_MS 5000

static void
monitor_log(struct monitor *monitor, const char *event, enum log_level level,
            const char *message)
{
    struct log_line line;
    sink_begin(&monitor->sink, &line, event, level);
    if (message != NULL)
        log_text(&line, "message", message);
    sink_say(&monitor->sink, &line);
}

/* --- the service manager ------------------------------------------------ */

/* Of the workers one at least: another's share is served by the rest. */
bool
monitor_is_alive(const struct notify *notify)
{
    const struct monitor *monitor =
        container_of(notify, struct monitor, notify);
    return monitor->state != SERVING ||
           slots_count(&monitor->slots, SERVICE_READY) > 0;
}

static void
monitor_notify_ready(struct monitor *monitor)
{
    char state[NOTIFY_STATE_MAX];
    const char *failure = monitor->reload.failure;
    snprintf(state, sizeof(state), "READY=1\nSTATUS=%u workers serve%s%s",
             monitor->slots.wanted,
             failure[0] != '\0' ? "; the last reload failed: " : "", failure);
    notify_send(&monitor->notify, state);
}

/* A drain may last as long as it is configured to, whatever the unit says:
   `timeout_ms', or 0 for as long as the unit lets it. */
static void
monitor_notify_stopping(struct monitor *monitor, const char *status,
                        uint64_t timeout_ms)
{
    char state[NOTIFY_STATE_MAX], more[64] = "";
    if (timeout_ms != 0)
        snprintf(more, sizeof(more), "\nEXTEND_TIMEOUT_USEC=%" PRIu64,
                 timeout_ms * 1000);
    snprintf(state, sizeof(state), "STOPPING=1\nSTATUS=%s%s", status, more);
    notify_send(&monitor->notify, state);
}

/* --- the end ------------------------------------------------------------ */

static bool
monitor_flushes_no_more(const struct monitor *monitor)
{
    uint64_t ms = loop_now_ms(&monitor->loop) - monitor->flushing_ms;
    return ms >= LAST_LINES_MS ||
           (ms >= TIMEOUT_MS && !sink_flows(&monitor->sink));
}

/* `ended' comes when the lines before it have left room for it. */
static void
monitor_flush(struct monitor *monitor)
{
    struct lost_sessions *lost = &monitor->slots.lost_sessions;
    bool late = monitor_flushes_no_more(monitor);
    uint64_t next_ms = TIMEOUT_MS;
    if (monitor->last_said && (late || monitor->sink.finished)) {
        loop_stop(&monitor->loop);
        return;
    }
    if (!late && (lost_sessions_wait(lost) || !sink_has_room(&monitor->sink))) {
        next_ms = LAST_LINES_LOOK_MS;
    } else if (!monitor->last_said) {
        lost_sessions_drop(lost);
        monitor_log(monitor, "ended", LOG_LEVEL_NOTICE, NULL);
        sink_finish(&monitor->sink);
        monitor->last_said = true;
    }
    loop_start_timer(&monitor->loop, &monitor->timeout, next_ms);
}

static void
monitor_enter_flushing(struct monitor *monitor)
{
    monitor->state = FLUSHING;
    monitor->flushing_ms = loop_now_ms(&monitor->loop);
    monitor_flush(monitor);
}

/* When each state's time is over. */
void
monitor_on_timeout(struct timer *timer)
{
    struct monitor *monitor = container_of(timer, struct monitor, timeout);
    if (monitor->state == FLUSHING) {
        monitor_flush(monitor);
        return;
    }
    monitor_log(monitor, "killing", LOG_LEVEL_ERROR,
                "processes that do not end are killed");
    slots_kill(&monitor->slots);
    services_kill(&monitor->services);
}

/* First the workers, then the services that only they use, then the log. */
static void
monitor_continue_ending(struct monitor *monitor)
{
    struct slots *slots = &monitor->slots;
    if ((monitor->state != DRAINING && monitor->state != STOPPING) ||
        slots_count(slots, SERVICE_EMPTY) != slots->count)
        return;
    services_finish(&monitor->services);
    if (services_ended(&monitor->services))
        monitor_enter_flushing(monitor);
    else
        loop_start_timer(&monitor->loop, &monitor->timeout, TIMEOUT_MS);
}

/* Nothing new is begun any more. */
static void
monitor_end_changes(struct monitor *monitor)
{
    static const char why[] = "the gateway is about to end";
    reload_cancel(&monitor->reload);
    upgrade_cancel(&monitor->upgrade);
    observer_links_finish(&monitor->observer_links, CHANNEL_RELOAD, UINT32_MAX,
                          false, why);
    observer_links_finish(&monitor->observer_links, CHANNEL_UPGRADE, UINT32_MAX,
                          false, why);
    loop_cancel_timer(&monitor->loop, &monitor->overdue);
}

static void
monitor_start_drain(struct monitor *monitor)
{
    struct log_line line;
    monitor_end_changes(monitor);
    uint64_t drain_ms = monitor->config_version.config->timeouts.drain_ms;
    monitor->state = DRAINING;
    sink_begin(&monitor->sink, &line, "draining", LOG_LEVEL_NOTICE);
    log_number(&line, "live",
               segment_gauge_sum(monitor->segment, SEGMENT_GAUGE_live));
    sink_say(&monitor->sink, &line);
    slots_drain(&monitor->slots);
    listeners_close(&monitor->listeners);
    uint64_t timeout_ms = drain_ms != 0 ? drain_ms + DRAIN_GRACE_MS : 0;
    monitor_notify_stopping(monitor, "draining", timeout_ms);
    if (timeout_ms != 0)
        loop_start_timer(&monitor->loop, &monitor->timeout, timeout_ms);
}

static void
monitor_stop(struct monitor *monitor)
{
    monitor->state = STOPPING;
    monitor_end_changes(monitor);
    monitor_log(monitor, "stopping", LOG_LEVEL_NOTICE, NULL);
    monitor_notify_stopping(monitor, "stopping", 0);
    slots_stop(&monitor->slots);
    loop_start_timer(&monitor->loop, &monitor->timeout, TIMEOUT_MS);
}

/* --- what happens ------------------------------------------------------- */

static void
monitor_report_ready(struct monitor *monitor)
{
    struct log_line line;
    sink_begin(&monitor->sink, &line, "ready", LOG_LEVEL_NOTICE);
    log_number(&line, "workers", monitor->slots.wanted);
    sink_say(&monitor->sink, &line);
}

/* From now on no session begins in a worker of the binary before. */
static void
monitor_finish_upgrade(struct monitor *monitor)
{
    struct log_line line;
    const struct handover *handover = monitor->handover;
    char text[128];
    loop_cancel_timer(&monitor->loop, &monitor->overdue);
    sink_begin(&monitor->sink, &line, "upgraded", LOG_LEVEL_NOTICE);
    log_text(&line, "from", handover->from);
    log_text(&line, "to", PROJECT_VERSION);
    log_number(&line, "workers", monitor->slots.wanted);
    log_number(&line, "ms", (sys_now_us() - handover->since_us) / 1000);
    sink_say(&monitor->sink, &line);
    snprintf(text, sizeof(text), "upgraded from %.48s to %s", handover->from,
             PROJECT_VERSION);
    observer_links_finish(&monitor->observer_links, CHANNEL_UPGRADE, 1, true,
                          text);
    observer_links_upgraded(&monitor->observer_links);
    slots_drain_predecessors(&monitor->slots);
    handover_free(monitor->handover);
    monitor->handover = NULL;
}

/* The start is over: reloads and upgrades that were asked for meanwhile may
   begin. If the start was overdue and an upgrade check already runs, it checks
   the configuration in force, so a reload waits until the check has ended. */
static void
monitor_release_changes(struct monitor *monitor)
{
    if (!upgrade_probe_is_running(&monitor->upgrade.probe))
        reload_release(&monitor->reload);
    upgrade_release(&monitor->upgrade);
}

/* The old ones serve; another configuration, or binary, may be the remedy. */
void
monitor_on_overdue(struct timer *timer)
{
    struct monitor *monitor = container_of(timer, struct monitor, overdue);
    static const char why[] =
        "the new workers are not ready yet; the old ones serve until they are";
    monitor_log(monitor, "upgrade_overdue", LOG_LEVEL_ERROR, why);
    observer_links_finish(&monitor->observer_links, CHANNEL_UPGRADE, 1, false,
                          why);
    monitor_release_changes(monitor);
}

/* None is left while it drains. */
void
monitor_check_listeners(struct timer *timer)
{
    struct monitor *monitor = container_of(timer, struct monitor, check);
    listeners_check(&monitor->listeners, monitor->config_version.config,
                    &monitor->sink);
    observer_links_check(&monitor->observer_links);
    slots_restore_segment(&monitor->slots);
    slots_publish(&monitor->slots);
    if (monitor->state == SERVING)
        loop_start_timer(&monitor->loop, timer, LISTENERS_CHECK_MS);
}

/* The same configuration under another number, with new keys of session
   tickets. During a reload or an upgrade check, and where it fails, the keys
   stay until the next day. */
static void
monitor_renew_tickets(struct monitor *monitor)
{
    struct config_version *version = &monitor->config_version;
    if (monitor->reload.held || monitor->reload.running ||
        !certificates_have_tickets(version->config) ||
        certificates_renew_tickets(&version->certificates) != 0)
        return;
    version->number++;
    signer_links_renumber(&monitor->signer_links, version->number);
    slots_reconfigure(&monitor->slots);
}

void
monitor_on_day(struct timer *timer)
{
    struct monitor *monitor = container_of(timer, struct monitor, day);
    if (monitor->state != SERVING)
        return;
    certificates_report_expiry(&monitor->config_version.certificates,
                               monitor->config_version.config, &monitor->sink);
    monitor_renew_tickets(monitor);
    loop_start_timer(&monitor->loop, timer, MONITOR_DAY_MS);
}

/* One that cannot be written is said, and no reason not to serve. */
static void
monitor_write_pid_file(struct monitor *monitor)
{
    struct log_line line;
    int error = pid_file_write(&monitor->pid_file, &monitor->user);
    if (error == 0)
        return;
    sink_begin(&monitor->sink, &line, "pid_file", LOG_LEVEL_ERROR);
    log_text(&line, "file", monitor->pid_file.path);
    log_text(&line, "message", pid_file_error(error));
    sink_say(&monitor->sink, &line);
}

static void
monitor_announce(struct monitor *monitor)
{
    monitor->announced = true;
    if (monitor->handover != NULL)
        monitor_finish_upgrade(monitor);
    else
        monitor_report_ready(monitor);
    confinement_report(&monitor->sink, monitor->services.missing,
                       monitor->config_version.config->user);
    own_addresses_check(&monitor->own_addresses, monitor->config_version.config,
                        &monitor->sink);
    monitor_write_pid_file(monitor);
    monitor_notify_ready(monitor);
    monitor_release_changes(monitor);
}

/* `sandbox: require', and it cannot be: better not to serve at all. */
static void
monitor_refuse(struct monitor *monitor,
               const struct channel_message *unconfined)
{
    confinement_refuse(unconfined);
    monitor->status = 1;
    monitor_stop(monitor);
}

/* The start is over when all serve, or when one says that it never will. */
static void
monitor_check_start(struct monitor *monitor)
{
    const struct services *services = &monitor->services;
    if (monitor->announced || monitor->state != SERVING)
        return;
    if (services->unconfined.kind != 0 && monitor->handover == NULL)
        monitor_refuse(monitor, &services->unconfined);
    else if (services_ready(services) && slots_starting(&monitor->slots) == 0)
        monitor_announce(monitor);
}

void
monitor_services_changed(struct services *services)
{
    struct monitor *monitor = container_of(services, struct monitor, services);
    slots_fill(&monitor->slots);
    slots_publish(&monitor->slots);
    monitor_check_start(monitor);
    reload_progress(&monitor->reload);
    monitor_continue_ending(monitor);
}

void
monitor_reload_over(struct reload *reload)
{
    struct monitor *monitor = container_of(reload, struct monitor, reload);
    own_addresses_check(&monitor->own_addresses, monitor->config_version.config,
                        &monitor->sink);
    monitor_notify_ready(monitor);
    observer_links_finish(&monitor->observer_links, CHANNEL_RELOAD,
                          reload->runs, reload->failure[0] == '\0',
                          reload_outcome(reload));
    upgrade_start_if_asked(&monitor->upgrade);
}

void
monitor_upgrade_failed(struct upgrade *upgrade, const char *why)
{
    struct monitor *monitor = container_of(upgrade, struct monitor, upgrade);
    monitor_notify_ready(monitor);
    observer_links_finish(&monitor->observer_links, CHANNEL_UPGRADE,
                          upgrade->runs, false, why);
}

void
monitor_worker_wants_link(struct slots *slots, unsigned number,
                          enum channel_peer peer)
{
    struct monitor *monitor = container_of(slots, struct monitor, slots);
    if (peer == CHANNEL_PEER_RESOLVER)
        links_connect(&monitor->resolver_links.links, number);
    else if (peer == CHANNEL_PEER_SIGNER)
        links_connect(&monitor->signer_links.links, number);
    else if (peer == CHANNEL_PEER_AUTHENTICATOR)
        links_connect(&monitor->authenticator_links.links, number);
    else if (peer == CHANNEL_PEER_OBSERVER)
        links_connect(&monitor->observer_links.links, number);
}

static struct monitor *
monitor_of_links(struct links *links)
{
    switch (links->peer) {
    case CHANNEL_PEER_RESOLVER:
        return container_of(links, struct monitor, resolver_links.links);
    case CHANNEL_PEER_SIGNER:
        return container_of(links, struct monitor, signer_links.links);
    case CHANNEL_PEER_AUTHENTICATOR:
        return container_of(links, struct monitor, authenticator_links.links);
    default:
        return container_of(links, struct monitor, observer_links.links);
    }
}

int
monitor_pass_link(struct links *links, unsigned number, int fd)
{
    return slots_pass_link(&monitor_of_links(links)->slots, number, links->peer,
                           fd);
}

void
monitor_reap(struct monitor *monitor)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        services_reap(&monitor->services, pid, status);
}

static void
monitor_on_term(struct monitor *monitor)
{
    if (monitor->state == SERVING)
        monitor_start_drain(monitor);
    else if (monitor->state == DRAINING)
        monitor_stop(monitor);
    monitor_continue_ending(monitor);
}

/* One that was taken over does not end by itself. */
void
monitor_on_old_timeout(struct timer *timer)
{
    slots_kill_old(&container_of(timer, struct monitor, old_timeout)->slots);
}

static void
monitor_stop_old_workers(struct monitor *monitor, unsigned count)
{
    struct log_line line;
    sink_begin(&monitor->sink, &line, "old_workers_stopped", LOG_LEVEL_NOTICE);
    log_number(&line, "workers", count);
    sink_say(&monitor->sink, &line);
    slots_stop_old(&monitor->slots);
    loop_start_timer(&monitor->loop, &monitor->old_timeout, TIMEOUT_MS);
}

/* Where the program at the path is the one that runs, there is nothing to
   upgrade to: the operator means those that still run another one. */
static void
monitor_on_usr2(struct monitor *monitor)
{
    unsigned old = slots_count_old(&monitor->slots);
    if (old > 0 && monitor->state == SERVING &&
        program_is(monitor->path, monitor->program))
        monitor_stop_old_workers(monitor, old);
    else
        upgrade_request(&monitor->upgrade);
}

static void
monitor_on_drain_request(struct monitor *monitor)
{
    char text[64];
    snprintf(text, sizeof(text), "%s; live sessions: %" PRIu64,
             monitor->state == SERVING ? "draining" : "draining already",
             segment_gauge_sum(monitor->segment, SEGMENT_GAUGE_live));
    observer_links_finish(&monitor->observer_links, CHANNEL_DRAIN_ALL, 1, true,
                          text);
    if (monitor->state == SERVING)
        monitor_on_term(monitor);
}

/* Those of reload and upgrade, whose outcome is that of a run that begins
   later; a drain is done when it has begun. */
uint32_t
monitor_runs(const struct observer_links *links, enum channel_action action)
{
    const struct monitor *monitor =
        container_of(links, struct monitor, observer_links);
    if (action == CHANNEL_RELOAD)
        return monitor->reload.runs;
    return action == CHANNEL_UPGRADE ? monitor->upgrade.runs : 0;
}

void
monitor_on_operator(struct observer_links *links, enum channel_action action)
{
    struct monitor *monitor =
        container_of(links, struct monitor, observer_links);
    static const char why[] = "the gateway is about to end";
    if (action == CHANNEL_DRAIN_ALL)
        monitor_on_drain_request(monitor);
    else if (monitor->state != SERVING)
        observer_links_finish(links, action, UINT32_MAX, false, why);
    else if (action == CHANNEL_RELOAD)
        reload_request(&monitor->reload);
    else
        upgrade_request(&monitor->upgrade);
}

static void
monitor_on_signal(struct monitor *monitor, int signal)
{
    switch (signal) {
    case SIGCHLD:
        monitor_reap(monitor);
        break;
    case SIGTERM:
    case SIGINT:
        monitor_on_term(monitor);
        break;
    case SIGHUP:
        if (signals_terminal_is_gone())
            monitor_on_term(monitor);
        else
            reload_request(&monitor->reload);
        break;
    case SIGUSR1: /* logrotate's: the configuration is left alone */
        sink_reopen(&monitor->sink);
        status_report(&monitor->slots);
        break;
    case SIGUSR2:
        monitor_on_usr2(monitor);
        break;
    }
}

void
monitor_signal_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct monitor *monitor = container_of(watch, struct monitor, signal_watch);
    int signal;
    while ((signal = signals_next(watch->fd)) != 0)
        monitor_on_signal(monitor, signal);
}

static void
monitor_fini(struct monitor *monitor)
{
    pid_file_remove(&monitor->pid_file, &monitor->user);
    slots_fini(&monitor->slots);
    resolver_links_fini(&monitor->resolver_links);
    signer_links_fini(&monitor->signer_links);
    authenticator_links_fini(&monitor->authenticator_links);
    observer_links_fini(&monitor->observer_links);
    services_fini(&monitor->services);
    sink_close(&monitor->sink);
    listeners_close(&monitor->listeners);
    notify_close(&monitor->notify);
    own_addresses_close(&monitor->own_addresses);
    loop_fini(&monitor->loop);
    munmap(monitor->segment, sizeof(*monitor->segment));
    close(monitor->segment_fd);
    close(monitor->signal_fd);
    close(monitor->program);
    handover_free(monitor->handover);
    config_version_free(&monitor->config_version);
}

/* The last line is written; else the timeout stops the loop. */
static bool
monitor_is_over(const struct monitor *monitor)
{
    return monitor->state == FLUSHING && sink_ended(&monitor->sink);
}

bool
monitor_is_successor(void)
{
    return getenv(HANDOVER_VARIABLE) != NULL;
}

int
monitor_run(struct config *config, const struct config_source *source,
            const char *pid_file, char **argv)
{
    static struct monitor monitor;
    monitor = (struct monitor){.pid_file.path = pid_file};
    monitor_prepare(&monitor, source, argv);
    int error = config == NULL ? monitor_adopt(&monitor)
                               : monitor_begin(&monitor, config);
    if (error != 0)
        return 1;
    while (!monitor.loop.stopped && !monitor_is_over(&monitor))
        loop_turn(&monitor.loop, -1);
    monitor_fini(&monitor);
    return monitor.status;
}
