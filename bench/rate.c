#include "bench/client.h"
#include "bench/pattern.h"

/*
 * Short sessions, as many as possible: connect, request, reply, one octet
 * echoed, close; then the next session begins in the same slot.
 */

static void
rate_opened(struct session *session)
{
    (void)session_send(session, pattern_at(session->serial, 0), 1);
}

static void
rate_ready(struct session *session, uint32_t events)
{
    struct client *client = session->client;
    uint64_t now_ns;

    (void)events;
    if (!session_receive_echo(session))
        return;
    now_ns = clock_now_ns();
    histogram_add(&client->report.trip, now_ns - session->began_ns);
    client->report.count++;
    if (now_ns >= client->stop_ns) {
        session_finish(session);
        return;
    }
    session_close(session);
    session_open(session);
}

const struct job rate_job = {
    .name = "rate",
    .command = HANDSHAKE_CONNECT,
    .opened = rate_opened,
    .begin = session_open,
    .ready = rate_ready,
};
