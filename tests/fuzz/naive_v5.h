#ifndef FUZZ_NAIVE_V5_H
#define FUZZ_NAIVE_V5_H

#include <string.h>

#include "socks4/v5.h"

/*
 * A second reading of RFC 1928 and RFC 1929, as plain as can be: one octet
 * after the other, and the answer as soon as there is one. The decoders must
 * give the same answer and the same fields for whatever has come so far.
 */

enum v5_kind {
    V5_GREETING,
    V5_CHOICE,
    V5_PASSWORD,
    V5_STATUS,
    V5_REQUEST,
    V5_REPLY,
    V5_UDP,
};

union v5_message {
    struct socks4_v5_greeting greeting;
    struct socks4_v5_choice choice;
    struct socks4_v5_password password;
    struct socks4_v5_status status;
    struct socks4_v5_request request;
    struct socks4_v5_reply reply;
    struct socks4_v5_udp udp;
};

struct naive_v5 {
    enum v5_kind kind;
    const uint8_t *place; /* of the octets: for the views, not read here */
    size_t count;         /* octets that have come */
    ssize_t answer;       /* 0: none yet */
    uint8_t octets[600];
    union v5_message message;
};

static inline ssize_t
naive_v5_greeting(struct naive_v5 *naive, uint8_t octet)
{
    struct socks4_v5_greeting *greeting = &naive->message.greeting;

    if (naive->count == 1) {
        greeting->version = octet;
        return octet == 5 ? 0 : SOCKS4_E_V5_VERSION;
    }
    if (naive->count == 2) {
        greeting->count = octet;
        greeting->methods = naive->place + 2;
    } else {
        greeting->methods_len++;
    }
    return greeting->methods_len == greeting->count ? (ssize_t)naive->count : 0;
}

static inline ssize_t
naive_v5_choice(struct naive_v5 *naive, uint8_t octet)
{
    if (naive->count == 1) {
        naive->message.choice.version = octet;
        return octet == 5 ? 0 : SOCKS4_E_V5_VERSION;
    }
    naive->message.choice.method = octet;
    return 2;
}

static inline ssize_t
naive_v5_status(struct naive_v5 *naive, uint8_t octet)
{
    if (naive->count == 1) {
        naive->message.status.version = octet;
        return octet == 1 || octet == 5 ? 0 : SOCKS4_E_V5_PASSWORD_VERSION;
    }
    naive->message.status.status = octet;
    return 2;
}

static inline ssize_t
naive_v5_password(struct naive_v5 *naive, uint8_t octet)
{
    struct socks4_v5_password *password = &naive->message.password;
    size_t user = naive->octets[1], at = naive->count;

    if (at == 1) {
        password->version = octet;
        return octet == 1 ? 0 : SOCKS4_E_V5_PASSWORD_VERSION;
    }
    if (at == 2) {
        password->user = (const char *)naive->place + 2;
        return 0;
    }
    if (at == 3 + user) {
        password->password = (const char *)naive->place + at;
        return octet == 0 ? (ssize_t)at : 0;
    }
    if (octet == 0)
        return SOCKS4_E_NUL;
    if (at < 3 + user) {
        password->user_len++;
        return 0;
    }
    password->password_len++;
    return password->password_len == naive->octets[2 + user] ? (ssize_t)at : 0;
}

/* The octet is the one at that place of ATYP, address and port. */
static inline ssize_t
naive_v5_address(struct naive_v5 *naive, struct socks4_v5_address *address,
                 size_t at, uint8_t octet)
{
    const uint8_t *octets = naive->octets + naive->count - at;
    size_t size = 0; /* where the port begins */

    if (at == 1) {
        address->type = octet;
        return octet == 1 || octet == 3 || octet == 4 ? 0 : SOCKS4_E_V5_TYPE;
    }
    if (octets[0] == 1) {
        size = 5;
        if (at == size)
            for (int i = 1; i < 5; i++)
                address->ip4 = address->ip4 * 256 + octets[i];
    } else if (octets[0] == 4) {
        size = 17;
        if (at == size)
            for (int i = 0; i < 16; i++)
                address->ip6[i] = octets[1 + i];
    } else {
        size = 2 + octets[1];
        if (at == 2 && octet == 0)
            return SOCKS4_E_DOMAIN_EMPTY;
        if (at == 2)
            address->name = (const char *)naive->place + naive->count;
        else if (at <= size && octet == 0)
            return SOCKS4_E_NUL;
        else if (at <= size)
            address->name_len++;
    }
    if (at < size + 2)
        return 0;
    address->port = (uint16_t)(octets[size] * 256 + octets[size + 1]);
    return (ssize_t)naive->count;
}

