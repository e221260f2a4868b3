#include "gateway/resolver/link.h"

#include <errno.h>
#include <unistd.h>

#include "gateway/link_message.h"

/* --- answers ------------------------------------------------------------ */

/* While it is full nothing is read: input that waits would be reported again
   by every change of what is watched. */
static void
link_set_full(struct link *link, bool full)
{
    if (link->full != full)
        loop_rewatch(link->pending->context.loop, &link->watch,
                     EPOLLET | (full ? EPOLLOUT : EPOLLIN));
    link->full = full;
}

/* True: it was sent, or the worker is gone and will never read it. */
static bool
link_send(struct link *link, const struct lookup_answer *answer)
{
    int error = link_message_send(link->watch.fd, answer, sizeof(*answer));

    if (error == -EAGAIN)
        link_set_full(link, true);
    return error != -EAGAIN;
}

/* False: no room, EPOLLOUT will come. */
static bool
link_flush(struct link *link)
{
    if (link->waits && !link_send(link, &link->answer))
        return false;
    link->waits = false;
    list_each_safe (at, after, &link->outbox) {
        struct waiter *waiter = container_of(at, struct waiter, link);
        if (!link_send(link, waiter->answer))
            return false;
        pending_sent(link->pending, waiter);
    }
    return true;
}

void
link_answered(struct waiter *waiter)
{
    struct link *link =
        container_of(waiter->share->client, struct link, client);

    list_append(&link->outbox, &waiter->link);
    link_flush(link);
}

/* --- queries ------------------------------------------------------------ */

static void
link_handle(struct link *link, const struct lookup_query *query)
{
    if (query->kind == LOOKUP_CANCEL)
        pending_cancel(link->pending, &link->client, query->id);
    else if (query->kind == LOOKUP_ASK)
        link->waits =
            pending_ask(link->pending, &link->client, query, &link->answer) &&
            !link_send(link, &link->answer);
}

/* Edge-triggered: reads until nothing is left, or an answer has no room. */
static void
link_work(struct link *link)
{
    struct lookup_query query;

    if (!link_flush(link))
        return;
    for (int i = 0; i < LINK_TURN; i++) {
        int got = link_message_receive(link->watch.fd, &query, sizeof(query));
        if (got == 1) {
            if (query.kind == LOOKUP_ASK &&
                !link->pending->refresh(link->pending))
                return; /* the worker asks the next process */
            link_handle(link, &query);
        } else if (got != -EBADMSG) {
            if (got != -EAGAIN)
                link_close(link);
            return;
        }
        if (link->waits)
            return;
    }
    loop_defer(link->pending->context.loop, &link->again);
}

static void
link_again(struct task *task)
{
    link_work(container_of(task, struct link, again));
}

static void
link_ready(struct watch *watch, uint32_t events)
{
    struct link *link = container_of(watch, struct link, watch);

    (void)events;
    link_set_full(link, false);
    link_work(link);
}

/* --- lifecycle ---------------------------------------------------------- */

void
link_init(struct link *link, struct pending *pending)
{
    link->pending = pending;
    link->watch.fd = -1;
    link->waits = false;
    link->full = false;
    list_init(&link->outbox);
    resolver_client_init(&link->client);
    task_init(&link->again, link_again);
}

void
link_open(struct link *link, int fd)
{
    link_close(link);
    if (loop_watch(link->pending->context.loop, &link->watch, fd,
                   EPOLLIN | EPOLLET, link_ready) < 0)
        close(fd);
}

void
link_close(struct link *link)
{
    int fd = link->watch.fd;

    if (fd == -1)
        return;
    loop_unwatch(link->pending->context.loop, &link->watch);
    close(fd);
    task_cancel(&link->again);
    link->waits = false;
    link->full = false;
    list_each_safe (at, after, &link->outbox) {
        pending_sent(link->pending, container_of(at, struct waiter, link));
    }
    pending_leave(link->pending, &link->client);
}
