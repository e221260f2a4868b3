#ifndef GATEWAY_MONITOR_SOCKET_ACTIVATION_H
#define GATEWAY_MONITOR_SOCKET_ACTIVATION_H

#include <stddef.h>

#include "base/must_check.h"
#include "gateway/config/config.h"

/*
 * Listening sockets that whoever started us has opened already
 * (sd_listen_fds(3), "socket activation"): each takes the place of the one
 * we would have opened for an entry of `listen:` with its address. So a
 * port below 1024 needs no root, and connections wait while we start anew.
 */
struct activated_socket {
    int fd; /* owned; -1: taken */
    struct endpoint at;
};

struct socket_activation {
    struct activated_socket sockets[CONFIG_LISTENERS_MAX];
    size_t count;
};

/*
 * Takes LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES out of the environment,
 * and the sockets if they are meant for us. 0; or -1 after one line on
 * stderr: one of them cannot be listened on as `listen:` means it.
 */
MUST_CHECK int socket_activation_open(struct socket_activation *activation);

/* The one that listens on `at`, now the caller's, or -1. */
MUST_CHECK int socket_activation_take(struct socket_activation *activation,
                                      const struct endpoint *at);

/* Whether none is left; else -1 after one line on stderr that names it. */
MUST_CHECK int
socket_activation_check(const struct socket_activation *activation);

/* Closes those that are left. */
void socket_activation_close(struct socket_activation *activation);

#endif
