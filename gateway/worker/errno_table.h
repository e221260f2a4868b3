#ifndef GATEWAY_WORKER_ERRNO_TABLE_H
#define GATEWAY_WORKER_ERRNO_TABLE_H

#include <errno.h>

#include "gateway/worker/verdict.h"

/*
 * What an errno of accept, socket, bind, listen, connect or epoll_ctl means:
 * what accepting does about it, and how a session ends that met it on the
 * way to its application server, or while it was to listen for a BIND's
 * peer. EINTR is retried in base/sys.c; EAGAIN of connect means that no local
 * port is free, and EINPROGRESS never gets here.
 */

enum errno_accept {
    ERRNO_NOTHING, /* the queue is empty */
    ERRNO_NEXT,    /* that connection died in the queue: the next one */
    ERRNO_PAUSE,   /* nothing can be accepted now: never spin on it */
};

/* errno, accepting, verdict of a connection, of a BIND */
#define ERRNO_TABLE(X)                                                         \
    /* Nobody's. */                                                            \
    X(EAGAIN, NOTHING, NO_PORT, BIND_NO_ADDRESS)                               \
    /* The peer's: its RST, its silence, itself. */                            \
    X(ECONNREFUSED, NEXT, CONNECT_REFUSED, BIND_NO_ADDRESS)                    \
    X(ECONNABORTED, NEXT, CONNECT_FAILED, BIND_NO_ADDRESS)                     \
    X(ECONNRESET, NEXT, CONNECT_FAILED, BIND_NO_ADDRESS)                       \
    X(ETIMEDOUT, NEXT, CONNECT_LATE, BIND_NO_ADDRESS)                          \
    X(EPROTO, NEXT, CONNECT_FAILED, BIND_NO_ADDRESS)                           \
    X(ELOOP, PAUSE, CONNECT_SELF, BIND_NO_ADDRESS)                             \
    /* The network's. */                                                       \
    X(ENETUNREACH, NEXT, CONNECT_NO_NETWORK, BIND_NO_ADDRESS)                  \
    X(EHOSTUNREACH, NEXT, CONNECT_UNREACHABLE, BIND_NO_ADDRESS)                \
    X(ENETDOWN, NEXT, CONNECT_NO_NETWORK, BIND_NO_ADDRESS)                     \
    X(EHOSTDOWN, NEXT, CONNECT_UNREACHABLE, BIND_NO_ADDRESS)                   \
    X(ENONET, NEXT, CONNECT_UNREACHABLE, BIND_NO_ADDRESS)                      \
    X(ENOPROTOOPT, NEXT, CONNECT_FAILED, BIND_NO_ADDRESS)                      \
    X(EOPNOTSUPP, NEXT, CONNECT_FAILED, BIND_NO_ADDRESS)                       \
    /* This machine's: its firewall, its policy, its addresses. */             \
    X(EPERM, PAUSE, CONNECT_FAILED, BIND_NO_ADDRESS)                           \
    X(EACCES, PAUSE, CONNECT_FAILED, BIND_NO_ADDRESS)                          \
    X(EADDRNOTAVAIL, PAUSE, NO_PORT, BIND_NO_ADDRESS)                          \
    X(EADDRINUSE, PAUSE, NO_PORT, BIND_NO_PORT)                                \
    X(EAFNOSUPPORT, PAUSE, CONNECT_FAILED, BIND_NO_ADDRESS)                    \
    X(EPROTONOSUPPORT, PAUSE, CONNECT_FAILED, BIND_NO_ADDRESS)                 \
    /* A limit of this process or machine: goes away when somebody ends. */    \
    X(EMFILE, PAUSE, NO_DESCRIPTOR, NO_DESCRIPTOR)                             \
    X(ENFILE, PAUSE, NO_DESCRIPTOR, NO_DESCRIPTOR)                             \
    X(ENOMEM, PAUSE, NO_MEMORY, NO_MEMORY)                                     \
    X(ENOBUFS, PAUSE, NO_MEMORY, NO_MEMORY)                                    \
    X(ENOSPC, PAUSE, NO_MEMORY, NO_MEMORY) /* fs.epoll.max_user_watches */     \
    /* Ours: no byte from outside leads here. */                               \
    X(EBADF, PAUSE, CONNECT_FAILED, BIND_NO_ADDRESS)                           \
    X(EINVAL, PAUSE, CONNECT_FAILED, BIND_NO_ADDRESS)                          \
    X(ENOTSOCK, PAUSE, CONNECT_FAILED, BIND_NO_ADDRESS)                        \
    X(EEXIST, PAUSE, CONNECT_FAILED, BIND_NO_ADDRESS)                          \
    X(EISCONN, PAUSE, CONNECT_FAILED, BIND_NO_ADDRESS)                         \
    X(EALREADY, PAUSE, CONNECT_FAILED, BIND_NO_ADDRESS)

struct errno_row {
    int error;
    enum errno_accept accept;
    enum verdict connect;
    enum verdict bind;
};

/* The row of a negative errno; one that is not in the table is ours. */
const struct errno_row *errno_find(int error);

/* How a session ends that met it on the way to its server, or in a BIND. */
static inline enum verdict
errno_verdict(int error)
{
    return errno_find(error)->connect;
}

static inline enum verdict
errno_bind_verdict(int error)
{
    return errno_find(error)->bind;
}

#endif
