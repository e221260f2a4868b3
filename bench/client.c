#include "bench/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Sessions being opened at once before a run: below any listen backlog. */
#define OPENING_MAX 32
#define ERRORS_MAX 20
#define TURN_MS 100
#define LATE_NS UINT64_C(500000000)

/* Whether the job can still go on. */
static bool
client_lives(struct client *client, uint64_t limit_ns)
{
    if (client->report.errors >= ERRORS_MAX)
        return false;
    if (clock_now_ns() < limit_ns)
        return true;
    report_error(&client->report, "time is up: %u of %u sessions open, %u over",
                 client->opened, client->options->sessions, client->over);
    return false;
}

static bool
client_turn(struct client *client, uint64_t limit_ns)
{
    int error = poller_turn(client->poller, TURN_MS);

    if (error)
        report_error(&client->report, "epoll_wait: errno %d", -error);
    return !error && client_lives(client, limit_ns);
}

static void
client_open_all(struct client *client, uint64_t limit_ns)
{
    unsigned next = 0, count = client->options->sessions;

    while (client->opened + client->over < count) {
        while (next < count && client->opening < OPENING_MAX)
            session_open(&client->sessions[next++]);
        if (!client_turn(client, limit_ns))
            return;
    }
}

/* Reports that all sessions are open, and waits for the line that starts the
   run. */
static void
client_barrier(const struct client *client)
{
    char line[64];

    if (!client->options->barrier)
        return;
    printf("open\n");
    fflush(stdout);
    while (read(0, line, sizeof line) < 0 && errno == EINTR)
        ;
}

static void
client_look_for_late(struct client *client)
{
    uint64_t now_ns = clock_now_ns();

    if (!client->job->late || now_ns < client->look_ns)
        return;
    client->look_ns = now_ns + TURN_MS * UINT64_C(1000000);
    for (unsigned i = 0; i < client->options->sessions; i++) {
        struct session *session = &client->sessions[i];
        if (session->state == SESSION_OPEN &&
            session->began_ns + LATE_NS < now_ns)
            client->job->late(session);
    }
}

static void
client_run_all(struct client *client)
{
    const struct options *options = client->options;
    uint64_t now_ns = clock_now_ns();
    uint64_t limit_ns = now_ns + options->limit_ms * 1000000;

    client->running = true;
    client->stop_ns = now_ns + options->run_ms * 1000000;
    for (unsigned i = 0; i < options->sessions; i++) {
        if (client->sessions[i].state != SESSION_OVER)
            client->job->begin(&client->sessions[i]);
    }
    while (client->over < options->sessions) {
        if (!client_turn(client, limit_ns))
            return;
        client_look_for_late(client);
    }
}

static bool
client_init(struct client *client, const struct options *options,
            const struct job *job)
{
    *client = (struct client){.options = options, .job = job};
    client->report.job = job->name;
    client->report.sessions = options->sessions;
    client->poller = poller_open();
    client->sessions = calloc(options->sessions, sizeof *client->sessions);
    if (client->poller < 0 || !client->sessions)
        return false;
    for (unsigned i = 0; i < options->sessions; i++) {
        client->sessions[i].client = client;
        client->sessions[i].watch.fd = -1;
        client->sessions[i].peer.fd = -1;
    }
    return true;
}

static void
client_fini(struct client *client)
{
    for (unsigned i = 0; i < client->options->sessions; i++) {
        watch_close(&client->sessions[i].watch);
        watch_close(&client->sessions[i].peer);
    }
    free(client->sessions);
    close(client->poller);
}

bool
client_run(const struct options *options, const struct job *job)
{
    static struct client client; /* too large for the stack: its histograms */

    if (!client_init(&client, options, job)) {
        fprintf(stderr, "socks4-bench: no memory or descriptors\n");
        return false;
    }
    if (job->opens)
        client_open_all(&client, clock_now_ns() + options->limit_ms * 1000000);
    client_barrier(&client);
    report_begin(&client.report);
    if (client.report.errors == 0)
        client_run_all(&client);
    report_end(&client.report);
    client_fini(&client);
    report_print(&client.report);
    return client.report.errors == 0;
}
