#include "gateway/worker/main.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/channel.h"
#include "gateway/readiness.h"
#include "gateway/worker/config_update.h"
#include "gateway/worker/worker.h"

struct child {
    struct worker worker;
    struct watch control;
    struct watch line;     /* to the resolver; owns its descriptor, -1 */
    struct task more;      /* answers wait on it */
    struct timer ask_line; /* when it is asked for again */
    struct config_update config_update;
    struct task config_task; /* everything of it has come */
    struct timer ask_config; /* when it is asked for again */
    uint32_t number;         /* of the configuration in force; 0: the first */
    uint32_t acknowledged;   /* the monitor knows of this one */
};

static int
child_fail(const char *what, int error)
{
    fprintf(stderr, "socks4d: worker: %s: %s\n", what, strerror(-error));
    return 1;
}

/* The text the monitor sealed, through the same parser as its own. */
static struct config *
child_parse(int fd, size_t size)
{
    struct config_error error;
    char *text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED)
        return NULL;
    struct config *config = config_parse("(monitor)", text, size, &error, NULL);
    munmap(text, size);
    if (config == NULL)
        fprintf(stderr, "socks4d: worker: %s\n", error.text);
    return config;
}

static struct config *
child_config(void)
{
    struct stat stat;

    if (fstat(CHANNEL_FD_CONFIG, &stat) < 0)
        return NULL;
    return child_parse(CHANNEL_FD_CONFIG, (size_t)stat.st_size);
}

static int
child_send(const struct channel_message *message)
{
    return channel_send(CHANNEL_FD_CONTROL, message, -1);
}

/* --- the line to the resolver ------------------------------------------- */

/* Answers taken from it in one turn: sessions come first. */
#define LINE_TURN 256

/* How soon one that did not arrive is asked for again. */
#define ASK_LINE_MS 100

static int
child_lookup_send(struct lookups *lookups,
                  const struct lookup_query *question)
{
    struct child *child =
        container_of(lookups, struct child, worker.sessions.lookups);

    if (child->line.fd == -1)
        return -ENOTCONN;
    return lookup_proto_send(child->line.fd, question, sizeof(*question));
}

static void
child_line_close(struct child *child)
{
    int fd = child->line.fd;

    task_cancel(&child->more);
    if (fd == -1)
        return;
    loop_unwatch(&child->worker.loop, &child->line);
    close(fd);
}

/* Its end: the resolver is gone, and the monitor brings a line to the next;
   or it kept only this one no longer. */
static void
child_line_hear(struct child *child)
{
    struct lookups *lookups = &child->worker.sessions.lookups;
    struct lookup_answer answer;

    for (int i = 0; i < LINE_TURN; i++) {
        int got = lookup_proto_receive(child->line.fd, &answer, sizeof(answer));
        if (got == 1)
            lookups_receive(lookups, &answer);
        else if (got == -EAGAIN)
            return;
        else if (got != -EBADMSG) {
            child_line_close(child);
            loop_start_timer(&child->worker.loop, &child->ask_line,
                             ASK_LINE_MS);
            return;
        }
    }
    loop_defer(&child->worker.loop, &child->more);
}

static void
child_line_more(struct task *task)
{
    child_line_hear(container_of(task, struct child, more));
}

static void
child_line_ready(struct watch *watch, uint32_t events)
{
    struct child *child = container_of(watch, struct child, line);

    if (events & EPOLLOUT)
        lookups_flush(&child->worker.sessions.lookups);
    child_line_hear(child);
}

/* In place of any before; whoever still waits asks again on this one. */
static void
child_line_open(struct child *child, int fd)
{
    child_line_close(child);
    if (loop_watch(&child->worker.loop, &child->line, fd,
                   EPOLLIN | EPOLLOUT | EPOLLET, child_line_ready) < 0) {
        close(fd);
        loop_start_timer(&child->worker.loop, &child->ask_line, ASK_LINE_MS);
        return;
    }
    loop_cancel_timer(&child->worker.loop, &child->ask_line);
    lookups_resend(&child->worker.sessions.lookups);
}

