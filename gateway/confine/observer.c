#include "gateway/confine/confine.h"
#include "gateway/confine/table.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

/*
 * The observer: it accepts connections on sockets that the monitor has opened,
 * asks workers and the monitor by messages, and answers. It opens nothing,
 * neither a file nor a socket, and connects to nothing. It cannot write to the
 * segment, whose descriptor is one to read.
 */
/* clang-format off */
static const struct confine_permission calls[] = {
    {CALL(epoll_wait)},
    {CALL(epoll_pwait)}, /* what epoll_wait is on some machines */
    {CALL(epoll_ctl)},

    /* operators, and messages */
    {CALL(accept4)},
    {CALL(recvfrom)},
    /* never sendmsg: no descriptor leaves a child */
    {CALL(recvmsg)},
    /* The HTTP library sends its own errors so: it fails, and it closes the
       connection. Answers go by send. */
    {CALL(sendmsg), .error = ENOSYS},
    {CALL(sendto), {WITHOUT(3, MSG_FASTOPEN)}},
    /* HTTP, and the line for HAProxy: whole packets, and the end */
    {CALL(shutdown)},
    {CALL(fcntl), {IS(1, F_GETFL)}},
    {CALL(setsockopt), {IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY)}},
    {CALL(setsockopt), {IS(1, IPPROTO_TCP), IS(2, TCP_CORK)}},
    /* who they are */
    {CALL(getsockopt), {IS(1, SOL_SOCKET), IS(2, SO_PEERCRED)}},
    {CALL(getsockopt), {IS(1, SOL_SOCKET), IS(2, SO_PEERGROUPS)}},

    {CALL(fstat)},
    {CALL(newfstatat), {IS(3, AT_EMPTY_PATH)}}, /* what fstat has become */
};
/* clang-format on */

const struct confine_table confine_observer = {
    .calls = calls,
    .call_count = sizeof(calls) / sizeof(calls[0]),
    .ceilings = {{RLIMIT_CORE, 0}, {RLIMIT_NPROC, 0}, {RLIMIT_FSIZE, 0}},
    .ceiling_count = 3,
};
