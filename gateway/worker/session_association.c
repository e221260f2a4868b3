/* A session that has a UDP association: its connection carries nothing, and the
   association lasts as long as it does. */

#include <errno.h>
#include <string.h>

#include "base/sys.h"
#include "gateway/policy/name.h"
#include "gateway/worker/errno_table.h"
#include "gateway/worker/session_parts.h"
#include "gateway/worker/sources.h"

/* What a client may send on the connection, where RFC 1928 has nothing. */
#define ASSOCIATION_NOISE 65536

/* ---- Decisions ---- */

/* By the rules in force now, which may have another number for the listener.
   False: it is there no more, and no rule can name it. */
static bool
session_datagram_question(const struct session *session,
                          struct policy_question *question)
{
    const struct config *config = sessions_of(session)->config;

    *question = session_question(session);
    question->name = NULL;
    question->name_len = 0;
    for (size_t i = 0; i < config->listener_count; i++)
        if (strcmp(config->listeners[i].name, session->listener->text) == 0) {
            question->listener = i;
            return true;
        }
    return false;
}

static struct policy_answer
session_decide_once(struct session *session,
                    const struct policy_question *question)
{
    struct sessions *sessions = sessions_of(session);
    struct policy_answer answer =
        policy_decide(&sessions->config->policy, question);
    struct rule_copy *rule =
        rule_copies_take(&sessions->rule_copies, sessions->config, answer.rule);

    if (rule != NULL)
        series_decided(&session_series(session)->rules[rule->number],
                       session->request.version,
                       (uint32_t)(sys_wall_ms() / 1000));
    rule_copy_unref(rule);
    return answer;
}

/* If the kernel would send to the destination from the destination's own
   address, the destination is this machine, whatever the list of addresses
   says: then the rules are asked again with that known. */
static enum datagram
session_judge(struct session *session, struct policy_question *question)
{
    struct addr local;

    if (session_decide_once(session, question).reason != POLICY_ALLOWED)
        return DATAGRAM_DENIED;
    if (sys_route(question->to, &local) < 0)
        return DATAGRAM_UNSENT;
    if (!session_came_out_here(local, question))
        return DATAGRAM_PASSED;
    return policy_decide(&sessions_of(session)->config->policy, question)
                       .reason == POLICY_ALLOWED
               ? DATAGRAM_PASSED
               : DATAGRAM_DENIED;
}

static enum datagram
session_decide_datagram(struct association *association,
                        const struct endpoint *to)
{
    struct session *session = association->owner;
    struct policy_question question;

    if (!session_datagram_question(session, &question))
        return DATAGRAM_DENIED;
    question.to = to->addr;
    question.port = to->port;
    return session_judge(session, &question);
}

/* Address by address, as of a request. */
static enum datagram
session_decide_datagram_name(struct association *association, const char *name,
                             size_t len, uint16_t port,
                             const struct addr *addresses, size_t count,
                             struct addr *addr)
{
    struct session *session = association->owner;
    struct policy_question question;
    enum datagram first = DATAGRAM_DENIED;

    if (!session_datagram_question(session, &question))
        return DATAGRAM_DENIED;
    question.name = name;
    question.name_len = len;
    question.port = port;
    for (size_t i = 0; i < count; i++) {
        struct policy_question one = question;
        one.to = addresses[i];
        enum datagram outcome = session_judge(session, &one);
        *addr = addresses[i];
        if (outcome == DATAGRAM_PASSED)
            return outcome;
        if (i == 0)
            first = outcome;
    }
    return first;
}

/* The resolver is not asked for a name that no rule could grant. */
static enum association_text
session_read_datagram_name(struct association *association, const char *text,
                           size_t len, uint16_t port, struct addr *addr,
                           enum datagram *why)
{
    struct session *session = association->owner;
    struct policy_question question;

    switch (name_read(text, len, addr)) {
    case NAME_ADDRESS:
        return ASSOCIATION_ADDRESS;
    case NAME_BAD:
        *why = DATAGRAM_NAME;
        return ASSOCIATION_BAD;
    case NAME_HOST:
        break;
    }
    *why = DATAGRAM_DENIED;
    if (!session_datagram_question(session, &question))
        return ASSOCIATION_BAD;
    question.name = text;
    question.name_len = len;
    question.port = port;
    return policy_may_grant(&sessions_of(session)->config->policy, &question)
                       .reason == POLICY_ALLOWED
               ? ASSOCIATION_NAME
               : ASSOCIATION_BAD;
}

/* Limits the rate of new destinations. A client could otherwise send cheap
   datagrams to make the gateway ask the name servers for many names, or the
   kernel ask the network for the link addresses of many hosts (ARP, ND), for
   which its table has little room. */
static bool
session_is_on_time(struct association *association)
{
    const struct session *session = association->owner;

    return session_is_balancers(session) ||
           limits_on_time(&sessions_of(session)->limits, session->client,
                          session->source_index);
}

static void
session_datagram_moved(struct association *association, bool up, size_t octets)
{
    struct session *session = association->owner;

    session->relay.half[up ? RELAY_UP : RELAY_DOWN].moved += octets;
    session->relay.moved_ms = loop_now_ms(sessions_of(session)->loop);
    segment_count(
        sessions_of(session)->column,
        up ? SEGMENT_COUNTER_relayed_up : SEGMENT_COUNTER_relayed_down, octets);
}

/* ---- The request ---- */

/* Its address and port say from where the client means to send. Many clients
   send zeros there, or what an address translation makes wrong: they decide
   nothing. */
