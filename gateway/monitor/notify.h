#ifndef GATEWAY_MONITOR_NOTIFY_H
#define GATEWAY_MONITOR_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/loop.h"
#include "base/must_check.h"

/*
 * What the service manager is told (sd_notify(3)): READY=1, STOPPING=1,
 * STATUS=…, and WATCHDOG=1 at half the time it gives us, from our loop, for
 * as long as we are alive.
 *
 * The protocol is a datagram of lines to the socket in $NOTIFY_SOCKET, which
 * is promised to stay as it is. It is written out here and not taken from
 * libsystemd, which would bring six more libraries (three that decompress,
 * and one that encrypts) into the one process that keeps its privileges.
 */
#define NOTIFY_STATE_MAX 256
#define NOTIFY_VARIABLES 3

struct notify;
/* Whether the watchdog may be told that all is well. */
typedef bool notify_alive_fn(const struct notify *notify);

struct notify {
    struct loop *loop;      /* borrowed */
    notify_alive_fn *alive; /* borrowed */
    int fd;                 /* owned; -1: nobody wants to hear */
    struct sockaddr_un to;
    socklen_t to_len;
    uint64_t watchdog_ms; /* between two pings; 0: there is no watchdog */
    struct timer watchdog;
    char state[NOTIFY_STATE_MAX]; /* not sent yet; empty: nothing is due */
    struct timer retry;
    char *variables[NOTIFY_VARIABLES]; /* as they were, NULL; owned */
};

/*
 * Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the
 * environment, so that no child speaks for us. 0; or -1 after one line on
 * stderr: NOTIFY_SOCKET is no address.
 */
MUST_CHECK int notify_open(struct notify *notify, struct loop *loop,
                           notify_alive_fn *alive);
void notify_close(struct notify *notify);

/* Puts them back, for another binary in our place; or takes them again. */
void notify_restore_variables(const struct notify *notify);
void notify_unset_variables(void);

/* The pings go on, though READY=1 is still to come. */
void notify_watch(struct notify *notify);

/*
 * Tells a new state, "READY=1\nSTATUS=…" for instance; never waits. Where
 * the socket is full the newest state is sent later. READY=1 starts the
 * watchdog's pings.
 */
void notify_send(struct notify *notify, const char *state);

#endif
