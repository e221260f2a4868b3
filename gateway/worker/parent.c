#include "gateway/worker/parent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/worker/request_socks5.h"

_Static_assert((int)RULE_CONNECT == (int)SOCKS4_CONNECT &&
                   (int)RULE_BIND == (int)SOCKS4_BIND,
               "a command's number is that of SOCKS 4");

/* ---- The request ---- */

static struct socks4_request
parent_request(const struct parent_question *question)
{
    const struct request *request = question->request;
    const char *userid = question->userid;
    struct socks4_request asked = {
        .command = request->command,
        .dstport = request->port,
        .dstip = addr_to_v4(request->to),
        .userid = userid != NULL ? userid : request->userid,
        .userid_len = userid != NULL ? strlen(userid) : request->userid_len,
    };

    if (question->passes_name) { /* octet for octet, with the client's mark */
        asked.dstip = request->version == REQUEST_SOCKS5 ? 1 : question->dstip;
        asked.domain = request_name(request);
        asked.domain_len = request->name_len;
    }
    return asked;
}

static struct socks4_v5_request
parent_request_5(const struct parent_question *question)
{
    const struct request *request = question->request;
    const struct endpoint to = {request->to, request->port};
    struct socks4_v5_request asked = {.command = request->command,
                                      .address = request_socks5_endpoint(&to)};

    if (question->passes_name) {
        asked.address.type = SOCKS4_V5_NAME;
        asked.address.name = request_name(request);
        asked.address.name_len = request->name_len;
    }
    return asked;
}

/* False: it is 0.0.0.x, which version 4 cannot say. */
static bool
parent_start(struct parent *parent, const struct parent_question *question,
             uint8_t *room, size_t size)
{
    if (question->socks5) {
        const struct config_parent *login = question->login;
        parent->request = parent_request_5(question);
        bool has_login = login != NULL && login->password != NULL;
        if (has_login)
            parent->login = (struct socks4_v5_password){
                .user = login->user,
                .user_len = strlen(login->user),
                .password = login->password,
                .password_len = login->password_len};
        return socks4_v5_client_start(&parent->v5, &parent->request,
                                      has_login ? &parent->login : NULL,
                                      room) == 0;
    }
    struct socks4_request asked = parent_request(question);
    return socks4_client_start(&parent->v4, &asked, room, size) == 0;
}

/* ---- Octets, of either version ---- */

static size_t
parent_unsent(const struct parent *parent, const uint8_t **octets)
{
    return parent->socks5 ? socks4_v5_client_unsent(&parent->v5, octets)
                          : socks4_client_unsent(&parent->v4, octets);
}

static void
parent_sent(struct parent *parent, size_t count)
{
    if (parent->socks5)
        socks4_v5_client_sent(&parent->v5, count);
    else
        socks4_client_sent(&parent->v4, count);
}

static size_t
parent_wants(const struct parent *parent)
{
    return parent->socks5 ? socks4_v5_client_wants(&parent->v5)
                          : socks4_client_wants(&parent->v4);
}

static void
parent_take(struct parent *parent, const uint8_t *octets, size_t count)
{
    if (parent->socks5)
        socks4_v5_client_take(&parent->v5, octets, count);
    else
        socks4_client_take(&parent->v4, octets, count);
}

static void
parent_end(struct parent *parent)
{
    if (parent->socks5)
        socks4_v5_client_end(&parent->v5);
    else
        socks4_client_end(&parent->v4);
}

/* In words of version 4, whose client says the same. */
static enum socks4_client_state
parent_state(const struct parent *parent)
{
    if (!parent->socks5)
        return (enum socks4_client_state)parent->v4.state;
    switch ((enum socks4_v5_client_state)parent->v5.state) {
    case SOCKS4_V5_CLIENT_PEER:
        return SOCKS4_CLIENT_PEER;
    case SOCKS4_V5_CLIENT_OPEN:
        return SOCKS4_CLIENT_OPEN;
    case SOCKS4_V5_CLIENT_REFUSED:
        return SOCKS4_CLIENT_REFUSED;
    case SOCKS4_V5_CLIENT_FAILED:
        return SOCKS4_CLIENT_FAILED;
    default:
        return SOCKS4_CLIENT_REPLY;
    }
}

static void
parent_send_rest(struct parent *parent, struct stream *stream)
{
    const uint8_t *octets = NULL;
    size_t count;

    while ((count = parent_unsent(parent, &octets)) > 0 &&
           stream_is(stream, STREAM_WRITABLE) &&
           !stream_is(stream, STREAM_BROKEN)) {
        ssize_t sent = stream_send(stream, octets, count);
        if (sent <= 0)
            return;
        parent_sent(parent, (size_t)sent);
    }
}

enum parent_event
parent_ask(struct parent *parent, const struct parent_question *question,
           struct stream *stream, uint8_t *buffer)
{
    const uint8_t *octets = NULL;

