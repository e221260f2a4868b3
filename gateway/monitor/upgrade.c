#include "gateway/monitor/upgrade.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "gateway/monitor/program.h"

/* --- what the log and the service manager hear --------------------------- */

static void
report_start(const struct upgrade *upgrade)
{
    struct log_line line;
    sink_begin(upgrade->sink, &line, "upgrading", LOG_LEVEL_NOTICE);
    log_text(&line, "program", upgrade->program);
    log_number(&line, "pid", (uint64_t)upgrade->probe.child.pid);
    sink_say(upgrade->sink, &line);
}

static void
report_failure(const struct upgrade *upgrade, const char *why)
{
    struct log_line line;
    sink_begin(upgrade->sink, &line, "upgrade_failed", LOG_LEVEL_ERROR);
    log_text(&line, "version", PROJECT_VERSION);
    log_text(&line, "program", upgrade->program);
    log_text(&line, "message", why);
    log_number(&line, "ms", (sys_now_us() - upgrade->since_us) / 1000);
    sink_say(upgrade->sink, &line);
}

static void
tell_upgrading(const struct upgrade *upgrade)
{
    char state[NOTIFY_STATE_MAX];
    snprintf(state, sizeof(state),
             "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=upgrading",
             upgrade->since_us);
    notify_tell(upgrade->notify, state);
}

/* --- what is handed over ------------------------------------------------- */

static void
fill(const struct upgrade *upgrade, struct handover *handover)
{
    const struct listeners *listeners = upgrade->listeners;
    snprintf(handover->from, sizeof(handover->from), "%s", PROJECT_VERSION);
    snprintf(handover->program, sizeof(handover->program), "%s",
             upgrade->program);
    handover->since_us = upgrade->since_us;
    handover->again = upgrade->again;
    handover->uid = upgrade->user->uid;
    handover->gid = upgrade->user->gid;
    handover->segment = upgrade->slots->segment_fd;
    handover->config = upgrade->config_version->fd;
    handover->config_version = upgrade->config_version->number;
    handover->listener_count = listeners->count;
    memcpy(handover->listeners, listeners->fds,
           listeners->count * sizeof(listeners->fds[0]));
    oracle_hand_over(upgrade->oracle, &handover->resolver);
}

/* NULL: no memory. */
static struct handover *
gather(const struct upgrade *upgrade)
{
    struct handover *handover = handover_new();
    if (handover == NULL)
        return NULL;
    fill(upgrade, handover);
    if (sink_hand_over(upgrade->sink, &handover->log) == 0 &&
        slots_hand_over(upgrade->slots, handover) == 0)
        return handover;
    handover_free(handover);
    return NULL;
}

/* --- the probe ----------------------------------------------------------- */

/* "socks4d: upgrade check" "--upgrade-check", and as we were called. */
static int
start_probe(struct upgrade *upgrade, int memory)
{
    size_t count = 0;
    while (upgrade->argv[count] != NULL)
        count++;
    char **argv = calloc(count + 2, sizeof(*argv));
    if (argv == NULL)
        return -ENOMEM;
    argv[0] = "socks4d: upgrade check";
    argv[1] = "--upgrade-check";
    if (count > 1)
        memcpy(argv + 2, upgrade->argv + 1, (count - 1) * sizeof(*argv));
    int fds[] = {memory, upgrade->slots->segment_fd,
                 upgrade->config_version->fd};
    struct child_plan plan = {upgrade->binary, argv, fds, 3};
    int error = upgrade_probe_start(&upgrade->probe, &plan);
    free(argv);
    return error;
}

/* It is shown what it would be handed over, were it now. */
static int
try(struct upgrade *upgrade)
{
    struct handover *handover = gather(upgrade);
    if (handover == NULL)
        return -ENOMEM;
    int memory = handover_write(handover);
    handover_free(handover);
    if (memory < 0)
        return memory;
    int error = start_probe(upgrade, memory);
    close(memory);
    return error;
}

