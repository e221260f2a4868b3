#include "gateway/monitor/upgrade_probe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "gateway/confine/confine.h"

static struct upgrade_probe *
upgrade_probe_of(struct service *service)
{
    return container_of(service, struct upgrade_probe, service);
}

/* The first reason is the one that counts. */
static void __attribute__((format(printf, 2, 3)))
upgrade_probe_refuse(struct upgrade_probe *probe, const char *format, ...)
{
    va_list args;
    child_kill(&probe->service.current.child);
    if (probe->why[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(probe->why, sizeof(probe->why), format, args);
    va_end(args);
}

/* --- messages ------------------------------------------------------------ */

static void
upgrade_probe_on_version(struct upgrade_probe *probe,
                         const struct channel_message *message)
{
    probe->stage = UPGRADE_PROBE_SPEAKS;
    if (message->arg != HANDOVER_VERSION)
        upgrade_probe_refuse(probe,
                             "it speaks version %" PRIu32
                             " of the handover, and this one "
                             "%d: restart instead",
                             message->arg, HANDOVER_VERSION);
    else if (message->id != handover_shape())
        upgrade_probe_refuse(probe,
                             "what it shares with its workers has another "
                             "size: restart instead");
}

static void
upgrade_probe_on_ready(struct upgrade_probe *probe)
{
    struct channel_message end = {.kind = CHANNEL_DRAIN};
    probe->stage = UPGRADE_PROBE_READY;
    service_tell(&probe->service, &end);
}

static void
upgrade_probe_on_unconfined(struct upgrade_probe *probe,
                            const struct channel_message *message)
{
    upgrade_probe_refuse(probe, "its workers cannot be confined (%s: %s)",
                         message->arg < CONFINE_LAYER_COUNT
                             ? confine_layer_names[message->arg]
                             : "unknown",
                         strerror((int)message->id));
}

static void
upgrade_probe_on_broken(struct service *service, int error)
{
    if (error == -EBADMSG)
        upgrade_probe_refuse(
            upgrade_probe_of(service),
            "what it says is not understood: is it a socks4d?");
    else
        upgrade_probe_refuse(upgrade_probe_of(service),
                             "it cannot be listened to: %s", strerror(-error));
}

static void
upgrade_probe_on_message(struct service *service,
                         const struct channel_message *message)
{
    struct upgrade_probe *probe = upgrade_probe_of(service);
    bool speaks = probe->stage == UPGRADE_PROBE_SPEAKS;
    if (message->kind == CHANNEL_UNCONFINED &&
        message->arg == CONFINE_NOT_EXECUTED)
        return; /* its exit status says it */
    if (probe->stage == UPGRADE_PROBE_BEGUN &&
        message->kind == CHANNEL_UPGRADE_CHECK)
        upgrade_probe_on_version(probe, message);
    else if (speaks && message->kind == CHANNEL_READY)
        upgrade_probe_on_ready(probe);
    else if (speaks && message->kind == CHANNEL_UNCONFINED)
        upgrade_probe_on_unconfined(probe, message);
    else
        upgrade_probe_on_broken(service, -EBADMSG);
}

static void
upgrade_probe_on_stderr(struct service *service, const char *line)
{
    struct upgrade_probe *probe = upgrade_probe_of(service);
    snprintf(probe->stderr_line, sizeof(probe->stderr_line), "%s", line);
}

/* --- its end ------------------------------------------------------------- */

/* It has not said that it is a socks4d. */
static void
upgrade_probe_check_other_program(struct upgrade_probe *probe, int status)
{
    const char *line = probe->stderr_line;
    const char *colon = line[0] == '\0' ? "" : ": ";
    if (status == 127)
        upgrade_probe_refuse(probe,
                             "it cannot be executed%s%s; is it a program for "
                             "this machine?",
                             colon, line);
    else
        upgrade_probe_refuse(probe,
                             "it ended with status %d%s%s; is it a socks4d "
                             "that can be upgraded to?",
                             status, colon, line);
}

/* How it ended, unless that was to be. */
static void
upgrade_probe_check_status(struct upgrade_probe *probe, int status)
{
    const char *line = probe->stderr_line;
    if (WIFSIGNALED(status))
        upgrade_probe_refuse(probe, "it was killed by signal %d%s%s",
                             WTERMSIG(status), line[0] == '\0' ? "" : ": ",
                             line);
    else if (probe->stage == UPGRADE_PROBE_BEGUN)
        upgrade_probe_check_other_program(probe, WEXITSTATUS(status));
    else if (WEXITSTATUS(status) != 0 && line[0] != '\0')
        upgrade_probe_refuse(probe, "%s", line);
    else if (WEXITSTATUS(status) != 0 || probe->stage != UPGRADE_PROBE_READY)
        upgrade_probe_refuse(probe, "it ended with status %d and was not ready",
                             WEXITSTATUS(status));
}

static void
upgrade_probe_on_exit(struct service *service, int status)
{
    struct upgrade_probe *probe = upgrade_probe_of(service);
    loop_cancel_timer(service->services->loop, &probe->deadline);
    upgrade_probe_check_status(probe, status);
    if (!probe->cancelled)
        probe->done(probe, probe->why[0] == '\0' ? NULL : probe->why);
}

static const struct service_ops upgrade_probe_ops = {
    .message = upgrade_probe_on_message,
    .stderr_line = upgrade_probe_on_stderr,
    .broken = upgrade_probe_on_broken,
    .exited = upgrade_probe_on_exit,
};

/* --- its life ------------------------------------------------------------ */

static void
upgrade_probe_on_deadline(struct timer *timer)
{
    struct upgrade_probe *probe =
        container_of(timer, struct upgrade_probe, deadline);
    upgrade_probe_refuse(probe, "it was not ready within %d ms",
                         UPGRADE_PROBE_MS);
}

void
upgrade_probe_init(struct upgrade_probe *probe, struct services *services,
                   upgrade_probe_done_fn *done)
{
    *probe = (struct upgrade_probe){.done = done};
    service_init(&probe->service, services, &roles[ROLE_UPGRADE_CHECK],
                 &upgrade_probe_ops, NULL);
    probe->service.once = true;
    timer_init(&probe->deadline, upgrade_probe_on_deadline);
}

int
upgrade_probe_start(struct upgrade_probe *probe, int program, char *const *args,
                    size_t arg_count, const int *fds, size_t fd_count)
{
    probe->stage = UPGRADE_PROBE_BEGUN;
    probe->why[0] = probe->stderr_line[0] = '\0';
    probe->cancelled = false;
    probe->service.program = program;
    int error =
        service_execute(&probe->service, args, arg_count, fds, fd_count);
    if (error == 0)
        loop_start_timer(probe->service.services->loop, &probe->deadline,
                         UPGRADE_PROBE_MS);
    return error;
}

bool
upgrade_probe_is_running(const struct upgrade_probe *probe)
{
    return probe->service.current.child.pid != 0;
}

void
upgrade_probe_cancel(struct upgrade_probe *probe)
{
    probe->cancelled = true;
    loop_cancel_timer(probe->service.services->loop, &probe->deadline);
    child_kill(&probe->service.current.child);
}
