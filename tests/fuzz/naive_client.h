#ifndef FUZZ_NAIVE_CLIENT_H
#define FUZZ_NAIVE_CLIENT_H

#include "socks4/client.h"
#include "tests/fuzz/naive.h"

/*
 * What becomes of a client to whom `octets` come, then, if `ends`, the end
 * of the stream: read at once, from the front.
 */
struct naive_case {
    int command;
    int lenient;
    int early; /* nothing of the request has gone out */
    int ends;
};

struct naive_end {
    int state;
    int error;
    unsigned forgave;
    size_t used;
    struct socks4_reply reply; /* the last whole one */
    struct socks4_reply first; /* the first whole one, if it is a grant */
};

static inline int
naive_fail(struct naive_end *end, int error)
{
    end->state = SOCKS4_CLIENT_FAILED;
    end->error = error;
    return 0;
}

/* Whether the first two octets of a reply can stand. */
static inline int
naive_octet(const struct naive_case *the, const uint8_t *at, size_t i,
            struct naive_end *end)
{
    if (i == 0 && at[0] != 0) {
        if (!the->lenient || at[0] != 4)
            return naive_fail(end, SOCKS4_E_VERSION);
        end->forgave |= SOCKS4_FORGAVE_VERSION;
    }
    if (i == 1 && (at[1] < 90 || at[1] > 93)) {
        if (!the->lenient)
            return naive_fail(end, SOCKS4_E_CODE);
        end->forgave |= SOCKS4_FORGAVE_CODE;
    }
    if (i == 1 && at[1] == 90 && the->early)
        return naive_fail(end, SOCKS4_E_EARLY);
    return 1;
}

/* The stream has ended `there` octets behind the beginning of a reply: what
   has not come of a refusal is zeros to who is lenient. */
static inline int
naive_cut(const struct naive_case *the, const uint8_t *at, size_t there,
          uint8_t whole[8], struct naive_end *end)
{
    if (there < 2 || at[1] == 90 || !the->lenient)
        return naive_fail(end, there == 0 ? SOCKS4_E_NO_REPLY : SOCKS4_E_SHORT);
    end->forgave |= SOCKS4_FORGAVE_SHORT;
    for (size_t i = there; i < 8; i++)
        whole[i] = 0;
    return 1;
}

/* The next reply. Whether there may be another behind it. */
static inline int
naive_next(const struct naive_case *the, const uint8_t *octets, size_t len,
           struct naive_end *end)
{
    const uint8_t *at = octets + end->used;
    size_t there = len - end->used, i;
    uint8_t whole[8];

    for (i = 0; i < there && i < 8; i++) {
        whole[i] = at[i];
        end->used++;
        if (!naive_octet(the, at, i, end))
            return 0;
    }
    if (i < 8 && (!the->ends || !naive_cut(the, at, i, whole, end)))
        return 0;
    end->reply.version = whole[0];
    end->reply.code = whole[1];
    end->reply.dstport = (uint16_t)(whole[2] * 256 + whole[3]);
    end->reply.dstip = (uint32_t)whole[4] << 24 | (uint32_t)whole[5] << 16 |
                       (uint32_t)whole[6] << 8 | whole[7];
    if (end->reply.code != 90)
        end->state = SOCKS4_CLIENT_REFUSED;
    return end->reply.code == 90;
}

static inline struct naive_end
naive_client(const struct naive_case *the, const uint8_t *octets, size_t len)
{
    struct naive_end end = {.state = the->early ? SOCKS4_CLIENT_SEND
                                                : SOCKS4_CLIENT_REPLY};

    if (!naive_next(the, octets, len, &end))
        return end;
    end.first = end.reply;
    end.state = SOCKS4_CLIENT_PEER;
    if (the->command == SOCKS4_BIND && !naive_next(the, octets, len, &end))
        return end;
    end.state = SOCKS4_CLIENT_OPEN;
    return end;
}

#endif
