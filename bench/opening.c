#include "bench/opening.h"

#include <errno.h>
#include <sys/socket.h>

#include "bench/wire.h"

void
opening_init(struct opening *opening, enum protocol protocol,
             enum handshake_command command, uint32_t ip, uint16_t port)
{
    *opening = (struct opening){0};
    handshake_init(&opening->handshake, protocol, command, ip, port);
}

/* Leaves errno as it is. */
static enum opening_result
opening_break(struct opening *opening, const char *why)
{
    opening->why = why;
    return OPENING_BROKEN;
}

enum opening_result
opening_ask(struct opening *opening, int fd)
{
    uint8_t octets[HANDSHAKE_REQUEST_MAX];
    size_t count;

    if (handshake_done(&opening->handshake))
        return OPENING_DONE;
    count = handshake_request(&opening->handshake, octets);
    if (count == 0)
        return OPENING_WAITS;
    if (opening->withholds)
        count--;
    errno = 0;
    if (wire_send(fd, octets, count) != (ssize_t)count)
        return opening_break(opening, "a small write failed");
    return OPENING_ASKED;
}

static enum opening_result
opening_connected(struct opening *opening, int fd, uint32_t events)
{
    if (events & (EPOLLERR | EPOLLHUP)) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
        errno = error;
        return opening_break(opening, "connect failed");
    }
    if (!(events & EPOLLOUT))
        return OPENING_WAITS;
    if (wire_connect(fd) < 0)
        return errno == EAGAIN ? OPENING_WAITS
                               : opening_break(opening, "TLS failed");
    opening->connected = true;
    return opening_ask(opening, fd);
}

/* Reads until the step is answered or nothing is left: the watch is
   edge-triggered. */
static enum opening_result
opening_receive(struct opening *opening, int fd)
{
    struct handshake *handshake = &opening->handshake;
    unsigned step = handshake->step;

    while (handshake->step == step) {
        errno = 0;
        ssize_t count = wire_recv(fd, handshake->reply + handshake->reply_count,
                                  handshake_room(handshake));
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            return OPENING_WAITS;
        if (count <= 0)
            return opening_break(opening, count < 0
                                              ? "read failed"
                                              : "closed by the other side");
        opening->why = handshake_receive(handshake, (size_t)count);
        if (opening->why)
            return OPENING_REFUSED;
    }
    return handshake_done(handshake) ? OPENING_DONE : OPENING_STEPPED;
}

enum opening_result
opening_turn(struct opening *opening, int fd, uint32_t events)
{
    if (!opening->connected)
        return opening_connected(opening, fd, events);
    if (!(events & ~(uint32_t)EPOLLOUT))
        return OPENING_WAITS;
    return opening_receive(opening, fd);
}
