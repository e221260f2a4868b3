#include "gateway/monitor/upgrade_probe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/confine/confine.h"
#include "gateway/monitor/handover.h"

/* More than a channel holds. */
#define LAST_WORDS 4096

/* --- what it says -------------------------------------------------------- */

/* The first reason is the one that counts. */
static void __attribute__((format(printf, 2, 3)))
refuse(struct upgrade_probe *probe, const char *format, ...)
{
    va_list args;
    child_kill(&probe->child);
    if (probe->why[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(probe->why, sizeof(probe->why), format, args);
    va_end(args);
}

static void
refuse_garbage(struct upgrade_probe *probe)
{
    refuse(probe, "what it says is not understood: is it a socks4d?");
}

static void
heard_version(struct upgrade_probe *probe,
              const struct channel_message *message)
{
    probe->stage = UPGRADE_PROBE_SPEAKS;
    if (message->arg != HANDOVER_VERSION)
        refuse(probe,
               "it speaks version %" PRIu32 " of the handover, and this one "
               "%d: restart instead",
               message->arg, HANDOVER_VERSION);
    else if (message->id != handover_shape())
        refuse(probe, "what it shares with its workers has another size: "
                      "restart instead");
}

static void
heard_ready(struct upgrade_probe *probe)
{
    struct channel_message end = {.kind = CHANNEL_DRAIN};
    probe->stage = UPGRADE_PROBE_READY;
    channel_tell(probe->child.control, &end);
}

static void
heard_unconfined(struct upgrade_probe *probe,
                 const struct channel_message *message)
{
    refuse(probe, "its workers cannot be confined (%s: %s)",
           message->arg < CONFINE_LAYER_COUNT
               ? confine_layer_names[message->arg]
               : "unknown",
           strerror((int)message->id));
}

static void
heard(struct upgrade_probe *probe, const struct channel_message *message)
{
    if (probe->stage == UPGRADE_PROBE_BEGUN &&
        message->kind == CHANNEL_UPGRADE_CHECK)
        heard_version(probe, message);
    else if (probe->stage == UPGRADE_PROBE_SPEAKS &&
             message->kind == CHANNEL_READY)
        heard_ready(probe);
    else if (probe->stage == UPGRADE_PROBE_SPEAKS &&
             message->kind == CHANNEL_UNCONFINED)
        heard_unconfined(probe, message);
    else
        refuse_garbage(probe);
}

static int
hear(struct upgrade_probe *probe)
{
    struct channel_message message;
    int came = channel_receive(probe->child.control, &message, NULL);
    if (came == 1)
        heard(probe, &message);
    else if (came == -EBADMSG)
        refuse_garbage(probe);
    return came;
}

/* Its end shows as SIGCHLD; here it only must not wake us for ever. */
static void
control_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct upgrade_probe *probe =
        container_of(watch, struct upgrade_probe, control_watch);
    if (hear(probe) == 0)
        loop_unwatch(probe->loop, watch);
}

static void
said(struct child_stderr *child_stderr, const char *line)
{
    struct upgrade_probe *probe =
        container_of(child_stderr, struct upgrade_probe, child_stderr);
    snprintf(probe->said, sizeof(probe->said), "%s", line);
}

/* --- its life ------------------------------------------------------------ */

static void
patience_over(struct timer *timer)
{
    struct upgrade_probe *probe =
        container_of(timer, struct upgrade_probe, patience);
    refuse(probe, "it was not ready within %d ms", UPGRADE_PROBE_MS);
}

void
upgrade_probe_init(struct upgrade_probe *probe, struct loop *loop,
                   upgrade_probe_done_fn *done)
{
    *probe = (struct upgrade_probe){.loop = loop, .done = done};
    probe->control_watch.fd = probe->child_stderr.watch.fd = -1;
    child_init(&probe->child);
    timer_init(&probe->patience, patience_over);
}

int
upgrade_probe_start(struct upgrade_probe *probe, const struct child_plan *plan)
{
    probe->stage = UPGRADE_PROBE_BEGUN;
    probe->why[0] = probe->said[0] = '\0';
    probe->cancelled = false;
    int error = child_start(&probe->child, plan);
    if (error != 0)
        return error;
    error = loop_watch(probe->loop, &probe->control_watch, probe->child.control,
                       EPOLLIN, control_ready);
    if (error == 0)
        error = child_stderr_start(&probe->child_stderr, probe->loop,
                                   probe->child.stderr_fd, said);
    if (error != 0)
        refuse(probe, "it cannot be listened to: %s", strerror(-error));
    loop_start_timer(probe->loop, &probe->patience, UPGRADE_PROBE_MS);
    return 0;
}

bool
upgrade_probe_is_running(const struct upgrade_probe *probe)
{
    return probe->child.pid != 0;
}

static void
bury(struct upgrade_probe *probe)
{
    loop_cancel_timer(probe->loop, &probe->patience);
    for (int i = 0; i < LAST_WORDS && hear(probe) == 1; i++)
        ;
    loop_unwatch(probe->loop, &probe->control_watch);
    child_stderr_end(&probe->child_stderr);
    child_bury(&probe->child);
}

/* It has not said that it is a socks4d. */
static void
judge_stranger(struct upgrade_probe *probe, int status)
{
    const char *said = probe->said;
    const char *colon = said[0] == '\0' ? "" : ": ";
    if (status == 127)
        refuse(probe,
               "it cannot be executed%s%s; is it a program for this "
               "machine?",
               colon, said);
    else
        refuse(probe,
               "it ended with status %d%s%s; is it a socks4d that can "
               "be upgraded to?",
               status, colon, said);
}

/* How it ended, unless that was to be. */
static void
judge(struct upgrade_probe *probe, int status)
{
    const char *said = probe->said;
    if (WIFSIGNALED(status))
        refuse(probe, "it was killed by signal %d%s%s", WTERMSIG(status),
               said[0] == '\0' ? "" : ": ", said);
    else if (probe->stage == UPGRADE_PROBE_BEGUN)
        judge_stranger(probe, WEXITSTATUS(status));
    else if (WEXITSTATUS(status) != 0 && said[0] != '\0')
        refuse(probe, "%s", said);
    else if (WEXITSTATUS(status) != 0 || probe->stage != UPGRADE_PROBE_READY)
        refuse(probe, "it ended with status %d and was not ready",
               WEXITSTATUS(status));
}

bool
upgrade_probe_reap(struct upgrade_probe *probe, pid_t pid, int status)
{
    if (!upgrade_probe_is_running(probe) || probe->child.pid != pid)
        return false;
    bury(probe);
    judge(probe, status);
    if (!probe->cancelled)
        probe->done(probe, probe->why[0] == '\0' ? NULL : probe->why);
    return true;
}

void
upgrade_probe_cancel(struct upgrade_probe *probe)
{
    probe->cancelled = true;
    loop_cancel_timer(probe->loop, &probe->patience);
    child_kill(&probe->child);
}