void
session_decide_association(struct session *session)
{
    const struct policy_question question = session_question(session);
    const struct policy_answer answer =
        policy_may_associate(&session->setup->config->policy, &question);

    session_decided(session, &answer);
}

/* The client reaches the address that it has connected to; behind a balancer,
   the one that faces it. */
static int
session_association_address(const struct session *session, struct addr *addr)
{
    struct endpoint local;

    if (session->behind)
        return sys_route(session->client, addr);
    int error = stream_local(&session->relay.client, &local);
    *addr = local.addr;
    return error;
}

/* Half of the ports, so that no source takes them all: those of bind.ports, and
   those that the kernel chooses from, for it, for the resolver and for other
   programs. Of these an association has one towards servers, and another one
   where bind.ports names none. */
static uint64_t
session_associations_max(const struct session *session)
{
    const struct config *config = session->setup->config;
    uint64_t named =
        (uint64_t)config->bind.port_last - config->bind.port_first + 1;
    uint64_t chosen = config_chosen_ports();

    if (session_is_balancers(session) || addr_is_loopback(session->client))
        return UINT64_MAX;
    if (config->bind.port_first == 0)
        return chosen > 0 ? (chosen + 3) / 4 : UINT64_MAX;
    uint64_t ports = chosen > 0 && chosen < named ? chosen : named;
    return ports - ports / 2;
}

/* 0 or a negative errno. */
static int
session_open_association(struct session *session, struct endpoint *at)
{
    static const struct association_ops ops = {
        .decide = session_decide_datagram,
        .decide_name = session_decide_datagram_name,
        .read = session_read_datagram_name,
        .on_time = session_is_on_time,
        .moved = session_datagram_moved,
    };
    struct sessions *sessions = sessions_of(session);
    const struct config *config = session->setup->config;

    int charged = limits_take_port(&sessions->limits, session->source_index,
                                   SEGMENT_CHARGE_associations,
                                   session_associations_max(session));
    if (charged == -EDQUOT)
        return -EADDRINUSE;
    session->setup->association = association_new(
        &sessions->associations, &ops, session, session->client,
        addr_v4(config->egress.address_auto ? 0 : config->egress.address),
        source_hash(sessions->segment, session->client));
    if (session->setup->association == NULL) {
        limits_give_port(&sessions->limits, charged,
                         SEGMENT_CHARGE_associations);
        return -ENOMEM;
    }
    segment_charge(sessions->column, SEGMENT_GAUGE_held, ASSOCIATION_OCTETS);
    sessions->besides++;
    int error = session_association_address(session, &at->addr);
    if (error == 0)
        error = association_bind(
            session->setup->association, at, config->bind.port_first,
            config->bind.port_last, session_port_seed(sessions));
    return error;
}

void
session_associate(struct session *session)
{
    struct sessions *sessions = sessions_of(session);
    const struct config *config = session->setup->config;
    const struct endpoint dest = {session->request.to, session->request.port};
    struct endpoint at;

    if (sessions->count + sessions->besides >= sessions->budget) {
        session_refuse(session, V_NO_DESCRIPTOR);
        return;
    }
    int error = session_open_association(session, &at);
    if (error < 0) {
        session_refuse(session, errno_bind_verdict(error));
        return;
    }
    session->local = at.addr;
    session->local_port = at.port;
    if (config->bind.advertise_set && addr_is_v4(at.addr))
        at.addr = addr_v4(config->bind.advertise);
    session->verdict = V_GRANTED;
    session->setup->dropped = 0;
    session->relay.moved_ms = loop_now_ms(sessions->loop);
    bool sent = session_grant(session, &at);
    session_enter(session, SESSION_UDP);
    PROBE_RELAY(session->id, session->total_ms);
    if (!sent) {
        session_end(session, BY_CLIENT, END_RESET);
        return;
    }
    shared_sessions_relay(&sessions->shared, session->shared_index, &dest);
    session_record_start(session);
    if (sessions->observed.follow_count > 0)
        observed_report(&sessions->observed, session, true);
    session_leave_setup(session);
    session_watch_association(session);
}

/* ---- The connection ---- */

void
session_watch_association(struct session *session)
{
    struct relay_pool *pool = &sessions_of(session)->pool;
    struct stream *client = &session->relay.client;
    ssize_t count = stream_is(client, STREAM_BROKEN) ? -ECONNRESET : 1;

    while (count > 0 && stream_is(client, STREAM_READABLE)) {
        count = stream_recv(client, pool->buffer, ASSOCIATION_NOISE);
        if (count > 0)
            session->setup->dropped += (uint32_t)count;
        if (session->setup->dropped > ASSOCIATION_NOISE) {
            session_end(session, BY_GATEWAY, END_ERROR);
            return;
        }
    }
    if (count == 0)
        session_end(session, BY_CLIENT, END_FIN);
    else if (count < 0 && count != -EAGAIN)
        session_end(session, BY_CLIENT,
                    stream_is(client, STREAM_TRUNCATED) ? END_TRUNCATED
                                                        : END_RESET);
}

void
session_stop_association(struct session *session)
{
    struct association *association = session_association_of(session);

    if (association == NULL || !association_close(association))
        return;
    segment_charge(sessions_of(session)->column, SEGMENT_GAUGE_held,
                   -ASSOCIATION_OCTETS);
    limits_give_port(&sessions_of(session)->limits, session->source_index,
                     SEGMENT_CHARGE_associations);
    sessions_uncount_beside(sessions_of(session));
}
