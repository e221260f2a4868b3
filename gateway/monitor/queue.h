#ifndef GATEWAY_MONITOR_QUEUE_H
#define GATEWAY_MONITOR_QUEUE_H

#include <stddef.h>

#include "base/must_check.h"

/*
 * A bounded queue of log lines: octets in one piece, whole lines in, whole
 * lines out. What does not fit is the caller's to count.
 */
struct queue {
    char *octets; /* owned */
    size_t size;
    size_t start; /* first octet still waiting */
    size_t end;
};

/* 0 or -ENOMEM. */
MUST_CHECK int queue_init(struct queue *queue, size_t size);
void queue_fini(struct queue *queue);

/* Octets that wait. */
size_t queue_length(const struct queue *queue);

/* Room for `len` octets in one piece, to be filled before the commit; NULL
   if there is none. */
char *queue_reserve(struct queue *queue, size_t len);
void queue_commit(struct queue *queue, size_t len);

/* The whole lines in front, at most `max` octets (and where the first line
   alone is longer, its beginning); NULL if nothing waits. */
const char *queue_peek(const struct queue *queue, size_t max, size_t *len);
void queue_consume(struct queue *queue, size_t len);

#endif
