/* A session whose request comes in and is decided. */

#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "gateway/policy/name.h"
#include "gateway/policy/policy.h"
#include "gateway/worker/session_parts.h"
#include "socks4/codec.h"

_Static_assert(SOCKS4_HEADER_SIZE + CONFIG_USERID_MAX + SOCKS4_DOMAIN_MAX + 2 +
                       REQUEST_READ <=
                   RELAY_BUFFER,
               "the longest request and one read more fit the buffer");

static enum verdict
verdict_of_reason(enum policy_reason reason)
{
    static const enum verdict verdicts[] = {
        [POLICY_ALLOWED] = V_GRANTED,
        [POLICY_DENIED_RULE] = V_DENIED_RULE,
        [POLICY_DENIED_DEFAULT] = V_DENIED_DEFAULT,
        [POLICY_DENIED_SPECIAL] = V_DENIED_SPECIAL,
        [POLICY_DENIED_PORT] = V_DENIED_PORT,
        [POLICY_DENIED_LISTENER] = V_DENIED_LISTENER,
    };
    return verdicts[reason];
}

/* The rule's name outlives the snapshot it came from. */
static bool
session_keep_rule(struct session *session, const struct rule *rule)
{
    nameplate_unref(session->rule);
    session->rule = rule_names_take(&sessions_of(session)->rule_names,
                                    session->config, rule);
    return session->rule != NULL;
}

struct policy_question
session_question(const struct session *session)
{
    return (struct policy_question){
        .from = session->client,
        .listener = session->listener_index,
        .command = session->request.server.command,
        .to = addr_v4(session->dstip),
        .port = session->request.server.dstport,
        .userid = session->request.userid,
        .userid_len = session->request.userid_len,
        .is_local = sys_is_local,
    };
}

void
session_proceed(struct session *session, const struct rule *rule)
{
    if (session->request.server.command == SOCKS4_CONNECT)
        session_connect(session);
    else
        session_bind(session, rule);
}

void
session_decided(struct session *session, const struct policy_answer *answer)
{
    if (!session_keep_rule(session, answer->rule))
        session_refuse(session, V_NO_MEMORY);
    else if (answer->reason != POLICY_ALLOWED)
        session_refuse(session, verdict_of_reason(answer->reason));
    else if (answer->rule->ident != RULE_IDENT_OFF)
        session_identify(session, answer->rule);
    else
        session_proceed(session, answer->rule);
}

/* Access control, before anything is dialled or listened on [V4-1-4,
   V4-3.2-1, V4-4.2-1]; of a BIND by the same terms [V4-4.1-6, V4-B.1-1]. */
static void
session_decide(struct session *session)
{
    struct policy_question question = session_question(session);
    struct policy_answer answer =
        policy_decide(&session->config->policy, &question);

    session_decided(session, &answer);
}

/* DOMAIN is the destination, whatever x of 0.0.0.x is [4A-3.1.1-2,
   4A-4.2-1]. It may be an address after all: whether it had to be a request
   of 4A is not judged [4A-A.2.1-1]. */
static void
session_read_name(struct session *session)
{
    struct addr address;

    switch (name_read(request_domain(&session->request),
                      session->request.domain_len, &address)) {
    case NAME_HOST:
        session_resolve(session);
        break;
    case NAME_ADDRESS:
        session->dstip = addr_to_v4(address);
        session_decide(session);
        break;
    case NAME_BAD:
        session_refuse(session, V_NAME_BAD);
        break;
    }
}

static enum config_4a
session_socks4a(const struct session *session)
{
    return session->config->listeners[session->listener_index].socks4a;
}

/* Plain and 4A part here, and meet again where there is an address: all
   else is the same [4A-3-1]. */
static void
session_requested(struct session *session)
{
    session->dstip = session->request.server.dstip;
    if (session->request.domain_len > 0) /* [4A-A.2.1-2] */
        session_read_name(session);
    else if (session_socks4a(session) == CONFIG_4A_ONLY)
        session_refuse(session, V_SOCKS4A_ONLY);
    else
        session_decide(session);
}

/* No request will come any more: the stream ended or the time is up. */
void
session_give_up(struct session *session, enum verdict refused,
                enum verdict early)
{
    request_give_up(&session->request);
    if (session->request.server.version == SOCKS4_VERSION)
        session_refuse(session, refused);
    else
        session_drop(session, early);
}

static void
session_reject(struct session *session, enum verdict verdict)
{
    if (verdict_rows[verdict].code == 0)
        session_drop(session, verdict);
    else
        session_refuse(session, verdict);
}

static void
session_read_request(struct session *session)
{
    struct socks4_framing framing = {
        .userid_max = session->config->limits.userid,
        .socks4a = session_socks4a(session) != CONFIG_4A_OFF,
    };
    struct relay *relay = &session->relay;
    struct request_rest rest;
    enum verdict verdict;

    switch (request_read(&session->request, &relay->client, &framing,
                         sessions_of(session)->pool.buffer, &rest, &verdict)) {
    case REQUEST_WAITS:
        break;
    case REQUEST_ENDED: /* [4A-A.2.2-2] */
        session_give_up(session, V_REQUEST_CUT, V_NO_REQUEST);
        break;
    case REQUEST_WRONG:
        session_reject(session, verdict);
        break;
    case REQUEST_COMPLETE: /* [V4-3.1-7]: the rest is the application's */
        if (rest.count > 0 && relay_keep(relay, rest.octets, rest.count) < 0)
            session_refuse(session, V_NO_MEMORY);
        else
            session_requested(session);
        break;
    }
}

void
session_request_ready(struct watch *watch, uint32_t events)
{
    struct stream *client = container_of(watch, struct stream, watch);
    struct session *session =
        container_of(client, struct session, relay.client);

    stream_note(client, events);
    if (stream_is(client, STREAM_BROKEN))
        session_drop(session, V_CLIENT_GONE);
    else
        session_read_request(session);
}
