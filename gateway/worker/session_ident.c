/* A session whose client's identd is asked (RFC 1413) [V4-2-4, V4-3.2-1]. */

#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "gateway/worker/session_parts.h"

/* 93 where identd names somebody else [V4-3.3-7], 92 where it names nobody
   [V4-3.3-6]. */
static enum verdict
verdict_of_identity(const struct identity *identity)
{
    static const enum verdict verdicts[] = {
        [IDENTITY_UNANSWERED] = V_IDENT_FAILED,
        [IDENTITY_NAMED] = V_IDENT_DIFFERS,
        [IDENTITY_ERROR] = V_IDENT_ERROR,
        [IDENTITY_REFUSED] = V_IDENT_REFUSED,
        [IDENTITY_UNREACHABLE] = V_IDENT_UNREACHABLE,
        [IDENTITY_LATE] = V_IDENT_LATE,
        [IDENTITY_CLOSED] = V_IDENT_CLOSED,
        [IDENTITY_MALFORMED] = V_IDENT_MALFORMED,
        [IDENTITY_FAILED] = V_IDENT_FAILED,
    };
    return verdicts[identity->outcome];
}

/* Octet by octet: both are claims of the client's host [V4-C.1-1]. */
static bool
session_is_user(const struct session *session, const struct identity *identity)
{
    return identity->outcome == IDENTITY_NAMED &&
           identity->word_len == session->request.userid_len &&
           memcmp(identity->word, session->request.userid,
                  identity->word_len) == 0;
}

static void
session_identified(struct identity *identity)
{
    struct inquiry *inquiry = container_of(identity, struct inquiry, identity);
    struct session *session = inquiry->session;
    const struct rule *rule = inquiry->rule;

    if (rule == NULL) /* ident: log */
        return;
    inquiry->rule = NULL;
    if (session_is_user(session, identity))
        session_proceed(session, rule);
    else
        session_refuse(session, verdict_of_identity(identity));
}

/* The question is about the connection the request came by, and goes out
   from the very address that the client reached. False: it could not be
   asked. */
static bool
session_inquire(struct session *session)
{
    struct inquiry *inquiry = calloc(1, sizeof(*inquiry));
    const struct endpoint client = {session->client, session->client_port};
    struct endpoint local;

    session->inquiry = inquiry;
    if (inquiry == NULL)
        return false;
    identity_init(&inquiry->identity);
    inquiry->session = session;
    return sys_local(session->relay.client.watch.fd, &local) == 0 &&
           identity_start(&inquiry->identity, sessions_of(session)->loop,
                          &client, &local, session->config->timeouts.ident_ms,
                          session_identified) == 0;
}

/* Asked before anything is dialled or listened on; or, where it is only for
   the record, beside all that. */
void
session_identify(struct session *session, const struct rule *rule)
{
    if (rule->ident == RULE_IDENT_LOG) {
        session_inquire(session);
        session_proceed(session, rule);
        return;
    }
    session_enter(session, SESSION_IDENT);
    session->relay.client.watch.ready = session_waiting_ready;
    if (session_inquire(session))
        session->inquiry->rule = rule;
    else if (session->inquiry == NULL)
        session_refuse(session, V_NO_MEMORY);
    else
        session_refuse(session,
                       verdict_of_identity(&session->inquiry->identity));
}

size_t
session_ident_text(const struct session *session, char *text)
{
    static const char unanswered[] = "failed: unanswered";
    const struct inquiry *inquiry = session->inquiry;

    if (inquiry == NULL)
        return 0;
    if (inquiry->identity.outcome != IDENTITY_UNANSWERED)
        return identity_text(&inquiry->identity, text, IDENTITY_TEXT_MAX);
    memcpy(text, unanswered, sizeof(unanswered) - 1);
    return sizeof(unanswered) - 1;
}

void
session_cancel_inquiry(struct session *session)
{
    if (session->inquiry == NULL)
        return;
    session->inquiry->rule = NULL;
    identity_cancel(&session->inquiry->identity);
}

void
session_free_inquiry(struct session *session)
{
    if (session->inquiry == NULL)
        return;
    identity_fini(&session->inquiry->identity);
    free(session->inquiry);
}
