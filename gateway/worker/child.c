#include "gateway/worker/child.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "gateway/channel.h"
#include "gateway/confine/privilege.h"
#include "gateway/worker/worker.h"

struct child {
    struct worker worker;
    struct watch control;
};

static int
child_fail(const char *what, int error)
{
    fprintf(stderr, "socks4d: worker: %s: %s\n", what, strerror(-error));
    return 1;
}

/* The text the monitor sealed, through the same parser as its own. */
static struct config *
child_config(void)
{
    struct stat stat;
    struct config_error error;

    if (fstat(CHANNEL_FD_CONFIG, &stat) < 0)
        return NULL;
    size_t size = (size_t)stat.st_size;
    char *text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, CHANNEL_FD_CONFIG, 0);
    if (text == MAP_FAILED)
        return NULL;
    struct config *config = config_parse("(monitor)", text, size, &error, NULL);
    munmap(text, size);
    if (config == NULL)
        fprintf(stderr, "socks4d: worker: %s\n", error.text);
    return config;
}

static void
child_obey(struct child *child, const struct channel_message *message)
{
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
    case CHANNEL_READY:
    case CHANNEL_CONNECTED:
    case CHANNEL_CONNECT_ENDED:
    case CHANNEL_ASK_CONNECT:
    case CHANNEL_REOPEN:
    case CHANNEL_DROPPED:
    case CHANNEL_WRITES:
        break; /* not for a worker */
    }
}

static int
child_send(const struct channel_message *message)
{
    return channel_send(CHANNEL_FD_CONTROL, message, -1);
}

static void
child_control_ready(struct watch *watch, uint32_t events)
{
    struct child *child = container_of(watch, struct child, control);
    struct channel_message message;
    int got;

    if (events & EPOLLOUT)
        primary_flush(&child->worker.sessions.primary);
    while ((got = channel_receive(watch->fd, &message, NULL)) == 1)
        child_obey(child, &message);
    if (got == -EAGAIN)
        return;
    /* The monitor is gone, or says what nobody understands. */
    loop_unwatch(&child->worker.loop, watch);
    worker_drain(&child->worker);
}

static int
child_serve(struct child *child, unsigned slot, struct config *config,
            struct segment *segment)
{
    struct worker *worker = &child->worker;
    struct channel_message ready = {.kind = CHANNEL_READY};
    int error =
        worker_init(worker, config, segment, slot, CHANNEL_FD_LOG, child_send);

    if (error < 0)
        return child_fail("cannot begin", error);
    for (size_t i = 0; i < config->listener_count && error == 0; i++)
        error = worker_listen(worker, i, CHANNEL_FD_FIRST_LISTENER + (int)i);
    if (error == 0)
        error = loop_watch(&worker->loop, &child->control, CHANNEL_FD_CONTROL,
                           EPOLLIN | EPOLLOUT | EPOLLET, child_control_ready);
    if (error == 0)
        error = channel_send(CHANNEL_FD_CONTROL, &ready, -1);
    if (error < 0)
        return child_fail("cannot serve", error);
    segment_serve(segment, slot, 1);
    loop_run(&worker->loop);
    segment_serve(segment, slot, 0);
    worker_fini(worker);
    return 0;
}

int
worker_main(unsigned slot, uid_t uid, gid_t gid)
{
    struct segment *segment;
    int error = segment_map(CHANNEL_FD_SEGMENT, &segment);

    config_look(); /* while there are files to be read */
    if (error < 0)
        return child_fail("shared segment", error);
    struct config *config = child_config();
    if (config == NULL)
        return 1;
    error = privilege_drop(uid, gid);
    if (error < 0)
        return child_fail("cannot become the configured user", error);
    struct child *child = calloc(1, sizeof(*child));
    if (child == NULL)
        return child_fail("cannot begin", -ENOMEM);
    int status = child_serve(child, slot, config, segment);
    free(child);
    return status;
}
