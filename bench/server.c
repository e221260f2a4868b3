#include "bench/server.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/pattern.h"
#include "bench/poller.h"
#include "bench/socket.h"

struct server;

struct listener {
    struct acceptor acceptor; /* first */
    struct server *server;    /* borrowed */
    watch_ready serve;        /* callback of its connections */
};

struct server {
    int poller;
    bool over;
    struct watch control;
    struct listener echo, source, sink;
    struct watch datagrams;
    uint64_t accepted, live;
    uint64_t resets; /* connections that ended by an error */
    uint64_t bad;    /* that sent an octet which is not the pattern's */
    uint8_t octets[PATTERN_CHUNK];
};

struct conn {
    struct watch watch;
    struct server *server; /* borrowed */
    uint8_t order[SERVER_ORDER];
    size_t order_count;
    uint64_t length, seed, moved;
    /* echo: octets the socket has not taken yet; owned, usually NULL. */
    uint8_t *held;
    size_t held_from, held_to;
};

void
server_put_u64(uint8_t *octets, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        octets[i] = (uint8_t)(value >> (56 - 8 * i));
}

uint64_t
server_get_u64(const uint8_t *octets)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | octets[i];
    return value;
}

static void
conn_end(struct conn *conn)
{
    conn->server->live--;
    watch_close(&conn->watch);
    free(conn->held);
    free(conn);
}

static void
conn_fail(struct conn *conn)
{
    conn->server->resets++;
    conn_end(conn);
}

static void
conn_wait(struct conn *conn, uint32_t events)
{
    if (poller_modify(conn->server->poller, &conn->watch, events) < 0)
        abort();
}

/*
 * The number of octets read; 0: nothing to do, and the connection may have been
 * closed and freed.
 */
static size_t
conn_read(struct conn *conn, void *octets, size_t room)
{
    ssize_t count = recv(conn->watch.fd, octets, room, 0);

    if (count > 0)
        return (size_t)count;
    if (count == 0)
        conn_end(conn);
    else if (errno != EAGAIN && errno != EINTR)
        conn_fail(conn);
    return 0;
}

/* Like conn_read; 0 for a full socket, too. */
static size_t
conn_write(struct conn *conn, const void *octets, size_t count, bool *alive)
{
    ssize_t sent = send(conn->watch.fd, octets, count, MSG_NOSIGNAL);

    *alive = sent >= 0 || errno == EAGAIN || errno == EINTR;
    if (!*alive)
        conn_fail(conn);
    return sent > 0 ? (size_t)sent : 0;
}

/* Keeps the octets the socket did not take, and stops reading until it has
   taken them. */
static void
echo_hold(struct conn *conn, const uint8_t *octets, size_t count)
{
    conn->held = malloc(count);
    if (!conn->held)
        abort();
    memcpy(conn->held, octets, count);
    conn->held_from = 0;
    conn->held_to = count;
    conn_wait(conn, EPOLLOUT);
}

static void
echo_held(struct conn *conn)
{
    bool alive;
    size_t sent = conn_write(conn, conn->held + conn->held_from,
                             conn->held_to - conn->held_from, &alive);

    if (!alive)
        return;
    conn->held_from += sent;
    if (conn->held_from < conn->held_to)
        return;
    free(conn->held);
    conn->held = NULL;
    conn_wait(conn, EPOLLIN);
}

static void
echo_ready(struct watch *watch, uint32_t events)
{
    struct conn *conn = (struct conn *)watch;
    uint8_t *octets = conn->server->octets;
    size_t count, sent;
    bool alive;

    (void)events;
    if (conn->held) {
        echo_held(conn);
        return;
    }
    count = conn_read(conn, octets, PATTERN_CHUNK);
    if (count == 0)
        return;
    sent = conn_write(conn, octets, count, &alive);
    if (alive && sent < count)
        echo_hold(conn, octets + sent, count - sent);
}

/* Whether the order is complete; if not, conn may have been freed. */
static bool
order_read(struct conn *conn)
{
    size_t count = conn_read(conn, conn->order + conn->order_count,
                             SERVER_ORDER - conn->order_count);

    if (count == 0)
        return false;
    conn->order_count += count;
    if (conn->order_count < SERVER_ORDER)
        return false;
    conn->length = server_get_u64(conn->order);
    conn->seed = server_get_u64(conn->order + 8);
    return true;
}

static size_t
conn_chunk(const struct conn *conn)
{
    uint64_t left = conn->length - conn->moved;

    return left < PATTERN_CHUNK ? (size_t)left : PATTERN_CHUNK;
}

/* After the transfer only the end of stream may arrive. */
static void
conn_await_end(struct conn *conn)
{
    uint8_t unasked;

    if (conn_read(conn, &unasked, 1) > 0) {
        conn->server->bad++;
        conn_end(conn);
    }
}

static void
source_send(struct conn *conn)
{
    bool alive;
    size_t sent = conn_write(conn, pattern_at(conn->seed, conn->moved),
                             conn_chunk(conn), &alive);

    if (!alive)
        return;
    conn->moved += sent;
    if (conn->moved == conn->length)
        conn_wait(conn, EPOLLIN);
}

