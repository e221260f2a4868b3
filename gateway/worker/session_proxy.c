/* A session that begins with a PROXY header, since a balancer made its
   connection; and the header that its server gets. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/worker/session_parts.h"

_Static_assert(PROXY_HEADER_MAX <= RELAY_BUFFER, "a header fits the buffer");

/* What the listener says of connections from there. */
bool
session_has_balancer(const struct sessions *sessions, struct addr from,
                     size_t listener_index)
{
    const struct config_networks *balancers =
        &sessions->config->listeners[listener_index].proxy_protocol;

    return balancers->nets.count > 0 && netset_has(&balancers->nets, from);
}

/* Takes what the listener has now: it may be another one by a reload when the
   header is there. */
void
session_expect_proxy(struct session *session, int fd, stream_fn *serve)
{
    struct sessions *sessions = sessions_of(session);
    struct stream *client = &session->relay.client;

    session_enter(session, SESSION_PROXY);
    session_proxy(session)->context =
        tls_context_ref(sessions->tls_contexts[session->setup->listener_index]);
    if (stream_open(client, sessions->loop, fd, serve) < 0)
        session_drop(session, V_NO_MEMORY);
}

/* Its name is the only one; the verified certificate may have none. */
static struct certificate *
session_proxy_certificate(const struct proxy_header *header)
{
    size_t count = header->name.len > 0;
    struct certificate *certificate =
        calloc(1, sizeof(*certificate) + count * sizeof(struct span) +
                      header->name.len);

    if (certificate == NULL || count == 0)
        return certificate;
    char *name = (char *)&certificate->names[1];
    memcpy(name, header->name.at, header->name.len);
    certificate->count = 1;
    certificate->names[0] = (struct span){name, header->name.len};
    return certificate;
}

/* 0.0.0.0 is, too, to whoever connects there, as to ask an identd. */
static bool
session_is_of_this_machine(const struct session *session, struct addr addr)
{
    const struct policy_question question = session_question(session);

    return addr_is_loopback(addr) || addr_is_any(addr) ||
           question.is_local(question.local, addr);
}

/*
 * From now on the client is the header's. The loopback of another machine is
 * that machine: no header makes a client one of this machine's own users,
 * whom rules (loopback, self) and limits favour.
 */
static void
session_take_client(struct session *session, const struct proxy_header *header)
{
    struct sessions *sessions = sessions_of(session);
    struct session_proxy *proxy = session_proxy(session);

    if (!header->given ||
        (session_is_of_this_machine(session, header->source.addr) &&
         !session_is_of_this_machine(session, session->client)))
        return;
    proxy->balancer = (struct endpoint){session->client, session->client_port};
    session->client = header->source.addr;
    session->client_port = header->source.port;
    shared_sessions_client(&sessions->shared, session->shared_index,
                           &header->source);
    session_admit_client(session);
}

/* False: the session has ended. */
static bool
session_take_header(struct session *session, const struct proxy_header *header)
{
    const struct config_listener *listener =
        &session->setup->config->listeners[session->setup->listener_index];
    struct session_proxy *proxy = session_proxy(session);

    proxy->received = true;
    proxy->certifies = listener->proxy_certificate && !header->local;
    if (proxy->certifies && header->verified) {
        proxy->certificate = session_proxy_certificate(header);
        if (proxy->certificate == NULL) {
            session_drop(session, V_NO_MEMORY);
            return false;
        }
    }
    session_take_client(session, header);
    return session->state != SESSION_END;
}

/*
 * Looks at what has come, and leaves it in the socket until the header is
 * whole: what lies behind it is another protocol's. False: more of it has to
 * come, or the session has ended.
 */
