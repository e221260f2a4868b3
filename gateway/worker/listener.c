#include "gateway/worker/listener.h"

#include "base/sys.h"
#include "gateway/worker/errno_table.h"

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
    switch (errno_find(error)->accept) {
    case ERRNO_NOTHING:
        return ACCEPTED_NOTHING;
    case ERRNO_NEXT:
        return ACCEPTED;
    case ERRNO_PAUSE:
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

/* More than the mean of all workers and an eighth, while somebody else is
   there to accept. */
static bool
listener_over_share(const struct listener *listener)
{
    struct sessions *sessions = listener->sessions;
    struct segment_share share = segment_share(sessions->segment);
    uint64_t others = share.attending - (sessions->column->aside == 0);

    return others > 0 &&
           sessions->count * share.workers * 8 > share.live * 9 + 64;
}

static enum listener_aside
listener_reason(const struct listener *listener)
{
    if (listener_full(listener))
        return ASIDE_FULL;
    return listener_over_share(listener) ? ASIDE_SHARE : ASIDE_NOT;
}

/* Others are to know, lest all step aside at once. */
static void
listener_note(struct listener *listener, enum listener_aside aside)
{
    int by = (aside != ASIDE_NOT) - (listener->aside != ASIDE_NOT);

    listener->aside = aside;
    atomic_fetch_add_explicit(&listener->sessions->column->aside, (uint32_t)by,
                              memory_order_relaxed);
}

static void listener_ready(struct watch *watch, uint32_t events);

/* Out of epoll: a level-triggered socket that nobody accepts from would wake
   us for ever. */
static void
listener_pause(struct listener *listener, enum listener_aside aside)
{
    struct sessions *sessions = listener->sessions;

    segment_count(sessions->column, SEGMENT_COUNTER_accept_paused, 1);
    listener_note(listener, aside);
    if (aside == ASIDE_FULL)
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
    else
        listener_note(listener, ASIDE_NOT);
}

/* How many to take in this turn: no accept is made that finds nothing. */
static int
listener_turn(const struct listener *listener)
{
    int waiting = sys_waiting(listener->fd);

    return waiting < 0 || waiting > ACCEPT_TURN ? ACCEPT_TURN : waiting;
}

/*
 * What waits has woken us and nobody else, so that it is taken, whoever has
 * fewer: a few a turn. Only where no descriptor is left it has to wait.
 */
static void
listener_take_waiting(struct listener *listener)
{
    int turn = listener_turn(listener);

    for (int taken = 0; taken < turn; taken++) {
        enum accepted accepted =
            listener_full(listener) ? ACCEPTED_FULL : listener_accept(listener);
        if (accepted == ACCEPTED_FULL)
            listener_note(listener, ASIDE_FULL);
        if (accepted != ACCEPTED)
            return;
    }
    if (turn == ACCEPT_TURN)
        loop_start_timer(listener->sessions->loop, &listener->retry, 0);
}

/* First out of epoll: what comes from then on wakes others. */
static void
listener_step_aside(struct listener *listener, enum listener_aside aside)
{
    listener_pause(listener, aside);
    if (aside == ASIDE_SHARE)
        listener_take_waiting(listener);
}

static void
listener_ready(struct watch *watch, uint32_t events)
{
    struct listener *listener = container_of(watch, struct listener, watch);

    (void)events;
    for (int turn = listener_turn(listener); turn > 0; turn--) {
        enum listener_aside aside = listener_reason(listener);
        if (aside != ASIDE_NOT) {
            listener_step_aside(listener, aside);
            return;
        }
        switch (listener_accept(listener)) {
        case ACCEPTED:
            break;
        case ACCEPTED_NOTHING:
            return;
        case ACCEPTED_FULL:
            listener_pause(listener, ASIDE_FULL);
            return;
        }
    }
}

/*
 * Looks again. A worker that stepped aside for the others takes what still
 * waits after all this time: the others may be unable to.
 */
static void
listener_retry(struct timer *timer)
{
    struct listener *listener = container_of(timer, struct listener, retry);
    enum listener_aside aside = listener_reason(listener);

    if (aside == ASIDE_NOT) {
        listener_resume(listener);
        return;
    }
    listener_note(listener, aside);
    loop_start_timer(listener->sessions->loop, timer, RETRY_MS);
    if (aside == ASIDE_SHARE)
        listener_take_waiting(listener);
}

void
listener_relieve(struct listener *listener)
{
    if (listener->aside != ASIDE_NOT && listener->fd >= 0 &&
        listener_reason(listener) == ASIDE_NOT)
        loop_start_timer(listener->sessions->loop, &listener->retry, 0);
}

int
listener_open(struct listener *listener, struct sessions *sessions, int fd,
              size_t index, struct refstr *name)
{
    listener->sessions = sessions;
    listener->fd = fd;
    listener->index = index;
    listener->aside = ASIDE_NOT;
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
listener_abandon(struct listener *listener)
{
    if (listener->fd < 0)
        return;
    loop_cancel_timer(listener->sessions->loop, &listener->retry);
    loop_unwatch(listener->sessions->loop, &listener->watch);
    sys_close(listener->fd);
    listener->fd = -1;
    listener_note(listener, ASIDE_NOT);
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
    listener_abandon(listener);
}

void
listener_fini(struct listener *listener)
{
    refstr_unref(listener->name);
    listener->name = NULL;
}
