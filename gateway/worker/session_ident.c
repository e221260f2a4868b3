/* A session whose client's identd is asked (RFC 1413) [V4-2-4, V4-3.2-1]. */

#include <stdlib.h>
#include <string.h>

#include "gateway/worker/session_parts.h"

/* One verdict where identd names somebody else [V4-3.3-7], another
   where it names nobody [V4-3.3-6]. */
static const enum verdict session_ident_verdicts[] = {
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

/* The user is compared octet by octet: both are claims of the client's host
   [V4-C.1-1]. */
static void
session_identified(struct identity *identity)
{
    struct session_ident *ident =
        container_of(identity, struct session_ident, identity);
    struct session *session = ident->session;
    const struct request *request = &session->request;
    const struct rule *rule = ident->rule;

    if (rule == NULL) /* ident: log */
        return;
    ident->rule = NULL;
    if (identity->outcome == IDENTITY_NAMED &&
        identity->word_len == request->userid_len &&
        memcmp(identity->word, request->userid, identity->word_len) == 0)
        session_proceed(session, rule);
    else
        session_refuse(session, session_ident_verdicts[identity->outcome]);
}

/* The query is about the connection the request came by, and goes out from
   the very address that the client reached. False: it could not be sent. */
static bool
session_ask_ident(struct session *session)
{
    struct session_ident *ident = calloc(1, sizeof(*ident));
    const struct endpoint client = {session->client, session->client_port};
    struct endpoint local;

    session->setup->ident = ident;
    if (ident == NULL)
        return false;
    identity_init(&ident->identity);
    ident->session = session;
    return stream_local(&session->relay.client, &local) == 0 &&
           identity_start(&ident->identity, sessions_of(session)->loop, &client,
                          &local, session->setup->config->timeouts.ident_ms,
                          session_identified) == 0;
}

/* Asked before anything is dialled or listened on; or, where it is only for
   the record, beside all that. */
void
session_identify(struct session *session, const struct rule *rule)
{
    if (rule->ident == RULE_IDENT_LOG) {
        session_ask_ident(session);
        session_proceed(session, rule);
        return;
    }
    session_enter(session, SESSION_IDENT);
    if (session_ask_ident(session))
        session->setup->ident->rule = rule;
    else if (session->setup->ident == NULL)
        session_refuse(session, V_NO_MEMORY);
    else
        session_refuse(
            session,
            session_ident_verdicts[session->setup->ident->identity.outcome]);
}

size_t
session_ident_text(const struct session *session, char *text)
{
    static const char unanswered[] = "failed: unanswered";
    const struct session_ident *ident =
        session->setup != NULL ? session->setup->ident : NULL;

    if (ident == NULL)
        return 0;
    if (ident->identity.outcome != IDENTITY_UNANSWERED)
        return identity_text(&ident->identity, text, IDENTITY_TEXT_MAX);
    memcpy(text, unanswered, sizeof(unanswered) - 1);
    return sizeof(unanswered) - 1;
}

void
session_stop_ident(struct session *session)
{
    struct session_ident *ident = session->setup->ident;

    if (ident == NULL || (ident->rule == NULL && session->state != SESSION_END))
        return;
    ident->rule = NULL;
    identity_cancel(&ident->identity);
}

void
session_free_ident(struct session *session)
{
    if (session->setup->ident == NULL)
        return;
    identity_fini(&session->setup->ident->identity);
    free(session->setup->ident);
}
