#ifndef GATEWAY_WORKER_LISTENER_H
#define GATEWAY_WORKER_LISTENER_H

#include <stdbool.h>

#include "base/loop.h"
#include "gateway/worker/session.h"

/*
 * A worker's end of a listening socket that all workers share. It accepts a
 * few connections a turn, and steps aside while this worker has more than
 * its share of sessions, or no descriptor left for one: it comes back when a
 * session ends, and looks again every now and then.
 * Level-triggered and exclusive: what one worker leaves, another is woken
 * for.
 */
struct listener {
    struct watch watch; /* owns the socket; watch.fd -1: not watched */
    struct sessions *sessions;
    struct timer retry;
    int fd;    /* -1: closed */
    bool full; /* it waits for a session to end */
    size_t index;
    char *name; /* owned; sessions borrow it */
};

/* Takes fd. 0, or a negative errno and fd is closed. */
int listener_open(struct listener *listener, struct sessions *sessions, int fd,
                  size_t index, const char *name);

/* A session has ended: whoever waited for that looks again at once. */
void listener_relieve(struct listener *listener);

/* Accepts what is waiting, then closes the socket. */
void listener_close(struct listener *listener);

/* After the last session: gives back the name too. */
void listener_fini(struct listener *listener);

#endif
