#include "gateway/worker/peer_link.h"

#include <errno.h>
#include <stdalign.h>
#include <stddef.h>
#include <unistd.h>

#include "gateway/link_message.h"

/* Answers taken from it in one turn: sessions come first. */
#define LINK_TURN 256

/* How soon one that did not arrive is asked for again. */
#define ASK_MS 100

void
peer_link_close(struct peer_link *link)
{
    int fd = link->watch.fd;

    task_cancel(&link->more);
    loop_cancel_timer(link->loop, &link->ask);
    if (fd == -1)
        return;
    loop_unwatch(link->loop, &link->watch);
    close(fd);
}

void
peer_link_ask(struct peer_link *link)
{
    loop_start_timer(link->loop, &link->ask, ASK_MS);
}

static void
peer_link_receive(struct peer_link *link)
{
    alignas(max_align_t) uint8_t answer[PEER_LINK_ANSWER_MAX];

    for (int i = 0; i < LINK_TURN; i++) {
        int got = link_message_receive(link->watch.fd, answer,
                                       link->ops->answer_size);
        if (got == 1)
            link->ops->receive(link, answer);
        if (got == -EAGAIN)
            return;
        if (got != 1 && got != -EBADMSG) {
            peer_link_close(link);
            peer_link_ask(link);
            return;
        }
    }
    loop_defer(link->loop, &link->more);
}

static void
peer_link_on_more(struct task *task)
{
    peer_link_receive(container_of(task, struct peer_link, more));
}

static void
peer_link_on_ask(struct timer *timer)
{
    struct peer_link *link = container_of(timer, struct peer_link, ask);
    struct channel_message message = {.kind = CHANNEL_ASK_LINK,
                                      .id = link->peer};

    if (channel_send(CHANNEL_FD_CONTROL, &message, -1) == -EAGAIN)
        peer_link_ask(link);
}

static void
peer_link_ready(struct watch *watch, uint32_t events)
{
    struct peer_link *link = container_of(watch, struct peer_link, watch);

    if (events & EPOLLOUT) {
        loop_rewatch(link->loop, watch, EPOLLIN | EPOLLET);
        link->ops->flush(link);
    }
    if (link->watch.fd != -1)
        peer_link_receive(link);
}

void
peer_link_open(struct peer_link *link, int fd)
{
    peer_link_close(link);
    if (loop_watch(link->loop, &link->watch, fd, EPOLLIN | EPOLLET,
                   peer_link_ready) < 0) {
        close(fd);
        peer_link_ask(link);
        return;
    }
    link->ops->resend(link);
}

int
peer_link_send(struct peer_link *link, const void *message, size_t size)
{
    if (link->watch.fd == -1)
        return -ENOTCONN;
    int error = link_message_send(link->watch.fd, message, size);
    if (error == -EAGAIN)
        loop_rewatch(link->loop, &link->watch, EPOLLIN | EPOLLOUT | EPOLLET);
    return error;
}

void
peer_link_init(struct peer_link *link, struct loop *loop,
               enum channel_peer peer, const struct peer_link_ops *ops)
{
    *link = (struct peer_link){.loop = loop, .ops = ops, .peer = peer};
    link->watch.fd = -1;
    task_init(&link->more, peer_link_on_more);
    timer_init(&link->ask, peer_link_on_ask);
}
