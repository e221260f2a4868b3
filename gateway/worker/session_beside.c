/*
 * A session that connects to a name with addresses of both families (RFC 8305,
 * 5). Those of the first family are dialled one after the other, as of a name
 * with one family (session_connect.c). When its head start is over, or one of
 * its addresses has failed, those of the other family are dialled beside it,
 * likewise. The first connection that stands is the session's, and the other
 * one is closed.
 *
 *     relay.server   2001:db8::1 ───────────────────►  ... closed
 *     beside           250 ms ─► 192.0.2.1 ─► 192.0.2.2 ─► stands: moves there
 *
 * Each address has its share of timeouts.connect among those of its family. The
 * gateway does not learn which family is broken: 250 ms are little, once a
 * connection, and a network heals.
 */

#include "gateway/worker/errno_table.h"
#include "gateway/worker/session_parts.h"

#define BESIDE_HEAD_START_MS 250

static stream_fn session_beside_ready;
static void session_beside_late(struct timer *timer);
static void session_take_beside(struct task *task);

void
session_init_beside(struct route *route)
{
    stream_init(&route->beside.stream);
    timer_init(&route->beside.timer, session_beside_late);
    task_init(&route->beside.take, session_take_beside);
}

/* Whether there are addresses of the other family, and what became of them is
   not known yet. */
static bool
session_may_go_beside(const struct session *session)
{
    const struct route *route = session->setup->route;

    return route != NULL && route->beside.end > 0 && !route->beside.over;
}

void
session_prepare_beside(struct session *session)
{
    struct route *route = session->setup->route;

    if (route == NULL)
        return;
    size_t all = route->count;
    size_t kept =
        session_sort_addresses(session, addr_is_v4(route->addresses[0]));
    if (kept == all)
        return;
    route->count = kept;
    route->beside.at = kept;
    route->beside.end = all;
    loop_start_timer(sessions_of(session)->loop, &route->beside.timer,
                     BESIDE_HEAD_START_MS);
}

void
session_stop_beside(struct session *session)
{
    struct sessions *sessions = sessions_of(session);

    if (session->setup->route == NULL)
        return;
    struct beside *beside = &session->setup->route->beside;
    loop_cancel_timer(sessions->loop, &beside->timer);
    task_cancel(&beside->take);
    stream_close(&beside->stream);
    if (beside->counted)
        sessions_uncount_beside(sessions);
    beside->counted = false;
    beside->over = true;
}

/* Dials the present address, or the first behind it that does not fail at once.
   V_GRANTED: it is under way; else it has come to nothing. */
static enum verdict
session_dial_beside(struct session *session)
{
    struct beside *beside = &session->setup->route->beside;
    enum verdict verdict;

    beside->begun = true;
    do {
        uint64_t left_ms = session_connect_left_ms(session);
        uint64_t share_ms = left_ms / (beside->end - beside->at);
        if (share_ms == 0)
            return V_CONNECT_LATE;
        loop_start_timer(sessions_of(session)->loop, &beside->timer, share_ms);
        verdict = session_dial_address(
            session, &beside->stream,
            session->setup->route->addresses[beside->at], session_beside_ready);
    } while (session_may_dial_another(verdict) && ++beside->at < beside->end);
    return verdict;
}

void
session_begin_beside(struct session *session)
{
    struct sessions *sessions = sessions_of(session);

    if (!session_may_go_beside(session) ||
        session->setup->route->beside.begun ||
        !sessions_count_beside(sessions)) /* then it follows the first family */
        return;
    session->setup->route->beside.counted = true;
    if (session_dial_beside(session) != V_GRANTED)
        session_stop_beside(session);
}

/* What the record and the reply say where nothing is under way any more. */
static void
session_end_beside(struct session *session)
{
    const struct beside *beside = &session->setup->route->beside;
    size_t last = beside->at < beside->end ? beside->at : beside->end - 1;

    session->request.to = session->setup->route->addresses[last];
    session_stop_beside(session);
}

bool
session_goes_on_beside(struct session *session, enum verdict *verdict)
{
    if (!session_may_go_beside(session))
        return false;
    if (session->setup->route->beside.begun)
        return true;
    *verdict = session_dial_beside(session);
    if (*verdict == V_GRANTED)
        return true;
    session_end_beside(session);
    return false;
}

/* The present address has failed: the next one. Where there is none, and
   nothing is under way in the first family, the session is refused. */
static void
session_beside_failed(struct session *session, enum verdict verdict)
{
    struct beside *beside = &session->setup->route->beside;

    stream_close(&beside->stream);
    if (session_may_dial_another(verdict) && ++beside->at < beside->end)
        verdict = session_dial_beside(session);
    if (verdict == V_GRANTED)
        return;
    if (stream_is_open(&session->relay.server)) {
        session_stop_beside(session);
        return;
    }
    session_end_beside(session);
    session_refuse(session, verdict);
}

static void
session_beside_late(struct timer *timer)
{
    struct route *route = container_of(timer, struct route, beside.timer);

    if (route->beside.begun)
        session_beside_failed(route->session, V_CONNECT_LATE);
    else
        session_begin_beside(route->session);
}

/* It takes the other one's place when the turn is over: until then an event of
   that one may come, which has stood first or failed. */
static void
session_beside_ready(struct watch *watch, uint32_t events)
{
    struct stream *stream = stream_event(watch, events);
    struct route *route = container_of(stream, struct route, beside.stream);
    struct session *session = route->session;
    struct loop *loop = sessions_of(session)->loop;
    const struct endpoint to = {route->addresses[route->beside.at],
                                session->request.port};
    struct endpoint local;

    int result = stream_dialled(stream, &to, &local);
    if (result == -EINPROGRESS)
        return;
    if (result < 0) {
        session_beside_failed(session, errno_verdict(result));
        return;
    }
    loop_cancel_timer(loop, &route->beside.timer);
    loop_defer(loop, &route->beside.take);
}

static void
session_take_beside(struct task *task)
{
    struct route *route = container_of(task, struct route, beside.take);
    struct session *session = route->session;
    struct loop *loop = sessions_of(session)->loop;
    uint64_t left_ms = session_connect_left_ms(session);

    stream_close(&session->relay.server);
    stream_move(&session->relay.server, &route->beside.stream, loop,
                session_server_ready);
    session_stop_beside(session);
    session->request.to = route->addresses[route->beside.at];
    loop_start_timer(loop, &session->timer, left_ms > 0 ? left_ms : 1);
    session_begin_proxy(session);
    session_server_dialled(session);
}
