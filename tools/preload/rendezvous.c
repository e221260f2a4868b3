/* bind(), listen() and accept(): a BIND for the peer of the last CONNECT. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "tools/preload/gateway.h"
#include "tools/preload/libc.h"
#include "tools/preload/rendezvous.h"
#include "tools/preload/settings.h"
#include "tools/preload/socket_table.h"
#include "tools/preload/sockutil.h"

int bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t len);
int listen(int fd, int backlog);
int accept(int fd, __SOCKADDR_ARG address, socklen_t *restrict len);
int accept4(int fd, __SOCKADDR_ARG address, socklen_t *restrict len, int flags);

/* --- bind --- */

/* The program may bind to the address that getsockname gave it, which need
   not be this machine's: then it is bound to any. */
static int
rendezvous_bind(int fd, int domain, const struct sockaddr *sa, socklen_t len,
                const struct endpoint *at)
{
    struct endpoint any = {addr_v4(0), at->port};
    struct sockaddr_storage form;
    socklen_t size = sizeof(form);

    if (libc()->bind(fd, sa, len) == 0)
        return 0;
    if (errno != EADDRNOTAVAIL)
        return -1;
    sockutil_address_write(&any, domain, (struct sockaddr *)&form, &size);
    return libc()->bind(fd, (struct sockaddr *)&form, size);
}

int
bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
    struct socket_entry entry = {.kind = SOCKET_BOUND};
    struct last_connect last;
    struct endpoint at;

    if (settings()->broken || !sockutil_is_tcp(fd, &entry.domain) ||
        !sockutil_address_read(address.__sockaddr__, len, &at) ||
        !socket_table_find_last(&last))
        return libc()->bind(fd, address.__sockaddr__, len);
    if (addr_equal(at.addr, last.local)) {
        if (rendezvous_bind(fd, entry.domain, address.__sockaddr__, len, &at) !=
            0)
            return -1;
        socket_table_keep(fd, &entry);
        return 0;
    }
    if (libc()->bind(fd, address.__sockaddr__, len) != 0)
        return -1;
    if (addr_is_any(at.addr) && at.port == 0)
        socket_table_keep(fd, &entry);
    return 0;
}

bool
rendezvous_is_meant(int fd)
{
    struct last_connect last;
    struct socket_entry entry;
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    struct endpoint at;

    if (!socket_table_find_last(&last))
        return false;
    if (socket_table_find(fd, &entry))
        return entry.kind == SOCKET_BOUND;
    /* It was never bound, and is about to listen. */
    return libc()->getsockname(fd, (struct sockaddr *)&sa, &len) == 0 &&
           sockutil_address_read((struct sockaddr *)&sa, len, &at) &&
           at.port == 0;
}

/* --- listen --- */

