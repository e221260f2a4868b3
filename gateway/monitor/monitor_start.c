/* The monitor's beginning: from nothing, or from another binary. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "gateway/confine/confine.h"
#include "gateway/monitor/descriptors.h"
#include "gateway/monitor/monitor.h"
#include "gateway/monitor/monitor_parts.h"
#include "gateway/monitor/program.h"
#include "gateway/monitor/signals.h"

/* How long new workers may take before a line says that they do not come. */
#define OVERDUE_MS 5000

/* Constants of parts that do not know each other. */
_Static_assert(SEGMENT_SLOTS >= 2 * CONFIG_WORKERS_MAX,
               "an upgrade has two sets of workers");
_Static_assert(LOOKUP_LINKS_MAX == SEGMENT_SLOTS, "a link for each worker");
_Static_assert(LOOKUP_SERVERS_MAX >= CONFIG_SERVERS_MAX,
               "the resolver takes every server of a configuration");
_Static_assert((int)CONFIG_SANDBOX_TRY == CONFINE_TRY &&
                   (int)CONFIG_SANDBOX_REQUIRE == CONFINE_REQUIRE &&
                   (int)CONFIG_SANDBOX_OFF == CONFINE_OFF,
               "children are told how to confine themselves by number");

static int
fail(const char *what, int error)
{
    fprintf(stderr, "socks4d: %s: %s\n", what, strerror(-error));
    return -1;
}

/* --- what both need ------------------------------------------------------ */

static int
open_program(struct monitor *monitor)
{
    monitor->program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (monitor->program < 0)
        return fail("cannot open /proc/self/exe (is /proc mounted?)", -errno);
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
    error = loop_watch(&monitor->loop, &monitor->signal_watch,
                       monitor->signal_fd, EPOLLIN, monitor_signal_ready);
    if (error != 0)
        return fail("cannot listen to signals", error);
    timer_init(&monitor->patience, monitor_patience_over);
    timer_init(&monitor->overdue, monitor_overdue);
    return 0;
}

static void
prepare_workers(struct monitor *monitor)
{
    struct slots *slots = &monitor->slots;
    slots->loop = &monitor->loop;
    slots->sink = &monitor->sink;
    slots->segment = monitor->segment;
    slots->listeners = &monitor->listeners;
    slots->user = &monitor->user;
    slots->program = monitor->program;
    slots->segment_fd = monitor->segment_fd;
    slots->config_version = &monitor->config_version;
    slots->changed = monitor_workers_changed;
    slots->wants_line = monitor_worker_wants_line;
}

static void
start_resolver(struct monitor *monitor, unsigned workers,
               const struct handed_child *handed)
{
    struct oracle *oracle = &monitor->oracle;
    oracle->loop = &monitor->loop;
    oracle->sink = &monitor->sink;
    oracle->config = monitor->config_version.config;
    oracle->user = &monitor->user;
    oracle->program = monitor->program;
    oracle->workers = workers;
    oracle->pass = monitor_pass_line;
    oracle->changed = monitor_resolver_changed;
    oracle_start(oracle, handed);
}

static int
open_sink(struct monitor *monitor, const struct handed_log *handed)
{
    return sink_open(&monitor->sink, &monitor->loop,
                     monitor->config_version.config, monitor->segment,
                     monitor->program, &monitor->user, monitor_writer_changed,
                     handed);
}

void
monitor_prepare(struct monitor *monitor, const struct config_source *source,
                char **argv)
{
    struct reload *reload = &monitor->reload;
    reload->loop = &monitor->loop;
    reload->source = source;
    reload->config_version = &monitor->config_version;
    reload->listeners = &monitor->listeners;
    reload->sink = &monitor->sink;
    reload->slots = &monitor->slots;
    reload->oracle = &monitor->oracle;
    reload->notify = &monitor->notify;
    reload->done = monitor_reload_over;
    reload_init(reload);
    struct upgrade *upgrade = &monitor->upgrade;
    upgrade->loop = &monitor->loop;
    upgrade->argv = argv;
    upgrade->program = monitor->path;
    upgrade->user = &monitor->user;
    upgrade->config_version = &monitor->config_version;
    upgrade->listeners = &monitor->listeners;
    upgrade->sink = &monitor->sink;
    upgrade->slots = &monitor->slots;
    upgrade->oracle = &monitor->oracle;
    upgrade->reload = reload;
    upgrade->notify = &monitor->notify;
    upgrade->failed = monitor_upgrade_failed;
    upgrade_init(upgrade);
}

/* --- from nothing -------------------------------------------------------- */

static int
open_shared(struct monitor *monitor)
{
    int error = program_find(monitor->path, sizeof(monitor->path));
    if (error != 0)
        return fail("cannot tell where this program is", error);
    monitor->segment_fd = segment_create(&monitor->segment);
    if (monitor->segment_fd < 0)
        return fail("cannot make the shared segment", monitor->segment_fd);
    return open_program(monitor);
}

static int
start_workers(struct monitor *monitor)
{
    prepare_workers(monitor);
    int error = slots_start(&monitor->slots);
    return error == 0 ? 0 : fail("cannot start the workers", error);
}

