#include "bench/poller.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_A_TURN 256

int
poller_open(void)
{
    int poller = epoll_create1(EPOLL_CLOEXEC);

    return poller < 0 ? -errno : poller;
}

static int
poller_control(int poller, int what, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    return epoll_ctl(poller, what, watch->fd, &event) < 0 ? -errno : 0;
}

int
poller_add(int poller, struct watch *watch, uint32_t events)
{
    return poller_control(poller, EPOLL_CTL_ADD, watch, events);
}

int
poller_modify(int poller, struct watch *watch, uint32_t events)
{
    return poller_control(poller, EPOLL_CTL_MOD, watch, events);
}

void
watch_close(struct watch *watch)
{
    if (watch->fd >= 0)
        close(watch->fd);
    watch->fd = -1;
}

int
poller_turn(int poller, int wait_ms)
{
    struct epoll_event events[EVENTS_A_TURN];
    int count = epoll_wait(poller, events, EVENTS_A_TURN, wait_ms);

    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        struct watch *watch = events[i].data.ptr;
        if (watch->fd >= 0)
            watch->ready(watch, events[i].events);
    }
    return 0;
}

uint64_t
clock_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
