#include "gateway/monitor/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/monitor/confinement.h"
#include "gateway/monitor/descriptors.h"
#include "gateway/monitor/listeners.h"
#include "gateway/monitor/notify.h"
#include "gateway/monitor/oracle.h"
#include "gateway/monitor/reload.h"
#include "gateway/monitor/signals.h"
#include "gateway/monitor/sink.h"
#include "gateway/monitor/slots.h"
#include "gateway/monitor/status.h"
#include "gateway/monitor/user.h"

/* After a second TERM, and for the last lines of the log. */
#define PATIENCE_MS 1000
/* A worker ends by itself at timeouts.drain; one that does not is hung. */
#define DRAIN_GRACE_MS 5000

/*
 *   SERVING ──TERM──► DRAINING ──TERM──► STOPPING
 *                         └──── no child ─────┴──► FLUSHING ──► the end
 */
enum monitor_state { SERVING, DRAINING, STOPPING, FLUSHING };

struct monitor {
    struct loop loop;
    struct edition edition; /* the configuration in force */
    enum monitor_state state;
    bool announced; /* `ready' was said */
    int status;     /* to exit with */
    struct user user;
    int program;               /* this binary, as it was at the start; owned */
    int segment_fd, signal_fd; /* owned */
    struct segment *segment;
    struct watch signal_watch;
    struct timer patience;
    struct notify notify;
    struct listeners listeners;
    struct sink sink;
    struct slots slots;
    struct oracle oracle;
    struct reload reload;
};

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

static int
fail(const char *what, int error)
{
    fprintf(stderr, "socks4d: %s: %s\n", what, strerror(-error));
    return -1;
}

/* --- the service manager ------------------------------------------------ */

/* Of the workers one at least: another's share is served by the rest. */
static bool
is_alive(const struct notify *notify)
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
static void
patience_over(struct timer *timer)
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

static void
start_drain(struct monitor *monitor)
{
    struct log_line line;
    reload_cancel(&monitor->reload);
    uint64_t drain_ms = monitor->edition.config->timeouts.drain_ms;
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
    reload_cancel(&monitor->reload);
    say(monitor, "stopping", LOG_LEVEL_NOTICE, NULL);
    tell_stopping(monitor, "stopping", 0);
    slots_stop(&monitor->slots);
    loop_start_timer(&monitor->loop, &monitor->patience, PATIENCE_MS);
}

/* --- what happens ------------------------------------------------------- */

static void
announce(struct monitor *monitor)
{
    struct log_line line;
    monitor->announced = true;
    sink_begin(&monitor->sink, &line, "ready", LOG_LEVEL_NOTICE);
    log_number(&line, "workers", monitor->slots.wanted);
    sink_say(&monitor->sink, &line);
    confinement_report(&monitor->sink, monitor->slots.missing |
                                           monitor->sink.missing |
                                           monitor->oracle.missing);
    tell_ready(monitor);
    reload_release(&monitor->reload);
}

/* `sandbox: require', and it cannot be: better not to serve at all. */
static void
refuse(struct monitor *monitor, const struct channel_message *unconfined)
{
    confinement_refuse(unconfined);
    monitor->status = 1;
    stop(monitor);
}

/* The start is over when all serve, or when one says that it never will. */
static void
children_changed(struct monitor *monitor)
{
    const struct slots *slots = &monitor->slots;
    if (monitor->announced || monitor->state != SERVING)
        return;
    if (slots->unconfined.kind != 0)
        refuse(monitor, &slots->unconfined);
    else if (monitor->sink.unconfined.kind != 0)
        refuse(monitor, &monitor->sink.unconfined);
    else if (monitor->oracle.unconfined.kind != 0)
        refuse(monitor, &monitor->oracle.unconfined);
    else if (sink_ready(&monitor->sink) && oracle_ready(&monitor->oracle) &&
             slots_behind(slots) == 0)
        announce(monitor);
}

static void
writer_changed(struct sink *sink)
{
    children_changed(container_of(sink, struct monitor, sink));
}

static void
resolver_changed(struct oracle *oracle)
{
    children_changed(container_of(oracle, struct monitor, oracle));
}

static void
workers_changed(struct slots *slots)
{
    struct monitor *monitor = container_of(slots, struct monitor, slots);
    children_changed(monitor);
    reload_look(&monitor->reload);
    go_on_ending(monitor);
}

static void
reload_over(struct reload *reload)
{
    tell_ready(container_of(reload, struct monitor, reload));
}

static void
worker_wants_line(struct slots *slots, unsigned number)
{
    oracle_connect(&container_of(slots, struct monitor, slots)->oracle, number);
}

static int
pass_line(struct oracle *oracle, unsigned number, int fd)
{
    struct monitor *monitor = container_of(oracle, struct monitor, oracle);
    return slots_pass_line(&monitor->slots, number, fd);
}

