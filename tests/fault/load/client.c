#include "tests/fault/load/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/fault/load/session.h"

struct client {
    struct session_shared shared;
    struct watch control;
    struct session *sessions; /* owned */
    struct session **idle;    /* owned; a stack of idle sessions */
    unsigned idle_count;
    uint64_t serial;
    uint64_t began_ns, limit_ns;
    bool told_open, stops;
};

static void
client_idle(struct session_shared *shared, struct session *session)
{
    struct client *client = container_of(shared, struct client, shared);

    client->idle[client->idle_count++] = session;
}

static void
client_release(struct client *client)
{
    client->shared.holds = false;
    for (unsigned i = 0; i < client->shared.orders->slots; i++) {
        if (client->sessions[i].state == SESSION_HELD)
            session_run(&client->sessions[i]);
    }
}

/* The first line releases the sessions that are held; another one, or the end
   of standard input, means that no session is started any more. */
static void
client_control_ready(struct watch *watch, uint32_t events)
{
    struct client *client = container_of(watch, struct client, control);
    char line[64];
    ssize_t count = read(watch->fd, line, sizeof line);

    (void)events;
    if (count <= 0)
        watch_close(watch);
    if (count > 0 && client->shared.holds)
        client_release(client);
    else
        client->stops = true;
}

static bool
client_may_open(const struct client *client)
{
    const struct orders *orders = client->shared.orders;

    if (client->stops || client->idle_count == 0 ||
        client->shared.opening >= orders->opening)
        return false;
    if (orders->count > 0 && client->serial >= orders->count)
        return false;
    return orders->rate == 0 ||
           client->serial < (clock_now_ns() - client->began_ns) / 1000000 *
                                orders->rate / 1000;
}

/* Called between two turns, so that no pending event belongs to a session that
   has ended. */
static void
client_fill(struct client *client)
{
    unsigned most = client->shared.orders->opening;

    while (most-- > 0 && client_may_open(client)) {
        struct session *session = client->idle[--client->idle_count];
        session_open(session, client->serial++);
    }
    if (!client->told_open &&
        client->shared.settled >= client->shared.orders->slots) {
        client->told_open = true;
        printf("open\n");
        fflush(stdout);
    }
}

static bool
client_done(const struct client *client)
{
    const struct orders *orders = client->shared.orders;
    bool last = orders->count > 0 && client->serial >= orders->count;

    return (client->stops || last) && client->idle_count == orders->slots;
}

static int
client_wait_ms(const struct client *client)
{
    if (client->shared.orders->rate > 0 ||
        !list_empty(&client->shared.breaking))
        return 1;
    return flow_sleepers_wait_ms(&client->shared.sleepers);
}

static int
client_turns(struct client *client)
{
    int error = 0;

    while (!client_done(client) && !error &&
           clock_now_ns() < client->limit_ns) {
        client_fill(client);
        error =
            poller_turn(client->shared.sleepers.poller, client_wait_ms(client));
        flow_sleepers_wake(&client->shared.sleepers);
        session_break_due(&client->shared);
    }
    for (unsigned i = 0; i < client->shared.orders->slots; i++) {
        if (client->sessions[i].state != SESSION_IDLE)
            session_abandon(&client->sessions[i]);
    }
    return error;
}

static void
client_print(const struct client *client)
{
    const struct session_shared *shared = &client->shared;

    printf("{\"plans\": {");
    for (unsigned i = 0; i < shared->orders->plan_count; i++) {
        printf("%s", i ? ", " : "");
        tally_print(shared->orders->plans[i].name, &shared->tallies[i]);
    }
    printf("}, ");
    tally_print_times("setup", &shared->setup);
    printf(", ");
    tally_print_times("refusal", &shared->refusal);
    printf(", \"seconds\": %.3f}\n",
           (double)(clock_now_ns() - client->began_ns) / 1e9);
}

static int
client_init(struct client *client, const struct orders *orders)
{
    struct session_shared *shared = &client->shared;
    int error = poller_open();

    if (error < 0)
        return error;
    shared->orders = orders;
    shared->idle = client_idle;
    shared->holds = orders->holds;
    list_init(&shared->breaking);
    flow_sleepers_init(&shared->sleepers, error);
    shared->home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    client->sessions = calloc(orders->slots, sizeof *client->sessions);
    client->idle = calloc(orders->slots, sizeof *client->idle);
    if (!client->sessions || !client->idle)
        return -ENOMEM;
    for (unsigned i = 0; i < orders->slots; i++) {
        session_init(&client->sessions[i], shared);
        client_idle(shared, &client->sessions[orders->slots - 1 - i]);
    }
    client->control = (struct watch){.fd = 0, .ready = client_control_ready};
    client->began_ns = clock_now_ns();
    client->limit_ns = client->began_ns + orders->limit_ms * 1000000;
    return poller_add(shared->sleepers.poller, &client->control, EPOLLIN);
}

int
client_run(const struct orders *orders)
{
    static struct client client; /* too large for the stack: its histograms */
    int error = client_init(&client, orders);

    if (!error)
        error = client_turns(&client);
    client_print(&client);
    free(client.sessions);
    free(client.idle);
    return error;
}
