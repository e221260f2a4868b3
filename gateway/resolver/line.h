#ifndef GATEWAY_RESOLVER_LINE_H
#define GATEWAY_RESOLVER_LINE_H

#include "gateway/resolver/desk.h"

/*
 * A worker's line: questions in, answers out. While an answer waits for
 * room no question is read; what a worker sends is believed in nothing.
 */
struct line {
    struct desk *desk;  /* borrowed */
    struct watch watch; /* owns its descriptor; -1: there is no line */
    struct holder holder;
    struct list outbox;          /* answered askers, in order */
    struct lookup_answer answer; /* to a question just read, */
    bool waits;                  /* and there was no room for it */
    struct task again;
};

/* Questions read from one line in one turn. */
#define LINE_TURN 64

void line_init(struct line *line, struct desk *desk);

/* Serves on fd, which is taken. */
void line_open(struct line *line, int fd);

/* Whatever it asked is dropped. Idempotent. */
void line_close(struct line *line);

/* For desk_init. */
void line_answered(struct asker *asker);

#endif
