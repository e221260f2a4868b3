/* The only file of the library with sockets: it moves client.c's octets. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "octets.h"
#include "socks4/dial.h"

static uint64_t
dial_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t
socks4_dial_deadline(uint64_t ms)
{
    return dial_now_ms() + ms;
}

/* poll's timeout; -1: none. */
static int
dial_timeout_ms(const struct socks4_dial *dial)
{
    uint64_t now;

    if (dial->deadline_ms == 0)
        return -1;
    now = dial_now_ms();
    if (now >= dial->deadline_ms)
        return 0;
    return dial->deadline_ms - now > INT_MAX ? INT_MAX
                                             : (int)(dial->deadline_ms - now);
}

/* Waits until the descriptor is ready for `events` or has failed. */
static int
dial_wait(const struct socks4_dial *dial, int fd, short events)
{
    struct pollfd polled[2] = {{.fd = fd, .events = events},
                               {.fd = dial->cancel, .events = POLLIN}};

    for (;;) {
        int timeout = dial_timeout_ms(dial);
        int ready = poll(polled, 2, timeout);

        if (ready < 0 && errno != EINTR)
            return -errno;
        if (ready > 0 && polled[1].revents != 0)
            return -ECANCELED;
        if (ready > 0)
            return 0;
        if (ready == 0 && timeout == 0)
            return -ETIMEDOUT;
    }
}

/* --- A socket as a stream --- */

static ssize_t
dial_result(ssize_t moved)
{
    if (moved >= 0)
        return moved;
    return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

static ssize_t
dial_socket_read(void *context, void *octets, size_t count)
{
    const int *fd = context;

    return dial_result(recv(*fd, octets, count, MSG_DONTWAIT));
}

static ssize_t
dial_socket_write(void *context, const void *octets, size_t count)
{
    const int *fd = context;

    return dial_result(send(*fd, octets, count, MSG_NOSIGNAL | MSG_DONTWAIT));
}

static struct socks4_stream
dial_socket_stream(int *fd)
{
    return (struct socks4_stream){.context = fd,
                                  .fd = *fd,
                                  .read = dial_socket_read,
                                  .write = dial_socket_write};
}

/* --- Requests and replies --- */

/* After a call that moved nothing: 0 to repeat it, else its error. */
static int
dial_recover(const struct socks4_dial *dial, const struct socks4_stream *stream,
             ssize_t result, short event)
{
    if (result == -EINTR)
        return 0;
    if (result != -EAGAIN)
        return (int)result;
    if (stream->events != NULL)
        event = stream->events(stream->context);
    return dial_wait(dial, stream->fd, event);
}

static int
dial_send(const struct socks4_dial *dial, const struct socks4_stream *stream,
          struct socks4_client *client)
{
    const uint8_t *octets;
    size_t count;

    while ((count = socks4_client_unsent(client, &octets)) > 0) {
        ssize_t put = stream->write(stream->context, octets, count);
        int error = 0;

        if (put >= 0)
            socks4_client_sent(client, (size_t)put);
        else
            error = dial_recover(dial, stream, put, POLLOUT);
        if (error != 0)
            return error;
    }
    return 0;
}

/* Receives one reply, and no octet behind it. */
static int
dial_receive(const struct socks4_dial *dial, const struct socks4_stream *stream,
             struct socks4_client *client)
{
    int state = client->state;
    size_t wanted;

    while (client->state == state &&
           (wanted = socks4_client_wants(client)) > 0) {
        uint8_t octets[SOCKS4_REPLY_SIZE];
        ssize_t got = stream->read(stream->context, octets, wanted);
        int error = 0;

        if (got > 0)
            socks4_client_take(client, octets, (size_t)got);
        else if (got == 0)
            socks4_client_end(client);
        else
            error = dial_recover(dial, stream, got, POLLIN);
        if (error != 0)
            return error;
    }
    return 0;
}

static int
dial_verdict(const struct socks4_client *client)
{
    if (client->state == SOCKS4_CLIENT_FAILED)
        return -EPROTO;
    if (client->state != SOCKS4_CLIENT_REFUSED)
        return 0;
    /* Another code, which a lenient client accepts, is a refusal. */
    return client->code > SOCKS4_GRANTED && client->code <= SOCKS4_OTHER_USER
               ? client->code
               : SOCKS4_REJECTED;
}

/* The IPv4 address in dial->gateway; 0: it has none. */
static uint32_t
dial_gateway_ip(const struct socks4_dial *dial)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (dial->gateway == NULL)
        return 0;
    if (dial->gateway->sa_family == AF_INET &&
        dial->gateway_len >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in v4;
        memcpy(&v4, dial->gateway, sizeof v4);
        return ntohl(v4.sin_addr.s_addr);
    }
    if (dial->gateway->sa_family == AF_INET6 &&
        dial->gateway_len >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 v6;
        memcpy(&v6, dial->gateway, sizeof v6);
        if (memcmp(v6.sin6_addr.s6_addr, mapped, sizeof mapped) == 0)
            return octets_get32(v6.sin6_addr.s6_addr + 12);
    }
    return 0;
}

