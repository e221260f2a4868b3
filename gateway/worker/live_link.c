#include "gateway/worker/live_link.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void
live_link_init(struct live_link *link, live_link_send_fn *send)
{
    memset(link, 0, sizeof(*link));
    link->send = send;
    list_init(&link->waiting);
}

void
live_link_fini(struct live_link *link)
{
    free(link->queue);
    link->queue = NULL;
}

/* Room for `more` messages beside one for the end of every CONNECT registered.
 */
static int
live_link_reserve(struct live_link *link, size_t more)
{
    size_t need = link->queued + link->registered + more;

    if (need <= link->room)
        return 0;
    size_t room = need * 2;
    struct channel_message *queue = realloc(link->queue, room * sizeof(*queue));
    if (queue == NULL)
        return -ENOMEM;
    link->queue = queue;
    link->room = room;
    return 0;
}

static void
live_link_append(struct live_link *link, const struct channel_message *message)
{
    assert(link->queued < link->room);
    link->queue[link->queued++] = *message;
    live_link_flush(link);
}

void
live_link_flush(struct live_link *link)
{
    size_t sent = 0;

    while (sent < link->queued &&
           link->send(link, &link->queue[sent]) != -EAGAIN)
        sent++;
    if (sent == 0) /* perhaps there is no queue at all yet */
        return;
    link->queued -= sent;
    memmove(link->queue, link->queue + sent,
            link->queued * sizeof(*link->queue));
}

int
live_link_register(struct live_link *link, uint64_t id, struct addr client,
                   struct addr to)
{
    struct channel_message message = {
        .kind = CHANNEL_REGISTER, .id = id, .client = client, .to = to};

    int error = live_link_reserve(link, 2);
    if (error < 0)
        return error;
    link->registered++;
    live_link_append(link, &message);
    return 0;
}

void
live_link_unregister(struct live_link *link, uint64_t id, struct addr client,
                     struct addr to)
{
    struct channel_message message = {
        .kind = CHANNEL_UNREGISTER, .id = id, .client = client, .to = to};

    link->registered--;
    live_link_append(link, &message);
}

int
live_link_ask(struct live_link *link, struct live_link_query *query,
              uint64_t id, struct addr client, struct addr to,
              live_link_fn *answered)
{
    struct channel_message message = {
        .kind = CHANNEL_ASK_CONNECT, .id = id, .client = client, .to = to};

    int error = live_link_reserve(link, 1);
    if (error < 0)
        return error;
    query->id = id;
    query->answered = answered;
    list_append(&link->waiting, &query->link);
    live_link_append(link, &message);
    return 0;
}

void
live_link_cancel(struct live_link_query *query)
{
    list_remove(&query->link);
}

void
live_link_receive(struct live_link *link, const struct channel_message *message)
{
    list_each_safe (at, after, &link->waiting) {
        struct live_link_query *query =
            container_of(at, struct live_link_query, link);
        if (query->id != message->id)
            continue;
        list_remove(&query->link);
        query->answered(query, message->arg != 0);
        return;
    }
}
