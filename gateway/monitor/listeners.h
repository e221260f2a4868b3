#ifndef GATEWAY_MONITOR_LISTENERS_H
#define GATEWAY_MONITOR_LISTENERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/must_check.h"
#include "gateway/config/config.h"
#include "gateway/monitor/inherited.h"
#include "gateway/monitor/sink.h"

/*
 * The listening sockets: one an address, without SO_REUSEPORT, shared by
 * all workers. The monitor keeps them open, so that what waits in a queue
 * survives every worker.
 */
struct listeners {
    int fds[CONFIG_LISTENERS_MAX]; /* owned */
    struct listener_state {
        uint32_t backlog; /* what the queue holds */
        struct inherited inherited;
    } wanted[CONFIG_LISTENERS_MAX];  /* as before any worker had the socket */
    bool lost[CONFIG_LISTENERS_MAX]; /* cannot be made to listen, and the log
                                        says so */
    size_t count;
};

/*
 * What connections inherit from now on, set on every socket: `keepalive`. At
 * the start sockets that nobody has set have the system's; `again`: they may
 * have another by now.
 */
void listeners_set_keepalive(struct listeners *listeners,
                             const struct config *config, bool again);

/* In the order of config->listeners; one that was passed to us
   (socket_activation.h) is used instead of opened. 0, or -1 after one line on
   stderr that says which address, why and what to do. */
MUST_CHECK int listeners_open(struct listeners *listeners,
                              const struct config *config);

/*
 * What `to` makes of those of `from`: an address that both have keeps its
 * socket, all others are opened, into `next`. 0; or -1 with why and what to
 * do in `why`, and nothing is changed.
 */
#define LISTENERS_WHY_MAX 256
MUST_CHECK int listeners_prepare(struct listeners *next,
                                 const struct listeners *now,
                                 const struct config *from,
                                 const struct config *to,
                                 char why[LISTENERS_WHY_MAX]);
/* Closes what only `next` has, or what only `now` has: then `next` is now. */
void listeners_close_rest(const struct listeners *next,
                          const struct listeners *now);
void listeners_replace(struct listeners *now, const struct listeners *next);

/* One line for each that is new, and for each that is closed. */
void listeners_report_change(const struct listeners *now,
                             const struct config *from,
                             const struct listeners *next,
                             const struct config *to, struct sink *sink);

/*
 * Workers have the very sockets, and no filter keeps one that was taken over
 * from ending their listening (connect to AF_UNSPEC), from cutting their queues
 * (listen), or from setting what connections inherit (inherited.h). Makes such
 * a socket listen again, and sets the options again, with one line about each;
 * called each LISTENERS_CHECK_MS. What waited in the queue of a socket that has
 * not listened is lost.
 */
#define LISTENERS_CHECK_MS 1000
void listeners_check(struct listeners *listeners, const struct config *config,
                     struct sink *sink);

/* Of any listening socket that a child has, too: whether one has ended its
   listening; and makes it listen again, with such a queue. `disconnect`: it has
   ended. 0 or a negative errno. */
bool listener_has_ended(int fd);
int listener_listen_again(int fd, uint32_t backlog, bool disconnect);

void listeners_close(struct listeners *listeners);

/* One line an address. */
void listeners_report(const struct listeners *listeners,
                      const struct config *config, struct sink *sink);

#endif