static void
reap(struct monitor *monitor)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
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
    workers_changed(&monitor->slots);
}

static void
obey(struct monitor *monitor, int signal)
{
    switch (signal) {
    case SIGCHLD:
        reap(monitor);
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
        say(monitor, "upgrade", LOG_LEVEL_ERROR,
            "upgrading in place is not built yet");
        break;
    }
}

static void
signal_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct monitor *monitor = container_of(watch, struct monitor, signal_watch);
    int signal;
    while ((signal = signals_next(watch->fd)) != 0)
        obey(monitor, signal);
}

/* --- the beginning ------------------------------------------------------ */

static int
open_shared(struct monitor *monitor)
{
    monitor->program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (monitor->program < 0)
        return fail("cannot open /proc/self/exe (is /proc mounted?)", -errno);
    monitor->segment_fd = segment_create(&monitor->segment);
    if (monitor->segment_fd < 0)
        return fail("cannot make the shared segment", monitor->segment_fd);
    return 0;
}

static int
open_signals(struct monitor *monitor)
{
    int error = loop_init(&monitor->loop);
    if (error != 0)
        return fail("cannot make the event loop", error);
    monitor->signal_fd = signals_open();
    if (monitor->signal_fd < 0)
        return fail("cannot listen to signals", monitor->signal_fd);
    loop_watch(&monitor->loop, &monitor->signal_watch, monitor->signal_fd,
               EPOLLIN, signal_ready);
    timer_init(&monitor->patience, patience_over);
    return 0;
}

static int
start_workers(struct monitor *monitor)
{
    struct slots *slots = &monitor->slots;
    slots->loop = &monitor->loop;
    slots->sink = &monitor->sink;
    slots->segment = monitor->segment;
    slots->listeners = &monitor->listeners;
    slots->user = &monitor->user;
    slots->program = monitor->program;
    slots->segment_fd = monitor->segment_fd;
    slots->edition = &monitor->edition;
    slots->changed = workers_changed;
    slots->wants_line = worker_wants_line;
    int error = slots_start(slots);
    return error == 0 ? 0 : fail("cannot start the workers", error);
}

static void
start_resolver(struct monitor *monitor)
{
    struct oracle *oracle = &monitor->oracle;
    oracle->loop = &monitor->loop;
    oracle->sink = &monitor->sink;
    oracle->config = monitor->edition.config;
    oracle->user = &monitor->user;
    oracle->program = monitor->program;
    oracle->workers = slots_needed(oracle->config);
    oracle->pass = pass_line;
    oracle->changed = resolver_changed;
    oracle_start(oracle);
}

static void
prepare_reload(struct monitor *monitor, const struct config_source *source)
{
    struct reload *reload = &monitor->reload;
    reload->loop = &monitor->loop;
    reload->source = source;
    reload->edition = &monitor->edition;
    reload->listeners = &monitor->listeners;
    reload->sink = &monitor->sink;
    reload->slots = &monitor->slots;
    reload->oracle = &monitor->oracle;
    reload->notify = &monitor->notify;
    reload->done = reload_over;
    reload_init(reload);
}

/* In an order that leaves nothing behind where a step fails: the process
   ends, and no child has been started before the last thing that can. */
static int
begin(struct monitor *monitor, struct config *config)
{
    int error = descriptors_prepare();
    if (error != 0)
        return fail("cannot prepare the descriptors", error);
    error = edition_make(&monitor->edition, config_ref(config), 0);
    if (error != 0)
        return fail("cannot keep the configuration", error);
    if (user_find(config->user, &monitor->user) != 0 ||
        open_shared(monitor) != 0 || open_signals(monitor) != 0 ||
        notify_open(&monitor->notify, &monitor->loop, is_alive) != 0 ||
        listeners_open(&monitor->listeners, config) != 0)
        return -1;
    if (sink_open(&monitor->sink, &monitor->loop, config, monitor->segment,
                  monitor->program, &monitor->user, writer_changed) != 0)
        return -1;
    if (monitor->user.warning != NULL)
        say(monitor, "user", LOG_LEVEL_WARNING, monitor->user.warning);
    listeners_report(&monitor->listeners, config, &monitor->sink);
    start_resolver(monitor);
    return start_workers(monitor);
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
    edition_free(&monitor->edition);
}

/* The last line is written; else patience stops the loop. */
static bool
is_over(const struct monitor *monitor)
{
    return monitor->state == FLUSHING && sink_ended(&monitor->sink);
}

int
monitor_run(struct config *config, const struct config_source *source)
{
    static struct monitor monitor;
    prepare_reload(&monitor, source);
    if (begin(&monitor, config) != 0)
        return 1;
    while (!monitor.loop.stopped && !is_over(&monitor))
        loop_turn(&monitor.loop, -1);
    finish(&monitor);
    return monitor.status;
}
