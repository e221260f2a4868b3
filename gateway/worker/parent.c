#include "gateway/worker/parent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)RULE_CONNECT == (int)SOCKS4_CONNECT &&
                   (int)RULE_BIND == (int)SOCKS4_BIND,
               "a command's number is that of SOCKS 4");

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
        asked.dstip = request->version == REQUEST_SOCKS5 ? 1 : request->dstip;
        asked.domain = request_name(request);
        asked.domain_len = request->name_len;
    }
    return asked;
}

static enum parent_event
parent_start(struct parent *parent, const struct parent_question *question,
             uint8_t *room, size_t size)
{
    struct socks4_request asked = parent_request(question);

    int error = socks4_client_start(&parent->client, &asked, room, size);
    if (addr_is_v4(question->parent))
        parent->client.gateway_ip = addr_to_v4(question->parent);
    if (error == 0)
        return PARENT_WAITS;
    /* 0.0.0.x, which version 4 cannot say */
    parent->client.code = SOCKS4_REJECTED;
    return PARENT_REFUSED;
}

enum parent_event
parent_ask(struct parent *parent, const struct parent_question *question,
           struct stream *stream, uint8_t *buffer)
{
    const uint8_t *octets = NULL;

    parent_fini(parent);
    enum parent_event event =
        parent_start(parent, question, buffer, REQUEST_MAX);
    if (event != PARENT_WAITS)
        return event;
    size_t size = socks4_client_unsent(&parent->client, &octets);
    ssize_t sent = stream_send(stream, octets, size);
    /* Where the connection broke, parent_step reads what came before. */
    if (sent < (ssize_t)size) {
        parent->room = malloc(size);
        if (parent->room == NULL)
            return PARENT_NO_MEMORY;
        parent_start(parent, question, parent->room, size);
    }
    if (sent > 0)
        socks4_client_sent(&parent->client, (size_t)sent);
    return PARENT_WAITS;
}

static void
parent_send_rest(struct parent *parent, struct stream *stream)
{
    const uint8_t *octets = NULL;
    size_t count;

    while ((count = socks4_client_unsent(&parent->client, &octets)) > 0 &&
           stream_is(stream, STREAM_WRITABLE) &&
           !stream_is(stream, STREAM_BROKEN)) {
        ssize_t sent = stream_send(stream, octets, count);
        if (sent <= 0)
            return;
        socks4_client_sent(&parent->client, (size_t)sent);
    }
}

/* Reads to the end of one reply at most. False: it is not whole, and there may
   be more later. */
static bool
parent_read_reply(struct parent *parent, struct stream *stream)
{
    struct socks4_client *client = &parent->client;
    uint8_t octets[SOCKS4_REPLY_SIZE];
    uint8_t state = client->state;
    size_t wants;

    while ((wants = socks4_client_wants(client)) > 0) {
        if (!stream_is(stream, STREAM_READABLE))
            return false;
        ssize_t count = stream_recv(stream, octets, wants);
        if (count == -EAGAIN)
            return false;
        if (count > 0)
            socks4_client_take(client, octets, (size_t)count);
        else
            socks4_client_end(client);
        /* The first reply of a BIND is whole, and the second one is next. */
        if (client->state == SOCKS4_CLIENT_PEER && state != client->state)
            return true;
    }
    return true;
}

enum parent_event
parent_step(struct parent *parent, struct stream *stream, struct endpoint *at)
{
    struct socks4_client *client = &parent->client;

    parent_send_rest(parent, stream);
    if (!parent_read_reply(parent, stream))
        return PARENT_WAITS;
    switch ((enum socks4_client_state)client->state) {
    case SOCKS4_CLIENT_PEER:
        *at = (struct endpoint){addr_v4(client->bound_ip), client->bound_port};
        return PARENT_BOUND;
    case SOCKS4_CLIENT_OPEN:
        *at = (struct endpoint){addr_v4(client->reply.dstip),
                                client->reply.dstport};
        return PARENT_GRANTED;
    case SOCKS4_CLIENT_REFUSED:
        return PARENT_REFUSED;
    default:
        return client->error == SOCKS4_E_NO_REPLY ||
                       client->error == SOCKS4_E_SHORT
                   ? PARENT_CLOSED
                   : PARENT_MALFORMED;
    }
}

void
parent_fini(struct parent *parent)
{
    free(parent->room);
    parent->room = NULL;
}