static void
warn_of_user(struct monitor *monitor)
{
    struct log_line line;
    sink_begin(&monitor->sink, &line, "user", LOG_LEVEL_WARNING);
    log_text(&line, "message", monitor->user.warning);
    sink_say(&monitor->sink, &line);
}

/* In an order that leaves nothing behind where a step fails: the process
   ends, and no child has been started before the last thing that can. */
int
monitor_begin(struct monitor *monitor, struct config *config)
{
    int error = descriptors_prepare();
    if (error != 0)
        return fail("cannot prepare the descriptors", error);
    error =
        config_version_make(&monitor->config_version, config_ref(config), 0);
    if (error != 0)
        return fail("cannot keep the configuration", error);
    if (user_find(config->user, &monitor->user) != 0 ||
        open_shared(monitor) != 0 || open_signals(monitor) != 0 ||
        notify_open(&monitor->notify, &monitor->loop, monitor_is_alive) != 0 ||
        listeners_open(&monitor->listeners, config) != 0 ||
        open_sink(monitor, NULL) != 0)
        return -1;
    if (monitor->user.warning != NULL)
        warn_of_user(monitor);
    listeners_report(&monitor->listeners, config, &monitor->sink);
    start_resolver(monitor, slots_needed(config), NULL);
    return start_workers(monitor);
}

/* --- from another binary ------------------------------------------------- */

/* The memory file that the environment names. */
static int
read_handover(struct monitor *monitor)
{
    int fd = atoi(getenv(HANDOVER_VARIABLE));
    unsetenv(HANDOVER_VARIABLE);
    monitor->handover = handover_new();
    if (monitor->handover == NULL)
        return fail("cannot take over", -ENOMEM);
    int error =
        fd > STDERR_FILENO ? handover_read(monitor->handover, fd) : -EBADMSG;
    if (error == 0) /* that they are there at all, too */
        error = handover_release(monitor->handover);
    if (error != 0)
        return fail(HANDOVER_VARIABLE " is for upgrades alone and names no "
                                      "handover; unset it, and start again",
                    error);
    close(fd);
    return 0;
}

static int
take_shared(struct monitor *monitor)
{
    const struct handover *handover = monitor->handover;
    int error = config_version_take(&monitor->config_version, handover->config,
                                    (uint32_t)handover->config_version);
    if (error != 0)
        return fail("cannot take over the configuration", error);
    close(handover->config);
    monitor->segment_fd = handover->segment;
    error = segment_map(handover->segment, &monitor->segment);
    if (error != 0)
        return fail("cannot take over the shared segment", error);
    snprintf(monitor->path, sizeof(monitor->path), "%s", handover->program);
    monitor->user =
        (struct user){.uid = (uid_t)handover->uid, .gid = (gid_t)handover->gid};
    return open_program(monitor);
}

/* As many as the text in force names, in that order. */
static int
take_listeners(struct monitor *monitor)
{
    const struct handover *handover = monitor->handover;
    struct listeners *listeners = &monitor->listeners;
    if (handover->listener_count !=
        monitor->config_version.config->listener_count)
        return fail("cannot take over the listeners", -EBADMSG);
    listeners->count = handover->listener_count;
    memcpy(listeners->fds, handover->listeners,
           listeners->count * sizeof(listeners->fds[0]));
    return 0;
}

static int
take_workers(struct monitor *monitor)
{
    prepare_workers(monitor);
    int error = slots_adopt(&monitor->slots, monitor->handover);
    if (error != 0)
        return fail("cannot take over the workers", error);
    if (monitor->handover->resolver.pid == 0) /* none has a line */
        for (unsigned i = 0; i < monitor->slots.count; i++)
            oracle_connect(&monitor->oracle, i);
    return 0;
}

/* More slots than the resolver was told of may be in use by now. */
static void
take_resolver(struct monitor *monitor)
{
    unsigned needed = slots_needed(monitor->config_version.config);
    unsigned used = (unsigned)monitor->handover->slot_count + needed;
    start_resolver(monitor, used < SEGMENT_SLOTS ? used : SEGMENT_SLOTS,
                   &monitor->handover->resolver);
}

/* SIGCHLDs from before are gone, since setting its action discards them: who
   has died is looked for at once. */
int
monitor_adopt(struct monitor *monitor)
{
    int error = descriptors_prepare();
    if (error != 0)
        return fail("cannot prepare the descriptors", error);
    prctl(PR_SET_NAME, "socks4d");
    if (read_handover(monitor) != 0 || take_shared(monitor) != 0 ||
        open_signals(monitor) != 0 ||
        notify_open(&monitor->notify, &monitor->loop, monitor_is_alive) != 0 ||
        take_listeners(monitor) != 0 ||
        open_sink(monitor, &monitor->handover->log) != 0)
        return -1;
    take_resolver(monitor);
    if (take_workers(monitor) != 0)
        return -1;
    monitor->reload.again = true; /* the file is read once all are ready */
    monitor->upgrade.again = monitor->handover->again;
    notify_watch(&monitor->notify);
    loop_start_timer(&monitor->loop, &monitor->overdue, OVERDUE_MS);
    monitor_reap(monitor);
    return 0;
}
