/* Admits a connection, and sheds an attempt or an unfinished request in its
   favour where there is no room for both. */

#include "gateway/worker/session_parts.h"

/* The verdict of the session that is shed: the limit's name. */
static const enum verdict shed[] = {
    [LIMIT_SOURCE_PENDING] = V_SHED_SOURCE_PENDING,
    [LIMIT_SESSIONS] = V_SHED_SESSIONS,
    [LIMIT_PENDING] = V_SHED_PENDING,
    [LIMIT_MEMORY] = V_SHED_MEMORY,
};

static void
session_count_shed(struct session *session, enum limit limit)
{
    PROBE_SHED(session->id, verdict_rows[shed[limit]].name);
    segment_count(sessions_of(session)->column, SEGMENT_COUNTER_shed, 1);
    limits_complain(&sessions_of(session)->limits, limit, session->client);
}

/* Reads first what has arrived: a complete request is not an unfinished one
   [V4-3.2-3], and no unread octet destroys the reply on its way. The client's
   FIN is not waited for, since the room is needed now. */
bool
session_shed(struct session *session, enum limit limit)
{
    switch ((enum session_state)session->state) {
    case SESSION_PROXY:
    case SESSION_TLS:
        session_drop(session, shed[limit]);
        break;
    case SESSION_REQUEST:
        stream_expect(&session->relay.client);
        session_read_request(session);
        if (session->state != SESSION_REQUEST)
            return false;
        session_give_up(session, shed[limit]);
        break;
    default: /* an attempt */
        stream_expect(&session->relay.client);
        session_refuse(session, shed[limit]);
        break;
    }
    if (session->state == SESSION_REFUSE)
        session_drop(session, shed[limit]);
    session_count_shed(session, limit);
    return true;
}

void
session_shed_stalled(struct session *session)
{
    session_end(session, BY_GATEWAY, END_LIMIT);
    session_count_shed(session, LIMIT_MEMORY);
}

/* Ends another session in favour of one of `from` that met this limit. Where
   sessions run short a source that has some already sheds nothing: its
   additional session is not worth the request of another source. */
static bool
session_make_room(struct sessions *sessions, enum limit limit, struct addr from,
                  int source_index, bool newcomer)
{
    return limit_sheds(limit) && (limit != LIMIT_SESSIONS || newcomer) &&
           sessions_shed(sessions, limit, from, source_index);
}

bool
session_admit(struct sessions *sessions, struct addr from, bool balancer,
              int *source_index)
{
    struct limits *limits = &sessions->limits;
    enum limit limit = limits_enter(limits, from, balancer, source_index);

    if (limit_sheds(limit)) {
        bool newcomer = balancer || limits_newcomer(limits, *source_index);
        if (session_make_room(sessions, limit, from, *source_index, newcomer))
            return true;
        limits_settle(limits, *source_index);
        limits_leave(limits, *source_index);
    }
    if (limit == LIMIT_NONE)
        return true;
    segment_count(sessions->column, SEGMENT_COUNTER_limited, 1);
    limits_complain(limits, limit, from);
    return false;
}

/* The one that gives way may be this very session: it is unfinished. */
void
session_admit_client(struct session *session)
{
    struct sessions *sessions = sessions_of(session);
    struct limits *limits = &sessions->limits;
    int source_index = session->source_index;
    enum limit limit = limits_move(limits, session->client, &source_index);
    bool newcomer = limits_newcomer(limits, source_index);

    session->source_index = (int16_t)source_index;
    if (limit == LIMIT_NONE ||
        session_make_room(sessions, limit, session->client, source_index,
                          newcomer))
        return;
    stream_reset(&session->relay.client);
    session_drop(session, V_LIMITED);
    limits_complain(limits, limit, session->client);
}