static bool
session_peek_header(struct session *session)
{
    struct stream *client = &session->relay.client;
    uint8_t *octets = sessions_of(session)->pool.buffer;
    struct proxy_header header;
    ssize_t count = stream_peek(client, octets, PROXY_HEADER_MAX);

    if (count == -EAGAIN)
        return false;
    if (count <= 0) {
        session_drop(session, count == 0 ? V_NO_REQUEST : V_CLIENT_GONE);
        return false;
    }
    session_proxy(session)->begun = true;
    ssize_t used = proxy_header_decode(octets, (size_t)count, &header);
    if (used == 0) {
        if (stream_is(client, STREAM_ENDING))
            session_drop(session, V_PROXY_CUT);
        return false;
    }
    if (used < 0) {
        session_proxy(session)->error = (uint8_t)-used;
        session_drop(session, used == -PROXY_HEADER_MISSING
                                  ? V_PROXY_MISSING
                                  : V_PROXY_MALFORMED);
        return false;
    }
    session_proxy(session)->unread = (uint16_t)used;
    return session_take_header(session, &header);
}

/* False: the socket does not give it yet, or the session has ended. */
static bool
session_drop_header(struct session *session)
{
    struct session_proxy *proxy = session_proxy(session);
    uint8_t *octets = sessions_of(session)->pool.buffer;

    while (proxy->unread > 0) {
        ssize_t count =
            stream_recv(&session->relay.client, octets, proxy->unread);
        if (count == -EAGAIN)
            return false;
        if (count <= 0) {
            session_drop(session, V_CLIENT_GONE);
            return false;
        }
        proxy->unread -= (uint16_t)count;
    }
    return true;
}

void
session_read_proxy(struct session *session)
{
    struct session_proxy *proxy = session_proxy(session);

    if (stream_is(&session->relay.client, STREAM_BROKEN)) {
        session_drop(session, V_CLIENT_GONE);
        return;
    }
    if ((!proxy->received && !session_peek_header(session)) ||
        !session_drop_header(session))
        return;
    if (proxy->context != NULL) {
        session_start_tls(session, proxy->context);
        return;
    }
    session_enter(session, SESSION_REQUEST);
    stream_expect(&session->relay.client);
    session_read_request(session);
}

/* The time is up, which is absolute from accept. */
void
session_give_up_proxy(struct session *session, enum verdict verdict)
{
    session_drop(session, session_proxy(session)->begun ? verdict : V_SILENT);
}

bool
session_is_balancers(const struct session *session)
{
    const struct session_proxy *proxy = session_proxy(session);

    return proxy != NULL && proxy->balancer.port == 0;
}

struct certificate *
session_find_certificate(const struct session *session)
{
    const struct session_proxy *proxy = session_proxy(session);

    return proxy != NULL && proxy->certifies
               ? proxy->certificate
               : stream_tls_outcome(&session->relay.client)->certificate;
}

/* ---- To the server ---- */

void
session_begin_proxy(struct session *session)
{
    if (session_rule(session)->send_proxy != RULE_SEND_PROXY_OFF)
        session->setup->header_sent = 0;
}

/* A server that is gone already gets none: the relay passes that on. */
bool
session_send_proxy(struct session *session)
{
    static const unsigned versions[] = {
        [RULE_SEND_PROXY_1] = 1, [RULE_SEND_PROXY_2] = 2};
    const struct rule *rule = session_rule(session);
    const struct endpoint client = {session->client, session->client_port};
    const struct endpoint to = {session->request.to, session->request.port};
    unsigned version = versions[rule->send_proxy];
    uint8_t octets[PROXY_HEADER_SENT_MAX];

    if (version == 0)
        return true;
    size_t size = proxy_header_encode(version, &client, &to, octets);
    ssize_t count = stream_send(&session->relay.server,
                                octets + session->setup->header_sent,
                                size - session->setup->header_sent);
    if (count > 0)
        session->setup->header_sent += (uint32_t)count;
    return session->setup->header_sent >= size ||
           (count < 0 && count != -EAGAIN);
}

void
session_free_proxy(struct session *session)
{
    struct session_proxy *proxy = session_proxy(session);

    if (proxy == NULL)
        return;
    tls_context_free(proxy->context);
    free(proxy->certificate);
}
