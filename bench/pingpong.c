#include "bench/client.h"
#include "bench/pattern.h"

/* Sends a message, waits for its echo, sends the next one, until the run ends.
 */

static void
pingpong_send(struct session *session)
{
    size_t size = (size_t)session->client->options->octets;

    session->began_ns = clock_now_ns();
    if (session_send(session, pattern_at(session->serial, session->sent), size))
        session->sent += size;
}

static void
pingpong_back(struct session *session)
{
    struct client *client = session->client;
    uint64_t now_ns = clock_now_ns();

    histogram_add(&client->report.trip, now_ns - session->began_ns);
    client->report.count++;
    if (now_ns < client->stop_ns)
        pingpong_send(session);
    else
        session_finish(session);
}

/* Whether there may be more to read: the watch is edge-triggered. */
static bool
pingpong_receive(struct session *session)
{
    static uint8_t octets[PATTERN_CHUNK];
    size_t missing = (size_t)(session->sent - session->received);
    size_t count = session_receive(session, octets, missing ? missing : 1);

    if (count == 0)
        return false;
    if (missing == 0 ||
        !pattern_is(session->serial, session->received, octets, count)) {
        session_fail(session, "a wrong octet came back");
        return false;
    }
    session->received += count;
    session->client->report.octets += count;
    if (count < missing)
        return true;
    pingpong_back(session);
    return false;
}

static void
pingpong_ready(struct session *session, uint32_t events)
{
    if (session->sent == session->received && !(events & ~(uint32_t)EPOLLOUT))
        return; /* held until the run begins: nothing to read */
    while (pingpong_receive(session))
        ;
}

const struct job pingpong_job = {
    .name = "pingpong",
    .command = HANDSHAKE_CONNECT,
    .opens = true,
    .opened = session_hold,
    .begin = pingpong_send,
    .ready = pingpong_ready,
};
