#include "gateway/worker/listener.h"

#include <errno.h>

#include "base/sys.h"
#include "gateway/worker/errno_table.h"

/* Connections taken in one turn of the loop, so that live sessions are
   served in between and other workers get their share. */
#define ACCEPT_TURN 16

/* How long a listener is paused before it checks again, and one whose socket
   does not listen. */
#define RETRY_MS 50
#define RETRY_BROKEN_MS 1000

/* What became of one accept. */
enum accepted {
    ACCEPTED,
    ACCEPTED_NOTHING,
    ACCEPTED_FULL,
    ACCEPTED_REFUSED /* by the kernel, and not for lack of descriptors */
};

/* Linux also returns the errors of connections that died in the queue: they
   count as accepted. */
static enum accepted
listener_errno(const struct listener *listener, int error)
{
    switch (errno_find(error)->accept) {
    case ERRNO_NOTHING:
        return ACCEPTED_NOTHING;
    case ERRNO_NEXT:
        return ACCEPTED;
    case ERRNO_PAUSE:
        break;
    }
    if (error == -EMFILE || error == -ENFILE)
        return ACCEPTED_FULL;
    sessions_say_no_accept(listener->sessions, listener->name->text, error);
    return ACCEPTED_REFUSED;
}

static enum accepted
listener_accept(struct listener *listener)
{
    struct endpoint client;
    int fd = sys_accept(listener->fd, &client);

    if (fd < 0)
        return listener_errno(listener, fd);
    session_open(listener->sessions, fd, &client, listener->index,
                 listener->name);
    return ACCEPTED;
}

/* No descriptor is left for a session. */
static bool
listener_full(const struct listener *listener)
{
    const struct sessions *sessions = listener->sessions;

    return sessions->count + sessions->besides >= sessions->budget;
}

/* More sessions than the mean of all workers and an eighth, while another
   worker accepts. */
static bool
listener_over_share(const struct listener *listener)
{
    struct sessions *sessions = listener->sessions;
    struct segment_share share = segment_share(sessions->segment);
    uint64_t others = share.unpaused - (sessions->column->paused == 0);

    return others > 0 &&
           sessions->count * share.workers * 8 > share.live * 9 + 64;
}

static enum listener_paused
listener_why_pause(const struct listener *listener)
{
    if (listener_full(listener))
        return PAUSED_FULL;
    return listener_over_share(listener) ? PAUSED_SHARE : PAUSED_NOT;
}

/* Tells the other workers, so that they do not all pause at once. */
static void
listener_set_paused(struct listener *listener, enum listener_paused paused)
{
    int by = (paused != PAUSED_NOT) - (listener->paused != PAUSED_NOT);

    listener->paused = paused;
    atomic_fetch_add_explicit(&listener->sessions->column->paused, (uint32_t)by,
                              memory_order_relaxed);
}

static void listener_ready(struct watch *watch, uint32_t events);

/* Takes it out of epoll: a level-triggered socket that this worker does not
   accept from would wake it for ever. */
static void
listener_pause(struct listener *listener, enum listener_paused paused)
{
    struct sessions *sessions = listener->sessions;
    uint64_t retry_ms = paused == PAUSED_BROKEN ? RETRY_BROKEN_MS : RETRY_MS;

    segment_count(sessions->column, SEGMENT_COUNTER_accept_paused, 1);
    listener_set_paused(listener, paused);
    if (paused == PAUSED_FULL)
        limits_complain(&sessions->limits, LIMIT_DESCRIPTORS, (struct addr){0});
    loop_unwatch(sessions->loop, &listener->watch);
    loop_start_timer(sessions->loop, &listener->retry, retry_ms);
}

static void
listener_resume(struct listener *listener)
{
    if (loop_watch(listener->sessions->loop, &listener->watch, listener->fd,
                   EPOLLIN | EPOLLEXCLUSIVE, listener_ready) < 0)
        loop_start_timer(listener->sessions->loop, &listener->retry, RETRY_MS);
    else
        listener_set_paused(listener, PAUSED_NOT);
}

/* How many to accept in this turn, so that no accept finds an empty queue;
   -EINVAL: the socket does not listen any more. */
static int
listener_turn(const struct listener *listener)
{
    int waiting = sys_waiting(listener->fd);

    if (waiting == -EINVAL)
        return waiting;
    return waiting < 0 || waiting > ACCEPT_TURN ? ACCEPT_TURN : waiting;
}

