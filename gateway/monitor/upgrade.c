#include "gateway/monitor/upgrade.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "gateway/monitor/program.h"

/* --- the log, the service manager ---------------------------------------- */

static void
upgrade_report_start(const struct upgrade *upgrade)
{
    struct log_line line;
    sink_begin(upgrade->sink, &line, "upgrading", LOG_LEVEL_NOTICE);
    log_text(&line, "program", upgrade->program);
    log_number(&line, "pid",
               (uint64_t)upgrade->probe.service.current.child.pid);
    sink_say(upgrade->sink, &line);
}

static void
upgrade_report_failure(const struct upgrade *upgrade, const char *why)
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
upgrade_notify(const struct upgrade *upgrade)
{
    char state[NOTIFY_STATE_MAX];
    snprintf(state, sizeof(state),
             "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=upgrading",
             upgrade->since_us);
    notify_send(upgrade->notify, state);
}

/* --- what is handed over ------------------------------------------------- */

static void
upgrade_fill_handover(const struct upgrade *upgrade, struct handover *handover)
{
    const struct listeners *listeners = upgrade->listeners;
    snprintf(handover->from, sizeof(handover->from), "%s", PROJECT_VERSION);
    snprintf(handover->program, sizeof(handover->program), "%s",
             upgrade->program);
    handover->since_us = upgrade->since_us;
    handover->again = upgrade->again;
    handover->uid = upgrade->services->user->uid;
    handover->gid = upgrade->services->user->gid;
    handover->segment = upgrade->slots->segment_fd;
    handover->config = upgrade->config_version->fd;
    handover->config_version = upgrade->config_version->number;
    const struct certificates *certificates =
        &upgrade->config_version->certificates;
    handover->certificates = certificates->fd;
    handover->certificates_identity = certificates->identity;
    handover->parent_count = upgrade->config_version->config->parent_count;
    memcpy(handover->expires_s, certificates->expires_s,
           sizeof(certificates->expires_s));
    signer_links_hand_over(upgrade->signer_links, handover);
    authenticator_links_hand_over(upgrade->authenticator_links, handover);
    handover->users_identity = upgrade->config_version->users.identity;
    observer_links_hand_over(upgrade->observer_links, handover);
    handover->listener_count = listeners->count;
    for (size_t i = 0; i < listeners->count; i++) {
        handover->listeners[i] = listeners->fds[i];
        handover->backlogs[i] = listeners->wanted[i].backlog;
        handover->inherited[i] = listeners->wanted[i].inherited;
    }
    services_hand_over(upgrade->services, handover);
}

/* NULL: no memory. */
static struct handover *
upgrade_gather(const struct upgrade *upgrade)
{
    struct handover *handover = handover_new();
    if (handover == NULL)
        return NULL;
    upgrade_fill_handover(upgrade, handover);
    if (sink_hand_over(upgrade->sink, &handover->log) == 0 &&
        slots_hand_over(upgrade->slots, handover) == 0)
        return handover;
    handover_free(handover);
    return NULL;
}

/* --- the probe ----------------------------------------------------------- */

static int
upgrade_start_probe(struct upgrade *upgrade, int memory)
{
    int fds[] = {memory, upgrade->slots->segment_fd,
                 upgrade->config_version->fd};
    size_t count = 0;
    while (upgrade->argv[count] != NULL)
        count++;
    return upgrade_probe_start(&upgrade->probe, upgrade->binary, upgrade->argv,
                               count, fds, 3);
}

/* It is shown what it would be handed over, were it now. */
static int
upgrade_try(struct upgrade *upgrade)
{
    struct handover *handover = upgrade_gather(upgrade);
    if (handover == NULL)
        return -ENOMEM;
    int memory = handover_write(handover);
    handover_free(handover);
    if (memory < 0)
        return memory;
    int error = upgrade_start_probe(upgrade, memory);
    close(memory);
    return error;
}

