#include "gateway/monitor/queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
queue_init(struct queue *queue, size_t size)
{
    *queue = (struct queue){.octets = malloc(size), .size = size};
    return queue->octets == NULL ? -ENOMEM : 0;
}

void
queue_fini(struct queue *queue)
{
    free(queue->octets);
    *queue = (struct queue){0};
}

size_t
queue_length(const struct queue *queue)
{
    return queue->end - queue->start;
}

char *
queue_reserve(struct queue *queue, size_t len)
{
    if (len > queue->size - queue_length(queue))
        return NULL;
    if (len > queue->size - queue->end) {
        memmove(queue->octets, queue->octets + queue->start,
                queue_length(queue));
        queue->end -= queue->start;
        queue->start = 0;
    }
    return queue->octets + queue->end;
}

void
queue_commit(struct queue *queue, size_t len)
{
    assert(len <= queue->size - queue->end);
    queue->end += len;
}

const char *
queue_peek(const struct queue *queue, size_t max, size_t *len)
{
    const char *front = queue->octets + queue->start;
    size_t waiting = queue_length(queue);
    *len = waiting < max ? waiting : max;
    if (*len == 0)
        return NULL;
    const char *last = memrchr(front, '\n', *len);
    if (last != NULL)
        *len = (size_t)(last - front) + 1;
    return front;
}

void
queue_consume(struct queue *queue, size_t len)
{
    assert(len <= queue_length(queue));
    queue->start += len;
    if (queue->start == queue->end)
        queue->start = queue->end = 0;
}
