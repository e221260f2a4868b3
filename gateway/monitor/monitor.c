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
#include "gateway/monitor/signals.h"
#include "gateway/monitor/status.h"

/* After a second TERM, and for the last lines of the log. */
#define PATIENCE_MS 1000
/* A worker ends by itself at timeouts.drain; one that does not is hung. */
#define DRAIN_GRACE_MS 5000

static void
say(struct monitor *monitor, const char *event, enum log_level level,
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
           slots_count(&monitor->slots, SLOT_READY) > 0;
}

static void
tell_ready(struct monitor *monitor)
{
    char state[NOTIFY_STATE_MAX];
    snprintf(state, sizeof(state), "READY=1\nSTATUS=%u workers serve",
             monitor->slots.wanted);
    notify_tell(&monitor->notify, state);
}

/* A drain may last as long as it is configured to, whatever the unit says:
   `patience_ms', or 0 for as long as the unit lets it. */
static void
tell_stopping(struct monitor *monitor, const char *status, uint64_t patience_ms)
{
    char state[NOTIFY_STATE_MAX], more[64] = "";
    if (patience_ms != 0)
        snprintf(more, sizeof(more), "\nEXTEND_TIMEOUT_USEC=%" PRIu64,
                 patience_ms * 1000);
    snprintf(state, sizeof(state), "STOPPING=1\nSTATUS=%s%s", status, more);
    notify_tell(&monitor->notify, state);
}

/* --- the end ------------------------------------------------------------ */

static void
enter_flushing(struct monitor *monitor)
{
    monitor->state = FLUSHING;
    say(monitor, "ended", LOG_LEVEL_NOTICE, NULL);
    sink_finish(&monitor->sink);
    loop_start_timer(&monitor->loop, &monitor->patience, PATIENCE_MS);
}

/* When each state's time is over. */
void
monitor_patience_over(struct timer *timer)
{
    struct monitor *monitor = container_of(timer, struct monitor, patience);
    if (monitor->state == FLUSHING) {
        loop_stop(&monitor->loop);
        return;
    }
    say(monitor, "killing", LOG_LEVEL_ERROR,
        "processes that do not end are killed");
    slots_kill(&monitor->slots);
    oracle_kill(&monitor->oracle);
}

/* First the workers, then the resolver they may still ask, then the log. */
static void
go_on_ending(struct monitor *monitor)
{
    struct slots *slots = &monitor->slots;
    if ((monitor->state != DRAINING && monitor->state != STOPPING) ||
        slots_count(slots, SLOT_EMPTY) != slots->count)
        return;
    oracle_finish(&monitor->oracle);
    if (oracle_ended(&monitor->oracle))
        enter_flushing(monitor);
    else
        loop_start_timer(&monitor->loop, &monitor->patience, PATIENCE_MS);
}

/* Nothing new is begun any more. */
static void
end_changes(struct monitor *monitor)
{
    reload_cancel(&monitor->reload);
    upgrade_cancel(&monitor->upgrade);
    loop_cancel_timer(&monitor->loop, &monitor->overdue);
}

static void
start_drain(struct monitor *monitor)
{
    struct log_line line;
    end_changes(monitor);
    uint64_t drain_ms = monitor->config_version.config->timeouts.drain_ms;
    monitor->state = DRAINING;
    sink_begin(&monitor->sink, &line, "draining", LOG_LEVEL_NOTICE);
    log_number(&line, "live",
               segment_gauge_sum(monitor->segment, SEGMENT_GAUGE_live));
    sink_say(&monitor->sink, &line);
    slots_drain(&monitor->slots);
    listeners_close(&monitor->listeners);
    uint64_t patience_ms = drain_ms != 0 ? drain_ms + DRAIN_GRACE_MS : 0;
    tell_stopping(monitor, "draining", patience_ms);
    if (patience_ms != 0)
        loop_start_timer(&monitor->loop, &monitor->patience, patience_ms);
}

static void
stop(struct monitor *monitor)
{
    monitor->state = STOPPING;
    end_changes(monitor);
    say(monitor, "stopping", LOG_LEVEL_NOTICE, NULL);
    tell_stopping(monitor, "stopping", 0);
    slots_stop(&monitor->slots);
    loop_start_timer(&monitor->loop, &monitor->patience, PATIENCE_MS);
}

/* --- what happens ------------------------------------------------------- */

static void
report_ready(struct monitor *monitor)
{
    struct log_line line;
    sink_begin(&monitor->sink, &line, "ready", LOG_LEVEL_NOTICE);
    log_number(&line, "workers", monitor->slots.wanted);
    sink_say(&monitor->sink, &line);
}

/* From now on nobody comes to a worker of the binary before. */
static void
end_upgrade(struct monitor *monitor)
{
    struct log_line line;
    const struct handover *handover = monitor->handover;
    loop_cancel_timer(&monitor->loop, &monitor->overdue);
    sink_begin(&monitor->sink, &line, "upgraded", LOG_LEVEL_NOTICE);
    log_text(&line, "from", handover->from);
    log_text(&line, "to", PROJECT_VERSION);
    log_number(&line, "workers", monitor->slots.wanted);
    log_number(&line, "ms", (sys_now_us() - handover->since_us) / 1000);
    sink_say(&monitor->sink, &line);
    slots_dismiss_predecessor(&monitor->slots);
    handover_free(monitor->handover);
    monitor->handover = NULL;
}