/* Workers of both must find room beside each other. */
static bool
upgrade_has_room(const struct upgrade *upgrade, char why[PROGRAM_WHY_MAX])
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
upgrade_fail(struct upgrade *upgrade, const char *why)
{
    if (upgrade->binary >= 0)
        close(upgrade->binary);
    upgrade->binary = -1;
    upgrade_report_failure(upgrade, why);
    upgrade->failed(upgrade, why);
    reload_release(upgrade->reload);
    upgrade_start_if_asked(upgrade);
}

static void
upgrade_start(struct upgrade *upgrade)
{
    char why[PROGRAM_WHY_MAX];
    upgrade->again = false;
    upgrade->runs++;
    upgrade->since_us = sys_now_us();
    upgrade_notify(upgrade);
    reload_hold(upgrade->reload);
    if (!upgrade_has_room(upgrade, why) ||
        (upgrade->binary = program_open(upgrade->program, why)) < 0) {
        upgrade_fail(upgrade, why);
        return;
    }
    int error = upgrade_try(upgrade);
    if (error != 0)
        upgrade_fail(upgrade, strerror(-error));
    else
        upgrade_report_start(upgrade);
}

/* --- the exec ------------------------------------------------------------ */

static void
upgrade_restore(struct handover *handover, int memory)
{
    unsetenv(HANDOVER_VARIABLE);
    notify_unset_variables();
    handover_release(handover);
    close(memory);
}

/* Returns only where it fails: a negative errno, and all is as before. */
static int
upgrade_execute(struct upgrade *upgrade, struct handover *handover, int memory)
{
    char number[16];
    int inherited = dup(memory); /* without close-on-exec */
    if (inherited < 0)
        return -errno;
    snprintf(number, sizeof(number), "%d", inherited);
    int error = handover_keep(handover);
    notify_restore_variables(upgrade->notify);
    if (error == 0 && setenv(HANDOVER_VARIABLE, number, 1) == 0) {
        own_addresses_forget(upgrade->own_addresses);
        error = program_execute(upgrade->binary, upgrade->program,
                                upgrade->argv, environ);
        own_addresses_recall(upgrade->own_addresses);
    }
    upgrade_restore(handover, inherited);
    return error != 0 ? error : -ENOMEM;
}

/* Why it cannot be. */
static void
upgrade_replace(struct upgrade *upgrade, char why[PROGRAM_WHY_MAX])
{
    struct handover *handover = upgrade_gather(upgrade);
    snprintf(why, PROGRAM_WHY_MAX, "%s", strerror(ENOMEM));
    if (handover == NULL)
        return;
    int memory = handover_write(handover);
    int error = memory;
    if (memory >= 0) {
        error = upgrade_execute(upgrade, handover, memory);
        close(memory);
    }
    snprintf(why, PROGRAM_WHY_MAX, "%s",
             handover->unfit[0] != '\0' ? handover->unfit : strerror(-error));
    handover_free(handover);
}

static void
upgrade_on_probed(struct upgrade_probe *probe, const char *why)
{
    struct upgrade *upgrade = container_of(probe, struct upgrade, probe);
    char text[PROGRAM_WHY_MAX + 64], cause[PROGRAM_WHY_MAX];
    if (why == NULL) {
        upgrade_replace(upgrade, cause);
        snprintf(text, sizeof(text), "it would do, but cannot be executed: %s",
                 cause);
        why = text;
    }
    upgrade_fail(upgrade, why);
}

/* --- its life ------------------------------------------------------------ */

void
upgrade_init(struct upgrade *upgrade)
{
    upgrade->held = true;
    upgrade->again = false;
    upgrade->binary = -1;
    upgrade_probe_init(&upgrade->probe, upgrade->services, upgrade_on_probed);
}

void
upgrade_start_if_asked(struct upgrade *upgrade)
{
    if (upgrade->again && !upgrade->held && !upgrade->reload->running &&
        !upgrade_probe_is_running(&upgrade->probe))
        upgrade_start(upgrade);
}

void
upgrade_release(struct upgrade *upgrade)
{
    upgrade->held = false;
    upgrade_start_if_asked(upgrade);
}

void
upgrade_request(struct upgrade *upgrade)
{
    upgrade->again = true;
    upgrade_start_if_asked(upgrade);
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
