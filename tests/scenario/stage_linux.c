#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/sys.h"
#include "tests/scenario/kernel_stage.h"

/* Loopback delivers within microseconds; this is for a busy machine. */
#define SETTLE_MS 20

void
stage_start(void)
{
}

int
stage_stop(void)
{
    return 0;
}

static void
wait_for(int fd, short what)
{
    struct pollfd ready = {.fd = fd, .events = what};
    poll(&ready, 1, 1000);
}

static int
listen_somewhere(struct endpoint *at)
{
    struct endpoint any = {.addr = addr_v4(0x7f000001), .port = 0};
    int listener = sys_listen(&any, 8, false);

    if (listener < 0 || sys_local(listener, at) < 0)
        abort();
    return listener;
}

static int
connect_to(const struct endpoint *at)
{
    int fd = sys_tcp(true);
    int error = sys_connect(fd, at);

    if (error < 0 && error != -EINPROGRESS)
        abort();
    return fd;
}

void
stage_pair(int fds[2])
{
    struct endpoint at, peer;
    int listener = listen_somewhere(&at);

    fds[0] = connect_to(&at);
    wait_for(listener, POLLIN);
    fds[1] = sys_accept(listener, &peer);
    wait_for(fds[0], POLLOUT);
    sys_close(listener);
    if (fds[0] < 0 || fds[1] < 0)
        abort();
}

int
stage_refused_connect(int fd)
{
    struct endpoint at;
    int error;

    sys_close(listen_somewhere(&at));
    error = sys_connect(fd, &at);
    wait_for(fd, POLLOUT);
    return error;
}

int
stage_listener_with_client(int *far)
{
    struct endpoint at;
    int listener = listen_somewhere(&at);

    *far = connect_to(&at);
    wait_for(listener, POLLIN);
    return listener;
}

void
stage_close_client(int far)
{
    sys_close(far);
}

void
stage_settle(void)
{
    usleep(SETTLE_MS * 1000);
}

int
stage_patience_ms(void)
{
    return 2 * SETTLE_MS;
}
