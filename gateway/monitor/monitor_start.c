/* The monitor's beginning: from nothing, or from another binary. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "gateway/confine/confine.h"
#include "gateway/confine/privilege.h"
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
_Static_assert(CONFIG_CHILD_FDS >= CHANNEL_FD_CONTROL + 1 + CHILD_FDS_MAX,
               "the descriptors that are needed are reckoned from it");
_Static_assert((int)CONFIG_SANDBOX_TRY == CONFINE_TRY &&
                   (int)CONFIG_SANDBOX_REQUIRE == CONFINE_REQUIRE &&
                   (int)CONFIG_SANDBOX_OFF == CONFINE_OFF,
               "children are told how to confine themselves by number");

static int
monitor_fail(const char *what, int error)
{
    fprintf(stderr, "socks4d: %s: %s\n", what, strerror(-error));
    return -1;
}

/* --- what both need ------------------------------------------------------ */

/* Root without another user, or without a sandbox, keeps what it has. */
static int
monitor_drop_capabilities(const struct monitor *monitor)
{
    enum config_sandbox sandbox = monitor->config_version.config->sandbox;
    if (geteuid() != 0 || monitor->user.uid == 0 ||
        sandbox == CONFIG_SANDBOX_OFF)
        return 0;
    int error = privilege_keep_monitor();
    if (error >= 0)
        return 0;
    monitor_fail("cannot give up root's capabilities", error);
    return sandbox == CONFIG_SANDBOX_REQUIRE ? -1 : 0;
}

static int
monitor_open_program(struct monitor *monitor)
{
    monitor->program = program_open_running(monitor->path);
    if (monitor->program < 0)
        return monitor_fail("cannot open the program that runs, neither by "
                            "/proc/self/exe nor by its path",
                            monitor->program);
    return 0;
}

static int
monitor_open_signals(struct monitor *monitor)
{
    int error = loop_init(&monitor->loop);
    if (error != 0)
        return monitor_fail("cannot make the event loop", error);
    monitor->signal_fd = signals_open();
    if (monitor->signal_fd < 0)
        return monitor_fail("cannot listen to signals", monitor->signal_fd);
    error = loop_watch(&monitor->loop, &monitor->signal_watch,
                       monitor->signal_fd, EPOLLIN, monitor_signal_ready);
    if (error != 0)
        return monitor_fail("cannot listen to signals", error);
    timer_init(&monitor->timeout, monitor_on_timeout);
    timer_init(&monitor->overdue, monitor_on_overdue);
    timer_init(&monitor->old_timeout, monitor_on_old_timeout);
    timer_init(&monitor->check, monitor_check_listeners);
    timer_init(&monitor->day, monitor_on_day);
    loop_start_timer(&monitor->loop, &monitor->day, MONITOR_DAY_MS);
    loop_start_timer(&monitor->loop, &monitor->check, LISTENERS_CHECK_MS);
    return 0;
}

/* The log first: what the services say goes there. */
static int
monitor_start_log(struct monitor *monitor)
{
    struct services *services = &monitor->services;
    services->loop = &monitor->loop;
    services->sink = &monitor->sink;
    services->user = &monitor->user;
    services->program = monitor->program;
    services->path = monitor->path;
    services->sandbox = monitor->config_version.config->sandbox;
    services->changed = monitor_services_changed;
    services_init(services);
    upgrade_init(&monitor->upgrade);
    return sink_open(&monitor->sink, services, monitor->config_version.config,
                     monitor->segment, monitor->handover);
}

/* For `workers' slots. */
static void
monitor_start_resolver(struct monitor *monitor, unsigned workers)
{
    struct resolver_links *links = &monitor->resolver_links;
    links->config = monitor->config_version.config;
    links->links.workers = workers;
    links->links.pass = monitor_pass_link;
    resolver_links_start(links, &monitor->services, monitor->handover);
}

static void
monitor_start_signer(struct monitor *monitor, unsigned workers)
{
    struct signer_links *links = &monitor->signer_links;
    links->links.workers = workers;
    links->links.pass = monitor_pass_link;
    signer_links_start(links, &monitor->services, &monitor->config_version,
                       monitor->handover);
}

static void
monitor_start_authenticator(struct monitor *monitor, unsigned workers)
{
    struct authenticator_links *links = &monitor->authenticator_links;
    links->links.workers = workers;
    links->links.pass = monitor_pass_link;
    authenticator_links_start(links, &monitor->services,
                              &monitor->config_version, monitor->handover);
}

