/*
 * floor PORT TARGET-PORT: a relay with nothing to do but relay. No request, no
 * rule, no limit, no record, no timer, no confinement, and no thought of
 * what may go wrong: what it costs is what two TCP connections cost under
 * this kernel, and nobody who speaks SOCKS can cost less. It connects to the
 * address that its client connected to, as the benchmark's HAProxy does.
 */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/poller.h"

#define BACKLOG 4096
#define ACCEPTS_A_TURN 16
#define ROOM 65536
#define BOTH_WAYS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

struct leg {
    struct watch watch;
    struct leg *other;
    int connected, ended;
};

struct pair {
    struct leg client, server;
    struct pair *next;
};

static int poller;
static in_port_t target_port; /* network order */
static struct pair *dead;     /* freed when the turn is over */

_Noreturn static void
give_up(const char *what)
{
    perror(what);
    exit(1);
}

static struct pair *
pair_of(struct leg *leg)
{
    return (struct pair *)(leg > leg->other ? leg->other : leg);
}

static void
bury(struct leg *leg)
{
    struct pair *pair = pair_of(leg);

    watch_close(&leg->watch);
    watch_close(&leg->other->watch);
    pair->next = dead;
    dead = pair;
}

static void
free_dead(void)
{
    while (dead) {
        struct pair *pair = dead;
        dead = pair->next;
        free(pair);
    }
}

static void
end(struct leg *from)
{
    from->ended = 1;
    if (from->other->ended)
        bury(from);
    else
        shutdown(from->other->watch.fd, SHUT_WR);
}

static void
move(struct leg *from)
{
    static char octets[ROOM];
    ssize_t count;

    if (from->ended || !from->other->connected)
        return;
    do {
        count = recv(from->watch.fd, octets, sizeof octets, 0);
        if (count < 0 && errno != EAGAIN)
            give_up("recv");
        /* The jobs it is for never fill a socket. */
        if (count > 0 &&
            send(from->other->watch.fd, octets, (size_t)count, 0) != count)
            give_up("send");
    } while (count == ROOM);
    if (count == 0)
        end(from);
}

/* A FIN that came with octets gives no second event. */
static void
leg_ready(struct watch *watch, uint32_t events)
{
    struct leg *leg = (struct leg *)watch;

    if (!leg->connected && (events & EPOLLOUT)) {
        leg->connected = 1;
        move(leg->other);
    }
    if (events & EPOLLIN)
        move(leg);
    if ((events & EPOLLRDHUP) && watch->fd >= 0)
        move(leg);
}

static void
leg_watch(struct leg *leg, struct leg *other, int fd)
{
    leg->watch = (struct watch){fd, leg_ready};
    leg->other = other;
    if (poller_add(poller, &leg->watch, BOTH_WAYS) < 0)
        give_up("epoll");
}

static int
dial(struct sockaddr_in *to)
{
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        give_up("socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    to->sin_port = target_port;
    if (connect(fd, (struct sockaddr *)to, sizeof *to) < 0 &&
        errno != EINPROGRESS)
        give_up("connect");
    return fd;
}

static void
listener_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    for (int turn = 0; turn < ACCEPTS_A_TURN; turn++) {
        int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct pair *pair = calloc(1, sizeof *pair);
        struct sockaddr_in to;
        socklen_t len = sizeof to;
        if (!pair || getsockname(fd, (struct sockaddr *)&to, &len) < 0)
            give_up("accept");
        pair->client.connected = 1;
        leg_watch(&pair->client, &pair->server, fd);
        leg_watch(&pair->server, &pair->client, dial(&to));
    }
}

static int
listen_on(const char *port)
{
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET};

    at.sin_port = htons((in_port_t)atoi(port));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ||
        listen(fd, BACKLOG) < 0)
        give_up("listen");
    return fd;
}

int
main(int argc, char **argv)
{
    struct watch listener = {.ready = listener_ready};
    struct rlimit limit;

    if (argc != 3) {
        fputs("usage: socks4-floor PORT TARGET-PORT\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    target_port = htons((in_port_t)atoi(argv[2]));
    poller = poller_open();
    listener.fd = listen_on(argv[1]);
    if (poller < 0 || poller_add(poller, &listener, EPOLLIN) < 0)
        give_up("epoll");
    while (poller_turn(poller, -1) >= 0)
        free_dead();
    return 1;
}
