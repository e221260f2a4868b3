/* A session whose request comes in and is decided. */

#include <string.h>

#include "base/sys.h"
#include "gateway/policy/name.h"
#include "gateway/policy/policy.h"
#include "gateway/worker/session_parts.h"
#include "gateway/worker/sources.h"

_Static_assert(REQUEST_MAX + REQUEST_READ <= RELAY_BUFFER,
               "the longest request and one read more fit the buffer");

/* The kernel is asked where the monitor does not tell. */
static bool
session_is_local(const void *addresses, struct addr addr)
{
    int known = addresses_has(addresses, addr);

    return known < 0 ? sys_is_local(addr) : known == 1;
}

_Static_assert(REQUEST_SOCKS4A - REQUEST_SOCKS4 == RULE_VERSION_4A &&
                   REQUEST_SOCKS5 - REQUEST_SOCKS4 == RULE_VERSION_5,
               "both count alike");

static uint8_t
session_rule_version(const struct request *request)
{
    return request_begun(request) ? (uint8_t)(request->version - REQUEST_SOCKS4)
                                  : RULE_VERSION_4;
}

struct policy_question
session_question(const struct session *session)
{
    const struct request *request = &session->request;
    const struct certificate *certificate = session_certificate(session);
    const struct span user = session_user(session);

    return (struct policy_question){
        .from = session->client,
        .listener = session->setup->listener_index,
        .command = request->command,
        .version = session_rule_version(request),
        .to = request->to,
        .port = request->port,
        .userid = user.at,
        .userid_len = user.len,
        .name = request_name(request),
        .name_len = request->name_len,
        .password = request_is_proved(request),
        .verified = certificate != NULL,
        .certificate = certificate != NULL ? certificate->names : NULL,
        .certificate_count = certificate != NULL ? certificate->count : 0,
        .is_local = session_is_local,
        .local = sessions_of(session)->addresses,
    };
}

/* Who asked in which version, and when: the report by which operators see who
   still speaks an old one. */
static void
session_count_decision(const struct session *session, bool granted)
{
    const struct sessions *sessions = sessions_of(session);
    const struct span user = session_user(session);
    unsigned rule = session->rule->number;
    enum request_version version = session->request.version;
    uint32_t now_s = (uint32_t)(sys_wall_ms() / 1000);
    struct speaker_key key =
        speaker_key(session->client, user.at, user.len, rule);

    series_decided(&session_series(session)->rules[rule], version, now_s);
    speakers_note(&sessions->segment->speakers[sessions->slot],
                  source_hash(sessions->segment, session->client), &key,
                  version, granted, now_s);
}

void
session_decided(struct session *session, const struct policy_answer *answer)
{
    static const enum verdict verdicts[] = {
        [POLICY_ALLOWED] = V_GRANTED,
        [POLICY_DENIED_RULE] = V_DENIED_RULE,
        [POLICY_DENIED_DEFAULT] = V_DENIED_DEFAULT,
        [POLICY_DENIED_SPECIAL] = V_DENIED_SPECIAL,
        [POLICY_DENIED_PORT] = V_DENIED_PORT,
        [POLICY_DENIED_LISTENER] = V_DENIED_LISTENER,
        [POLICY_DENIED_LOOPBACK] = V_DENIED_LOOPBACK,
        [POLICY_DENIED_LINK_LOCAL] = V_DENIED_LINK_LOCAL,
        [POLICY_DENIED_SELF] = V_DENIED_SELF,
        [POLICY_DENIED_RANGE] = V_DENIED_RANGE,
    };

    rule_copy_unref(session->rule);
    session->rule = rule_copies_take(&sessions_of(session)->rule_copies,
                                     session->setup->config, answer->rule);
    if (session->rule != NULL)
        session_count_decision(session, answer->reason == POLICY_ALLOWED);
    if (answer->rule != NULL)
        session_note_certificate(session, answer->rule);
    if (answer->reason == POLICY_ALLOWED)
        session->setup->rule_index =
            (uint16_t)(answer->rule - session->setup->config->policy.rules);
    PROBE_DECIDE(session->id, verdict_rows[verdicts[answer->reason]].name,
                 session->rule != NULL ? session->rule->name : NULL);
    if (session->rule == NULL)
        session_refuse(session, V_NO_MEMORY);
    else if (answer->reason != POLICY_ALLOWED)
        session_refuse(session, verdicts[answer->reason]);
    else if (answer->rule->ident != RULE_IDENT_OFF)
        session_identify(session, answer->rule);
    else
        session_proceed(session, answer->rule);
}

