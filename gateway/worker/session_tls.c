/* A session whose client begins with TLS, and what its certificate says. */

#include <string.h>

#include "gateway/worker/session_parts.h"
#include "gateway/worker/sources.h"

void
session_start_tls(struct session *session, struct tls_context *context)
{
    int error = stream_start_tls(
        &session->relay.client, &sessions_of(session)->tls, context, NULL,
        source_hash(sessions_of(session)->segment, session->client));

    session_enter(session, SESSION_TLS);
    session_charge_tls(session, &session->relay.client, 1);
    if (error < 0)
        session_drop(session, V_NO_MEMORY);
}

static void
session_count_handshake(struct session *session, enum handshake result)
{
    series_add(&session_series(session)->handshakes[result], 1);
}

/* SOCKS within TLS [V4-C.5-2, 4A-B.7-1]. OpenSSL may have read the request
   already, behind the handshake. The alert that says why it failed must reach
   the client: no reset may overtake it. */
void
session_handshake(struct session *session)
{
    struct stream *client = &session->relay.client;
    const struct tls_outcome *outcome = stream_tls_outcome(client);

    switch (stream_handshake(client)) {
    case TLS_DONE:
        session_discharge_handshake(session);
        session_count_handshake(session, HANDSHAKE_DONE);
        series_observe(&session_series(session)->phases[PHASE_TLS],
                       outcome->ms);
        session_enter(session, SESSION_REQUEST);
        session_read_request(session);
        break;
    case TLS_TRUNCATED: /* after nothing, as without TLS: a health check, say */
        if (outcome->begun)
            session_count_handshake(session, HANDSHAKE_CUT);
        session_drop(session, outcome->begun ? V_TLS_CUT : V_NO_REQUEST);
        break;
    case TLS_FAILED:
        session_count_handshake(
            session, stream_is(client, STREAM_BROKEN) ? HANDSHAKE_CUT
                     : outcome->refused_certificate   ? HANDSHAKE_CERTIFICATE
                                                      : HANDSHAKE_FAILED);
        if (stream_is(client, STREAM_BROKEN))
            session_drop(session, V_CLIENT_GONE);
        else if (outcome->met_proxy)
            session_refuse_silently(session, V_PROXY);
        else if (outcome->refused_certificate)
            session_refuse_silently(session, V_TLS_CERTIFICATE);
        else
            session_refuse_silently(session, V_TLS_FAILED);
        break;
    default: /* it waits */
        break;
    }
}

/* The time is up, which is absolute from accept [V4-B.2-1]. */
void
session_give_up_tls(struct session *session, enum verdict verdict)
{
    bool begun = stream_tls_outcome(&session->relay.client)->begun;

    if (begun)
        session_count_handshake(session, HANDSHAKE_LATE);
    stream_handshake_late(&session->relay.client);
    session_drop(session, begun ? verdict : V_SILENT);
}

/* The name that USERID is; the count: none is [V4-C.1-1]. */
static size_t
session_find_userid(const struct session *session,
                    const struct certificate *certificate)
{
    const struct request *request = &session->request;
    size_t i = 0;

    if (request->userid_len == 0) /* nobody, whatever a certificate says */
        return certificate->count;
    while (i < certificate->count &&
           (certificate->names[i].len != request->userid_len ||
            memcmp(certificate->names[i].at, request->userid,
                   request->userid_len) != 0))
        i++;
    return i;
}

struct span
session_user(const struct session *session)
{
    const struct request *request = &session->request;
    const struct certificate *certificate = session_certificate(session);
    struct span user = {request_user(request), request->userid_len};

    if (user.at == NULL && request->version == REQUEST_SOCKS5 &&
        certificate != NULL && certificate->count > 0 &&
        certificate->names[certificate->matched].len > 0)
        user = certificate->names[certificate->matched];
    return user;
}

bool
session_userid_is_certified(const struct session *session)
{
    const struct config_tls *tls =
        session->setup->config->listeners[session->setup->listener_index].tls;
    struct certificate *certificate = session_certificate(session);

    if (tls == NULL || tls->user != CONFIG_TLS_USER_CERTIFICATE)
        return true;
    if (certificate == NULL)
        return false;
    if (request_user(&session->request) == NULL)
        return session_user(session).at != NULL;
    size_t found = session_find_userid(session, certificate);
    if (found == certificate->count)
        return false;
    certificate->matched = found;
    return true;
}

void
session_note_certificate(struct session *session, const struct rule *rule)
{
    struct certificate *certificate = session_certificate(session);

    if (certificate == NULL)
        return;
    struct policy_question question = session_question(session);
    size_t matched = policy_certificate_name(rule, &question);
    if (matched < certificate->count)
        certificate->matched = matched;
}
