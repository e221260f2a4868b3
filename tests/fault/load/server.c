#include "tests/fault/load/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fault/load/tally.h"

#define BACKLOG 4096
#define ACCEPTS_A_TURN 16

struct server;

struct listener {
    struct watch watch;
    struct server *server;   /* borrowed */
    const struct plan *plan; /* borrowed */
    struct tally tally;
    uint64_t live;
};

struct conn {
    struct flow flow;          /* first */
    struct listener *listener; /* borrowed */
};

struct server {
    struct flow_sleepers sleepers;
    struct watch control;
    struct listener listeners[PLANS_MAX];
    unsigned count;
    bool over;
};

static void
conn_over(struct flow *flow, enum flow_result result)
{
    struct conn *conn = (struct conn *)flow;

    conn->listener->live--;
    conn->listener->tally.outcomes[result]++;
    conn->listener->tally.octets += flow->received;
    free(conn);
}

/* The address it was called by: the seed. */
static uint32_t
local_ip(int fd)
{
    struct sockaddr_in at = {0};
    socklen_t size = sizeof at;

    getsockname(fd, (struct sockaddr *)&at, &size);
    return ntohl(at.sin_addr.s_addr);
}

static void
conn_new(struct listener *listener, int fd)
{
    struct flow_sleepers *sleepers = &listener->server->sleepers;
    struct conn *conn = calloc(1, sizeof *conn);

    if (!conn)
        abort();
    flow_init(&conn->flow);
    conn->listener = listener;
    conn->flow.watch.fd = fd;
    listener->live++;
    listener->tally.sessions++;
    if (poller_add(sleepers->poller, &conn->flow.watch, 0) < 0)
        abort();
    flow_start(&conn->flow, sleepers, listener->plan, PLAN_SERVER, local_ip(fd),
               conn_over);
}

static void
listener_ready(struct watch *watch, uint32_t events)
{
    struct listener *listener = (struct listener *)watch;

    (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        conn_new(listener, fd);
    }
}

static int
listener_bind(int fd, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ||
        listen(fd, BACKLOG) < 0)
        return -errno;
    return 0;
}

static int
listener_open(struct listener *listener, struct server *server,
              const struct plan *plan, uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return -errno;
    flow_prepare(plan, fd);
    listener->watch = (struct watch){.fd = fd, .ready = listener_ready};
    listener->server = server;
    listener->plan = plan;
    error = listener_bind(fd, port);
    return error
               ? error
               : poller_add(server->sleepers.poller, &listener->watch, EPOLLIN);
}

static void
server_print(const struct server *server)
{
    uint64_t live = 0;

    printf("{");
    for (unsigned i = 0; i < server->count; i++) {
        const struct listener *listener = &server->listeners[i];
        live += listener->live;
        tally_print(listener->plan->name, &listener->tally);
        printf(", ");
    }
    printf("\"live\": %llu}\n", (unsigned long long)live);
    fflush(stdout);
}

static void
control_ready(struct watch *watch, uint32_t events)
{
    struct server *server = container_of(watch, struct server, control);
    char line[64];

    (void)events;
    if (read(watch->fd, line, sizeof line) <= 0)
        server->over = true;
    else
        server_print(server);
}

static int
server_open(struct server *server, const struct orders *orders)
{
    int error = poller_open();

    if (error < 0)
        return error;
    flow_sleepers_init(&server->sleepers, error);
    server->control = (struct watch){.fd = 0, .ready = control_ready};
    error = poller_add(server->sleepers.poller, &server->control, EPOLLIN);
    for (unsigned i = 0; i < orders->plan_count && !error; i++) {
        error = listener_open(&server->listeners[i], server, &orders->plans[i],
                              (uint16_t)(orders->port + i));
        server->count = i + 1;
    }
    return error;
}

int
server_run(const struct orders *orders)
{
    static struct server server;
    int error = server_open(&server, orders);

    if (error)
        return error;
    server_print(&server);
    while (!server.over && !error) {
        error = poller_turn(server.sleepers.poller,
                            flow_sleepers_wait_ms(&server.sleepers));
        flow_sleepers_wake(&server.sleepers);
    }
    return error;
}
