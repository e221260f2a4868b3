#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/sock_diag.h> /* SK_MEMINFO_... */
#include <linux/sockios.h>   /* SIOCATMARK */

#include "base/port_search.h"

/* Repeats the call while a signal interrupts it; its result or -errno. */
#define RETRY(result, call)                                                    \
    do {                                                                       \
        (result) = (call);                                                     \
    } while ((result) < 0 && errno == EINTR);                                  \
    if ((result) < 0)                                                          \
    (result) = -errno

static uint64_t
sys_clock_us(clockid_t clock)
{
    struct timespec at;

    clock_gettime(clock, &at);
    return (uint64_t)at.tv_sec * 1000000 + (uint64_t)at.tv_nsec / 1000;
}

uint64_t
sys_now_us(void)
{
    return sys_clock_us(CLOCK_MONOTONIC);
}

uint64_t
sys_thread_us(void)
{
    return sys_clock_us(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t
sys_wall_ms(void)
{
    return sys_clock_us(CLOCK_REALTIME) / 1000;
}

int
sys_poll_open(void)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int
sys_poll_add(int poller, int fd, uint32_t events, void *tag)
{
    struct epoll_event event = {.events = events, .data.ptr = tag};
    return epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int
sys_poll_change(int poller, int fd, uint32_t events, void *tag)
{
    struct epoll_event event = {.events = events, .data.ptr = tag};
    return epoll_ctl(poller, EPOLL_CTL_MOD, fd, &event) < 0 ? -errno : 0;
}

int
sys_poll_del(int poller, int fd)
{
    return epoll_ctl(poller, EPOLL_CTL_DEL, fd, NULL) < 0 ? -errno : 0;
}

int
sys_poll_wait(int poller, struct epoll_event *events, int room, int wait_ms)
{
    int count = epoll_wait(poller, events, room, wait_ms);
    return count < 0 ? 0 : count;
}

static int
sys_set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno
                                                                    : 0;
}

/* What every relayed connection has: no Nagle (it would delay what its
   sender did not), and urgent data in the stream, so that its place is kept. */
static int
sys_set_stream_options(int fd)
{
    int error = sys_set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    return error == 0 ? sys_set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1) : error;
}

/* And those that a listening socket gives have keepalive from the beginning. */
static int
sys_set_listener_options(int fd)
{
    int error = sys_set_stream_options(fd);
    return error == 0 ? sys_set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1) : error;
}

int
sys_accept(int listener, struct endpoint *peer)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(sa);
    int fd;

    RETRY(fd, accept4(listener, (struct sockaddr *)&sa, &len,
                      SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd >= 0)
        endpoint_from_sockaddr(peer, &sa);
    return fd;
}

/* TCP_INFO of a listening socket contains little else, and is cheap. */
int
sys_waiting(int listener)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);

    if (getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return -errno;
    return info.tcpi_state == TCP_LISTEN ? (int)info.tcpi_unacked : -EINVAL;
}

static int
sys_open_tcp(bool v4)
{
    int fd = socket(v4 ? AF_INET : AF_INET6,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    return fd < 0 ? -errno : fd;
}

/* A socket of this family, ready to be bound and to listen. */
static int
sys_open_listener(bool v4)
{
    int fd = sys_open_tcp(v4);

    if (fd < 0)
        return fd;
    int error = sys_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (error == 0 && !v4)
        error = sys_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (error == 0)
        error = sys_set_listener_options(fd);
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

static int
sys_bind_endpoint(int fd, const struct endpoint *at)
{
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to_sockaddr(at, &sa);

    return bind(fd, (struct sockaddr *)&sa, len) < 0 ? -errno : 0;
}

int
sys_keepalive(int fd, const struct sys_keepalive *keepalive)
{
    if (keepalive->idle_s == 0)
        return 0;
    int error =
        sys_set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive->idle_s);
    if (error == 0)
        error = sys_set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL,
                               keepalive->interval_s);
    if (error == 0)
        error = sys_set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, keepalive->count);
    return error;
}

