#include "gateway/worker/inquiry.h"

#include <string.h>

static struct inquiries *
inquiries_of(struct peer_link *link)
{
    return container_of(link, struct inquiries, link);
}

static struct inquiry *
inquiry_of(struct list *at)
{
    return container_of(at, struct inquiry, link);
}

static struct list *
inquiries_bucket(struct inquiries *inquiries, uint64_t id)
{
    return &inquiries->sent[id % INQUIRY_BUCKETS];
}

void
inquiries_flush(struct peer_link *link)
{
    struct inquiries *inquiries = inquiries_of(link);

    list_each_safe (at, after, &inquiries->unsent) {
        struct inquiry *inquiry = inquiry_of(at);
        if (inquiries->ops->send(inquiries, inquiry) < 0)
            return;
        inquiry->sent = true;
        list_remove(at);
        list_append(inquiries_bucket(inquiries, inquiry->id), at);
    }
}

/* Those that were sent are older than those unsent: they go first. */
void
inquiries_resend(struct peer_link *link)
{
    struct inquiries *inquiries = inquiries_of(link);
    struct list newer;

    list_init(&newer);
    list_take(&newer, &inquiries->unsent);
    for (size_t i = 0; i < INQUIRY_BUCKETS; i++)
        list_take(&inquiries->unsent, &inquiries->sent[i]);
    list_each_safe (at, after, &inquiries->unsent)
        inquiry_of(at)->sent = false;
    list_take(&inquiries->unsent, &newer);
    inquiries_flush(link);
}

static struct inquiry *
inquiries_find(struct inquiries *inquiries, uint64_t id)
{
    list_each_safe (at, after, inquiries_bucket(inquiries, id))
        if (inquiry_of(at)->id == id)
            return inquiry_of(at);
    return NULL;
}

void
inquiries_receive(struct peer_link *link, const void *answer)
{
    struct inquiries *inquiries = inquiries_of(link);
    uint64_t id;

    memcpy(&id, answer, sizeof(id));
    struct inquiry *inquiry = inquiries_find(inquiries, id);
    if (inquiry == NULL)
        return;
    inquiry_stop(inquiry);
    inquiries->ops->receive(inquiry, answer);
}

void
inquiry_start(struct inquiries *inquiries, struct inquiry *inquiry)
{
    bool first = list_empty(&inquiries->unsent);

    *inquiry = (struct inquiry){.id = ++inquiries->last_id};
    list_append(&inquiries->unsent, &inquiry->link);
    if (first) /* else the link is full, and inquiries_flush will come */
        inquiries_flush(&inquiries->link);
}

bool
inquiry_stop(struct inquiry *inquiry)
{
    bool sent = inquiry->sent;

    list_remove(&inquiry->link);
    inquiry->sent = false;
    return sent;
}

void
inquiries_init(struct inquiries *inquiries, struct loop *loop,
               enum channel_peer peer, const struct inquiries_ops *ops)
{
    peer_link_init(&inquiries->link, loop, peer, &ops->link);
    inquiries->ops = ops;
    inquiries->last_id = 0;
    list_init(&inquiries->unsent);
    for (size_t i = 0; i < INQUIRY_BUCKETS; i++)
        list_init(&inquiries->sent[i]);
}