/* The address of the gateway that serves request `hop`; 0: not known. */
static uint32_t
dial_listener_ip(const struct socks4_dial *dial,
                 const struct socks4_request *requests, size_t hop)
{
    if (hop == 0)
        return dial_gateway_ip(dial);
    return requests[hop - 1].domain != NULL ? 0 : requests[hop - 1].dstip;
}

/* Sends request `hop` and receives its first reply. */
static int
dial_ask(const struct socks4_dial *dial, const struct socks4_stream *stream,
         const struct socks4_request *requests, size_t hop,
         struct socks4_client *client)
{
    uint8_t room[SOCKS4_DIAL_REQUEST_MAX];
    int error;

    if (socks4_client_start(client, &requests[hop], room, sizeof room) != 0)
        return -EINVAL;
    client->gateway_ip = dial_listener_ip(dial, requests, hop); /* [V4-4.2-7] */
    client->lenient = dial->lenient != 0;
    error = dial_send(dial, stream, client);
    /* A gateway that refused early may have closed: read its reply. */
    if (error == -EPIPE || error == -ECONNRESET)
        error = 0;
    if (error == 0)
        error = dial_receive(dial, stream, client);
    client->request = NULL;
    return error != 0 ? error : dial_verdict(client);
}

static int
dial_connected(const struct socks4_dial *dial, int fd)
{
    socklen_t size = sizeof(int);
    int error = dial_wait(dial, fd, POLLOUT);
    int reason = 0;

    if (error != 0)
        return error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &size) < 0)
        return -errno;
    return -reason;
}

static int
dial_prepare(const struct socks4_request *requests, size_t count,
             struct socks4_dialled *dialled)
{
    memset(dialled, 0, sizeof *dialled);
    dialled->fd = -1;
    for (size_t hop = 0; hop + 1 < count; hop++)
        if (requests[hop].command != SOCKS4_CONNECT)
            return -EINVAL;
    return 0;
}

static int
dial_ask_all(const struct socks4_dial *dial, const struct socks4_stream *stream,
             const struct socks4_request *requests, size_t count,
             struct socks4_dialled *dialled)
{
    int result = 0;

    for (size_t hop = 0; hop < count && result == 0; hop++) {
        dialled->hop = hop;
        result = dial_ask(dial, stream, requests, hop, &dialled->client);
    }
    return result;
}

int
socks4_dial_over_stream(const struct socks4_stream *stream,
                        const struct socks4_dial *dial,
                        const struct socks4_request *requests, size_t count,
                        struct socks4_dialled *dialled)
{
    int result = dial_prepare(requests, count, dialled);

    if (result == 0)
        result = dial_ask_all(dial, stream, requests, count, dialled);
    return result;
}

int
socks4_dial_over(int fd, const struct socks4_dial *dial,
                 const struct socks4_request *requests, size_t count,
                 struct socks4_dialled *dialled)
{
    struct socks4_stream stream = dial_socket_stream(&fd);
    int result = dial_prepare(requests, count, dialled);

    if (result == 0)
        result = dial_connected(dial, fd);
    if (result == 0)
        result = dial_ask_all(dial, &stream, requests, count, dialled);
    if (result == 0)
        dialled->fd = fd;
    return result;
}

static int
dial_set_flag(int fd, int flag, int on)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0)
        return -errno;
    flags = on ? flags | flag : flags & ~flag;
    return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

