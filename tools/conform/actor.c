#include "actor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define POLL_US 500
#define TURN_MS 8      /* between connections to the server: 125 a second */
#define SEND_WAIT 5000 /* for a reader that does not read */
#define FIRST_PORT 10000
#define PORTS 20000

void
actor_init(struct actor *actor, const char *name, enum role role,
           const struct place *place, struct trace *trace)
{
    actor->name = name;
    actor->role = role;
    actor->place = place;
    actor->trace = trace;
    actor->at = (struct endpoint){.addr = place->addr[role]};
    actor->listener = actor->held = actor->datagrams = -1;
    actor->stream = (struct stream){.fd = -1};
    for (unsigned i = 0; i < 3; i++)
        actor->fillers[i] = -1;
    actor->ending = ENDING_NONE;
    actor->len = actor->looked = 0;
}

static void
actor_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void
actor_fini(struct actor *actor)
{
    stream_close(&actor->stream);
    actor_close_fd(&actor->listener);
    actor_close_fd(&actor->held);
    actor_close_fd(&actor->datagrams);
    for (unsigned i = 0; i < 3; i++)
        actor_close_fd(&actor->fillers[i]);
}

uint64_t
actor_now(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000 + (uint64_t)at.tv_nsec / 1000000;
}

/* 1: ready; 0: the time is over. */
static int
actor_await_fd(int fd, short events, unsigned wait)
{
    struct pollfd poller = {.fd = fd, .events = events};
    uint64_t end = actor_now() + wait;

    for (;;) {
        uint64_t now = actor_now();
        int left = now < end ? (int)(end - now) : 0;
        int count = poll(&poller, 1, left);
        if (count >= 0 || errno != EINTR)
            return count > 0;
    }
}

static int
actor_set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

/* Bound to its own address and that port. */
static int
actor_open_typed(const struct actor *actor, uint16_t port, int type)
{
    struct endpoint at = {.addr = actor->at.addr, .port = port};
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to_sockaddr(&at, &sa);
    int fd = place_socket(actor->place, actor->role, type);

    if (fd < 0)
        return fd;
    if (type == SOCK_STREAM) {
        actor_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        actor_set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    }
    if (bind(fd, (struct sockaddr *)&sa, len) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

static int
actor_open_bound(const struct actor *actor, uint16_t port)
{
    return actor_open_typed(actor, port, SOCK_STREAM);
}

/*
 * On a port that nobody has listened on for long: none is taken again until all
 * others have been. A server goes on connecting to where an earlier case
 * listened, and on a port that the kernel chooses it would be taken for the
 * server's answer to a later one.
 */
static int
actor_open_fresh(const struct actor *actor)
{
    static atomic_uint taken;
    int fd = -EADDRINUSE;

    for (unsigned i = 0; i < PORTS && fd == -EADDRINUSE; i++) {
        unsigned turn = (unsigned)getpid() * 97 + atomic_fetch_add(&taken, 1);
        fd = actor_open_bound(actor, (uint16_t)(FIRST_PORT + turn % PORTS));
    }
    return fd;
}

static void
actor_learn_port(struct endpoint *at, int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;

    if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
        endpoint_from_sockaddr(at, &sa);
}

static int
actor_finish_connect(int fd, unsigned wait)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (!actor_await_fd(fd, POLLOUT, wait))
        return -ETIMEDOUT;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return -errno;
    return -error;
}

/* Non-blocking from here on: no call waits but poll. */
static int
actor_start_connect(int fd, const struct endpoint *to, unsigned wait)
{
    struct sockaddr_storage sa;
    socklen_t len = endpoint_to_sockaddr(to, &sa);

    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&sa, len) == 0)
        return 0;
    return errno == EINPROGRESS ? actor_finish_connect(fd, wait) : -errno;
}

static void
actor_begin(struct actor *actor, int fd)
{
    stream_close(&actor->stream);
    actor->stream.fd = fd;
    actor->ending = ENDING_NONE;
    actor->len = actor->looked = 0;
}

static int
actor_connect_from(struct actor *actor, uint16_t port,
                   const struct endpoint *to, unsigned wait)
{
    int fd = actor_open_bound(actor, port);

    if (fd < 0)
        return fd;
    int error = actor_start_connect(fd, to, wait);
    if (error < 0) {
        close(fd);
        trace_word(actor->trace, actor->name, '>', strerror(-error));
        return error;
    }
    actor_begin(actor, fd);
    trace_word(actor->trace, actor->name, '>', "connects");
    return 0;
}

/* Servers limit how many connections a second they take from a client. */
static void
actor_await_turn(void)
{
    static _Atomic uint64_t next;
    uint64_t free = next, turn, now = actor_now();

    do
        turn = free > now ? free : now;
    while (!atomic_compare_exchange_weak(&next, &free, turn + TURN_MS));
    usleep((useconds_t)(turn - now) * 1000);
}

