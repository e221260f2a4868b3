#include "tools/preload/gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/preload/libc.h"
#include "tools/preload/settings.h"
#include "tools/preload/sockutil.h"
#include "tools/route/password.h"
#include "tools/stream/tunnel_proto.h"

int
gateway_family(void)
{
    return settings()->tunnel[0] != '\0' ? AF_INET
                                         : settings()->route.first[0].ss_family;
}

static int
gateway_connect_to(int fd, int domain, const struct endpoint *at)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);

    sockutil_address_write(at, domain, (struct sockaddr *)&sa, &len);
    if (libc()->connect(fd, (struct sockaddr *)&sa, len) == 0 ||
        errno == EINPROGRESS || errno == EINTR)
        return 0;
    return -errno;
}

/* --- Through the process that speaks TLS --- */

/* A failure of TLS is said once in a process: a program says nothing of it
   that its user could use. */
static int
gateway_refused(const struct tunnel_answer *answer)
{
    static int said;

    if (answer->error == -EBADMSG &&
        !__atomic_exchange_n(&said, 1, __ATOMIC_RELAXED))
        dprintf(2, "socks4 run: the gateway: %.*s\n", TLS_FAULT_MAX - 1,
                answer->text);
    return answer->error == -EBADMSG ? -EPROTO : answer->error;
}

/* Nobody else's process may have taken the name. */
static int
gateway_ask_tunnel(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int error = 0;

    if (fd < 0)
        return -errno;
    memcpy(at.sun_path + 1, name, strlen(name));
    if (libc()->connect(fd, (struct sockaddr *)&at,
                        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                                    strlen(name))) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        error = -errno;
    else if (peer.uid != getuid())
        error = -EACCES;
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

static int
gateway_await_answer(int fd, uint64_t deadline_ms, struct tunnel_answer *answer)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};

    for (;;) {
        uint64_t now = socks4_dial_deadline(0);
        uint64_t left = now < deadline_ms ? deadline_ms - now : 0;
        int ready = poll(&polled, 1, left < INT_MAX ? (int)left : INT_MAX);

        if (ready > 0)
            break;
        if (ready == 0 || left == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
    if (recv(fd, answer, sizeof(*answer), 0) != sizeof(*answer))
        return -ECONNREFUSED;
    return answer->port == 0 ? gateway_refused(answer) : 0;
}

static int
gateway_enter_tunnel(int tunnel, int fd, int domain, uint64_t deadline_ms)
{
    struct endpoint at = {addr_v4(INADDR_LOOPBACK), 0};
    struct tunnel_answer answer;
    struct tunnel_caller caller;
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(sa);
    int error = gateway_await_answer(tunnel, deadline_ms, &answer);

    at.port = answer.port;
    if (error == 0)
        error = gateway_connect_to(fd, domain, &at);
    if (error != 0)
        return error;
    memset(&caller, 0, sizeof(caller));
    if (libc()->getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
        return -errno;
    endpoint_from_sockaddr(&caller.at, &sa);
    return libc()->sendto(tunnel, &caller, sizeof(caller), MSG_NOSIGNAL, NULL,
                          0) == sizeof(caller)
               ? 0
               : -ECONNREFUSED;
}

static int
gateway_connect(int fd, int domain, uint64_t deadline_ms)
{
    int tunnel, error;

    if (settings()->tunnel[0] == '\0')
        return gateway_connect_to(fd, domain, &settings()->gateway);
    tunnel = gateway_ask_tunnel(settings()->tunnel);
    if (tunnel < 0)
        return tunnel;
    error = gateway_enter_tunnel(tunnel, fd, domain, deadline_ms);
    close(tunnel);
    return error;
}

/* As a failure of TLS. */
static int
gateway_read_password(struct password *password)
{
    struct route_fault fault;
    static int said;

    if (password_read(password, settings()->password_file, &fault) == 0)
        return 0;
    if (!__atomic_exchange_n(&said, 1, __ATOMIC_RELAXED))
        dprintf(2, "socks4 run: the password file: %s\n", fault.text);
    return -EACCES;
}

int
gateway_dial(int fd, int domain, const struct route_dest *dest,
             struct route_asked *asked)
{
    struct socks4_stream stream = route_socket_stream(&fd);
    bool has_password = settings()->password_file[0] != '\0';
    struct socks4_dial dial = sockutil_dial();
    struct socks4_dialled connected;
    struct password password;
    int flags = fcntl(fd, F_GETFL);
    int result = 0;

    memset(asked, 0, sizeof(*asked));
    if (has_password)
        result = gateway_read_password(&password);
    if (result != 0)
        return result;
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    result = gateway_connect(fd, domain, dial.deadline_ms);
    if (result == 0) /* waits until it is connected */
        result = socks4_dial_over(fd, &dial, NULL, 0, &connected);
    if (result == 0)
        result = route_ask(&settings()->route, &stream, &dial, dest,
                           has_password ? password.text : NULL, asked);
    fcntl(fd, F_SETFL, flags);
    password_wipe(&password);
    return result;
}