/* Returns a socket that is connecting to the gateway. */
static int
dial_socket(const struct socks4_dial *dial)
{
#ifdef SOCK_CLOEXEC
    int fd = socket(dial->gateway->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
#else
    int fd = socket(dial->gateway->sa_family, SOCK_STREAM, 0);
#endif
    int error;

    if (fd < 0)
        return -errno;
#ifndef SOCK_CLOEXEC
    fcntl(fd, F_SETFD, FD_CLOEXEC);
#endif
    error = dial_set_flag(fd, O_NONBLOCK, 1);
    if (error == 0 && connect(fd, dial->gateway, dial->gateway_len) < 0 &&
        errno != EINPROGRESS)
        error = -errno;
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

int
socks4_dial_open(const struct socks4_dial *dial,
                 const struct socks4_request *requests, size_t count,
                 struct socks4_dialled *dialled)
{
    int fd = dial_socket(dial);
    int result;

    if (fd < 0) {
        memset(dialled, 0, sizeof *dialled);
        dialled->fd = -1;
        return fd;
    }
    result = socks4_dial_over(fd, dial, requests, count, dialled);
    if (result == 0)
        result = dial_set_flag(fd, O_NONBLOCK, 0);
    if (result != 0) {
        close(fd);
        dialled->fd = -1;
    }
    return result;
}

int
socks4_dial_accept_stream(const struct socks4_stream *stream,
                          const struct socks4_dial *dial,
                          struct socks4_dialled *dialled)
{
    int result;

    if (dialled->client.state != SOCKS4_CLIENT_PEER)
        return -EINVAL;
    result = dial_receive(dial, stream, &dialled->client);
    return result != 0 ? result : dial_verdict(&dialled->client);
}

int
socks4_dial_accept(const struct socks4_dial *dial,
                   struct socks4_dialled *dialled)
{
    struct socks4_stream stream = dial_socket_stream(&dialled->fd);
    int result;

    if (dialled->client.state != SOCKS4_CLIENT_PEER || dialled->fd < 0)
        return -EINVAL;
    result = socks4_dial_accept_stream(&stream, dial, dialled);
    if (result != 0) {
        close(dialled->fd);
        dialled->fd = -1;
    }
    return result;
}

/* --- Version 5 --- */

static int
dial_v5_verdict(const struct socks4_v5_client *client)
{
    if (client->state == SOCKS4_V5_CLIENT_FAILED)
        return -EPROTO;
    if (client->state != SOCKS4_V5_CLIENT_REFUSED)
        return 0;
    return client->error != 0 ? -EACCES : client->code;
}

/* Sends and receives, message by message, while the client waits for one, and
   not beyond the first reply. */
static int
dial_v5_converse(const struct socks4_dial *dial,
                 const struct socks4_stream *stream,
                 struct socks4_v5_client *client)
{
    int begun = client->state, deaf = 0; /* it reads no more */
    size_t wanted;

    while ((wanted = socks4_v5_client_wants(client)) > 0 &&
           (client->state != SOCKS4_V5_CLIENT_PEER || client->state == begun)) {
        uint8_t in[SOCKS4_V5_REPLY_MAX];
        const uint8_t *out;
        size_t unsent = deaf ? 0 : socks4_v5_client_unsent(client, &out);
        ssize_t moved = unsent > 0 ? stream->write(stream->context, out, unsent)
                                   : stream->read(stream->context, in, wanted);
        int error = 0;

        if (unsent > 0 && moved >= 0)
            socks4_v5_client_sent(client, (size_t)moved);
        else if (unsent > 0 && (moved == -EPIPE || moved == -ECONNRESET))
            deaf = 1; /* an early refusal may be there to be read */
        else if (moved > 0)
            socks4_v5_client_take(client, in, (size_t)moved);
        else if (moved == 0)
            socks4_v5_client_end(client);
        else
            error = dial_recover(dial, stream, moved,
                                 unsent > 0 ? POLLOUT : POLLIN);
        if (error != 0)
            return error;
    }
    return 0;
}

int
socks4_v5_dial_over_stream(const struct socks4_stream *stream,
                           const struct socks4_dial *dial,
                           const struct socks4_v5_request *request,
                           const struct socks4_v5_password *login,
                           struct socks4_v5_client *client)
{
    uint8_t room[SOCKS4_V5_CLIENT_ROOM];
    int error;

    if (socks4_v5_client_start(client, request, login, room) != 0)
        return -EINVAL;
    error = dial_v5_converse(dial, stream, client);
    socks4_v5_client_wipe(client);
    client->out = NULL;
    client->request = NULL;
    client->login = NULL;
    return error != 0 ? error : dial_v5_verdict(client);
}

int
socks4_v5_dial_over(int fd, const struct socks4_dial *dial,
                    const struct socks4_v5_request *request,
                    const struct socks4_v5_password *login,
                    struct socks4_v5_client *client)
{
    struct socks4_stream stream = dial_socket_stream(&fd);
    int error = dial_connected(dial, fd);

    if (error == 0)
        return socks4_v5_dial_over_stream(&stream, dial, request, login,
                                          client);
    memset(client, 0, sizeof *client);
    return error;
}

int
socks4_v5_dial_accept_stream(const struct socks4_stream *stream,
                             const struct socks4_dial *dial,
                             struct socks4_v5_client *client)
{
    int error;

    if (client->state != SOCKS4_V5_CLIENT_PEER)
        return -EINVAL;
    error = dial_v5_converse(dial, stream, client);
    return error != 0 ? error : dial_v5_verdict(client);
}

int
socks4_v5_dial_accept(int fd, const struct socks4_dial *dial,
                      struct socks4_v5_client *client)
{
    struct socks4_stream stream = dial_socket_stream(&fd);

    return socks4_v5_dial_accept_stream(&stream, dial, client);
}
