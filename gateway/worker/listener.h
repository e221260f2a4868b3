#ifndef GATEWAY_WORKER_LISTENER_H
#define GATEWAY_WORKER_LISTENER_H

#include <stdbool.h>

#include "base/loop.h"
#include "gateway/worker/session.h"

/* Why a worker does not watch a listener; it waits for a session to end. */
enum listener_aside {
    ASIDE_NOT,
    ASIDE_SHARE, /* others have fewer sessions */
    ASIDE_FULL   /* no descriptor is left for another one */
};

/*
 * A worker's end of a listening socket that all workers share. It accepts a
 * few connections a turn, and steps aside while this worker has more than
 * its share of sessions and another is there, or no descriptor left for one:
 * it comes back when a session ends, and looks again every now and then.
 * Level-triggered and exclusive: a connection wakes one worker, which is to
 * take it even if it steps aside; what comes later wakes another.
 */
struct listener {
    struct watch watch; /* owns the socket; watch.fd -1: not watched */
    struct sessions *sessions;
    struct timer retry;
    int fd; /* -1: closed */
    enum listener_aside aside;
    size_t index;
    struct refstr *name; /* reference */
};

/* Takes fd, and a reference to the name of its own. 0, or a negative errno
   and fd is closed. */
int listener_open(struct listener *listener, struct sessions *sessions, int fd,
                  size_t index, struct refstr *name);

/* It stays as it is, but for its place in the configuration and its name:
   for whoever is accepted from now on. */
void listener_rename(struct listener *listener, size_t index,
                     struct refstr *name);

/* A session has ended: whoever waited for that looks again at once. */
void listener_relieve(struct listener *listener);

/* Accepts what is waiting, then closes the socket. */
void listener_close(struct listener *listener);

/* Closes it and leaves what waits to others. */
void listener_abandon(struct listener *listener);

/* After it was closed. */
void listener_fini(struct listener *listener);

#endif
