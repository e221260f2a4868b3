#include "gateway/worker/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "gateway/worker/fault.h"

/* Connections taken in one turn of the loop, so that live sessions are
   served in between and other workers get their share. */
#define ACCEPT_TURN 16

/* How long a worker steps aside before it looks again. */
#define RETRY_MS 50

/* What became of one accept. */
enum accepted { ACCEPTED, ACCEPTED_NOTHING, ACCEPTED_FULL };

/* Linux hands it errors of connections that died in the queue, which concern
   nobody: they count as taken. */
static enum accepted
accepted_errno(int error)
{
    switch (fault_find(error)->accept) {
    case FAULT_NOTHING:
        return ACCEPTED_NOTHING;
    case FAULT_NEXT:
        return ACCEPTED;
    case FAULT_PAUSE:
        break;
    }
    return ACCEPTED_FULL;
}

static enum accepted
listener_accept(struct listener *listener)
{
    struct endpoint client;
    int fd = sys_accept(listener->fd, &client);

    if (fd < 0)
        return accepted_errno(fd);
    session_open(listener->sessions, fd, &client, listener->index,
                 listener->name);
    return ACCEPTED;
}

/* No descriptor is left for a session. */
static bool
listener_full(const struct listener *listener)
{
    return listener->sessions->count >= listener->sessions->budget;
}

/* More than the mean of all workers and an eighth. */
static bool
listener_over_share(const struct listener *listener)
{
    struct sessions *sessions = listener->sessions;
    struct segment_share share = segment_share(sessions->segment);

    return sessions->count * share.workers * 8 > share.live * 9 + 64;
}

static void listener_ready(struct watch *watch, uint32_t events);

/* Out of epoll: a level-triggered socket that nobody accepts from would wake
   us for ever. */
static void
listener_pause(struct listener *listener, bool full)
{
    struct sessions *sessions = listener->sessions;

    segment_count(sessions->column, SEGMENT_COUNTER_accept_paused, 1);
    listener->full = full;
    if (full)
        limits_complain(&sessions->limits, LIMIT_DESCRIPTORS, (struct addr){0});
    loop_unwatch(sessions->loop, &listener->watch);
    loop_start_timer(sessions->loop, &listener->retry, RETRY_MS);
}

static void
listener_resume(struct listener *listener)
{
    if (loop_watch(listener->sessions->loop, &listener->watch, listener->fd,
                   EPOLLIN | EPOLLEXCLUSIVE, listener_ready) < 0)
        loop_start_timer(listener->sessions->loop, &listener->retry, RETRY_MS);
}

static void
listener_ready(struct watch *watch, uint32_t events)
{
    struct listener *listener = container_of(watch, struct listener, watch);

    (void)events;
    for (int turn = 0; turn < ACCEPT_TURN; turn++) {
        if (listener_full(listener) || listener_over_share(listener)) {
            listener_pause(listener, listener_full(listener));
            return;
        }
        switch (listener_accept(listener)) {
        case ACCEPTED:
            break;
        case ACCEPTED_NOTHING:
            return;
        case ACCEPTED_FULL:
            listener_pause(listener, true);
            return;
        }
    }
}

/*
 * Looks again. A worker that stepped aside for the others takes one that
 * still waits after all this time: the others may be unable to.
 */
static void
listener_retry(struct timer *timer)
{
    struct listener *listener = container_of(timer, struct listener, retry);

    listener->full = listener_full(listener);
    if (!listener->full && !listener_over_share(listener)) {
        listener_resume(listener);
        return;
    }
    if (!listener->full)
        listener_accept(listener);
    loop_start_timer(listener->sessions->loop, timer, RETRY_MS);
}

void
listener_relieve(struct listener *listener)
{
    if (listener->full && listener->fd >= 0 && !listener_full(listener))
        loop_start_timer(listener->sessions->loop, &listener->retry, 0);
}

int
listener_open(struct listener *listener, struct sessions *sessions, int fd,
              size_t index, const char *name)
{
    listener->sessions = sessions;
    listener->fd = fd;
    listener->index = index;
    listener->full = false;
    listener->watch.fd = -1;
    timer_init(&listener->retry, listener_retry);
    listener->name = strdup(name);

    int error = listener->name == NULL
                    ? -ENOMEM
                    : loop_watch(sessions->loop, &listener->watch, fd,
                                 EPOLLIN | EPOLLEXCLUSIVE, listener_ready);
    if (error < 0) {
        sys_close(fd);
        listener->fd = -1;
    }
    return error;
}

void
listener_close(struct listener *listener)
{
    enum accepted last;

    if (listener->fd < 0)
        return;
    do {
        last = listener_accept(listener);
    } while (last == ACCEPTED);
    loop_cancel_timer(listener->sessions->loop, &listener->retry);
    loop_unwatch(listener->sessions->loop, &listener->watch);
    sys_close(listener->fd);
    listener->fd = -1;
}

void
listener_fini(struct listener *listener)
{
    free(listener->name);
    listener->name = NULL;
}