static void
child_ask_line(struct timer *timer)
{
    struct child *child = container_of(timer, struct child, ask_line);
    struct channel_message message = {.kind = CHANNEL_ASK_LINE};

    if (child_send(&message) == -EAGAIN)
        loop_start_timer(&child->worker.loop, &child->ask_line, ASK_LINE_MS);
}

static void
child_line_init(struct child *child)
{
    child->line.fd = -1;
    task_init(&child->more, child_line_more);
    timer_init(&child->ask_line, child_ask_line);
}

/* --- another configuration ---------------------------------------------- */

/* How soon one that did not arrive whole is asked for again. */
#define ASK_CONFIG_MS 100

static void
child_ask_config(struct timer *timer)
{
    struct child *child = container_of(timer, struct child, ask_config);
    struct channel_message message = {.kind = CHANNEL_ASK_CONFIG};

    if (child_send(&message) == -EAGAIN)
        loop_start_timer(&child->worker.loop, &child->ask_config,
                         ASK_CONFIG_MS);
}

/* Where the channel is full it is said when there is room again. */
static void
child_acknowledge(struct child *child)
{
    struct channel_message message = {.kind = CHANNEL_CONFIGURED,
                                      .arg = child->number};

    if (child->acknowledged != child->number && child_send(&message) == 0)
        child->acknowledged = child->number;
}

/* Between two turns: no event of this one is for a listener that goes. One
   that cannot be had is not acknowledged, and the monitor replaces us. */
static void
child_config_update_take(struct task *task)
{
    struct child *child = container_of(task, struct child, config_task);
    uint32_t number = child->config_update.number;

    if (!config_update_complete(&child->config_update, &child->worker))
        return;
    if (config_update_apply(&child->config_update, &child->worker) < 0)
        return;
    child->number = number;
    child_acknowledge(child);
}

/* One that does not parse is one that there is no memory for. */
static void
child_take_config(struct child *child, const struct channel_message *message,
                  int fd)
{
    config_update_begin(&child->config_update, message->arg,
                        child_parse(fd, (size_t)message->id));
    close(fd);
    loop_cancel_timer(&child->worker.loop, &child->ask_config);
    loop_defer(&child->worker.loop, &child->config_task);
}

static void
child_take_listener(struct child *child, const struct channel_message *message,
                    int fd)
{
    config_update_add(&child->config_update, &child->worker,
                      (uint32_t)message->id, message->arg, fd);
    loop_defer(&child->worker.loop, &child->config_task);
}

static void
child_config_update_init(struct child *child)
{
    config_update_init(&child->config_update);
    task_init(&child->config_task, child_config_update_take);
    timer_init(&child->ask_config, child_ask_config);
}

static void
child_config_update_fini(struct child *child)
{
    loop_cancel_timer(&child->worker.loop, &child->ask_config);
    task_cancel(&child->config_task);
    config_update_begin(&child->config_update, 0, NULL);
}

/* --- what the monitor says ---------------------------------------------- */

/* What came with it is ours. */
static void
child_take(struct child *child, const struct channel_message *message, int fd)
{
    if (message->kind == CHANNEL_LINE)
        child_line_open(child, fd);
    else if (message->kind == CHANNEL_CONFIG)
        child_take_config(child, message, fd);
    else if (message->kind == CHANNEL_LISTENER)
        child_take_listener(child, message, fd);
    else
        close(fd);
}

/* `fd` came with it, or is -1. */
static void
child_obey(struct child *child, const struct channel_message *message, int fd)
{
    if (fd != -1)
        child_take(child, message, fd);
    switch ((enum channel_kind)message->kind) {
    case CHANNEL_DRAIN:
        worker_drain(&child->worker);
        break;
    case CHANNEL_STOP:
        worker_stop(&child->worker);
        break;
    case CHANNEL_ANSWER:
        primary_hear(&child->worker.sessions.primary, message);
        break;
    case CHANNEL_PING:
        child_send(&(struct channel_message){.kind = CHANNEL_PONG});
        break;
    case CHANNEL_READY:
    case CHANNEL_CONNECTED:
    case CHANNEL_CONNECT_ENDED:
    case CHANNEL_ASK_CONNECT:
    case CHANNEL_REOPEN:
    case CHANNEL_DROPPED:
    case CHANNEL_WRITES:
    case CHANNEL_ASK_LINE:
    case CHANNEL_UNCONFINED:
    case CHANNEL_CONFIGURED:
    case CHANNEL_ASK_CONFIG:
    case CHANNEL_PONG:
    case CHANNEL_UPGRADE_CHECK:
        break; /* not for a worker */
    case CHANNEL_LINE:
    case CHANNEL_CONFIG:
    case CHANNEL_LISTENER:
        break; /* what came with it was taken */
    }
}

