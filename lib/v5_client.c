#include <string.h>

#include "socks4/v5_client.h"

static void
v5_client_finish(struct socks4_v5_client *client, int state, int error)
{
    client->state = (uint8_t)state;
    client->error = error;
    socks4_v5_client_wipe(client);
}

/* Through a volatile pointer, so that no compiler leaves it out. */
void
socks4_v5_client_wipe(struct socks4_v5_client *client)
{
    volatile uint8_t *out = client->out;

    for (size_t i = 0; i < client->out_len; i++)
        out[i] = 0;
    client->out_len = client->out_sent = 0;
}

/* Makes the message that the state sends. */
static int
v5_client_enter(struct socks4_v5_client *client, int state)
{
    static const uint8_t methods[] = {SOCKS4_V5_NONE, SOCKS4_V5_PASSWORD};
    struct socks4_v5_greeting greeting = {
        .methods = methods, .methods_len = client->login != NULL ? 2 : 1};
    ssize_t len = 0;

    client->state = (uint8_t)state;
    client->in_len = 0;
    client->out_sent = 0;
    if (state == SOCKS4_V5_CLIENT_METHOD)
        len = socks4_v5_greeting_encode(&greeting, client->out,
                                        SOCKS4_V5_CLIENT_ROOM);
    else if (state == SOCKS4_V5_CLIENT_LOGIN)
        len = socks4_v5_password_encode(client->login, client->out,
                                        SOCKS4_V5_CLIENT_ROOM);
    else if (state == SOCKS4_V5_CLIENT_REPLY)
        len = socks4_v5_request_encode(client->request, client->out,
                                       SOCKS4_V5_CLIENT_ROOM);
    if (len < 0) {
        v5_client_finish(client, SOCKS4_V5_CLIENT_FAILED, (int)len);
        return (int)len;
    }
    client->out_len = (uint16_t)len;
    return 0;
}

int
socks4_v5_client_start(struct socks4_v5_client *client,
                       const struct socks4_v5_request *request,
                       const struct socks4_v5_password *login,
                       uint8_t room[SOCKS4_V5_CLIENT_ROOM])
{
    int error;

    memset(client, 0, sizeof *client);
    client->method = SOCKS4_V5_UNACCEPTABLE;
    client->out = room;
    client->command = request->command;
    client->request = request;
    client->login = login;
    /* What cannot be sent is told now, and not when it is its turn. */
    error = v5_client_enter(client, SOCKS4_V5_CLIENT_REPLY);
    if (error == 0 && login != NULL)
        error = v5_client_enter(client, SOCKS4_V5_CLIENT_LOGIN);
    if (error != 0)
        return error;
    socks4_v5_client_wipe(client);
    return v5_client_enter(client, SOCKS4_V5_CLIENT_METHOD);
}

size_t
socks4_v5_client_unsent(const struct socks4_v5_client *client,
                        const uint8_t **octets)
{
    if (client->out_sent == client->out_len)
        return 0;
    *octets = client->out + client->out_sent;
    return (size_t)(client->out_len - client->out_sent);
}

void
socks4_v5_client_sent(struct socks4_v5_client *client, size_t count)
{
    size_t unsent = (size_t)(client->out_len - client->out_sent);

    client->out_sent =
        (uint16_t)(client->out_sent + (count < unsent ? count : unsent));
    if (client->out_sent == client->out_len)
        socks4_v5_client_wipe(client);
}

/* The octets that the reply has at least, by those that have come. */
static size_t
v5_client_reply_size(const struct socks4_v5_client *client)
{
    if (client->in_len < 5)
        return 5; /* no reply is shorter, and the fifth may be a length */
    switch (client->in[3]) {
    case SOCKS4_V5_IPV4:
        return 4 + 4 + 2;
    case SOCKS4_V5_IPV6:
        return 4 + 16 + 2;
    default:
        return (size_t)5 + client->in[4] + 2;
    }
}

size_t
socks4_v5_client_wants(const struct socks4_v5_client *client)
{
    switch (client->state) {
    case SOCKS4_V5_CLIENT_METHOD:
        return (size_t)(SOCKS4_V5_CHOICE_SIZE - client->in_len);
    case SOCKS4_V5_CLIENT_LOGIN:
        return (size_t)(SOCKS4_V5_STATUS_SIZE - client->in_len);
    case SOCKS4_V5_CLIENT_REPLY:
    case SOCKS4_V5_CLIENT_PEER:
        return v5_client_reply_size(client) - client->in_len;
    default:
        return 0;
    }
}

