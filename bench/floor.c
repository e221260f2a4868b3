/*
 * socks4-floor PORT TARGET-PORT: a relay that does nothing but relay. It has no
 * request, rule, limit, record, timer or confinement, and handles no error:
 * its cost is that of two TCP connections under this kernel. It connects to the
 * address that its client connected to, as the benchmark's HAProxy does.
 *
 * socks4-floor PORT socks4: the same, but it reads a request, which must arrive
 * in one segment, connects to its destination, and replies 90. No SOCKS4
 * gateway can cost less.
 */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/socket.h"

#define ROOM 65536
#define BOTH_WAYS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

struct leg {
    struct watch watch;
    struct leg *other; /* NULL: not connected yet */
    int connected, ended;
};

struct pair {
    struct leg client, server;
    struct pair *next;
};

static int poller;
static int speaks_socks4;     /* SOCKS4 */
static in_port_t target_port; /* network order */
static struct pair *closed;   /* freed when the turn is over */

_Noreturn static void
floor_fail(const char *what)
{
    perror(what);
    exit(1);
}

/* The client's leg is the first member of a pair. */
static struct pair *
pair_of(struct leg *leg)
{
    return (struct pair *)(leg->other && leg > leg->other ? leg->other : leg);
}

static void
pair_close(struct leg *leg)
{
    struct pair *pair = pair_of(leg);

    watch_close(&leg->watch);
    watch_close(&leg->other->watch);
    pair->next = closed;
    closed = pair;
}

static void
pair_free_closed(void)
{
    while (closed) {
        struct pair *pair = closed;
        closed = pair->next;
        free(pair);
    }
}

static void
leg_end(struct leg *from)
{
    from->ended = 1;
    if (from->other->ended)
        pair_close(from);
    else
        shutdown(from->other->watch.fd, SHUT_WR);
}

static void leg_ready(struct watch *watch, uint32_t events);

static void
leg_watch(struct leg *leg, int fd)
{
    leg->watch = (struct watch){fd, leg_ready};
    if (poller_add(poller, &leg->watch, BOTH_WAYS) < 0)
        floor_fail("epoll");
}

static void
pair_dial(struct pair *pair, const struct sockaddr_in *to)
{
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        floor_fail("socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (const struct sockaddr *)to, sizeof *to) < 0 &&
        errno != EINPROGRESS)
        floor_fail("connect");
    pair->client.other = &pair->server;
    pair->server.other = &pair->client;
    leg_watch(&pair->server, fd);
}

/* To the address that the client connected to. */
static void
pair_dial_same(struct pair *pair)
{
    struct sockaddr_in to;
    socklen_t len = sizeof to;

    if (getsockname(pair->client.watch.fd, (struct sockaddr *)&to, &len) < 0)
        floor_fail("getsockname");
    to.sin_port = target_port;
    pair_dial(pair, &to);
}

/* VN, CD, DSTPORT, DSTIP, USERID. */
static void
leg_take_request(struct leg *client)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    char request[512];
    ssize_t count = recv(client->watch.fd, request, sizeof request, 0);

    if (count < 9 || request[0] != 4 || request[1] != 1 ||
        request[count - 1] != 0)
        floor_fail("request");
    memcpy(&to.sin_port, request + 2, 2);
    memcpy(&to.sin_addr, request + 4, 4);
    pair_dial(pair_of(client), &to);
}

static void
leg_move(struct leg *from)
{
    static char octets[ROOM];
    ssize_t count;

    if (!from->other)
        leg_take_request(from);
    if (from->ended || !from->other->connected)
        return;
    do {
        count = recv(from->watch.fd, octets, sizeof octets, 0);
        if (count < 0 && errno != EAGAIN)
            floor_fail("recv");
        /* The jobs that run on the floor never fill a socket. */
        if (count > 0 &&
            send(from->other->watch.fd, octets, (size_t)count, 0) != count)
            floor_fail("send");
    } while (count == ROOM);
    if (count == 0)
        leg_end(from);
}

/* A FIN that arrived together with octets causes no second event. */
static void
leg_ready(struct watch *watch, uint32_t events)
{
    struct leg *leg = (struct leg *)watch;

    if (!leg->connected && (events & EPOLLOUT)) {
        leg->connected = 1;
        if (speaks_socks4 &&
            send(leg->other->watch.fd, "\0\x5a\0\0\0\0\0", 8, 0) != 8)
            floor_fail("reply");
        leg_move(leg->other);
    }
    if (events & EPOLLIN)
        leg_move(leg);
    if ((events & EPOLLRDHUP) && watch->fd >= 0)
        leg_move(leg);
}

static void
pair_new(struct acceptor *acceptor, int fd)
{
    struct pair *pair = calloc(1, sizeof *pair);

    (void)acceptor;
    if (!pair)
        floor_fail("accept");
    pair->client.connected = 1;
    leg_watch(&pair->client, fd);
    if (!speaks_socks4)
        pair_dial_same(pair);
}

int
main(int argc, char **argv)
{
    struct acceptor acceptor = {.accepted = pair_new};

    if (argc != 3) {
        fputs("usage: socks4-floor PORT TARGET-PORT|socks4\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    socket_raise_limit();
    speaks_socks4 = strcmp(argv[2], "socks4") == 0;
    target_port = htons((in_port_t)atoi(argv[2]));
    poller = poller_open();
    if (poller < 0 ||
        acceptor_open(&acceptor, poller, (uint16_t)atoi(argv[1]), 0) < 0)
        floor_fail("listen");
    while (poller_turn(poller, -1) >= 0)
        pair_free_closed();
    return 1;
}
