#include "tools/socks4/relay.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool
relay_is_not_yet(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static int
relay_read(struct relay_half *half)
{
    ssize_t got = read(half->from, half->buffer, sizeof(half->buffer));

    if (got < 0)
        return relay_is_not_yet(errno) ? 0 : -errno;
    half->at = 0;
    half->have = (size_t)got;
    if (got == 0)
        half->state = HALF_ENDED;
    return 0;
}

/* A pipe that is ready for writing takes PIPE_BUF octets without blocking. */
static int
relay_write(const struct relay *relay, struct relay_half *half)
{
    const uint8_t *octets = half->buffer + half->at;
    size_t size = half->have < PIPE_BUF ? half->have : PIPE_BUF;
    ssize_t put = half->to == relay->fd ? send(half->to, octets, half->have,
                                               MSG_NOSIGNAL | MSG_DONTWAIT)
                                        : write(half->to, octets, size);

    if (put < 0)
        return relay_is_not_yet(errno) ? 0 : -errno;
    half->at += (size_t)put;
    half->have -= (size_t)put;
    half->moved += (uint64_t)put;
    return 0;
}

/* Passes the end on, once everything before it is written. ENOTCONN: the
   connection was reset meanwhile. */
static int
relay_finish(const struct relay *relay, struct relay_half *half)
{
    half->state = HALF_DONE;
    if (half->to != relay->fd)
        return close(half->to) < 0 ? -errno : 0;
    if (relay->no_shutdown)
        return 0;
    if (shutdown(relay->fd, SHUT_WR) < 0)
        return errno == ENOTCONN ? -ECONNRESET : -errno;
    return 0;
}

/* The event that the half waits for, as an entry for poll. */
static struct pollfd
relay_wish(const struct relay_half *half)
{
    if (half->have > 0)
        return (struct pollfd){.fd = half->to, .events = POLLOUT};
    if (half->state == HALF_OPEN)
        return (struct pollfd){.fd = half->from, .events = POLLIN};
    return (struct pollfd){.fd = -1};
}

static int
relay_step(const struct relay *relay, struct relay_half *half)
{
    int error = half->have > 0 ? relay_write(relay, half) : relay_read(half);

    if (error == 0 && half->state == HALF_ENDED && half->have == 0)
        error = relay_finish(relay, half);
    return error;
}

/* The side that failed, for a message. */
static const char *
relay_side(const struct relay *relay, const struct relay_half *half)
{
    int fd = half->have > 0 || half->state == HALF_DONE ? half->to : half->from;

    if (fd == relay->fd)
        return "the connection";
    return fd == STDIN_FILENO ? "standard input" : "standard output";
}

static int
relay_error(int fd)
{
    int reason = 0;
    socklen_t size = sizeof(reason);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &size) < 0)
        return -errno;
    return -reason;
}

/* A user at a terminal need not end the input once the peer has closed. */
static bool
relay_is_over(const struct relay *relay)
{
    if (relay->down.state != HALF_DONE)
        return false;
    return relay->up.state == HALF_DONE || isatty(STDIN_FILENO);
}

/* Waits for an event, then moves octets in each direction that is ready. */
static int
relay_turn(struct relay *relay, const char **where)
{
    struct relay_half *halves[] = {&relay->up, &relay->down};
    struct pollfd polled[3] = {
        relay_wish(&relay->up), relay_wish(&relay->down), {.fd = relay->fd}};
    int error = 0;

    if (poll(polled, 3, -1) < 0)
        return errno == EINTR ? 0 : -errno;
    *where = "the connection";
    if (polled[2].revents & POLLERR)
        error = relay_error(relay->fd);
    for (size_t i = 0; i < 2 && error == 0; i++) {
        if (polled[i].revents == 0)
            continue;
        error = relay_step(relay, halves[i]);
        if (error != 0)
            *where = relay_side(relay, halves[i]);
    }
    return error;
}

int
relay_run(struct relay *relay, int fd, const char **where)
{
    int error = 0;

    relay->fd = fd;
    relay->up.from = STDIN_FILENO;
    relay->up.to = fd;
    relay->down.from = fd;
    relay->down.to = STDOUT_FILENO;
    while (error == 0 && !relay_is_over(relay))
        error = relay_turn(relay, where);
    return error;
}