static inline ssize_t
naive_v5_request(struct naive_v5 *naive, uint8_t octet)
{
    struct socks4_v5_request *request = &naive->message.request;

    switch (naive->count) {
    case 1:
        request->version = octet;
        return octet == 5 ? 0 : SOCKS4_E_V5_VERSION;
    case 2:
        request->command = octet;
        return octet == 1 || octet == 2 || octet == 3 ? 0 : SOCKS4_E_V5_COMMAND;
    case 3:
        request->reserved = octet;
        return 0;
    default:
        return naive_v5_address(naive, &request->address, naive->count - 3,
                                octet);
    }
}

static inline ssize_t
naive_v5_reply(struct naive_v5 *naive, uint8_t octet)
{
    struct socks4_v5_reply *reply = &naive->message.reply;

    switch (naive->count) {
    case 1:
        reply->version = octet;
        return octet == 5 ? 0 : SOCKS4_E_V5_VERSION;
    case 2:
        reply->code = octet;
        return 0;
    case 3:
        reply->reserved = octet;
        return 0;
    default:
        return naive_v5_address(naive, &reply->address, naive->count - 3,
                                octet);
    }
}

static inline ssize_t
naive_v5_udp(struct naive_v5 *naive, uint8_t octet)
{
    struct socks4_v5_udp *udp = &naive->message.udp;

    switch (naive->count) {
    case 1:
        return 0;
    case 2:
        udp->reserved = (uint16_t)(naive->octets[0] * 256 + octet);
        return 0;
    case 3:
        udp->fragment = octet;
        return 0;
    default:
        return naive_v5_address(naive, &udp->address, naive->count - 3, octet);
    }
}

/* One more octet has come. What is behind an answer is not looked at. */
static inline void
naive_v5_add(struct naive_v5 *naive, uint8_t octet)
{
    static ssize_t (*const read[])(struct naive_v5 *, uint8_t) = {
        [V5_GREETING] = naive_v5_greeting, [V5_CHOICE] = naive_v5_choice,
        [V5_PASSWORD] = naive_v5_password, [V5_STATUS] = naive_v5_status,
        [V5_REQUEST] = naive_v5_request,   [V5_REPLY] = naive_v5_reply,
        [V5_UDP] = naive_v5_udp,
    };

    if (naive->answer != 0)
        return;
    naive->octets[naive->count++] = octet;
    naive->answer = read[naive->kind](naive, octet);
}

/* The decoder of that kind. */
static inline ssize_t
v5_decode(enum v5_kind kind, const uint8_t *octets, size_t len,
          union v5_message *message)
{
    switch (kind) {
    case V5_GREETING:
        return socks4_v5_greeting_decode(octets, len, &message->greeting);
    case V5_CHOICE:
        return socks4_v5_choice_decode(octets, len, &message->choice);
    case V5_PASSWORD:
        return socks4_v5_password_decode(octets, len, &message->password);
    case V5_STATUS:
        return socks4_v5_status_decode(octets, len, &message->status);
    case V5_REQUEST:
        return socks4_v5_request_decode(octets, len, &message->request);
    case V5_REPLY:
        return socks4_v5_reply_decode(octets, len, &message->reply);
    default:
        return socks4_v5_udp_decode(octets, len, &message->udp);
    }
}