int
rendezvous_open(int fd)
{
    struct socket_entry entry = {.kind = SOCKET_AWAITING};
    struct route_asked *asked = &entry.asked;
    struct last_connect last;
    struct route_dest dest = {.command = SOCKS4_BIND};
    char text[ENDPOINT_TEXT_MAX], said[ROUTE_FAULT_MAX];
    int made = socket(gateway_family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result;

    if (made < 0)
        return -errno;

    sockutil_is_tcp(fd, &entry.domain);
    socket_table_find_last(&last);
    dest.addr = last.addr;
    dest.port = last.port;
    dest.name = last.name[0] != '\0' ? last.name : NULL;
    result = gateway_dial(made, gateway_family(), &dest, asked);
    if (result != 0) {
        close(made);
        settings_say("bind: %s",
                     route_say_result(&settings()->route, result, asked,
                                      "the destination", said));
        return result > 0 ? -EACCES : result;
    }
    entry.local = route_bound(asked);
    if (entry.domain == AF_INET && !addr_is_v4(entry.local.addr)) {
        close(made);
        settings_say("bind: the gateway listens on an IPv6 address, and the "
                     "program's socket is of IPv4");
        return -EAFNOSUPPORT;
    }
    entry.peer = (struct endpoint){last.addr, 0};
    result = sockutil_replace(fd, made);
    if (result == 0)
        socket_table_keep(fd, &entry);
    settings_say("bind: the gateway listens on %s",
                 endpoint_format(&entry.local, text));
    return result;
}

int
listen(int fd, int backlog)
{
    struct socket_entry entry;
    int domain, result;

    if (settings()->broken || !sockutil_is_tcp(fd, &domain))
        return libc()->listen(fd, backlog);
    if (socket_table_find(fd, &entry) && entry.kind == SOCKET_AWAITING)
        return 0;
    if (!rendezvous_is_meant(fd))
        return libc()->listen(fd, backlog);
    result = rendezvous_open(fd);
    if (result != 0)
        RETURN_ERRNO(-result);
    return 0;
}

/* --- accept --- */

static bool
rendezvous_is_nonblocking(int fd)
{
    return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

/* Waits, without a limit, until there is something to read. */
static int
rendezvous_wait(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};

    return poll(&polled, 1, -1) < 0 ? -errno : 0;
}

/* Receives the second reply: 0 when the peer has connected. */
static int
rendezvous_read(int fd, struct socket_entry *entry)
{
    struct route_asked *asked = &entry->asked;

    while (route_awaits_peer(asked)) {
        uint8_t octets[SOCKS4_V5_REPLY_MAX];
        ssize_t got = recv(fd, octets, route_wants(asked), MSG_DONTWAIT);

        if (got >= 0)
            route_take(asked, octets, (size_t)got);
        else if (errno != EAGAIN)
            return errno == EINTR ? -EINTR : -ECONNABORTED;
        else if (rendezvous_is_nonblocking(fd))
            return -EAGAIN;
        else if (rendezvous_wait(fd) != 0)
            return -EINTR;
    }
    return route_is_open(asked) ? 0 : -ECONNABORTED;
}

/* Makes the listener a socket that is never readable. */
static void
rendezvous_spend(int fd, const struct socket_entry *entry, bool failed)
{
    struct socket_entry spent = {.kind = SOCKET_SPENT,
                                 .failed = failed,
                                 .domain = entry->domain,
                                 .local = entry->local};
    int idle = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (idle < 0 || sockutil_replace(fd, idle) != 0)
        return;
    socket_table_keep(fd, &spent);
}

/* Gives the peer's connection a descriptor of its own. */
static int
rendezvous_take_peer(int fd, struct socket_entry *entry, int flags)
{
    int made = fcntl(fd, flags & SOCK_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
    struct endpoint peer = route_bound(&entry->asked);

    if (made < 0)
        return -errno;
    rendezvous_spend(fd, entry, false);
    fcntl(made, F_SETFL, flags & SOCK_NONBLOCK ? O_NONBLOCK : 0);
    entry->kind = SOCKET_ACCEPTED;
    if (!addr_is_any(peer.addr))
        entry->peer = peer;
    socket_table_keep(made, entry);
    return made;
}

static int
rendezvous_await_peer(int fd, struct socket_entry *entry, int flags)
{
    int error = rendezvous_read(fd, entry);

    if (error == 0)
        return rendezvous_take_peer(fd, entry, flags);
    if (error == -ECONNABORTED) {
        settings_say("bind: the peer did not come");
        rendezvous_spend(fd, entry, true);
    } else {
        socket_table_keep(fd, entry);
    }
    return error;
}

/* A BIND has one peer: another accept waits for ever or fails. */
static int
rendezvous_accept_spent(int fd, const struct socket_entry *entry)
{
    if (entry->failed)
        return -EINVAL;
    return rendezvous_is_nonblocking(fd) ? -EAGAIN : rendezvous_wait(fd);
}

int
accept4(int fd, __SOCKADDR_ARG address, socklen_t *restrict len, int flags)
{
    struct sockaddr *sa = address.__sockaddr__;
    struct socket_entry entry;
    int made;

    if (settings()->broken || !socket_table_find(fd, &entry) ||
        (entry.kind != SOCKET_AWAITING && entry.kind != SOCKET_SPENT))
        return libc()->accept4(fd, sa, len, flags);
    made = entry.kind == SOCKET_SPENT
               ? rendezvous_accept_spent(fd, &entry)
               : rendezvous_await_peer(fd, &entry, flags);
    if (made < 0)
        RETURN_ERRNO(-made);
    if (sa != NULL)
        sockutil_address_write(&entry.peer, entry.domain, sa, len);
    return made;
}

int
accept(int fd, __SOCKADDR_ARG address, socklen_t *restrict len)
{
    return accept4(fd, address, len, 0);
}
