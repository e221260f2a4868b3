/* The poller: a list of what woke; what it is is asked when it is given
   out, and level-triggered sources stay in the list. */

#include <stdlib.h>

#include "tests/scenario/sim_fd.h"
#include "tests/scenario/sim_parts.h"

void
sim_source_init(struct sim_source *source,
                uint32_t (*poll)(struct sim_source *source))
{
    list_init(&source->ready);
    source->poll = poll;
    source->poller = -1;
}

void
sim_wake(struct sim_source *source, uint32_t key)
{
    struct sim_fd *poller;

    if (source->poller < 0)
        return;
    if (key != 0 && (key & (source->events | EPOLLERR | EPOLLHUP)) == 0)
        return;
    poller = sim_fd_get(source->poller, SIM_FD_POLLER);
    if (poller != NULL && list_empty(&source->ready))
        list_append(&poller->poller->ready, &source->ready);
}

void
sim_poll_add(int poller, struct sim_source *source, uint32_t events, void *tag)
{
    source->poller = poller;
    source->events = events;
    source->tag = tag;
    sim_wake(source, 0);
}

void
sim_poll_remove(struct sim_source *source)
{
    list_remove(&source->ready);
    source->poller = -1;
}

/* Gives one source out, or drops it where nothing is left to say. */
static int
give_out(struct sim_poller *poller, struct sim_source *source,
         struct epoll_event *event)
{
    uint32_t events =
        source->poll(source) & (source->events | EPOLLERR | EPOLLHUP);

    if (events == 0)
        return 0;
    event->events = events;
    event->data.ptr = source->tag;
    if ((source->events & EPOLLET) == 0)
        list_append(&poller->ready, &source->ready);
    return 1;
}

int
sim_poll_collect(struct sim_poller *poller, struct epoll_event *events,
                 int room)
{
    struct list woken;
    int count = 0;

    list_init(&woken);
    list_take(&woken, &poller->ready);
    while (!list_empty(&woken) && count < room) {
        struct sim_source *source =
            container_of(woken.next, struct sim_source, ready);
        list_remove(&source->ready);
        count += give_out(poller, source, &events[count]);
    }
    list_take(&woken, &poller->ready);
    list_take(&poller->ready, &woken);
    return count;
}
