#ifndef GATEWAY_WORKER_WORKER_H
#define GATEWAY_WORKER_WORKER_H

#include "base/loop.h"
#include "gateway/config/config.h"
#include "gateway/segment.h"
#include "gateway/worker/listener.h"
#include "gateway/worker/record.h"
#include "gateway/worker/session.h"

/*
 * A worker without its process: loop, listeners, sessions, records. It
 * knows the kernel only through base/sys.h, so that the scenario player can
 * be its kernel. main.c wraps a process around it.
 */
struct worker {
    struct loop loop;
    struct config *config;   /* reference */
    struct segment *segment; /* borrowed */
    unsigned slot;
    struct record_log records;
    struct sessions sessions;
    /* Owned; one each of config->listeners, but none once it was drained
       and configured anew. */
    struct listener *listeners[CONFIG_LISTENERS_MAX];
    size_t listener_count;
    bool draining;
    bool ending; /* has no session any more, only records to send */
    struct timer drain_timer;
};

/*
 * `config` is taken over by reference, `segment` borrowed; log_fd is the
 * seqpacket that records go to, `send` takes messages to the monitor. 0 or a
 * negative errno. Where listeners have TLS, worker_take_tls must follow.
 */
int worker_init(struct worker *worker, struct config *config,
                struct segment *segment, unsigned slot, int log_fd,
                live_link_send_fn *send);
void worker_fini(struct worker *worker);

/* The certificates of the TLS listeners. 0 or a negative errno. */
int worker_take_tls(struct worker *worker, const struct tls_files *files);

/* Starts to accept from fd, which is the next of config->listeners. Owns fd.
   0 or a negative errno. */
int worker_listen(struct worker *worker, int fd);

/* Whether it needs a socket for this address. */
bool worker_lacks(const struct worker *worker, const struct endpoint *at);

/*
 * Swaps the configuration for `config` (taken over by reference) between two
 * turns of the loop: undecided sessions keep the old one, sessions accepted
 * from now on have the new one. fds[i] is the socket of config->listeners[i]
 * where the worker lacks it, else -1; they are taken. Listeners that the new
 * one does not name accept what is queued, under the old one, and are closed;
 * all others stay as they are. `files` has the certificates of its TLS
 * listeners, and may be NULL where it has none. 0, or a negative errno and
 * nothing has changed.
 */
int worker_reconfigure(struct worker *worker, struct config *config,
                       const struct tls_files *files, const int *fds);

/*
 * Accepts until the queues are empty, closes the listeners, lets live
 * sessions finish until timeouts.drain (0: for ever), then resets them. The
 * loop stops when the last session has ended and its record was sent, or a
 * second after the monitor took the last it does. worker_stop resets at once.
 */
void worker_drain(struct worker *worker);
void worker_stop(struct worker *worker);

#endif