/* Workers of both must find room beside each other. */
static bool
has_room(const struct upgrade *upgrade, char why[PROGRAM_WHY_MAX])
{
    unsigned needed = slots_needed(upgrade->config_version->config);
    unsigned unused = slots_free(upgrade->slots);
    if (unused >= needed)
        return true;
    snprintf(why, PROGRAM_WHY_MAX,
             "%u workers are to come, and there is room for %u beside those "
             "that serve or drain; try later, or restart instead",
             needed, unused);
    return false;
}

static void
give_up(struct upgrade *upgrade, const char *why)
{
    if (upgrade->binary >= 0)
        close(upgrade->binary);
    upgrade->binary = -1;
    report_failure(upgrade, why);
    upgrade->failed(upgrade);
    reload_release(upgrade->reload);
    upgrade_look(upgrade);
}

static void
start(struct upgrade *upgrade)
{
    char why[PROGRAM_WHY_MAX];
    upgrade->again = false;
    upgrade->since_us = sys_now_us();
    tell_upgrading(upgrade);
    reload_hold(upgrade->reload);
    if (!has_room(upgrade, why) ||
        (upgrade->binary = program_open(upgrade->program, why)) < 0) {
        give_up(upgrade, why);
        return;
    }
    int error = try(upgrade);
    if (error != 0)
        give_up(upgrade, strerror(-error));
    else
        report_start(upgrade);
}

/* --- the exec ------------------------------------------------------------ */

static void
restore(struct handover *handover, int memory)
{
    unsetenv(HANDOVER_VARIABLE);
    notify_withdraw();
    handover_release(handover);
    close(memory);
}

/* Returns only where it fails: a negative errno, and all is as before. */
static int
execute(struct upgrade *upgrade, struct handover *handover, int memory)
{
    char number[16];
    int inherited = dup(memory); /* without close-on-exec */
    if (inherited < 0)
        return -errno;
    snprintf(number, sizeof(number), "%d", inherited);
    int error = handover_keep(handover);
    notify_return(upgrade->notify);
    if (error == 0 && setenv(HANDOVER_VARIABLE, number, 1) == 0) {
        fexecve(upgrade->binary, upgrade->argv, environ);
        error = -errno;
    }
    restore(handover, inherited);
    return error != 0 ? error : -ENOMEM;
}

static int
replace(struct upgrade *upgrade)
{
    struct handover *handover = gather(upgrade);
    if (handover == NULL)
        return -ENOMEM;
    int memory = handover_write(handover);
    int error = memory;
    if (memory >= 0) {
        error = execute(upgrade, handover, memory);
        close(memory);
    }
    handover_free(handover);
    return error;
}

static void
upgrade_probed(struct upgrade_probe *probe, const char *why)
{
    struct upgrade *upgrade = container_of(probe, struct upgrade, probe);
    char text[PROGRAM_WHY_MAX];
    if (why == NULL) {
        snprintf(text, sizeof(text), "it would do, but cannot be executed: %s",
                 strerror(-replace(upgrade)));
        why = text;
    }
    give_up(upgrade, why);
}

/* --- its life ------------------------------------------------------------ */

void
upgrade_init(struct upgrade *upgrade)
{
    upgrade->held = true;
    upgrade->again = false;
    upgrade->binary = -1;
    upgrade_probe_init(&upgrade->probe, upgrade->loop, upgrade_probed);
}

void
upgrade_look(struct upgrade *upgrade)
{
    if (upgrade->again && !upgrade->held && !upgrade->reload->running &&
        !upgrade_probe_is_running(&upgrade->probe))
        start(upgrade);
}

void
upgrade_release(struct upgrade *upgrade)
{
    upgrade->held = false;
    upgrade_look(upgrade);
}

void
upgrade_ask(struct upgrade *upgrade)
{
    upgrade->again = true;
    upgrade_look(upgrade);
}

bool
upgrade_reap(struct upgrade *upgrade, pid_t pid, int status)
{
    return upgrade_probe_reap(&upgrade->probe, pid, status);
}

void
upgrade_cancel(struct upgrade *upgrade)
{
    upgrade->held = true;
    upgrade->again = false;
    upgrade_probe_cancel(&upgrade->probe);
    if (upgrade->binary >= 0)
        close(upgrade->binary);
    upgrade->binary = -1;
}
