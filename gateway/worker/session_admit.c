/* What becomes of a connection, or of another one in its favour, where there
   is no room for both. */

#include "gateway/worker/session_parts.h"

/* What has come by now is read first: a complete request is never dropped
   [V4-3.2-3]. Nor does an octet that nobody read destroy the 91 on its way;
   but nobody waits for the client's FIN, since the room is needed now. */
bool
session_shed(struct session *session, enum limit limit)
{
    session_request_ready(&session->relay.client.watch, EPOLLIN);
    if (session->state != SESSION_REQUEST)
        return false;
    bool memory = limit == LIMIT_MEMORY;
    enum verdict refused = memory ? V_SHED_MEMORY : V_SHED_PENDING;

    segment_count(session->sessions->column, SEGMENT_COUNTER_shed, 1);
    limits_complain(&session->sessions->limits, limit, session->client.addr);
    session_give_up(session, refused,
                    memory ? V_SHED_MEMORY_EARLY : V_SHED_PENDING_EARLY);
    if (session->state == SESSION_REFUSE)
        session_end_verdict(session, refused);
    return true;
}

bool
session_admit(struct sessions *sessions, struct addr from, int *source)
{
    struct limits *limits = &sessions->limits;
    enum limit limit = limits_enter(limits, sessions->config, from, source);

    if (limit == LIMIT_PENDING || limit == LIMIT_MEMORY) {
        if (sessions_shed(sessions, limit))
            return true;
        limits_settle(limits, *source);
        limits_leave(limits, *source);
    }
    if (limit == LIMIT_NONE)
        return true;
    segment_count(sessions->column, SEGMENT_COUNTER_limited, 1);
    limits_complain(limits, limit, from);
    return false;
}