int
actor_connect_plain(struct actor *actor, const struct endpoint *to,
                    unsigned wait)
{
    if (endpoint_equal(to, &actor->place->gateway))
        actor_await_turn();
    int error = actor_connect_from(actor, 0, to, wait);

    if (error == 0)
        actor_learn_port(&actor->at, actor->stream.fd);
    return error;
}

static int
actor_start_tls(struct actor *actor, uint64_t end)
{
    char host[ADDR_TEXT_MAX];
    int error = tls_start(&actor->stream, actor->place->tls,
                          addr_format(actor->place->gateway.addr, host), end,
                          &actor->fault);

    if (error == 0)
        return 0;
    trace_word(actor->trace, actor->name, '<',
               error == -EBADMSG ? actor->fault.text : strerror(-error));
    stream_reset(&actor->stream, STREAM_SENT, 0);
    return error;
}

int
actor_connect(struct actor *actor, const struct endpoint *to, unsigned wait)
{
    bool secure =
        actor->place->tls != NULL && endpoint_equal(to, &actor->place->gateway);
    int error = actor_connect_plain(actor, to, wait);

    return error == 0 && secure ? actor_start_tls(actor, actor_now() + wait)
                                : error;
}

int
actor_connect_held(struct actor *actor, const struct endpoint *to,
                   unsigned wait)
{
    return actor_connect_from(actor, actor->at.port, to, wait);
}