static int
monitor_start_observer(struct monitor *monitor, unsigned workers)
{
    struct observer_links *links = &monitor->observer_links;
    links->links.workers = workers;
    int error = observer_links_start(links, &monitor->services,
                                     &monitor->config_version,
                                     monitor->segment_fd, monitor->handover);
    return error == 0 ? 0 : monitor_fail("cannot start the observer", error);
}

static int
monitor_start_workers(struct monitor *monitor)
{
    struct slots *slots = &monitor->slots;
    int error = own_addresses_open(&monitor->own_addresses, &monitor->loop);
    if (error != 0)
        return monitor_fail("cannot tell workers the addresses", error);
    slots->addresses_fd = monitor->own_addresses.fd;
    slots->services = &monitor->services;
    slots->segment = monitor->segment;
    slots->listeners = &monitor->listeners;
    slots->segment_fd = monitor->segment_fd;
    slots->config_version = &monitor->config_version;
    slots->wants_link = monitor_worker_wants_link;
    error = monitor->handover != NULL ? slots_adopt(slots, monitor->handover)
                                      : slots_start(slots);
    if (error == 0) /* a role is a service if nothing else has made it one */
        error =
            services_start(&monitor->services, monitor->config_version.config,
                           monitor->handover);
    return error == 0 ? 0 : monitor_fail("cannot start the workers", error);
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
    reload->services = &monitor->services;
    reload->resolver_links = &monitor->resolver_links;
    reload->signer_links = &monitor->signer_links;
    reload->authenticator_links = &monitor->authenticator_links;
    reload->observer_links = &monitor->observer_links;
    reload->user = &monitor->user;
    reload->notify = &monitor->notify;
    reload->done = monitor_reload_over;
    reload_init(reload);
    struct observer_links *observer = &monitor->observer_links;
    observer->links.pass = monitor_pass_link;
    observer->sink = &monitor->sink;
    observer->user = &monitor->user;
    observer->act = monitor_on_operator;
    observer->runs = monitor_runs;
    struct upgrade *upgrade = &monitor->upgrade;
    upgrade->services = &monitor->services;
    upgrade->argv = argv;
    upgrade->program = monitor->path;
    upgrade->config_version = &monitor->config_version;
    upgrade->listeners = &monitor->listeners;
    upgrade->sink = &monitor->sink;
    upgrade->slots = &monitor->slots;
    upgrade->signer_links = &monitor->signer_links;
    upgrade->authenticator_links = &monitor->authenticator_links;
    upgrade->observer_links = &monitor->observer_links;
    upgrade->own_addresses = &monitor->own_addresses;
    upgrade->reload = reload;
    upgrade->notify = &monitor->notify;
    upgrade->failed = monitor_upgrade_failed;
}

/* --- from nothing -------------------------------------------------------- */

static int
monitor_open_shared(struct monitor *monitor)
{
    int error = program_find(monitor->path, sizeof(monitor->path));
    if (error != 0)
        return monitor_fail("cannot tell where this program is", error);
    monitor->segment_fd = segment_create(&monitor->segment);
    if (monitor->segment_fd < 0)
        return monitor_fail("cannot make the shared segment",
                            monitor->segment_fd);
    return monitor_open_program(monitor);
}

static void
monitor_warn_of_user(struct monitor *monitor)
{
    struct log_line line;
    sink_begin(&monitor->sink, &line, "user", LOG_LEVEL_WARNING);
    log_text(&line, "message", monitor->user.warning);
    sink_say(&monitor->sink, &line);
}

/* With less it would listen, take connections and serve none. */
static int
monitor_check_descriptors(const struct config *config)
{
    config_look(); /* the limit was raised since */
    uint64_t had = config_descriptors();
    uint64_t needed = config_descriptors_needed(config);
    if (had >= needed)
        return 0;
    fprintf(stderr,
            "socks4d: the limit of open files is %" PRIu64 ", and %" PRIu64
            " are needed at least with %" PRIu64
            " workers; raise it (ulimit -n, LimitNOFILE=)\n",
            had, needed, config_workers(config));
    return -1;
}

/* No limit of processes goes away by waiting, and without a log writer nobody
   would hear of it. */
