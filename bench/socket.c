#include "bench/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096
#define ACCEPTS_A_TURN 16

static int
socket_new(int buffer)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
        (buffer == 0 ||
         (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer) == 0 &&
          setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer) == 0)))
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

static struct sockaddr_in
socket_address(uint32_t ip, uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr.s_addr = htonl(ip)};
}

int
socket_connect(uint32_t source, uint32_t ip, uint16_t port, int buffer)
{
    struct sockaddr_in from = socket_address(source, 0);
    struct sockaddr_in to = socket_address(ip, port);
    int fd = socket_new(buffer);
    int on = 1;

    if (fd < 0)
        return fd;
    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) ==
            0 &&
        bind(fd, (struct sockaddr *)&from, sizeof from) == 0 &&
        (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ||
         errno == EINPROGRESS))
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

int
socket_datagrams(uint32_t ip, uint16_t port, uint32_t to_ip, uint16_t to_port)
{
    struct sockaddr_in at = socket_address(ip, port);
    struct sockaddr_in to = socket_address(to_ip, to_port);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
        (to_port == 0 || connect(fd, (struct sockaddr *)&to, sizeof to) == 0))
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

void
socket_raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void
acceptor_ready(struct watch *watch, uint32_t events)
{
    struct acceptor *acceptor = (struct acceptor *)watch;

    (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        acceptor->accepted(acceptor, fd);
    }
}

int
acceptor_open(struct acceptor *acceptor, int poller, uint16_t port, int buffer)
{
    struct sockaddr_in at = socket_address(INADDR_ANY, port);
    int fd = socket_new(buffer);
    int on = 1;

    if (fd < 0)
        return fd;
    acceptor->watch = (struct watch){.fd = fd, .ready = acceptor_ready};
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ||
        listen(fd, BACKLOG) < 0) {
        int error = errno;
        watch_close(&acceptor->watch);
        return -error;
    }
    return poller_add(poller, &acceptor->watch, EPOLLIN);
}
