/* A session that asks for a name: looks up its addresses, and decides which of
   them may be reached. */

#include <stdlib.h>
#include <string.h>

#include "gateway/policy/policy.h"
#include "gateway/worker/session_parts.h"
#include "gateway/worker/sources.h"

/* Keeps the addresses that one rule grants and tries them in order [4A-4.3-2]:
   the addresses that were checked are those that are dialled [4A-B.6-3]. */
static void
session_resolved(struct session *session, const struct addr *addresses,
                 size_t count)
{
    struct route *route = session->setup->route;
    struct policy_question question = session_question(session);

    memcpy(route->addresses, addresses, count * sizeof(*addresses));
    route->count = count;
    struct policy_answer answer =
        policy_decide_all(&session->setup->config->policy, &question,
                          route->addresses, &route->count);
    session->request.to = route->count > 0 ? route->addresses[0] : addresses[0];
    session_decided(session, &answer);
}

static void
session_name_answered(struct lookup *lookup, enum lookup_outcome outcome,
                      const struct addr *addresses, size_t count)
{
    struct session *session =
        container_of(lookup, struct route, lookup)->session;

    switch (outcome) {
    case LOOKUP_FOUND:
        session_resolved(session, addresses, count);
        break;
    case LOOKUP_NO_SUCH_NAME: /* [4A-4.3-3, 4A-4.3-4] */
        session_refuse(session, V_NAME_UNKNOWN);
        break;
    case LOOKUP_FAILED: /* [4A-A.2.3-2] */
        session_refuse(session, V_NAME_FAILED);
        break;
    case LOOKUP_OVERLOADED: /* [4A-B.4-4] */
        session_refuse(session, V_NAME_OVERLOADED);
        break;
    }
}

/* The resolver is not asked for a request that no rule could ever grant, nor
   where the name itself decides and a parent is told the name. */
void
session_resolve(struct session *session)
{
    struct policy_question question = session_question(session);
    struct policy_answer answer =
        policy_may_grant(&session->setup->config->policy, &question);

    if (answer.reason != POLICY_ALLOWED) {
        session_decided(session, &answer);
        return;
    }
    const struct rule *passing =
        policy_find_passing(&session->setup->config->policy, &question);
    if (passing != NULL) {
        answer.rule = passing;
        session_decided(session, &answer);
        return;
    }
    struct route *route = calloc(1, sizeof(*route));
    if (route == NULL) {
        session_refuse(session, V_NO_MEMORY);
        return;
    }
    route->session = session;
    lookup_init(&route->lookup);
    session_init_beside(route);
    session->setup->route = route;
    session_enter(session, SESSION_RESOLVE);
    lookup_start(
        &sessions_of(session)->lookups, &route->lookup,
        source_hash(sessions_of(session)->segment, session->client),
        request_name(&session->request), session->request.name_len,
        request_takes_ipv6(&session->request) ? LOOKUP_BOTH : LOOKUP_V4,
        session->setup->config->timeouts.resolve_ms, session_name_answered);
}

size_t
session_sort_addresses(struct session *session, bool v4)
{
    struct route *route = session->setup->route;
    struct addr others[LOOKUP_ADDRESSES_MAX];
    size_t kept = 0, count = 0;

    for (size_t i = 0; i < route->count; i++)
        if (addr_is_v4(route->addresses[i]) == v4)
            route->addresses[kept++] = route->addresses[i];
        else
            others[count++] = route->addresses[i];
    memcpy(&route->addresses[kept], others, count * sizeof(others[0]));
    return kept;
}

bool
session_next_address(struct session *session)
{
    struct route *route = session->setup->route;

    if (route == NULL || route->at + 1 >= route->count)
        return false;
    session->request.to = route->addresses[++route->at];
    return true;
}

/* A fair share of the time left for each address that is left. */
uint64_t
session_address_share_ms(const struct session *session, uint64_t left_ms)
{
    const struct route *route = session->setup->route;

    if (route == NULL || route->at + 1 >= route->count)
        return left_ms;
    uint64_t share_ms = left_ms / (route->count - route->at);
    return share_ms > 0 ? share_ms : 1;
}

/* Any of the name's addresses is the peer that a BIND awaits. */
int
session_name_peers(struct session *session, const struct netset **peers)
{
    struct route *route = session->setup->route;
    int error = 0;

    for (size_t i = 0; i < route->count && error == 0; i++) {
        struct addr addr = route->addresses[i];
        error = netset_add(&route->peers, addr, addr);
    }
    netset_seal(&route->peers);
    *peers = &route->peers;
    return error;
}

bool
session_next_primary(struct session *session, bool lives)
{
    struct route *route = session->setup->route;

    if (route == NULL)
        return false;
    if (lives) {
        struct addr other = route->addresses[route->primaries];
        route->addresses[route->primaries++] = route->addresses[route->at];
        route->addresses[route->at] = other;
    }
    bool more = ++route->at < route->count;
    if (!more)
        route->count = route->primaries;
    session->request.to = route->addresses[more ? route->at : 0];
    return more;
}

bool
session_has_primary(const struct session *session, bool lives)
{
    return session->setup->route != NULL ? session->setup->route->count > 0
                                         : lives;
}

void
session_free_route(struct session *session)
{
    struct route *route = session->setup->route;

    if (route == NULL)
        return;
    lookup_cancel(&sessions_of(session)->lookups, &route->lookup);
    netset_fini(&route->peers);
    session_stop_beside(session);
    if (route->beside.begun) /* an event may still be in this turn's batch */
        sessions_free_route_later(sessions_of(session), route);
    else
        free(route);
    session->setup->route = NULL;
}
