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
    uint8_t octet;

    (void)events;
    if (session_receive(session, &octet, 1) == 0)
        return;
    if (!pattern_is(session->serial, 0, &octet, 1)) {
        session_fail(session, "a wrong octet came back");
        return;
    }
    now_ns = clock_now_ns();
    histogram_add(&client->report.trip, now_ns - session->began_ns);
    client->report.count++;
    client->report.octets++;
    if (now_ns >= client->stop_ns) {
        session_finish(session);
        return;
    }
    watch_close(&session->watch);
    session_open(session);
}

const struct job rate_job = {
    .name = "rate",
    .command = HANDSHAKE_CONNECT,
    .opened = rate_opened,
    .begin = session_open,
    .ready = rate_ready,
};
