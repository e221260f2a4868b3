#include "gateway/monitor/socket_activation.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sys.h"

#define FIRST 3 /* SD_LISTEN_FDS_START */

/* --- the environment ----------------------------------------------------- */

static long
socket_activation_read_number(const char *name)
{
    const char *text = getenv(name);
    char *end;
    if (text == NULL || text[0] < '0' || text[0] > '9')
        return -1;
    errno = 0;
    long number = strtol(text, &end, 10);
    return *end == '\0' && errno == 0 ? number : -1;
}

/* How many there are; -1 after a line on stderr. */
static long
socket_activation_count_sockets(void)
{
    if (getenv("LISTEN_FDS") == NULL ||
        socket_activation_read_number("LISTEN_PID") != getpid())
        return 0;
    long count = socket_activation_read_number("LISTEN_FDS");
    if (count >= 0 && count <= CONFIG_LISTENERS_MAX)
        return count;
    fprintf(stderr, "socks4d: LISTEN_FDS is not a number from 0 to %d\n",
            CONFIG_LISTENERS_MAX);
    return -1;
}

/* --- one socket ---------------------------------------------------------- */

static int
socket_activation_read_option(int fd, int level, int option)
{
    int value = 0;
    socklen_t len = sizeof(value);
    return getsockopt(fd, level, option, &value, &len) == 0 ? value : -1;
}

/* NULL: it is as one of ours would be; else what is wrong and the remedy. */
static const char *
socket_activation_find_fault(int fd)
{
    int family = socket_activation_read_option(fd, SOL_SOCKET, SO_DOMAIN);
    if (socket_activation_read_option(fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM ||
        (family != AF_INET && family != AF_INET6))
        return "is not a TCP socket; in the .socket unit use ListenStream= "
               "with "
               "an address and a port";
    if (socket_activation_read_option(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1)
        return "does not listen; in the .socket unit set Accept=no";
    if (family == AF_INET6 &&
        socket_activation_read_option(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 1)
        return "takes IPv4 as well, `listen:' means IPv6 only; in the .socket "
               "unit set BindIPv6Only=ipv6-only";
    return NULL;
}

static int
socket_activation_take_in(struct socket_activation *activation, int fd)
{
    struct activated_socket *socket = &activation->sockets[activation->count];
    const char *fault = socket_activation_find_fault(fd);
    if (fault != NULL) {
        fprintf(stderr, "socks4d: passed descriptor %d %s\n", fd, fault);
        return -1;
    }
    int error = sys_adopt(fd);
    if (error == 0)
        error = sys_local(fd, &socket->at);
    if (error != 0) {
        fprintf(stderr, "socks4d: passed descriptor %d: %s\n", fd,
                strerror(-error));
        return -1;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    socket->fd = fd;
    activation->count++;
    return 0;
}

/* --- all of them --------------------------------------------------------- */

int
socket_activation_open(struct socket_activation *activation)
{
    long count = socket_activation_count_sockets();
    activation->count = 0;
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDNAMES");
    if (count < 0)
        return -1;
    for (int fd = FIRST; fd < FIRST + count; fd++)
        if (socket_activation_take_in(activation, fd) != 0)
            return -1;
    return 0;
}

static bool
socket_activation_is_at(const struct activated_socket *socket,
                        const struct endpoint *at)
{
    return socket->fd != -1 && endpoint_equal(&socket->at, at);
}

int
socket_activation_take(struct socket_activation *activation,
                       const struct endpoint *at)
{
    for (size_t i = 0; i < activation->count; i++) {
        if (!socket_activation_is_at(&activation->sockets[i], at))
            continue;
        int fd = activation->sockets[i].fd;
        activation->sockets[i].fd = -1;
        return fd;
    }
    return -1;
}

int
socket_activation_check(const struct socket_activation *activation)
{
    char text[ENDPOINT_TEXT_MAX];
    for (size_t i = 0; i < activation->count; i++) {
        if (activation->sockets[i].fd == -1)
            continue;
        fprintf(stderr,
                "socks4d: a socket was passed that listens on %s, and no entry "
                "of `listen:' has that address; add one, or take it out of "
                "the .socket unit\n",
                endpoint_format(&activation->sockets[i].at, text));
        return -1;
    }
    return 0;
}

void
socket_activation_close(struct socket_activation *activation)
{
    for (size_t i = 0; i < activation->count; i++)
        if (activation->sockets[i].fd != -1)
            close(activation->sockets[i].fd);
    activation->count = 0;
}
