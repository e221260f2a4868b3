#include "bench/client.h"
#include "bench/pattern.h"

/*
 * Idle sessions: each is used once, held until the run begins, and used once
 * more. With --unfinished the client holds requests without their last octet.
 */

static void
idle_try(struct session *session)
{
    const uint8_t *octet = pattern_at(session->serial, session->sent);

    session->began_ns = clock_now_ns();
    session->sent++;
    (void)session_send(session, octet, 1);
}

static void
idle_begin(struct session *session)
{
    static const uint8_t nul;

    if (session->state == SESSION_OPEN)
        idle_try(session);
    else
        (void)session_send(session, &nul, 1);
}

static void
idle_ready(struct session *session, uint32_t events)
{
    struct client *client = session->client;

    if (!(events & ~(uint32_t)EPOLLOUT) || !session_receive_echo(session))
        return;
    if (!client->running) {
        session_hold(session);
        return;
    }
    histogram_add(&client->report.trip, clock_now_ns() - session->began_ns);
    client->report.count++;
    session_finish(session);
}

const struct job idle_job = {
    .name = "idle",
    .command = HANDSHAKE_CONNECT,
    .opens = true,
    .opened = idle_try,
    .begin = idle_begin,
    .ready = idle_ready,
};
