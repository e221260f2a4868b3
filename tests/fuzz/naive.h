#ifndef FUZZ_NAIVE_H
#define FUZZ_NAIVE_H

#include "socks4/codec.h"

/*
 * A second reading of the draft, as plain as can be: one octet after the
 * other, and the answer as soon as there is one. The decoders must give the
 * same answer and the same fields for whatever has come so far.
 */

struct naive_request {
    const struct socks4_framing *framing;
    const char *place; /* of the octets: for the views, not read here */
    enum { NAIVE_HEADER, NAIVE_USERID, NAIVE_DOMAIN } field;
    size_t count; /* octets that have come */
    uint8_t header[8];
    ssize_t answer; /* 0: none yet */
    struct socks4_request request;
};

static inline ssize_t
naive_header(struct naive_request *naive, uint8_t octet)
{
    struct socks4_request *request = &naive->request;
    const uint8_t *header = naive->header;

    naive->header[naive->count - 1] = octet;
    if (naive->count == 1) {
        request->version = octet;
        return octet == 4 ? 0 : SOCKS4_E_VERSION;
    }
    if (naive->count == 2)
        request->command = octet;
    if (naive->count == 4)
        request->dstport = (uint16_t)(header[2] * 256 + header[3]);
    if (naive->count < 8)
        return 0;
    for (int i = 4; i < 8; i++)
        request->dstip = request->dstip * 256 + header[i];
    if (request->command != 1 && request->command != 2)
        return SOCKS4_E_COMMAND;
    naive->field = NAIVE_USERID;
    request->userid = naive->place + 8;
    return 0;
}

static inline int
naive_4a(const uint8_t *header)
{
    return header[4] == 0 && header[5] == 0 && header[6] == 0 && header[7] != 0;
}

static inline ssize_t
naive_userid(struct naive_request *naive, uint8_t octet)
{
    if (octet != 0) {
        if (naive->request.userid_len == naive->framing->userid_max)
            return SOCKS4_E_USERID_LONG;
        naive->request.userid_len++;
        return 0;
    }
    if (!naive_4a(naive->header))
        return (ssize_t)naive->count;
    if (!naive->framing->socks4a)
        return SOCKS4_E_4A;
    naive->field = NAIVE_DOMAIN;
    naive->request.domain = naive->place + naive->count;
    return 0;
}

static inline ssize_t
naive_domain(struct naive_request *naive, uint8_t octet)
{
    if (octet == 0)
        return naive->request.domain_len == 0 ? SOCKS4_E_DOMAIN_EMPTY
                                              : (ssize_t)naive->count;
    if (naive->request.domain_len == 255)
        return SOCKS4_E_DOMAIN_LONG;
    naive->request.domain_len++;
    return 0;
}

/* One more octet has come. What is behind an answer is not looked at. */
static inline void
naive_request_add(struct naive_request *naive, uint8_t octet)
{
    if (naive->answer != 0)
        return;
    naive->count++;
    if (naive->field == NAIVE_HEADER)
        naive->answer = naive_header(naive, octet);
    else if (naive->field == NAIVE_USERID)
        naive->answer = naive_userid(naive, octet);
    else
        naive->answer = naive_domain(naive, octet);
}

/* What the encoder must say to it, given room enough. */
static inline ssize_t
naive_request_size(const struct socks4_request *request)
{
    int is_4a = request->dstip >= 1 && request->dstip <= 255;

    if (request->command != 1 && request->command != 2)
        return SOCKS4_E_COMMAND;
    if (is_4a != (request->domain != NULL))
        return SOCKS4_E_4A;
    if (!is_4a)
        return (ssize_t)(8 + request->userid_len + 1);
    if (request->domain_len == 0)
        return SOCKS4_E_DOMAIN_EMPTY;
    return (ssize_t)(8 + request->userid_len + 1 + request->domain_len + 1);
}

/* The answer alone, to all of them. */
static inline ssize_t
naive_request(const struct socks4_framing *framing, const uint8_t *octets,
              size_t len)
{
    struct naive_request naive = {.framing = framing,
                                  .place = (const char *)octets};

    for (size_t i = 0; i < len; i++)
        naive_request_add(&naive, octets[i]);
    return naive.answer;
}

static inline ssize_t
naive_reply(const uint8_t *octets, size_t len, struct socks4_reply *reply)
{
    *reply = (struct socks4_reply){0};
    if (len > 0)
        reply->version = octets[0];
    if (reply->version != 0)
        return SOCKS4_E_VERSION;
    if (len > 1)
        reply->code = octets[1];
    if (len > 1 && (reply->code < 90 || reply->code > 93))
        return SOCKS4_E_CODE;
    if (len > 3)
        reply->dstport = (uint16_t)(octets[2] * 256 + octets[3]);
    if (len < 8)
        return 0;
    for (int i = 4; i < 8; i++)
        reply->dstip = reply->dstip * 256 + octets[i];
    return 8;
}

#endif