    parent_fini(parent);
    *parent = (struct parent){.socks5 = question->socks5, .at = addr_v4(0)};
    if (addr_is_v4(question->parent) || request_takes_ipv6(question->request))
        parent->at = question->parent;
    /* In version 5 the request is made when the greeting was answered. */
    if (parent->socks5) {
        parent->room = malloc(SOCKS4_V5_CLIENT_ROOM);
        if (parent->room == NULL)
            return PARENT_NO_MEMORY;
    }
    if (!parent_start(parent, question, parent->socks5 ? parent->room : buffer,
                      REQUEST_MAX)) {
        parent->refused = true;
        return PARENT_REFUSED;
    }
    size_t size = parent_unsent(parent, &octets);
    ssize_t sent = stream_send(stream, octets, size);
    /* Where the connection broke, parent_step reads what came before. */
    if (sent < (ssize_t)size && !parent->socks5) {
        parent->room = malloc(size);
        if (parent->room == NULL)
            return PARENT_NO_MEMORY;
        parent_start(parent, question, parent->room, size);
    }
    if (sent > 0)
        parent_sent(parent, (size_t)sent);
    return PARENT_WAITS;
}

/* ---- The reply ---- */

/* Sends what is due, and reads to the end of one reply at most. False: it is
   not whole, and there may be more later. */
static bool
parent_exchange(struct parent *parent, struct stream *stream)
{
    uint8_t octets[SOCKS4_V5_REPLY_MAX];
    size_t wants;

    for (;;) {
        parent_send_rest(parent, stream);
        wants = parent_wants(parent);
        if (wants == 0)
            return true;
        if (!stream_is(stream, STREAM_READABLE))
            return false;
        ssize_t count = stream_recv(stream, octets, wants);
        if (count == -EAGAIN)
            return false;
        if (count > 0)
            parent_take(parent, octets, (size_t)count);
        else
            parent_end(parent);
        /* The first reply of a BIND is whole, and the second one is next. */
        if (!parent->bound && parent_state(parent) == SOCKS4_CLIENT_PEER)
            return true;
    }
}

/* What the last reply says. A name, which nobody sends, is no address. */
static struct endpoint
parent_address(const struct parent *parent)
{
    const struct socks4_v5_address *bound = &parent->v5.bound;
    struct endpoint at = {addr_v4(0), bound->port};

    if (!parent->socks5)
        return (struct endpoint){addr_v4(parent->v4.reply.dstip),
                                 parent->v4.reply.dstport};
    if (bound->type != SOCKS4_V5_NAME)
        request_socks5_address(bound, &at.addr);
    return at;
}

enum parent_event
parent_step(struct parent *parent, struct stream *stream, struct endpoint *at)
{
    if (!parent_exchange(parent, stream))
        return PARENT_WAITS;
    switch (parent_state(parent)) {
    case SOCKS4_CLIENT_PEER:
        parent->bound = true;
        *at = parent_address(parent);
        if (addr_is_any(at->addr))
            at->addr = parent->at;
        return PARENT_BOUND;
    case SOCKS4_CLIENT_OPEN:
        *at = parent_address(parent);
        return PARENT_GRANTED;
    case SOCKS4_CLIENT_REFUSED:
        parent->refused = true;
        return PARENT_REFUSED;
    default:
        break;
    }
    int error = parent->socks5 ? parent->v5.error : parent->v4.error;
    return error == SOCKS4_E_NO_REPLY || error == SOCKS4_E_SHORT
               ? PARENT_CLOSED
               : PARENT_MALFORMED;
}

enum verdict
parent_refusal(const struct parent *parent)
{
    static const enum verdict by_4[] = {V_PARENT_REFUSED, V_PARENT_NO_IDENTD,
                                        V_PARENT_OTHER_USER};
    static const enum verdict by_5[] = {
        [SOCKS4_V5_SUCCEEDED] = V_PARENT_REFUSED, /* it was never asked */
        [SOCKS4_V5_FAILURE] = V_PARENT_REFUSED,
        [SOCKS4_V5_NOT_ALLOWED] = V_PARENT_FORBIDS,
        [SOCKS4_V5_NETWORK_UNREACHABLE] = V_PARENT_NO_NETWORK,
        [SOCKS4_V5_HOST_UNREACHABLE] = V_PARENT_NO_HOST,
        [SOCKS4_V5_REFUSED] = V_PARENT_SERVER_REFUSES,
        [SOCKS4_V5_TTL_EXPIRED] = V_PARENT_SERVER_LATE,
        [SOCKS4_V5_NO_COMMAND] = V_PARENT_NO_COMMAND,
        [SOCKS4_V5_NO_TYPE] = V_PARENT_NO_TYPE,
    };

    if (!parent->socks5)
        return parent->v4.code >= SOCKS4_REJECTED
                   ? by_4[parent->v4.code - SOCKS4_REJECTED]
                   : V_PARENT_REFUSED; /* it was never asked */
    if (parent->v5.error == SOCKS4_E_V5_UNACCEPTABLE)
        return V_PARENT_METHOD;
    if (parent->v5.error == SOCKS4_E_V5_DENIED)
        return V_PARENT_PASSWORD;
    return parent->v5.code < sizeof(by_5) / sizeof(by_5[0])
               ? by_5[parent->v5.code]
               : V_PARENT_REFUSED;
}

void
parent_fini(struct parent *parent)
{
    if (parent->room != NULL && parent->socks5)
        socks4_v5_client_wipe(&parent->v5); /* the password may be in it */
    free(parent->room);
    parent->room = NULL;
}