static int
actor_listen_at(struct actor *actor, uint16_t port, int backlog)
{
    int fd =
        port != 0 ? actor_open_bound(actor, port) : actor_open_fresh(actor);

    if (fd < 0)
        return fd;
    if (listen(fd, backlog) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    actor_close_fd(&actor->listener);
    actor->listener = fd;
    actor_learn_port(&actor->at, fd);
    return 0;
}

int
actor_listen(struct actor *actor, uint16_t port)
{
    return actor_listen_at(actor, port, 16);
}

int
actor_listen_full(struct actor *actor)
{
    int error = actor_listen_at(actor, 0, 0);

    for (unsigned i = 0; i < 3 && error == 0; i++) {
        int fd = actor_open_bound(actor, 0);
        if (fd < 0)
            return fd;
        actor_close_fd(&actor->fillers[i]);
        actor->fillers[i] = fd;
        actor_start_connect(fd, &actor->at, 50);
    }
    return error;
}

int
actor_hold(struct actor *actor)
{
    actor_close_fd(&actor->held);
    actor->held = actor_open_fresh(actor);
    if (actor->held < 0)
        return actor->held;
    actor_learn_port(&actor->at, actor->held);
    return 0;
}

bool
actor_port_is_taken(const struct actor *actor, uint16_t port)
{
    int fd = actor_open_bound(actor, port);

    if (fd >= 0)
        close(fd);
    return fd == -EADDRINUSE;
}

int
actor_accept(struct actor *actor, unsigned wait)
{
    if (!actor_await_fd(actor->listener, POLLIN, wait))
        return -ETIMEDOUT;
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof sa;
    int fd = accept4(actor->listener, (struct sockaddr *)&sa, &len,
                     SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return -errno;
    actor_set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    actor_begin(actor, fd);
    endpoint_from_sockaddr(&actor->peer, &sa);
    trace_word(actor->trace, actor->name, '<', "connection");
    return 0;
}

/* Whether the connection is ready for what a call waits for. */
static bool
actor_await_stream(const struct actor *actor, bool writes, unsigned wait)
{
    const struct stream *stream = &actor->stream;

    if (!writes && stream_is_pending(stream))
        return true;
    return actor_await_fd(stream->fd,
                          writes ? stream_write_events(stream)
                                 : stream_read_events(stream),
                          wait);
}

static int
actor_send_all(struct actor *actor, const uint8_t *octets, size_t len)
{
    while (len > 0) {
        ssize_t count = stream_write(&actor->stream, octets, len);
        if (count >= 0) {
            octets += count;
            len -= (size_t)count;
        } else if (count != -EAGAIN) {
            return (int)count;
        } else if (!actor_await_stream(actor, true, SEND_WAIT)) {
            return -ETIMEDOUT;
        }
    }
    return 0;
}

int
actor_send(struct actor *actor, const uint8_t *octets, size_t len)
{
    trace_octets(actor->trace, actor->name, '>', octets, len);
    return actor_send_all(actor, octets, len);
}

int
actor_send_urgent(struct actor *actor, uint8_t octet)
{
    trace_word(actor->trace, actor->name, '>', "an urgent octet");
    return send(actor->stream.fd, &octet, 1, MSG_NOSIGNAL | MSG_OOB) == 1
               ? 0
               : -errno;
}

static void
actor_note_end(struct actor *actor, ssize_t error)
{
    actor->ending = error == 0               ? ENDING_FIN
                    : error == -ECONNABORTED ? ENDING_CUT
                                             : ENDING_RESET;
    trace_word(actor->trace, actor->name, '<',
               error == 0               ? "end of stream"
               : error == -ECONNABORTED ? "end without close_notify"
               : error == -EBADMSG      ? stream_fault(&actor->stream, -EBADMSG)
                                        : "reset");
}

bool
actor_read(struct actor *actor, unsigned wait)
{
    size_t room = sizeof actor->octets - actor->len;

    if (actor->stream.fd < 0 || actor->ending != ENDING_NONE || room == 0)
        return true;
    if (!actor_await_stream(actor, false, wait))
        return false;
    uint8_t *at = actor->octets + actor->len;
    ssize_t count = stream_read(&actor->stream, at, room);
    if (count > 0) {
        trace_octets(actor->trace, actor->name, '<', at, (size_t)count);
        actor->len += (size_t)count;
    } else if (count != -EAGAIN) {
        actor_note_end(actor, count);
    }
    return true;
}

static unsigned
actor_ms_left(uint64_t end)
{
    uint64_t now = actor_now();
    return now < end ? (unsigned)(end - now) : 0;
}

size_t
actor_await(struct actor *actor, size_t count, unsigned wait)
{
    uint64_t end = actor_now() + wait;
    size_t there = actor->len - actor->looked;

    while (there < count && actor->ending == ENDING_NONE &&
           actor->stream.fd >= 0) {
        if (!actor_read(actor, actor_ms_left(end)))
            break;
        there = actor->len - actor->looked;
    }
    return there < count ? there : count;
}

bool
actor_await_end(struct actor *actor, unsigned wait)
{
    uint64_t end = actor_now() + wait;

    while (actor->ending == ENDING_NONE && actor->stream.fd >= 0) {
        if (actor->len == sizeof actor->octets)
            actor->len = actor->looked = 0;
        if (!actor_read(actor, actor_ms_left(end)))
            return false;
    }
    return true;
}

size_t
actor_await_unread(struct actor *actor, size_t count, unsigned wait)
{
    uint64_t end = actor_now() + wait;
    int there = 0;

    while (ioctl(actor->stream.fd, FIONREAD, &there) == 0 &&
           (size_t)there < count) {
        if (actor_now() >= end)
            break;
        usleep(POLL_US);
    }
    return (size_t)there;
}

bool
actor_is_hung_up(const struct actor *actor)
{
    return actor_await_fd(actor->stream.fd, POLLRDHUP, 0);
}

static void
actor_await_sent(const struct actor *actor)
{
    uint64_t end = actor_now() + SEND_WAIT;
    int unsent = 0;

    while (ioctl(actor->stream.fd, SIOCOUTQNSD, &unsent) == 0 && unsent > 0 &&
           actor_now() < end)
        usleep(POLL_US);
}

int
actor_open_datagrams(struct actor *actor)
{
    int fd = actor_open_typed(actor, 0, SOCK_DGRAM);

    if (fd < 0)
        return fd;
    actor_close_fd(&actor->datagrams);
    actor->datagrams = fd;
    actor_learn_port(&actor->datagrams_at, fd);
    return 0;
}

int
actor_send_datagram(struct actor *actor, const struct endpoint *to,
                    const uint8_t *octets, size_t len)
{
    struct sockaddr_storage sa;
    socklen_t size = endpoint_to_sockaddr(to, &sa);

    trace_octets(actor->trace, actor->name, '>', octets, len);
    return sendto(actor->datagrams, octets, len, 0, (struct sockaddr *)&sa,
                  size) < 0
               ? -errno
               : 0;
}

ssize_t
actor_receive_datagram(struct actor *actor, uint8_t *octets, size_t room,
                       unsigned wait)
{
    struct sockaddr_storage sa = {0};
    socklen_t size = sizeof sa;

    if (!actor_await_fd(actor->datagrams, POLLIN, wait))
        return -ETIMEDOUT;
    ssize_t len = recvfrom(actor->datagrams, octets, room, 0,
                           (struct sockaddr *)&sa, &size);
    if (len < 0)
        return -errno;
    endpoint_from_sockaddr(&actor->peer, &sa);
    trace_octets(actor->trace, actor->name, '<', octets, (size_t)len);
    return len;
}

void
actor_finish(struct actor *actor)
{
    stream_finish(&actor->stream);
    trace_word(actor->trace, actor->name, '>', "end of stream");
}

void
actor_cut(struct actor *actor)
{
    stream_truncate(&actor->stream);
    trace_word(actor->trace, actor->name, '>', "end without close_notify");
}

void
actor_close(struct actor *actor)
{
    if (actor->stream.fd >= 0) {
        actor_await_sent(actor);
        trace_word(actor->trace, actor->name, '>', "closes");
    }
    stream_close(&actor->stream);
}

/* A reset drops what the kernel could not send yet, for lack of window. */
void
actor_reset(struct actor *actor)
{
    stream_reset(&actor->stream, STREAM_SENT, SEND_WAIT);
    trace_word(actor->trace, actor->name, '>', "resets");
}