static void
v5_client_take_choice(struct socks4_v5_client *client, int method)
{
    client->method = (uint8_t)method;
    if (method == SOCKS4_V5_UNACCEPTABLE)
        v5_client_finish(client, SOCKS4_V5_CLIENT_REFUSED,
                         SOCKS4_E_V5_UNACCEPTABLE);
    else if (client->out_sent != client->out_len)
        v5_client_finish(client, SOCKS4_V5_CLIENT_FAILED, SOCKS4_E_EARLY);
    else if (method == SOCKS4_V5_NONE)
        v5_client_enter(client, SOCKS4_V5_CLIENT_REPLY);
    else if (method == SOCKS4_V5_PASSWORD && client->login != NULL)
        v5_client_enter(client, SOCKS4_V5_CLIENT_LOGIN);
    else
        v5_client_finish(client, SOCKS4_V5_CLIENT_FAILED, SOCKS4_E_V5_METHOD);
}

static void
v5_client_take_status(struct socks4_v5_client *client, int status)
{
    if (status != 0)
        v5_client_finish(client, SOCKS4_V5_CLIENT_REFUSED, SOCKS4_E_V5_DENIED);
    else if (client->out_sent != client->out_len)
        v5_client_finish(client, SOCKS4_V5_CLIENT_FAILED, SOCKS4_E_EARLY);
    else
        v5_client_enter(client, SOCKS4_V5_CLIENT_REPLY);
}

static void
v5_client_take_reply(struct socks4_v5_client *client,
                     const struct socks4_v5_reply *reply)
{
    client->code = reply->code;
    client->bound = reply->address;
    if (reply->code != SOCKS4_V5_SUCCEEDED)
        v5_client_finish(client, SOCKS4_V5_CLIENT_REFUSED, 0);
    else if (client->state == SOCKS4_V5_CLIENT_REPLY &&
             client->command == SOCKS4_V5_BIND)
        v5_client_enter(client, SOCKS4_V5_CLIENT_PEER);
    else
        v5_client_finish(client, SOCKS4_V5_CLIENT_OPEN, 0);
}

/* One more octet has come: does what its message asks for, if it is whole. */
static void
v5_client_check(struct socks4_v5_client *client)
{
    struct socks4_v5_choice choice;
    struct socks4_v5_status status;
    struct socks4_v5_reply reply;
    ssize_t used;

    switch (client->state) {
    case SOCKS4_V5_CLIENT_METHOD:
        used = socks4_v5_choice_decode(client->in, client->in_len, &choice);
        if (used > 0)
            v5_client_take_choice(client, choice.method);
        break;
    case SOCKS4_V5_CLIENT_LOGIN:
        used = socks4_v5_status_decode(client->in, client->in_len, &status);
        if (used > 0)
            v5_client_take_status(client, status.status);
        break;
    default:
        used = socks4_v5_reply_decode(client->in, client->in_len, &reply);
        if (client->in_len >= 2 && reply.code == SOCKS4_V5_SUCCEEDED &&
            client->out_sent != client->out_len)
            used = SOCKS4_E_EARLY;
        /* A refusal needs no address. */
        if (used > 0 || (used != 0 && reply.code != SOCKS4_V5_SUCCEEDED)) {
            v5_client_take_reply(client, &reply);
            return;
        }
        break;
    }
    if (used < 0)
        v5_client_finish(client, SOCKS4_V5_CLIENT_FAILED, (int)used);
}

size_t
socks4_v5_client_take(struct socks4_v5_client *client, const uint8_t *octets,
                      size_t len)
{
    size_t taken = 0;

    while (taken < len) {
        int state = client->state;

        if (socks4_v5_client_wants(client) == 0)
            break;
        client->in[client->in_len++] = octets[taken++];
        v5_client_check(client);
        if (client->state != state)
            break;
    }
    return taken;
}

void
socks4_v5_client_end(struct socks4_v5_client *client)
{
    if (socks4_v5_client_wants(client) == 0)
        return;
    if (client->state >= SOCKS4_V5_CLIENT_REPLY && client->in_len >= 2 &&
        client->in[1] != SOCKS4_V5_SUCCEEDED) {
        client->code = client->in[1];
        v5_client_finish(client, SOCKS4_V5_CLIENT_REFUSED, 0);
        return;
    }
    v5_client_finish(client, SOCKS4_V5_CLIENT_FAILED,
                     client->in_len == 0 ? SOCKS4_E_NO_REPLY : SOCKS4_E_SHORT);
}
