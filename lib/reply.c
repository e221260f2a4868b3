#include "octets.h"
#include "socks4/codec.h"

/* Whether it is one of the four codes [V4-3.3-3, V4-D.3-1]. */
static int
reply_knows_code(uint8_t code)
{
    return code >= SOCKS4_GRANTED && code <= SOCKS4_OTHER_USER;
}

ssize_t
socks4_reply_decode(const uint8_t *octets, size_t len,
                    struct socks4_reply *reply)
{
    /* Field by field: the proof cannot follow memset. */
    reply->version = reply->code = 0;
    reply->dstport = 0;
    reply->dstip = 0;
    if (len == 0)
        return 0;
    reply->version = octets[0];
    if (reply->version != SOCKS4_REPLY_VERSION)
        return SOCKS4_E_VERSION;
    if (len < 2)
        return 0;
    reply->code = octets[1];
    if (!reply_knows_code(reply->code))
        return SOCKS4_E_CODE;
    if (len >= 4)
        reply->dstport = octets_get16(octets + 2);
    if (len < SOCKS4_REPLY_SIZE)
        return 0;
    reply->dstip = octets_get32(octets + 4);
    return SOCKS4_REPLY_SIZE;
}

ssize_t
socks4_reply_encode(const struct socks4_reply *reply,
                    uint8_t octets[SOCKS4_REPLY_SIZE])
{
    if (!reply_knows_code(reply->code))
        return SOCKS4_E_CODE;         /* [V4-3.3-3] */
    octets[0] = SOCKS4_REPLY_VERSION; /* [V4-3.3-2, V4-D.1-1] */
    octets[1] = reply->code;
    octets_put16(octets + 2, reply->dstport);
    octets_put32(octets + 4, reply->dstip);
    return SOCKS4_REPLY_SIZE; /* [V4-3.3-1] */
}