/*
 * Access control, before anything is dialled or listened on [V4-1-4,
 * V4-3.2-1, V4-4.2-1]; of a BIND by the same terms [V4-4.1-6, V4-B.1-1].
 * Where there is a name it is the destination, whatever the address field
 * says [4A-3.1.1-2, 4A-4.2-1, 4A-A.2.1-2]. It may be an address after all:
 * whether it had to be a request of 4A is not judged [4A-A.2.1-1].
 */
static void
session_decide(struct session *session)
{
    struct request *request = &session->request;
    enum name_kind kind = NAME_ADDRESS;
    struct addr address;

    if (request->command == RULE_UDP) {
        session_decide_association(session);
        return;
    }
    if (request->name_len > 0) {
        kind = name_read(request_name(request), request->name_len, &address);
        if (kind == NAME_ADDRESS)
            request->to = address;
    }
    if (kind == NAME_BAD) {
        session_refuse(session, V_NAME_BAD);
    } else if (kind == NAME_HOST) {
        session_resolve(session);
    } else {
        struct policy_question question = session_question(session);
        question.name = NULL;
        struct policy_answer answer =
            policy_decide(&session->setup->config->policy, &question);
        session_decided(session, &answer);
    }
}

/* No request will come any more: the stream ended or the time is up, which is
   absolute, so that dripping gains nothing [V4-B.2-1, 4A-B.4-2]. */
void
session_give_up(struct session *session, enum verdict verdict)
{
    bool silent = !request_begun(&session->request);
    bool unended =
        request_lacks_nul(&session->request, &session->setup->reading);

    request_give_up(&session->request, &session->setup->reading);
    if (silent && verdict == V_REQUEST_LATE)
        verdict = V_SILENT;
    else if (silent && verdict == V_REQUEST_CUT)
        verdict = V_NO_REQUEST;
    else if (unended && verdict == V_REQUEST_LATE)
        verdict = V_UNENDED_LATE;
    else if (unended && verdict == V_REQUEST_CUT)
        verdict = V_UNENDED_CUT;
    session_refuse(session, verdict);
}

/* One message of the client's. True: it was answered, and another one is to
   come. */
static bool
session_read_message(struct session *session)
{
    const struct config *config = session->setup->config;
    const struct config_listener *listener =
        &config->listeners[session->setup->listener_index];
    struct request_terms terms = {
        .userid_max = config->limits.userid,
        .names = listener->socks4a,
        .socks5 = listener->socks5,
        .password = session_wants_password,
        .owner = session,
    };
    struct relay *relay = &session->relay;
    uint8_t *buffer = sessions_of(session)->pool.buffer;
    struct request_rest rest;
    enum verdict verdict;
    enum request_event event =
        request_read(&session->request, &session->setup->reading,
                     &relay->client, &terms, buffer, &rest, &verdict);
    bool leaves = request_leaves_password(&session->request,
                                          &session->setup->reading, event);

    switch (event) {
    case REQUEST_WAITS:
        break;
    case REQUEST_ANSWERS:
        if (session_send(session, rest.octets, rest.count))
            return true;
        session_drop(session, V_CLIENT_GONE);
        break;
    case REQUEST_PASSWORD:
        session_authenticate(session, &rest);
        break;
    case REQUEST_ENDED: /* [4A-A.2.2-2] */
        session_give_up(session, V_REQUEST_CUT);
        break;
    case REQUEST_WRONG:
        session_refuse(session, verdict);
        break;
    case REQUEST_COMPLETE: /* [V4-3.1-7]: the rest is the application's */
        if (rest.count > 0 && relay_keep(relay, rest.octets, rest.count) < 0)
            session_refuse(session, V_NO_MEMORY);
        else if (!session_userid_is_certified(session))
            session_refuse(session, V_USERID_NOT_CERTIFICATE);
        else
            session_decide(session);
        break;
    }
    if (leaves)
        explicit_bzero(buffer, REQUEST_MAX + REQUEST_READ);
    return false;
}

void
session_read_request(struct session *session)
{
    if (stream_is(&session->relay.client, STREAM_BROKEN)) {
        session_drop(session, V_CLIENT_GONE);
        return;
    }
    while (session_read_message(session))
        ;
}
