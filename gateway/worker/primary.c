#include "gateway/worker/primary.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void
primary_init(struct primary *primary, primary_send_fn *send)
{
    memset(primary, 0, sizeof(*primary));
    primary->send = send;
    list_init(&primary->asking);
}

void
primary_fini(struct primary *primary)
{
    free(primary->queue);
    primary->queue = NULL;
}

/* Room for `more` messages beside one for the end of every CONNECT told. */
static int
queue_reserve(struct primary *primary, size_t more)
{
    size_t need = primary->queued + primary->told + more;

    if (need <= primary->room)
        return 0;
    size_t room = need * 2;
    struct channel_message *queue =
        realloc(primary->queue, room * sizeof(*queue));
    if (queue == NULL)
        return -ENOMEM;
    primary->queue = queue;
    primary->room = room;
    return 0;
}

static void
queue_append(struct primary *primary, const struct channel_message *message)
{
    assert(primary->queued < primary->room);
    primary->queue[primary->queued++] = *message;
    primary_flush(primary);
}

void
primary_flush(struct primary *primary)
{
    size_t sent = 0;

    while (sent < primary->queued &&
           primary->send(&primary->queue[sent]) != -EAGAIN)
        sent++;
    if (sent == 0) /* perhaps there is no queue at all yet */
        return;
    primary->queued -= sent;
    memmove(primary->queue, primary->queue + sent,
            primary->queued * sizeof(*primary->queue));
}

int
primary_begin(struct primary *primary, uint64_t id, struct addr client,
              struct addr to)
{
    struct channel_message message = {
        .kind = CHANNEL_CONNECTED, .id = id, .client = client, .to = to};

    int error = queue_reserve(primary, 2);
    if (error < 0)
        return error;
    primary->told++;
    queue_append(primary, &message);
    return 0;
}

void
primary_end(struct primary *primary, uint64_t id, struct addr client,
            struct addr to)
{
    struct channel_message message = {
        .kind = CHANNEL_CONNECT_ENDED, .id = id, .client = client, .to = to};

    primary->told--;
    queue_append(primary, &message);
}

int
primary_ask(struct primary *primary, struct primary_question *question,
            uint64_t id, struct addr client, struct addr to,
            primary_fn *answered)
{
    struct channel_message message = {
        .kind = CHANNEL_ASK_CONNECT, .id = id, .client = client, .to = to};

    int error = queue_reserve(primary, 1);
    if (error < 0)
        return error;
    question->id = id;
    question->answered = answered;
    list_append(&primary->asking, &question->link);
    queue_append(primary, &message);
    return 0;
}

void
primary_cancel(struct primary_question *question)
{
    list_remove(&question->link);
}

void
primary_hear(struct primary *primary, const struct channel_message *message)
{
    list_each_safe (at, after, &primary->asking) {
        struct primary_question *question =
            container_of(at, struct primary_question, link);
        if (question->id != message->id)
            continue;
        list_remove(&question->link);
        question->answered(question, message->arg != 0);
        return;
    }
}