/* The encoder of that kind; a choice and a status fit whatever `room` is. */
static inline ssize_t
v5_encode(enum v5_kind kind, const union v5_message *message, uint8_t *octets,
          size_t room)
{
    switch (kind) {
    case V5_GREETING:
        return socks4_v5_greeting_encode(&message->greeting, octets, room);
    case V5_CHOICE:
        return socks4_v5_choice_encode(message->choice.method, octets);
    case V5_PASSWORD:
        return socks4_v5_password_encode(&message->password, octets, room);
    case V5_STATUS:
        return socks4_v5_status_encode(message->status.status, octets);
    case V5_REQUEST:
        return socks4_v5_request_encode(&message->request, octets, room);
    case V5_REPLY:
        return socks4_v5_reply_encode(&message->reply, octets, room);
    default:
        return socks4_v5_udp_encode(&message->udp, octets, room);
    }
}

static inline int
v5_same_view(const void *a, size_t a_len, const void *b, size_t b_len)
{
    return a == b && a_len == b_len;
}

static inline int
v5_same_address(const struct socks4_v5_address *a,
                const struct socks4_v5_address *b)
{
    return a->type == b->type && a->port == b->port && a->ip4 == b->ip4 &&
           memcmp(a->ip6, b->ip6, sizeof a->ip6) == 0 &&
           v5_same_view(a->name, a->name_len, b->name, b->name_len);
}

/* Whether all fields are the same, the views of the same octets. */
static inline int
v5_same(enum v5_kind kind, const union v5_message *a, const union v5_message *b)
{
    switch (kind) {
    case V5_GREETING:
        return a->greeting.version == b->greeting.version &&
               a->greeting.count == b->greeting.count &&
               v5_same_view(a->greeting.methods, a->greeting.methods_len,
                            b->greeting.methods, b->greeting.methods_len);
    case V5_CHOICE:
        return a->choice.version == b->choice.version &&
               a->choice.method == b->choice.method;
    case V5_PASSWORD:
        return a->password.version == b->password.version &&
               v5_same_view(a->password.user, a->password.user_len,
                            b->password.user, b->password.user_len) &&
               v5_same_view(a->password.password, a->password.password_len,
                            b->password.password, b->password.password_len);
    case V5_STATUS:
        return a->status.version == b->status.version &&
               a->status.status == b->status.status;
    case V5_REQUEST:
        return a->request.version == b->request.version &&
               a->request.command == b->request.command &&
               a->request.reserved == b->request.reserved &&
               v5_same_address(&a->request.address, &b->request.address);
    case V5_REPLY:
        return a->reply.version == b->reply.version &&
               a->reply.code == b->reply.code &&
               a->reply.reserved == b->reply.reserved &&
               v5_same_address(&a->reply.address, &b->reply.address);
    default:
        return a->udp.reserved == b->udp.reserved &&
               a->udp.fragment == b->udp.fragment &&
               v5_same_address(&a->udp.address, &b->udp.address);
    }
}

/* What the encoder must say to a message that was taken, given room. */
static inline ssize_t
naive_v5_size(const struct naive_v5 *naive)
{
    const union v5_message *message = &naive->message;

    if (naive->kind == V5_GREETING && message->greeting.methods_len == 0)
        return SOCKS4_E_V5_METHODS;
    if (naive->kind == V5_PASSWORD && message->password.user_len == 0)
        return SOCKS4_E_V5_USER;
    if (naive->kind == V5_PASSWORD && message->password.password_len == 0)
        return SOCKS4_E_V5_PASSWORD;
    if (naive->kind == V5_REPLY && message->reply.code > 8)
        return SOCKS4_E_V5_CODE;
    return naive->answer;
}

/* An octet that may be wrong in what was read is right in what is written. */
static inline uint8_t
naive_v5_written(const struct naive_v5 *naive, size_t at)
{
    if (naive->kind == V5_STATUS && at == 0)
        return 1;
    if ((naive->kind == V5_REQUEST || naive->kind == V5_REPLY) && at == 2)
        return 0;
    if (naive->kind == V5_UDP && at < 2)
        return 0;
    return naive->octets[at];
}

#endif
