#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fault/load/client.h"
#include "tests/fault/load/flow.h"

static int
socket_begin(int fd, uint32_t source, uint32_t ip, uint16_t port)
{
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(source)};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(ip)};
    int on = 1;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) <
            0 ||
        bind(fd, (struct sockaddr *)&from, sizeof from) < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 &&
        errno != EINPROGRESS)
        return -errno;
    return 0;
}

int
client_connect(uint32_t source, uint32_t ip, uint16_t port,
               const struct plan *plan)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return -errno;
    if (plan)
        flow_prepare(plan, fd);
    error = socket_begin(fd, source, ip, port);
    if (error == 0)
        return fd;
    close(fd);
    return error;
}
