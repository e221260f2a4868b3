#include "bench/client.h"

#include <sys/socket.h>

/*
 * Requests for a target that never answers: each is held while the gateway
 * connects. When the run begins the client aborts them by a reset, since an end
 * of stream would only mean that the client has no more to send. A reply is a
 * fault.
 */

static void
connecting_asked(struct session *session)
{
    session_hold(session);
}

static void
connecting_opened(struct session *session)
{
    session_fail(session, "a target that never answers was reached");
}

static void
connecting_begin(struct session *session)
{
    struct linger at_once = {.l_onoff = 1};

    (void)setsockopt(session->watch.fd, SOL_SOCKET, SO_LINGER, &at_once,
                     sizeof at_once);
    session->client->report.count++;
    session_finish(session);
}

static void
connecting_ready(struct session *session, uint32_t events)
{
    (void)session;
    (void)events;
}

const struct job connecting_job = {
    .name = "connecting",
    .command = HANDSHAKE_CONNECT,
    .opens = true,
    .asked = connecting_asked,
    .opened = connecting_opened,
    .begin = connecting_begin,
    .ready = connecting_ready,
};
