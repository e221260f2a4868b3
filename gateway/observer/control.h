#ifndef GATEWAY_OBSERVER_CONTROL_H
#define GATEWAY_OBSERVER_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/loop.h"

/*
 * The control socket: one JSON object a line, each way. A connection has one
 * request at a time; the next line is read when that is answered. SO_PEERCRED
 * says who the peer is: root, the user who started the gateway and the
 * gateway's user may change things, members of control.group may look, all
 * others are refused.
 *
 *     {"command":"sessions","filter":["client=10.0.0.0/8"]}
 *     {"rows":[…],"total":2,"more":0}
 *     {"error":"there is no key `cleint'; …","usage":true}
 *
 * A peer that does not read, or does not write, costs a bounded queue, and for
 * a bounded time.
 */
struct observer;
struct control_connection;

#define CONTROL_CONNECTIONS_MAX 24
/* Of those, for peers that may change things. */
#define CONTROL_CONNECTIONS_RESERVED 8
#define CONTROL_LINE_MAX 65536

struct control {
    struct observer *observer; /* borrowed */
    struct watch listener;     /* owns its descriptor, -1 */
    uint32_t serial;           /* of that socket */
    uint32_t group;            /* whose members may look, and 1; 0: none */
    struct list connections;
    unsigned count;
    struct list ended; /* to be freed at the end of the turn */
    struct task reap;
    struct {
        uint64_t second;
        unsigned changes, denials;
    } reported; /* to the monitor, in that second */
};

/* Who is at the other end. */
struct control_peer {
    uid_t uid;
    pid_t pid;
    bool may_change;
};

struct control_connection {
    struct list link;
    struct control *control; /* borrowed */
    struct control_peer peer;
    struct watch watch; /* owns its descriptor */
    struct timer timeout;
    char *in; /* CONTROL_LINE_MAX octets; owned */
    size_t in_len;
    bool skipping; /* the rest of a line that was too long */
    char *out;     /* owned */
    size_t out_len, out_at, out_room;
    struct task more; /* lines are left in `in` */
    struct task flush;
    bool busy;    /* with a request that has no answer yet */
    bool closing; /* when everything is written */
    bool ended;
    /* The request that keeps it busy: called where the connection ends before
       the answer. */
    void (*cancel)(struct control_connection *connection);
    void *request;
    bool endless;    /* it has no answer, but lines until the end */
    uint32_t number; /* of what the monitor was asked; 0: nothing */
};

void control_init(struct control *control, struct observer *observer);

/* Listens on fd, which is taken, in place of any before, whose connections are
   drained; -1: no more. One with the same serial is the same socket. */
void control_listen(struct control *control, int fd, uint32_t serial,
                    uint32_t group);

/* No more connections. Those that wait for an answer end when they have it, all
   others at once. */
void control_drain(struct control *control);
/* Whether none waits any more. */
bool control_is_idle(const struct control *control);
void control_fini(struct control *control);

/* The answer, which is taken, as a line; the request is over. */
void control_answer(struct control_connection *connection, json_t *answer);
/* The same of one that failed. `usage`: it was asked wrongly. */
void control_refuse(struct control_connection *connection, bool usage,
                    const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* One line of several, at the end of the turn; false: its queue is full, and it
   was left out. */
bool control_send(struct control_connection *connection, const json_t *line);

#endif