/* Requests for another change have waited until now. */
static void
release_changes(struct monitor *monitor)
{
    reload_release(&monitor->reload);
    upgrade_release(&monitor->upgrade);
}

/* The old ones serve; another configuration, or binary, may be the remedy. */
void
monitor_overdue(struct timer *timer)
{
    struct monitor *monitor = container_of(timer, struct monitor, overdue);
    say(monitor, "upgrade_overdue", LOG_LEVEL_ERROR,
        "the new workers do not become ready; the old ones serve on");
    release_changes(monitor);
}

static void
announce(struct monitor *monitor)
{
    monitor->announced = true;
    if (monitor->handover != NULL)
        end_upgrade(monitor);
    else
        report_ready(monitor);
    confinement_report(&monitor->sink, monitor->slots.missing |
                                           monitor->sink.missing |
                                           monitor->oracle.missing);
    tell_ready(monitor);
    release_changes(monitor);
}

/* `sandbox: require', and it cannot be: better not to serve at all. */
static void
refuse(struct monitor *monitor, const struct channel_message *unconfined)
{
    confinement_refuse(unconfined);
    monitor->status = 1;
    stop(monitor);
}

/* The first that says so, or NULL. */
static const struct channel_message *
find_unconfined(const struct monitor *monitor)
{
    const struct channel_message *const all[] = {&monitor->slots.unconfined,
                                                 &monitor->sink.unconfined,
                                                 &monitor->oracle.unconfined};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i]->kind != 0)
            return all[i];
    return NULL;
}

/* The start is over when all serve, or when one says that it never will. */
static void
children_changed(struct monitor *monitor)
{
    const struct slots *slots = &monitor->slots;
    if (monitor->announced || monitor->state != SERVING)
        return;
    const struct channel_message *unconfined = find_unconfined(monitor);
    if (unconfined != NULL && monitor->handover == NULL)
        refuse(monitor, unconfined);
    else if (sink_ready(&monitor->sink) && oracle_ready(&monitor->oracle) &&
             slots_behind(slots) == 0)
        announce(monitor);
}

void
monitor_writer_changed(struct sink *sink)
{
    children_changed(container_of(sink, struct monitor, sink));
}

void
monitor_resolver_changed(struct oracle *oracle)
{
    children_changed(container_of(oracle, struct monitor, oracle));
}

void
monitor_workers_changed(struct slots *slots)
{
    struct monitor *monitor = container_of(slots, struct monitor, slots);
    children_changed(monitor);
    reload_look(&monitor->reload);
    go_on_ending(monitor);
}

void
monitor_reload_over(struct reload *reload)
{
    struct monitor *monitor = container_of(reload, struct monitor, reload);
    tell_ready(monitor);
    upgrade_look(&monitor->upgrade);
}

void
monitor_upgrade_failed(struct upgrade *upgrade)
{
    tell_ready(container_of(upgrade, struct monitor, upgrade));
}

void
monitor_worker_wants_line(struct slots *slots, unsigned number)
{
    oracle_connect(&container_of(slots, struct monitor, slots)->oracle, number);
}

int
monitor_pass_line(struct oracle *oracle, unsigned number, int fd)
{
    struct monitor *monitor = container_of(oracle, struct monitor, oracle);
    return slots_pass_line(&monitor->slots, number, fd);
}

void
monitor_reap(struct monitor *monitor)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (upgrade_reap(&monitor->upgrade, pid, status))
            continue;
        if (oracle_reap(&monitor->oracle, pid, status))
            go_on_ending(monitor);
        else if (!slots_reap(&monitor->slots, pid, status))
            sink_reap(&monitor->sink, pid, status);
    }
}

static void
end(struct monitor *monitor)
{
    if (monitor->state == SERVING)
        start_drain(monitor);
    else if (monitor->state == DRAINING)
        stop(monitor);
    monitor_workers_changed(&monitor->slots);
}

static void
obey(struct monitor *monitor, int signal)
{
    switch (signal) {
    case SIGCHLD:
        monitor_reap(monitor);
        break;
    case SIGTERM:
    case SIGINT:
        end(monitor);
        break;
    case SIGHUP:
        reload_ask(&monitor->reload);
        break;
    case SIGUSR1:
        status_report(&monitor->slots);
        break;
    case SIGUSR2:
        upgrade_ask(&monitor->upgrade);
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
        obey(monitor, signal);
}

static void
finish(struct monitor *monitor)
{
    slots_fini(&monitor->slots);
    oracle_fini(&monitor->oracle);
    sink_close(&monitor->sink);
    listeners_close(&monitor->listeners);
    notify_close(&monitor->notify);
    loop_fini(&monitor->loop);
    munmap(monitor->segment, sizeof(*monitor->segment));
    close(monitor->segment_fd);
    close(monitor->signal_fd);
    close(monitor->program);
    handover_free(monitor->handover);
    config_version_free(&monitor->config_version);
}

/* The last line is written; else patience stops the loop. */
static bool
is_over(const struct monitor *monitor)
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
            char **argv)
{
    static struct monitor monitor;
    monitor_prepare(&monitor, source, argv);
    int error = config == NULL ? monitor_adopt(&monitor)
                               : monitor_begin(&monitor, config);
    if (error != 0)
        return 1;
    while (!monitor.loop.stopped && !is_over(&monitor))
        loop_turn(&monitor.loop, -1);
    finish(&monitor);
    return monitor.status;
}