static enum listener_paused
listener_paused_by(enum accepted accepted)
{
    return accepted == ACCEPTED_REFUSED ? PAUSED_REFUSED : PAUSED_FULL;
}

/*
 * EPOLLEXCLUSIVE woke only this worker: it must accept what is queued, a few a
 * turn, even if others have fewer sessions. Without a descriptor it cannot.
 */
static void
listener_take_waiting(struct listener *listener)
{
    int turn = listener_turn(listener);

    for (int taken = 0; taken < turn; taken++) {
        enum accepted accepted =
            listener_full(listener) ? ACCEPTED_FULL : listener_accept(listener);
        if (accepted == ACCEPTED_FULL || accepted == ACCEPTED_REFUSED)
            listener_set_paused(listener, listener_paused_by(accepted));
        if (accepted != ACCEPTED)
            return;
    }
    if (turn == ACCEPT_TURN)
        loop_start_timer(listener->sessions->loop, &listener->retry, 0);
}

/* Leaves epoll first, so that later connections wake other workers. */
static void
listener_yield(struct listener *listener, enum listener_paused paused)
{
    listener_pause(listener, paused);
    if (paused == PAUSED_SHARE)
        listener_take_waiting(listener);
}

static void
listener_ready(struct watch *watch, uint32_t events)
{
    struct listener *listener = container_of(watch, struct listener, watch);

    int turn = listener_turn(listener);

    (void)events;
    if (turn < 0) { /* and would wake this worker for ever */
        listener_pause(listener, PAUSED_BROKEN);
        return;
    }
    for (; turn > 0; turn--) {
        enum listener_paused paused = listener_why_pause(listener);
        if (paused != PAUSED_NOT) {
            listener_yield(listener, paused);
            return;
        }
        enum accepted accepted = listener_accept(listener);
        if (accepted == ACCEPTED)
            continue;
        if (accepted != ACCEPTED_NOTHING)
            listener_pause(listener, listener_paused_by(accepted));
        return;
    }
}

/*
 * Checks again. A worker that paused in favour of the others accepts what still
 * waits after all this time: the others may be unable to.
 */
static void
listener_retry(struct timer *timer)
{
    struct listener *listener = container_of(timer, struct listener, retry);
    enum listener_paused paused = listener_why_pause(listener);

    if (listener->paused == PAUSED_BROKEN && listener_turn(listener) < 0) {
        loop_start_timer(listener->sessions->loop, timer, RETRY_BROKEN_MS);
        return;
    }
    if (paused == PAUSED_NOT) {
        listener_resume(listener);
        return;
    }
    listener_set_paused(listener, paused);
    loop_start_timer(listener->sessions->loop, timer, RETRY_MS);
    if (paused == PAUSED_SHARE)
        listener_take_waiting(listener);
}

void
listener_recheck(struct listener *listener)
{
    if (listener->paused != PAUSED_NOT && listener->fd >= 0 &&
        listener_why_pause(listener) == PAUSED_NOT)
        loop_start_timer(listener->sessions->loop, &listener->retry, 0);
}

int
listener_open(struct listener *listener, struct sessions *sessions, int fd,
              size_t index, struct refstr *name)
{
    listener->sessions = sessions;
    listener->fd = fd;
    listener->index = index;
    listener->paused = PAUSED_NOT;
    listener->watch.fd = -1;
    timer_init(&listener->retry, listener_retry);
    listener->name = refstr_ref(name);

    int error = loop_watch(sessions->loop, &listener->watch, fd,
                           EPOLLIN | EPOLLEXCLUSIVE, listener_ready);
    if (error < 0) {
        sys_close(fd);
        listener->fd = -1;
    }
    return error;
}

void
listener_rename(struct listener *listener, size_t index, struct refstr *name)
{
    refstr_ref(name);
    refstr_unref(listener->name);
    listener->name = name;
    listener->index = index;
}

void
listener_close_now(struct listener *listener)
{
    if (listener->fd < 0)
        return;
    loop_cancel_timer(listener->sessions->loop, &listener->retry);
    loop_unwatch(listener->sessions->loop, &listener->watch);
    sys_close(listener->fd);
    listener->fd = -1;
    listener_set_paused(listener, PAUSED_NOT);
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
    listener_close_now(listener);
}

void
listener_fini(struct listener *listener)
{
    refstr_unref(listener->name);
    listener->name = NULL;
}