/* What came with it is lost: at the limit of descriptors. */
static void
child_miss(struct child *child, const struct channel_message *message)
{
    struct loop *loop = &child->worker.loop;

    if (message->kind == CHANNEL_LINE)
        loop_start_timer(loop, &child->ask_line, ASK_LINE_MS);
    else
        loop_start_timer(loop, &child->ask_config, ASK_CONFIG_MS);
}

/* 1 while there may be more, -EAGAIN, or the end. */
static int
child_hear(struct child *child)
{
    struct channel_message message;
    int fd;
    int got = channel_receive(CHANNEL_FD_CONTROL, &message, &fd);

    if (got == 1)
        child_obey(child, &message, fd);
    if (got != -EMFILE)
        return got;
    child_miss(child, &message);
    return 1;
}

static void
child_control_ready(struct watch *watch, uint32_t events)
{
    struct child *child = container_of(watch, struct child, control);
    int got;

    if (events & EPOLLOUT) {
        primary_flush(&child->worker.sessions.primary);
        child_acknowledge(child);
    }
    while ((got = child_hear(child)) == 1)
        ;
    if (got == -EAGAIN)
        return;
    /* The monitor is gone, or says what nobody understands. */
    loop_unwatch(&child->worker.loop, watch);
    worker_drain(&child->worker);
}

/* All that needs a file or a right: what comes after it is confined. */
static int
child_prepare(struct child *child, unsigned slot, struct config *config,
              size_t listeners, struct segment *segment)
{
    struct worker *worker = &child->worker;
    int error = worker_init(worker, config, segment, slot, CHANNEL_FD_LOG,
                            child_send, child_lookup_send);

    child_line_init(child);
    child_config_update_init(child);
    for (size_t i = 0; i < listeners && error == 0; i++)
        error = worker_listen(worker, CHANNEL_FD_FIRST_LISTENER + (int)i);
    if (error == 0)
        error = loop_watch(&worker->loop, &child->control, CHANNEL_FD_CONTROL,
                           EPOLLIN | EPOLLOUT | EPOLLET, child_control_ready);
    if (error == 0) /* the line to the resolver is there already */
        child_control_ready(&child->control, 0);
    return error;
}

static void
child_serve(struct child *child)
{
    struct worker *worker = &child->worker;

    segment_serve(worker->segment, worker->slot, 1);
    loop_run(&worker->loop);
    segment_serve(worker->segment, worker->slot, 0);
    child_line_close(child);
    child_config_update_fini(child);
    loop_cancel_timer(&worker->loop, &child->ask_line);
    worker_fini(worker);
}

static int
child_run(unsigned slot, uid_t uid, gid_t gid, bool listens)
{
    struct segment *segment;
    int error = segment_map(CHANNEL_FD_SEGMENT, &segment);

    config_look(); /* while there are files to be read */
    if (error < 0)
        return child_fail("shared segment", error);
    struct config *config = child_config();
    if (config == NULL)
        return 1;
    struct child *child = calloc(1, sizeof(*child));
    if (child == NULL)
        return child_fail("cannot begin", -ENOMEM);
    enum confine_mode mode = (enum confine_mode)config->sandbox;
    error = child_prepare(child, slot, config,
                          listens ? config->listener_count : 0, segment);
    if (error < 0)
        return child_fail("cannot begin", error);
    if (readiness_reach(CONFINE_WORKER, mode, uid, gid) < 0)
        return 1;
    child_serve(child);
    free(child);
    return 0;
}

int
worker_main(unsigned slot, uid_t uid, gid_t gid)
{
    return child_run(slot, uid, gid, true);
}

int
worker_check(uid_t uid, gid_t gid)
{
    return child_run(0, uid, gid, false);
}
