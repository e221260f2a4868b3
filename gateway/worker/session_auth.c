/* A session whose SOCKS5 client has sent a user and a password (RFC 1929). */

#include <stdlib.h>

#include "gateway/worker/session_parts.h"
#include "gateway/worker/sources.h"

enum request_password
session_wants_password(const void *owner)
{
    const struct session *session = owner;
    const struct policy *policy = &session->setup->config->policy;
    const struct policy_question question = session_question(session);

    if (policy->asking_count == 0)
        return REQUEST_PASSWORD_OFF;
    if (!policy_asks_password(policy, &question))
        return REQUEST_PASSWORD_TAKEN;
    return policy_waives_password(policy, &question)
               ? REQUEST_PASSWORD_PREFERRED
               : REQUEST_PASSWORD_ASKED;
}

/* The answer, and on with what the client has sent meanwhile. */
static void
session_admit_user(struct session *session)
{
    uint8_t reply[REQUEST_REPLY_MAX];
    size_t size = request_admit(&session->setup->reading, reply);

    session_enter(session, SESSION_REQUEST);
    if (session_send(session, reply, size))
        session_read_request(session);
    else
        session_drop(session, V_CLIENT_GONE);
}

static void
session_authenticated(struct authentication *authentication,
                      enum authentication_outcome outcome)
{
    static const enum verdict verdicts[] = {
        [AUTHENTICATION_REFUSED] = V_PASSWORD_WRONG,
        [AUTHENTICATION_FAILED] = V_PASSWORD_UNCHECKED,
        [AUTHENTICATION_LIMITED] = V_PASSWORD_LIMITED,
        [AUTHENTICATION_OVERLOADED] = V_PASSWORD_OVERLOADED,
    };
    struct session *session =
        container_of(authentication, struct session_auth, authentication)
            ->session;

    if (outcome == AUTHENTICATION_ACCEPTED)
        session_admit_user(session);
    else
        session_refuse(session, verdicts[outcome]);
}

void
session_authenticate(struct session *session,
                     const struct request_rest *password)
{
    struct sessions *sessions = sessions_of(session);
    const struct request *request = &session->request;
    struct session_auth *auth = calloc(1, sizeof(*auth));

    if (auth == NULL) {
        session_refuse(session, V_NO_MEMORY);
        return;
    }
    auth->session = session;
    session_enter(session, SESSION_AUTH);
    session->setup->auth = auth;
    uint64_t left_ms =
        session->setup->config->timeouts.request_ms > session->total_ms
            ? session->setup->config->timeouts.request_ms - session->total_ms
            : 1;
    if (authentication_start(&sessions->authentications, &auth->authentication,
                             source_hash(sessions->segment, session->client),
                             request->userid, request->userid_len,
                             password->octets, password->count, left_ms,
                             session_authenticated) < 0)
        session_refuse(session, V_NO_MEMORY);
}

void
session_stop_auth(struct session *session)
{
    struct session_auth *auth = session->setup->auth;

    if (auth == NULL)
        return;
    authentication_cancel(&sessions_of(session)->authentications,
                          &auth->authentication);
    free(auth);
    session->setup->auth = NULL;
}
