#include "gateway/monitor/trial.h"

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
refuse(struct trial *trial, const char *format, ...)
{
    va_list args;
    child_kill(&trial->child);
    if (trial->why[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(trial->why, sizeof(trial->why), format, args);
    va_end(args);
}

static void
refuse_garbage(struct trial *trial)
{
    refuse(trial, "what it says is not understood: is it a socks4d?");
}

static void
heard_version(struct trial *trial, const struct channel_message *message)
{
    trial->stage = TRIAL_SPEAKS;
    if (message->arg != HANDOVER_VERSION)
        refuse(trial,
               "it speaks version %" PRIu32 " of the handover, and this one "
               "%d: restart instead",
               message->arg, HANDOVER_VERSION);
    else if (message->id != handover_shape())
        refuse(trial, "what it shares with its workers has another size: "
                      "restart instead");
}

static void
heard_ready(struct trial *trial)
{
    struct channel_message end = {.kind = CHANNEL_DRAIN};
    trial->stage = TRIAL_READY;
    channel_send(trial->child.control, &end, -1);
}

static void
heard_unconfined(struct trial *trial, const struct channel_message *message)
{
    refuse(trial, "its workers cannot be confined (%s: %s)",
           message->arg < CONFINE_LAYER_COUNT
               ? confine_layer_names[message->arg]
               : "unknown",
           strerror((int)message->id));
}

static void
heard(struct trial *trial, const struct channel_message *message)
{
    if (trial->stage == TRIAL_BEGUN && message->kind == CHANNEL_TRIAL)
        heard_version(trial, message);
    else if (trial->stage == TRIAL_SPEAKS && message->kind == CHANNEL_READY)
        heard_ready(trial);
    else if (trial->stage == TRIAL_SPEAKS &&
             message->kind == CHANNEL_UNCONFINED)
        heard_unconfined(trial, message);
    else
        refuse_garbage(trial);
}

static int
hear(struct trial *trial)
{
    struct channel_message message;
    int came = channel_receive(trial->child.control, &message, NULL);
    if (came == 1)
        heard(trial, &message);
    else if (came == -EBADMSG)
        refuse_garbage(trial);
    return came;
}

/* Its end shows as SIGCHLD; here it only must not wake us for ever. */
static void
control_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct trial *trial = container_of(watch, struct trial, control_watch);
    if (hear(trial) == 0)
        loop_unwatch(trial->loop, watch);
}

static void
said(struct child_stderr *child_stderr, const char *line)
{
    struct trial *trial =
        container_of(child_stderr, struct trial, child_stderr);
    snprintf(trial->said, sizeof(trial->said), "%s", line);
}

/* --- its life ------------------------------------------------------------ */

static void
patience_over(struct timer *timer)
{
    struct trial *trial = container_of(timer, struct trial, patience);
    refuse(trial, "it was not ready within %d ms", TRIAL_MS);
}

void
trial_init(struct trial *trial, struct loop *loop, trial_done_fn *done)
{
    *trial = (struct trial){.loop = loop, .done = done};
    trial->control_watch.fd = trial->child_stderr.watch.fd = -1;
    child_init(&trial->child);
    timer_init(&trial->patience, patience_over);
}

int
trial_start(struct trial *trial, const struct child_plan *plan)
{
    trial->stage = TRIAL_BEGUN;
    trial->why[0] = trial->said[0] = '\0';
    trial->cancelled = false;
    int error = child_start(&trial->child, plan);
    if (error != 0)
        return error;
    loop_watch(trial->loop, &trial->control_watch, trial->child.control,
               EPOLLIN, control_ready);
    child_stderr_start(&trial->child_stderr, trial->loop,
                       trial->child.stderr_fd, said);
    loop_start_timer(trial->loop, &trial->patience, TRIAL_MS);
    return 0;
}

bool
trial_is_running(const struct trial *trial)
{
    return trial->child.pid != 0;
}

static void
bury(struct trial *trial)
{
    loop_cancel_timer(trial->loop, &trial->patience);
    for (int i = 0; i < LAST_WORDS && hear(trial) == 1; i++)
        ;
    loop_unwatch(trial->loop, &trial->control_watch);
    child_stderr_end(&trial->child_stderr);
    child_bury(&trial->child);
}

/* It has not said that it is a socks4d. */
static void
judge_stranger(struct trial *trial, int status)
{
    const char *said = trial->said;
    const char *colon = said[0] == '\0' ? "" : ": ";
    if (status == 127)
        refuse(trial,
               "it cannot be executed%s%s; is it a program for this "
               "machine?",
               colon, said);
    else
        refuse(trial,
               "it ended with status %d%s%s; is it a socks4d that can "
               "be upgraded to?",
               status, colon, said);
}

/* How it ended, unless that was to be. */
static void
judge(struct trial *trial, int status)
{
    const char *said = trial->said;
    if (WIFSIGNALED(status))
        refuse(trial, "it was killed by signal %d%s%s", WTERMSIG(status),
               said[0] == '\0' ? "" : ": ", said);
    else if (trial->stage == TRIAL_BEGUN)
        judge_stranger(trial, WEXITSTATUS(status));
    else if (WEXITSTATUS(status) != 0 && said[0] != '\0')
        refuse(trial, "%s", said);
    else if (WEXITSTATUS(status) != 0 || trial->stage != TRIAL_READY)
        refuse(trial, "it ended with status %d and was not ready",
               WEXITSTATUS(status));
}

bool
trial_reap(struct trial *trial, pid_t pid, int status)
{
    if (!trial_is_running(trial) || trial->child.pid != pid)
        return false;
    bury(trial);
    judge(trial, status);
    if (!trial->cancelled)
        trial->done(trial, trial->why[0] == '\0' ? NULL : trial->why);
    return true;
}

void
trial_cancel(struct trial *trial)
{
    trial->cancelled = true;
    loop_cancel_timer(trial->loop, &trial->patience);
    child_kill(&trial->child);
}
