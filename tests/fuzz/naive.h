#ifndef FUZZ_NAIVE_H
#define FUZZ_NAIVE_H

#include "socks4/codec.h"

/*
 * A second reading of the draft, as plain as can be: one octet after the
 * other, and the answer as soon as there is one. The decoders must give the
 * same.
 */

static inline int
naive_4a(const uint8_t *octets)
{
    return octets[4] == 0 && octets[5] == 0 && octets[6] == 0 && octets[7] != 0;
}

static inline ssize_t
naive_request(const struct socks4_framing *framing, const uint8_t *octets,
              size_t len)
{
    enum { HEADER, USERID, DOMAIN } part = HEADER;
    size_t size = 0; /* of the field being read */

    for (size_t i = 0; i < len; i++) {
        uint8_t octet = octets[i];

        if (part == HEADER) {
            if (i == 0 && octet != 4)
                return SOCKS4_E_VERSION;
            if (i == 7 && octets[1] != 1 && octets[1] != 2)
                return SOCKS4_E_COMMAND;
            if (i == 7)
                part = USERID;
        } else if (part == USERID && octet != 0) {
            if (++size > framing->userid_max)
                return SOCKS4_E_USERID_LONG;
        } else if (part == USERID) {
            if (!naive_4a(octets))
                return (ssize_t)i + 1;
            if (!framing->socks4a)
                return SOCKS4_E_4A;
            part = DOMAIN;
            size = 0;
        } else if (octet != 0) {
            if (++size > 255)
                return SOCKS4_E_DOMAIN_LONG;
        } else {
            return size == 0 ? SOCKS4_E_DOMAIN_EMPTY : (ssize_t)i + 1;
        }
    }
    return 0;
}

static inline ssize_t
naive_reply(const uint8_t *octets, size_t len)
{
    if (len > 0 && octets[0] != 0)
        return SOCKS4_E_VERSION;
    if (len > 1 && (octets[1] < 90 || octets[1] > 93))
        return SOCKS4_E_CODE;
    return len < 8 ? 0 : 8;
}

#endif