int
sys_keepalive_start(int fd, const struct sys_keepalive *keepalive)
{
    int error = sys_set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    return error == 0 ? sys_keepalive(fd, keepalive) : error;
}

/* A new socket has it. */
int
sys_keepalive_default(struct sys_keepalive *keepalive)
{
    socklen_t len = sizeof(int);
    int fd = sys_open_tcp(true);

    if (fd < 0)
        return fd;
    int error = getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive->idle_s,
                           &len) < 0 ||
                        getsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL,
                                   &keepalive->interval_s, &len) < 0 ||
                        getsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT,
                                   &keepalive->count, &len) < 0
                    ? -errno
                    : 0;
    close(fd);
    return error;
}

int
sys_listen(const struct endpoint *at, int backlog, bool freebind)
{
    bool v4 = addr_is_v4(at->addr);
    int fd = sys_open_listener(v4);
    int error = 0;

    if (fd < 0)
        return fd;
    if (freebind)
        error = v4 ? sys_set_option(fd, IPPROTO_IP, IP_FREEBIND, 1)
                   : sys_set_option(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
    if (error == 0)
        error = sys_bind_endpoint(fd, at);
    if (error == 0 && listen(fd, backlog) < 0)
        error = -errno;
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

int
sys_adopt(int listener)
{
    int flags = fcntl(listener, F_GETFL);

    if (flags < 0 || fcntl(listener, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    return sys_set_listener_options(listener);
}

/*
 * After a failed bind the same socket can try the next port. With SO_REUSEADDR
 * two sockets may be bound to one port, and only one of them can listen: then
 * listen fails with EADDRINUSE, the socket is bound for good, and a new one
 * replaces it.
 */
static int
sys_listen_at(int *fd, const struct endpoint *at)
{
    int error = sys_bind_endpoint(*fd, at);

    if (error < 0)
        return error;
    if (listen(*fd, 1) == 0)
        return 0;
    error = -errno;
    close(*fd);
    *fd = sys_open_listener(addr_is_v4(at->addr));
    return error;
}

int
sys_listen_within(struct endpoint *at, uint16_t first, uint16_t last,
                  uint64_t seed)
{
    struct port_search search;
    int fd = sys_open_listener(addr_is_v4(at->addr));
    int error = -EADDRINUSE;

    port_search_start(&search, first, last, seed);
    while (fd >= 0 && error == -EADDRINUSE &&
           port_search_next(&search, &at->port))
        error = sys_listen_at(&fd, at);
    if (fd < 0)
        return fd;
    if (error == 0)
        error = sys_local(fd, at);
    if (error < 0)
        close(fd);
    return error < 0 ? error : fd;
}

/* SO_REUSEADDR would let another process take the datagrams. */
static int
sys_open_datagrams(bool v4)
{
    int fd = socket(v4 ? AF_INET : AF_INET6,
                    SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    int error = v4 ? 0 : sys_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

int
sys_datagrams_within(struct endpoint *at, uint16_t first, uint16_t last,
                     uint64_t seed)
{
    struct port_search search;
    int fd = sys_open_datagrams(addr_is_v4(at->addr));
    int error = -EADDRINUSE;

    if (fd < 0)
        return fd;
    port_search_start(&search, first, last, seed);
    while (error == -EADDRINUSE && port_search_next(&search, &at->port))
        error = sys_bind_endpoint(fd, at);
    if (error == 0)
        error = sys_local(fd, at);
    if (error < 0)
        close(fd);
    return error < 0 ? error : fd;
}

int
sys_recv_datagrams(int fd, struct sys_datagram *datagrams, unsigned count)
{
    struct mmsghdr messages[SYS_DATAGRAMS_MAX];
    struct iovec pieces[SYS_DATAGRAMS_MAX];
    struct sockaddr_storage from[SYS_DATAGRAMS_MAX];
    int received;

    if (count > SYS_DATAGRAMS_MAX)
        count = SYS_DATAGRAMS_MAX;
    memset(messages, 0, count * sizeof(messages[0]));
    for (unsigned i = 0; i < count; i++) {
        pieces[i] = (struct iovec){datagrams[i].octets, datagrams[i].room};
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        messages[i].msg_hdr.msg_name = &from[i];
        messages[i].msg_hdr.msg_namelen = sizeof(from[i]);
    }
    RETRY(received, recvmmsg(fd, messages, count, 0, NULL));
    for (int i = 0; i < received; i++) {
        datagrams[i].len = messages[i].msg_len;
        datagrams[i].cut = (messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
        endpoint_from_sockaddr(&datagrams[i].from, &from[i]);
    }
    return received;
}

/* Not sendmmsg, though it saves system calls: like sendmsg it can pass
   descriptors, and no filter can tell that (gateway/confine/worker.c). */
int
sys_send_datagram(int fd, const struct endpoint *to, const void *octets,
                  size_t count)
{
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to_sockaddr(to, &sa);
    ssize_t sent;

    RETRY(sent, sendto(fd, octets, count, MSG_NOSIGNAL,
                       (const struct sockaddr *)&sa, len));
    return sent < 0 ? (int)sent : 0;
}

/* A socket that is connected, so that the kernel has chosen a route; nothing is
   sent. */
static int
sys_towards(struct addr to)
{
    const struct endpoint end = {.addr = to, .port = 9};
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to_sockaddr(&end, &sa);
    int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    int error = connect(fd, (struct sockaddr *)&sa, len) < 0 ? -errno : 0;
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

int
sys_route(struct addr to, struct addr *local)
{
    struct endpoint end;
    int fd = sys_towards(to);

    if (fd < 0)
        return fd;
    int error = sys_local(fd, &end);
    close(fd);
    if (error == 0)
        *local = end.addr;
    return error;
}

int
sys_tcp(bool v4)
{
    int fd = sys_open_tcp(v4);

    if (fd < 0)
        return fd;
    int error = sys_set_stream_options(fd);
    if (error < 0) {
        close(fd);
        return error;
    }
    return fd;
}

static int
sys_bind_addr(int fd, struct addr addr)
{
    struct endpoint at = {.addr = addr};
    return sys_bind_endpoint(fd, &at);
}

int
sys_bind_source(int fd, struct addr source)
{
    int error = sys_set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    return error < 0 ? error : sys_bind_addr(fd, source);
}

int
sys_connect(int fd, const struct endpoint *to)
{
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to_sockaddr(to, &sa);

    /* An interrupted non-blocking connect continues in the kernel. */
    if (connect(fd, (struct sockaddr *)&sa, len) == 0)
        return 0;
    return errno == EINTR ? -EINPROGRESS : -errno;
}

int
sys_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return -errno;
    return -error;
}

int
sys_local(int fd, struct endpoint *local)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(sa);

    if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
        return -errno;
    endpoint_from_sockaddr(local, &sa);
    return 0;
}

/* The kernel may send from another address, if a network is routed to loopback:
   of IPv6, or where the route says so (src). No other interface carries so much
   at once; of IPv4 the kernel says at most what a packet can have. */
bool
sys_is_by_loopback(int fd, bool v4)
{
    int mtu = 0;
    socklen_t len = sizeof(mtu);

    return getsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6,
                      v4 ? IP_MTU : IPV6_MTU, &mtu, &len) == 0 &&
           mtu >= (v4 ? UINT16_MAX : UINT16_MAX + 1);
}

/* A bind would tell the same, but where net.ipv4.ip_nonlocal_bind is set, as
   it is beside keepalived: there it succeeds for every address. */
bool
sys_is_local(struct addr addr)
{
    struct endpoint local;
    int fd = sys_towards(addr);

    if (fd < 0)
        return false;
    bool is = (sys_local(fd, &local) == 0 && addr_equal(local.addr, addr)) ||
              sys_is_by_loopback(fd, addr_is_v4(addr));
    close(fd);
    return is;
}

ssize_t
sys_recv(int fd, void *octets, size_t room)
{
    ssize_t count;
    RETRY(count, recv(fd, octets, room, 0));
    return count;
}

ssize_t
sys_peek(int fd, void *octets, size_t room)
{
    ssize_t count;
    RETRY(count, recv(fd, octets, room, MSG_PEEK));
    return count;
}

ssize_t
sys_send(int fd, const void *octets, size_t count)
{
    ssize_t sent;
    RETRY(sent, send(fd, octets, count, MSG_NOSIGNAL));
    return sent;
}

ssize_t
sys_send_urgent(int fd, uint8_t octet)
{
    ssize_t sent;
    RETRY(sent, send(fd, &octet, 1, MSG_OOB | MSG_NOSIGNAL));
    return sent;
}

int
sys_at_mark(int fd)
{
    int at_mark = 0;
    return ioctl(fd, SIOCATMARK, &at_mark) < 0 ? -errno : at_mark;
}

int
sys_unacked(int fd)
{
    int octets = 0;
    return ioctl(fd, SIOCOUTQ, &octets) < 0 ? -errno : octets;
}

int
sys_memory(int fd, struct sys_memory *memory)
{
    uint32_t values[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof(values);

    *memory = (struct sys_memory){0};
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values, &len) < 0)
        return -errno;
    memory->in = values[SK_MEMINFO_RMEM_ALLOC];
    memory->in_max = values[SK_MEMINFO_RCVBUF];
    memory->out = values[SK_MEMINFO_WMEM_QUEUED];
    memory->out_max = values[SK_MEMINFO_SNDBUF];
    return 0;
}

/* The kernel doubles what it is told, for its overhead. It may have clamped the
   window to the buffer that it had at the time of the handshake; the window has
   the new buffer. */
int
sys_bound_in(int fd, uint32_t octets)
{
    int error = sys_set_option(fd, SOL_SOCKET, SO_RCVBUF, (int)(octets / 2));

    if (error == 0)
        error = sys_set_option(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, (int)octets);
    return error;
}

void
sys_lower_in(int fd, uint32_t octets)
{
    struct sys_memory memory;

    if (sys_memory(fd, &memory) == 0 && memory.in_max > octets)
        (void)!sys_set_option(fd, SOL_SOCKET, SO_RCVBUF, (int)(octets / 2));
}

int
sys_bound_out(int fd, uint32_t octets)
{
    return sys_set_option(fd, SOL_SOCKET, SO_SNDBUF, (int)(octets / 2));
}

int
sys_shutdown(int fd)
{
    return shutdown(fd, SHUT_WR) < 0 ? -errno : 0;
}

void
sys_close(int fd)
{
    close(fd);
}

/*
 * As SO_LINGER with no time does it, without the option: where a worker may set
 * that, one that was taken over sets it on a listening socket, every connection
 * inherits it, and each close is a reset.
 */
void
sys_reset(int fd)
{
    const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

    connect(fd, &nowhere, sizeof(nowhere));
    close(fd);
}

int
sys_pipe(int ends[2], int size)
{
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
        return -errno;
    if (fcntl(ends[1], F_SETPIPE_SZ, size) < 0) {
        int error = -errno;
        close(ends[0]);
        close(ends[1]);
        return error;
    }
    return 0;
}

ssize_t
sys_splice(int from, int to, size_t count)
{
    ssize_t moved;
    RETRY(moved, splice(from, NULL, to, NULL, count,
                        SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
    return moved;
}

ssize_t
sys_pipe_read(int from, void *octets, size_t room)
{
    ssize_t count;
    RETRY(count, read(from, octets, room));
    return count;
}