static void
source_ready(struct watch *watch, uint32_t events)
{
    struct conn *conn = (struct conn *)watch;

    (void)events;
    if (conn->order_count < SERVER_ORDER) {
        if (order_read(conn))
            conn_wait(conn, EPOLLOUT);
    } else if (conn->moved < conn->length) {
        source_send(conn);
    } else {
        conn_await_end(conn);
    }
}

/* Nothing was sent on this socket before: eight octets always fit. */
static void
sink_receipt(struct conn *conn)
{
    uint8_t receipt[SERVER_RECEIPT];
    bool alive;

    server_put_u64(receipt, conn->moved);
    if (conn_write(conn, receipt, sizeof receipt, &alive) == 0 && alive)
        conn_fail(conn);
}

static void
sink_receive(struct conn *conn)
{
    uint8_t *octets = conn->server->octets;
    size_t count = conn_read(conn, octets, conn_chunk(conn));

    if (count == 0)
        return;
    if (!pattern_is(conn->seed, conn->moved, octets, count)) {
        conn->server->bad++;
        conn_end(conn);
        return;
    }
    conn->moved += count;
    if (conn->moved == conn->length)
        sink_receipt(conn);
}

static void
sink_ready(struct watch *watch, uint32_t events)
{
    struct conn *conn = (struct conn *)watch;

    (void)events;
    if (conn->order_count < SERVER_ORDER)
        (void)order_read(conn);
    else if (conn->moved < conn->length)
        sink_receive(conn);
    else
        conn_await_end(conn);
}

static void
conn_new(struct acceptor *acceptor, int fd)
{
    struct listener *listener = (struct listener *)acceptor;
    struct server *server = listener->server;
    struct conn *conn = calloc(1, sizeof *conn);

    if (!conn)
        abort();
    conn->watch = (struct watch){.fd = fd, .ready = listener->serve};
    conn->server = server;
    server->accepted++;
    server->live++;
    if (poller_add(server->poller, &conn->watch, EPOLLIN) < 0)
        conn_fail(conn);
}

static int
listener_open(struct listener *listener, struct server *server, uint16_t port,
              watch_ready serve)
{
    listener->acceptor.accepted = conn_new;
    listener->server = server;
    listener->serve = serve;
    return acceptor_open(&listener->acceptor, server->poller, port, 0);
}

/* Returns each datagram from the address that it was sent to: from another one
   no gateway takes it. */
static void
datagrams_ready(struct watch *watch, uint32_t events)
{
    static uint8_t octets[65536];
    struct sockaddr_in from;
    union {
        uint8_t octets[CMSG_SPACE(sizeof(struct in_pktinfo))];
        struct cmsghdr head;
    } about;

    (void)events;
    for (;;) {
        struct iovec data = {octets, sizeof octets};
        struct msghdr message = {.msg_name = &from,
                                 .msg_namelen = sizeof from,
                                 .msg_iov = &data,
                                 .msg_iovlen = 1,
                                 .msg_control = &about,
                                 .msg_controllen = sizeof about};
        ssize_t count = recvmsg(watch->fd, &message, 0);
        if (count < 0)
            return;
        data.iov_len = (size_t)count;
        (void)!sendmsg(watch->fd, &message, 0); /* lost, if there is no room */
    }
}

static int
datagrams_open(struct server *server, uint16_t port)
{
    int fd = socket_datagrams(INADDR_ANY, port, 0, 0);
    int on = 1;

    if (fd < 0)
        return fd;
    server->datagrams = (struct watch){.fd = fd, .ready = datagrams_ready};
    if (setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) < 0)
        return -errno;
    return poller_add(server->poller, &server->datagrams, EPOLLIN);
}

static void
server_report(const struct server *server)
{
    printf("{\"accepted\": %" PRIu64 ", \"live\": %" PRIu64
           ", \"resets\": %" PRIu64 ", \"bad\": %" PRIu64 "}\n",
           server->accepted, server->live, server->resets, server->bad);
    fflush(stdout);
}

static struct server *
server_of(struct watch *control)
{
    return (struct server *)((char *)control -
                             offsetof(struct server, control));
}

static void
server_control_ready(struct watch *watch, uint32_t events)
{
    struct server *server = server_of(watch);
    char line[64];

    (void)events;
    if (read(watch->fd, line, sizeof line) <= 0)
        server->over = true;
    else
        server_report(server);
}

static int
server_init(struct server *server, const struct server_ports *ports)
{
    int error;

    server->poller = poller_open();
    if (server->poller < 0)
        return server->poller;
    server->control = (struct watch){.fd = 0, .ready = server_control_ready};
    error = listener_open(&server->echo, server, ports->echo, echo_ready);
    if (!error)
        error =
            listener_open(&server->source, server, ports->source, source_ready);
    if (!error)
        error = listener_open(&server->sink, server, ports->sink, sink_ready);
    if (!error)
        error = datagrams_open(server, ports->echo);
    if (!error)
        error = poller_add(server->poller, &server->control, EPOLLIN);
    return error;
}

int
server_run(const struct server_ports *ports)
{
    static struct server server;
    int error = server_init(&server, ports);

    if (error)
        return error;
    server_report(&server); /* tells the driver that the ports are open */
    while (!server.over && !error)
        error = poller_turn(server.poller, -1);
    return error;
}
