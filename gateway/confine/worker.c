#include "gateway/confine/confine.h"
#include "gateway/confine/table.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <linux/futex.h>
#include <linux/sockios.h>

/* Whatever it may be when it is made. */
#define KIND ((uint32_t) ~(SOCK_NONBLOCK | SOCK_CLOEXEC))

/*
 * A worker: it has its listeners, the segment, its channels to the monitor
 * and its loop when it is confined, and meets the kernel in base/sys.c and
 * gateway/channel.c alone. It opens sockets and pipes, and nothing else.
 */
/* clang-format off */
static const struct confine_permission calls[] = {
    /* many a session: without conditions, see seccomp.c */
    {CALL(epoll_wait)},
    {CALL(epoll_pwait)}, /* what epoll_wait is on some machines */
    {CALL(epoll_ctl)},
    {CALL(recvfrom)},
    {CALL(splice)},
    {CALL(read)}, /* a pipe, where splice fails */
    {CALL(accept4)},
    {CALL(connect)},
    {CALL(bind)},
    {CALL(listen)},
    {CALL(getsockname)},
    /* never the other half: that would end a listening socket for everybody */
    {CALL(shutdown), {IS(1, SHUT_WR)}},

    /* to connections, and messages and records to the monitor; never as a
       connect, which landlock would not see */
    {CALL(sendto), {WITHOUT(3, MSG_FASTOPEN)}},

    /* messages */
    /* never sendmsg, nor sendmmsg: no descriptor leaves a child */
    {CALL(recvmsg)},
    /* datagrams of UDP associations, which sendto sends one by one */
    {CALL(recvmmsg), {IS(3, 0)}},

    /* TCP; UDP is for associations, and for asking the kernel which address
       faces DSTIP */
    {CALL(socket), {IS(0, AF_INET), {1, KIND, SOCK_STREAM}, IS(2, IPPROTO_TCP)}},
    {CALL(socket), {IS(0, AF_INET6), {1, KIND, SOCK_STREAM}, IS(2, IPPROTO_TCP)}},
    {CALL(socket), {IS(0, AF_INET), {1, KIND, SOCK_DGRAM}, IS(2, 0)}},
    {CALL(socket), {IS(0, AF_INET6), {1, KIND, SOCK_DGRAM}, IS(2, 0)}},

    {CALL(setsockopt), {IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY)}},
    {CALL(setsockopt), {IS(1, SOL_SOCKET), IS(2, SO_KEEPALIVE)}},
    {CALL(setsockopt), {IS(1, IPPROTO_TCP), IS(2, TCP_KEEPIDLE)}},
    {CALL(setsockopt), {IS(1, IPPROTO_TCP), IS(2, TCP_KEEPINTVL)}},
    {CALL(setsockopt), {IS(1, IPPROTO_TCP), IS(2, TCP_KEEPCNT)}},
    {CALL(setsockopt), {IS(1, SOL_SOCKET), IS(2, SO_OOBINLINE)}},
    {CALL(setsockopt), {IS(1, SOL_SOCKET), IS(2, SO_REUSEADDR)}},
    {CALL(setsockopt), {IS(1, IPPROTO_IP), IS(2, IP_BIND_ADDRESS_NO_PORT)}},
    {CALL(setsockopt), {IS(1, IPPROTO_IPV6), IS(2, IPV6_V6ONLY)}},
    {CALL(setsockopt), {IS(1, SOL_SOCKET), IS(2, SO_RCVBUF)}},
    {CALL(setsockopt), {IS(1, SOL_SOCKET), IS(2, SO_SNDBUF)}},
    {CALL(setsockopt), {IS(1, IPPROTO_TCP), IS(2, TCP_WINDOW_CLAMP)}},
    {CALL(getsockopt), {IS(1, SOL_SOCKET), IS(2, SO_MEMINFO)}},
    {CALL(getsockopt), {IS(1, SOL_SOCKET), IS(2, SO_ERROR)}},
    {CALL(getsockopt), {IS(1, IPPROTO_TCP), IS(2, TCP_INFO)}},
    {CALL(getsockopt), {IS(1, IPPROTO_IP), IS(2, IP_MTU)}},
    {CALL(getsockopt), {IS(1, IPPROTO_IPV6), IS(2, IPV6_MTU)}},
    {CALL(ioctl), {IS(1, SIOCATMARK)}},
    {CALL(ioctl), {IS(1, SIOCOUTQ)}},

    /* OpenSSL */
    {CALL(getrandom)},
    /* pthread_once, with which OpenSSL loads what it has not needed before */
    {CALL(futex), {IS(1, FUTEX_WAKE_PRIVATE)}},

    /* bulk */
    {CALL(pipe2)},
    {CALL(fcntl), {IS(1, F_SETPIPE_SZ)}},
};
/* clang-format on */

const struct confine_table confine_worker = {
    .calls = calls,
    .call_count = sizeof(calls) / sizeof(calls[0]),
    .tcp = true,
    .ceilings = {{RLIMIT_CORE, 0}, {RLIMIT_NPROC, 0}, {RLIMIT_FSIZE, 0}},
    .ceiling_count = 3,
};
