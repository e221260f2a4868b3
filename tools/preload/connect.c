/* connect(): through the gateway, on the program's own descriptor; and the
   calls that would connect without it. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tools/preload/gateway.h"
#include "tools/preload/libc.h"
#include "tools/preload/names.h"
#include "tools/preload/settings.h"
#include "tools/preload/socket_table.h"
#include "tools/preload/sockutil.h"

int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t len);
ssize_t sendto(int fd, const void *octets, size_t size, int flags,
               __CONST_SOCKADDR_ARG address, socklen_t len);
ssize_t sendmsg(int fd, const struct msghdr *message, int flags);
int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);

/* A destination and the request for it. */
struct dest {
    struct endpoint at; /* the program's */
    int domain;         /* of the program's socket */
    struct route_dest request;
    char name[SOCKS4_DOMAIN_MAX + 1]; /* the gateway resolves it; else empty */
};

static bool
connect_is_gateway(const struct endpoint *at)
{
    return at->port == settings()->gateway.port &&
           addr_equal(at->addr, settings()->gateway.addr);
}

/* Whether to connect through the gateway; fills `dest`. */
static bool
connect_is_ours(int fd, const struct sockaddr *address, socklen_t len,
                struct dest *dest)
{
    memset(dest, 0, sizeof(*dest));
    return sockutil_is_tcp(fd, &dest->domain) &&
           sockutil_address_read(address, len, &dest->at) &&
           !connect_is_gateway(&dest->at) &&
           !settings_bypass_address(dest->at.addr);
}

static void
connect_request(struct dest *dest)
{
    dest->request.command = SOCKS4_CONNECT;
    dest->request.port = dest->at.port;
    dest->request.addr = dest->at.addr;
    if (addr_is_v4(dest->at.addr) &&
        names_find(addr_to_v4(dest->at.addr), dest->name))
        dest->request.name = dest->name;
}

/* An IPv4 socket cannot connect to an IPv6 gateway, nor can the connection
   of a BIND connect again: replaces it by another socket. */
static int
connect_fit(int fd, int *domain)
{
    int family = gateway_family();
    struct socket_entry entry;
    int other, off = 0;

    /* A program may have said that its socket is for IPv6 only, and the
       gateway is reached over IPv4. */
    if (*domain == AF_INET6 && family == AF_INET)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (!(*domain == AF_INET && family == AF_INET6) &&
        !(socket_table_find(fd, &entry) && entry.kind == SOCKET_AWAITING))
        return 0;
    if (family == AF_INET6)
        *domain = AF_INET6;
    other = socket(*domain, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return other < 0 ? -errno : sockutil_replace(fd, other);
}

/* Keeps what getpeername, getsockname and a BIND need. */
static void
connect_keep(int fd, const struct dest *dest, const struct route_asked *asked)
{
    struct socket_entry entry = {
        .kind = SOCKET_CONNECTED, .domain = dest->domain, .peer = dest->at};
    struct last_connect last = {
        .known = true, .addr = dest->at.addr, .port = dest->at.port};
    struct endpoint bound = route_bound(asked);
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);

    memcpy(last.name, dest->name, sizeof(last.name));
    /* A socket of IPv4 has no address of IPv6. */
    if (!addr_is_any(bound.addr) &&
        (dest->domain == AF_INET6 || addr_is_v4(bound.addr)))
        entry.local = bound;
    else if (libc()->getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
        endpoint_from_sockaddr(&entry.local, &sa);
    last.local = entry.local.addr;
    socket_table_keep(fd, &entry);
    socket_table_keep_last(&last);
}

/* Disconnects the socket, so that the program may connect it again. */
static void
connect_dissolve(int fd)
{
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};

    libc()->connect(fd, &nobody, sizeof(nobody));
}

static int
connect_through(int fd, struct dest *dest)
{
    struct route_asked asked = {.hop = 0};
    char text[ENDPOINT_TEXT_MAX], said[ROUTE_FAULT_MAX];
    int domain = dest->domain;
    int result;

    connect_request(dest);
    result = connect_fit(fd, &domain);
    if (result == 0)
        result = gateway_dial(fd, domain, &dest->request, &asked);
    settings_say("connect %s%s%s: %s", endpoint_format(&dest->at, text),
                 dest->name[0] != '\0' ? " " : "", dest->name,
                 route_say_result(&settings()->route, result, &asked,
                                  "the destination", said));
    if (result == 0) {
        connect_keep(fd, dest, &asked);
        return 0;
    }
    connect_dissolve(fd);
    RETURN_ERRNO(sockutil_errno(result, asked.socks5));
}

/* Whether the program calls connect() again on a connected socket. */
static bool
connect_is_done(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    struct socket_entry entry;

    return socket_table_find(fd, &entry) && entry.kind == SOCKET_CONNECTED &&
           libc()->getpeername(fd, (struct sockaddr *)&sa, &len) == 0;
}

int
connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
    struct dest dest;
    int was = errno;

    if (settings()->broken && sockutil_is_tcp(fd, &dest.domain) &&
        sockutil_address_read(address.__sockaddr__, len, &dest.at)) {
        settings_say_broken();
        RETURN_ERRNO(EACCES);
    }
    if (!connect_is_ours(fd, address.__sockaddr__, len, &dest)) {
        errno = was;
        return libc()->connect(fd, address.__sockaddr__, len);
    }
    if (!addr_is_v4(dest.at.addr) && !route_carries_ipv6(&settings()->route))
        RETURN_ERRNO(ENETUNREACH); /* SOCKS 4 carries IPv4 only */
    if (connect_is_done(fd))
        RETURN_ERRNO(EISCONN);
    if (connect_through(fd, &dest) != 0)
        return -1;
    errno = was;
    return 0;
}

/* Sending with MSG_FASTOPEN connects, past the gateway. Without it programs
   call connect(). */
static bool
connect_is_fast(int fd, int flags)
{
    int domain;

    return flags & MSG_FASTOPEN && sockutil_is_tcp(fd, &domain);
}

ssize_t
sendto(int fd, const void *octets, size_t size, int flags,
       __CONST_SOCKADDR_ARG address, socklen_t len)
{
    if (connect_is_fast(fd, flags))
        RETURN_ERRNO(EOPNOTSUPP);
    return libc()->sendto(fd, octets, size, flags, address.__sockaddr__, len);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (connect_is_fast(fd, flags))
        RETURN_ERRNO(EOPNOTSUPP);
    return libc()->sendmsg(fd, message, flags);
}

int
sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    if (connect_is_fast(fd, flags))
        RETURN_ERRNO(EOPNOTSUPP);
    return libc()->sendmmsg(fd, messages, count, flags);
}
