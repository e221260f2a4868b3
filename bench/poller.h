#ifndef BENCH_POLLER_H
#define BENCH_POLLER_H

#include <stdint.h>
#include <sys/epoll.h>

/* epoll with callbacks; a watch is embedded in the object that it belongs to.
 */

struct watch;
typedef void (*watch_ready)(struct watch *watch, uint32_t events);

/* Owns `fd`; -1: no descriptor, and pending events are ignored. */
struct watch {
    int fd;
    watch_ready ready;
};

/* 0 or a negative errno. */
int poller_open(void);
int poller_add(int poller, struct watch *watch, uint32_t events);
int poller_modify(int poller, struct watch *watch, uint32_t events);

/* Closes the descriptor; may be called twice. */
void watch_close(struct watch *watch);

/* Waits at most `wait_ms` and calls the callbacks. 0 or a negative errno. */
int poller_turn(int poller, int wait_ms);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t clock_now_ns(void);

#endif