static int
monitor_check_children(const struct monitor *monitor)
{
    const struct services *services = &monitor->services;
    if (services->not_started == NULL)
        return 0;
    fprintf(stderr, "socks4d: cannot start a process (%s): %s",
            services->not_started->word + 2, strerror(-services->error));
    if (services->error == -EAGAIN)
        fprintf(stderr,
                "; the gateway has %u processes: raise the limit (ulimit -u, "
                "LimitNPROC=, TasksMax=, the engine's --pids-limit)",
                1 + services_wanted(services));
    fputc('\n', stderr);
    return -1;
}

/* What is warned of goes to stderr, as what the parser warns of did. */
static int
monitor_read_files(struct monitor *monitor)
{
    struct config_version *version = &monitor->config_version;
    struct config_error error;
    monitor->reload.program = monitor->program;
    if (certificates_read(&version->certificates, version->config, NULL,
                          &error) == 0 &&
        certificates_check(&version->certificates, version->config,
                           monitor->program, &monitor->user,
                           CERTIFICATES_START_MS, &error, stderr) == 0 &&
        users_copy_read(&version->users, version->config, &error, stderr) == 0)
        return 0;
    fprintf(stderr, "%s\n", error.text);
    return -1;
}

/* In an order that leaves nothing behind where a step fails: the process
   ends, and no child has been started before the last thing that can. */
int
monitor_begin(struct monitor *monitor, struct config *config)
{
    int error = descriptors_prepare();
    if (error != 0)
        return monitor_fail("cannot prepare the descriptors, with /dev/null "
                            "where a standard one is closed",
                            error);
    if (monitor_check_descriptors(config) != 0)
        return -1;
    error =
        config_version_make(&monitor->config_version, config_ref(config), 0);
    if (error != 0)
        return monitor_fail("cannot keep the configuration", error);
    if (user_find(config->user, &monitor->user) != 0 ||
        monitor_drop_capabilities(monitor) != 0 ||
        monitor_open_shared(monitor) != 0 || monitor_read_files(monitor) != 0 ||
        monitor_open_signals(monitor) != 0 ||
        notify_open(&monitor->notify, &monitor->loop, monitor_is_alive) != 0 ||
        listeners_open(&monitor->listeners, config) != 0 ||
        observer_links_open(&monitor->observer_links, config) != 0 ||
        monitor_start_log(monitor) != 0)
        return -1;
    config_version_publish(&monitor->config_version, monitor->segment);
    if (monitor->user.warning != NULL)
        monitor_warn_of_user(monitor);
    listeners_report(&monitor->listeners, config, &monitor->sink);
    monitor_start_resolver(monitor, slots_needed(config));
    monitor_start_signer(monitor, slots_needed(config));
    monitor_start_authenticator(monitor, slots_needed(config));
    if (monitor_start_observer(monitor, slots_needed(config)) != 0)
        return -1;
    if (monitor_start_workers(monitor) != 0)
        return -1;
    return monitor_check_children(monitor);
}

/* --- from another binary ------------------------------------------------- */

/* The memory file that the environment names. */
static int
monitor_read_handover(struct monitor *monitor)
{
    int fd = atoi(getenv(HANDOVER_VARIABLE));
    unsetenv(HANDOVER_VARIABLE);
    monitor->handover = handover_new();
    if (monitor->handover == NULL)
        return monitor_fail("cannot take over", -ENOMEM);
    int error =
        fd > STDERR_FILENO ? handover_read(monitor->handover, fd) : -EBADMSG;
    if (error == 0) /* that they are there at all, too */
        error = handover_release(monitor->handover);
    if (error != 0 && monitor->handover->unfit[0] != '\0') {
        fprintf(stderr, "socks4d: cannot take over: %s\n",
                monitor->handover->unfit);
        return -1;
    }
    if (error != 0)
        return monitor_fail(HANDOVER_VARIABLE
                            " is for upgrades alone and names no "
                            "handover; unset it, and start again",
                            error);
    close(fd);
    return 0;
}

