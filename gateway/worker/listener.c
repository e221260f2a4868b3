#include "gateway/worker/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"

/* Connections taken in one turn of the loop, so that live sessions are
   served in between and other workers get their share. */
#define ACCEPT_TURN 16

/* How long a worker steps aside before it looks again. */
#define RETRY_MS 50

/* What accept says. Linux hands it errors of connections that died in the
   queue, which concern nobody. */
enum accepted { ACCEPTED, ACCEPTED_NOTHING, ACCEPTED_DEAD, ACCEPTED_FULL };

static enum accepted
accepted_errno(int error)
{
    switch (-error) {
    case EAGAIN:
        return ACCEPTED_NOTHING;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return ACCEPTED_FULL;
    case ECONNABORTED:
    case EPERM:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case ETIMEDOUT:
        return ACCEPTED_DEAD;
    default: /* not a socket of ours any more: never spin on it */
        return ACCEPTED_FULL;
    }
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

/* More than the mean of all workers and an eighth, or all that fits. */
static bool
listener_over_share(const struct listener *listener)
{
    struct sessions *sessions = listener->sessions;
    if (sessions->count >= sessions->max)
        return true;
    struct segment_share share = segment_share(sessions->segment);
    return sessions->count * share.workers * 8 > share.live * 9 + 64;
}

static void listener_ready(struct watch *watch, uint32_t events);

static void
listener_pause(struct listener *listener)
{
    struct sessions *sessions = listener->sessions;

    if (listener->watch.fd >= 0)
        segment_count(sessions->column, SEGMENT_COUNTER_accept_paused, 1);
    loop_unwatch(sessions->loop, &listener->watch);
    loop_start_timer(sessions->loop, &listener->retry, RETRY_MS);
}

static void
listener_resume(struct listener *listener)
{
    if (loop_watch(listener->sessions->loop, &listener->watch, listener->fd,
                   EPOLLIN | EPOLLEXCLUSIVE, listener_ready) < 0)
        listener_pause(listener);
}

static void
listener_ready(struct watch *watch, uint32_t events)
{
    struct listener *listener = container_of(watch, struct listener, watch);

    (void)events;
    for (int turn = 0; turn < ACCEPT_TURN; turn++) {
        if (listener_over_share(listener)) {
            listener_pause(listener);
            return;
        }
        switch (listener_accept(listener)) {
        case ACCEPTED:
        case ACCEPTED_DEAD:
            break;
        case ACCEPTED_NOTHING:
            return;
        case ACCEPTED_FULL:
            listener_pause(listener);
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
    struct sessions *sessions = listener->sessions;

    if (!listener_over_share(listener)) {
        listener_resume(listener);
        return;
    }
    if (sessions->count < sessions->max)
        listener_accept(listener);
    loop_start_timer(sessions->loop, timer, RETRY_MS);
}

int
listener_open(struct listener *listener, struct sessions *sessions, int fd,
              size_t index, const char *name)
{
    listener->sessions = sessions;
    listener->fd = fd;
    listener->index = index;
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
    } while (last == ACCEPTED || last == ACCEPTED_DEAD);
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
