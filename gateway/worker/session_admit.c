/* What becomes of a connection, or of another one in its favour, where there
   is no room for both. */

#include "gateway/worker/session_parts.h"

/* How the one that gives way ends: with the limit's name. */
static const enum verdict shed[] = {
    [LIMIT_SESSIONS] = V_SHED_SESSIONS,
    [LIMIT_PENDING] = V_SHED_PENDING,
    [LIMIT_MEMORY] = V_SHED_MEMORY,
};

/* What has come by now is read first: a complete request is never dropped
   [V4-3.2-3]. Nor does an octet that nobody read destroy the 91 on its way;
   but nobody waits for the client's FIN, since the room is needed now. */
bool
session_shed(struct session *session, enum limit limit)
{
    stream_expect(&session->relay.client);
    session_read_request(session);
    if (session->state != SESSION_REQUEST)
        return false;
    segment_count(sessions_of(session)->column, SEGMENT_COUNTER_shed, 1);
    limits_complain(&sessions_of(session)->limits, limit, session->client);
    session_give_up(session, shed[limit]);
    if (session->state == SESSION_REFUSE)
        session_drop(session, shed[limit]);
    return true;
}

/* All but a source that has something already, where sessions run short:
   what it wants in addition is worth no other's request. */
static bool
session_may_shed(struct limits *limits, enum limit limit, int source_index)
{
    return limit != LIMIT_SESSIONS || limits_newcomer(limits, source_index);
}

bool
session_admit(struct sessions *sessions, struct addr from, int *source_index)
{
    struct limits *limits = &sessions->limits;
    enum limit limit =
        limits_enter(limits, sessions->config, from, source_index);

    if (limit_of_all(limit)) {
        if (session_may_shed(limits, limit, *source_index) &&
            sessions_shed(sessions, limit))
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