static int
monitor_take_shared(struct monitor *monitor)
{
    const struct handover *handover = monitor->handover;
    int error = config_version_take(&monitor->config_version, handover->config,
                                    (uint32_t)handover->config_version);
    if (error != 0)
        return monitor_fail("cannot take over the configuration", error);
    close(handover->config);
    struct certificates *certificates = &monitor->config_version.certificates;
    certificates->fd = handover->certificates;
    certificates->identity = handover->certificates_identity;
    memcpy(certificates->expires_s, handover->expires_s,
           sizeof(certificates->expires_s));
    monitor->config_version.users =
        (struct users_copy){.fd = handover->users,
                            .len = handover->users_len,
                            .identity = handover->users_identity};
    monitor->segment_fd = handover->segment;
    error = segment_map(handover->segment, &monitor->segment);
    if (error != 0)
        return monitor_fail("cannot take over the shared segment", error);
    snprintf(monitor->path, sizeof(monitor->path), "%s", handover->program);
    monitor->user =
        (struct user){.uid = (uid_t)handover->uid, .gid = (gid_t)handover->gid};
    return monitor_open_program(monitor);
}

/* As many as the text in force names, in that order. */
static int
monitor_take_listeners(struct monitor *monitor)
{
    const struct handover *handover = monitor->handover;
    struct listeners *listeners = &monitor->listeners;
    if (handover->listener_count !=
        monitor->config_version.config->listener_count)
        return monitor_fail("cannot take over the listeners", -EBADMSG);
    listeners->count = handover->listener_count;
    for (size_t i = 0; i < listeners->count; i++) {
        listeners->fds[i] = handover->listeners[i];
        listeners->wanted[i].backlog = (uint32_t)handover->backlogs[i];
        listeners->wanted[i].inherited = handover->inherited[i];
    }
    listeners_set_keepalive(listeners, monitor->config_version.config, true);
    return 0;
}

/* More slots than they were told of may be in use by now. */
static int
monitor_take_linked(struct monitor *monitor)
{
    unsigned needed = slots_needed(monitor->config_version.config);
    unsigned used = (unsigned)monitor->handover->slot_count + needed;
    unsigned workers = used < SEGMENT_SLOTS ? used : SEGMENT_SLOTS;
    monitor_start_resolver(monitor, workers);
    monitor_start_signer(monitor, workers);
    monitor_start_authenticator(monitor, workers);
    observer_links_take(&monitor->observer_links, monitor->handover);
    return monitor_start_observer(monitor, workers);
}

/* Workers that go on keep their links to a predecessor; else they want one to
   the process that has just started. */
static void
monitor_take_links(struct monitor *monitor, struct links *links, bool linked)
{
    for (unsigned i = 0; i < monitor->slots.count && !linked; i++)
        links_connect(links, i);
}

static int
monitor_take_workers(struct monitor *monitor)
{
    struct links *resolver = &monitor->resolver_links.links;
    struct links *signer = &monitor->signer_links.links;
    struct links *authenticator = &monitor->authenticator_links.links;
    struct links *observer = &monitor->observer_links.links;
    bool resolver_linked = service_has_predecessor(resolver->service);
    bool signer_linked = service_has_predecessor(signer->service);
    bool authenticator_linked = service_has_predecessor(authenticator->service);
    bool observer_linked = service_has_predecessor(observer->service);
    if (monitor_start_workers(monitor) != 0)
        return -1;
    monitor_take_links(monitor, observer, observer_linked);
    monitor_take_links(monitor, resolver, resolver_linked);
    monitor_take_links(monitor, signer, signer_linked);
    monitor_take_links(monitor, authenticator, authenticator_linked);
    handover_close_rest(monitor->handover);
    return 0;
}

/* SIGCHLDs from before are gone, since setting its action discards them: who
   has died is looked for at once. */
int
monitor_adopt(struct monitor *monitor)
{
    int error = descriptors_prepare();
    if (error != 0)
        return monitor_fail("cannot prepare the descriptors", error);
    prctl(PR_SET_NAME, "socks4d");
    if (monitor_read_handover(monitor) != 0 ||
        monitor_take_shared(monitor) != 0 ||
        monitor_drop_capabilities(monitor) != 0 ||
        monitor_open_signals(monitor) != 0 ||
        notify_open(&monitor->notify, &monitor->loop, monitor_is_alive) != 0 ||
        monitor_take_listeners(monitor) != 0 || monitor_start_log(monitor) != 0)
        return -1;
    monitor->reload.program = monitor->program;
    if (monitor_take_linked(monitor) != 0 || monitor_take_workers(monitor) != 0)
        return -1;
    monitor->reload.again = true; /* the file is read once all are ready */
    monitor->upgrade.again = monitor->handover->again;
    notify_watch(&monitor->notify);
    loop_start_timer(&monitor->loop, &monitor->overdue, OVERDUE_MS);
    monitor_reap(monitor);
    return 0;
}
