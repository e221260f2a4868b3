#ifndef GATEWAY_WORKER_LISTENER_H
#define GATEWAY_WORKER_LISTENER_H

#include <stdbool.h>

#include "base/loop.h"
#include "gateway/worker/session.h"

/* Why a worker has paused a listener, until a session ends. */
enum listener_paused {
    PAUSED_NOT,
    PAUSED_SHARE,   /* others have fewer sessions */
    PAUSED_FULL,    /* no descriptor is left for another one */
    PAUSED_REFUSED, /* accept fails otherwise */
    PAUSED_BROKEN /* the socket does not listen: another process that has it has
                     ended that; the monitor makes it listen again */
};

/*
 * A worker's end of a listening socket that all workers share. It accepts a
 * few connections a turn. It pauses while this worker has more than its share
 * of sessions and another worker accepts, or has no descriptor left for a
 * session; it checks again when a session ends, and every 50 ms; each second
 * while the socket does not listen.
 * Level-triggered and EPOLLEXCLUSIVE: a connection wakes one worker, which must
 * accept it even if it pauses; the next one wakes another.
 */
struct listener {
    struct watch watch; /* owns the socket; watch.fd -1: not watched */
    struct sessions *sessions;
    struct timer retry;
    int fd; /* -1: closed */
    enum listener_paused paused;
    size_t index;
    struct refstr *name; /* reference */
};

/* Takes fd, and a reference to the name of its own. 0, or a negative errno
   and fd is closed. */
int listener_open(struct listener *listener, struct sessions *sessions, int fd,
                  size_t index, struct refstr *name);

/* Its number in the configuration and its name, for sessions accepted from now
   on; it stays as it is. */
void listener_rename(struct listener *listener, size_t index,
                     struct refstr *name);

/* A session has ended: a listener that is paused checks again at once. */
void listener_recheck(struct listener *listener);

/* Accepts what waits in the queue, then closes the socket. */
void listener_close(struct listener *listener);

/* Closes it and leaves the queue to other workers. */
void listener_close_now(struct listener *listener);

/* After it was closed. */
void listener_fini(struct listener *listener);

#endif
