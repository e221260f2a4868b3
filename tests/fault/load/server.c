#include "tests/fault/load/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/socket.h"
#include "tests/fault/load/tally.h"

struct server;

struct listener {
    struct acceptor acceptor; /* first */
    struct server *server;    /* borrowed */
    const struct plan *plan;  /* borrowed */
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

/* The address that the connection was made to is the seed. */
static uint32_t
conn_seed(int fd)
{
    struct sockaddr_in at = {0};
    socklen_t size = sizeof at;

    getsockname(fd, (struct sockaddr *)&at, &size);
    return ntohl(at.sin_addr.s_addr);
}

static void
conn_new(struct acceptor *acceptor, int fd)
{
    struct listener *listener = (struct listener *)acceptor;
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
    flow_start(&conn->flow, sleepers, listener->plan, PLAN_SERVER,
               conn_seed(fd), conn_over);
}

static int
listener_open(struct listener *listener, struct server *server,
              const struct plan *plan, uint16_t port)
{
    listener->acceptor.accepted = conn_new;
    listener->server = server;
    listener->plan = plan;
    return acceptor_open(&listener->acceptor, server->sleepers.poller, port,
                         plan->buffer);
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
server_control_ready(struct watch *watch, uint32_t events)
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
    server->control = (struct watch){.fd = 0, .ready = server_control_ready};
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
