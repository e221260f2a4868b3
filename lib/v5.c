#include <string.h>

#include "octets.h"
#include "socks4/v5.h"
#include "v5_text.h"

/*
 * Reads ATYP, address and port, which begin at octets[at]. Returns where they
 * end, which is the end of the message too; 0 or an error as a decoder does.
 */
static ssize_t
v5_read_address(const uint8_t *octets, size_t len, size_t at,
                struct socks4_v5_address *address)
{
    size_t size;
    int whole;

    if (len <= at)
        return 0;
    address->type = octets[at++];
    switch (address->type) {
    case SOCKS4_V5_IPV4:
        if (len - at < 4)
            return 0;
        address->ip4 = octets_get32(octets + at);
        at += 4;
        break;
    case SOCKS4_V5_IPV6:
        if (len - at < sizeof address->ip6)
            return 0;
        memcpy(address->ip6, octets + at, sizeof address->ip6);
        at += sizeof address->ip6;
        break;
    case SOCKS4_V5_NAME:
        if (len == at)
            return 0;
        size = octets[at++];
        if (size == 0)
            return SOCKS4_E_DOMAIN_EMPTY;
        whole = v5_read_text(octets, len, at, size, &address->name,
                             &address->name_len);
        if (whole <= 0)
            return whole;
        at += size;
        break;
    default:
        return SOCKS4_E_V5_TYPE;
    }
    if (len - at < 2)
        return 0;
    address->port = octets_get16(octets + at);
    return (ssize_t)(at + 2);
}

/* Returns the octets that ATYP, address and port take, or why they cannot be
   written. */
static ssize_t
v5_address_size(const struct socks4_v5_address *address)
{
    switch (address->type) {
    case SOCKS4_V5_IPV4:
        return 1 + 4 + 2;
    case SOCKS4_V5_IPV6:
        return 1 + 16 + 2;
    case SOCKS4_V5_NAME:
        if (address->name_len == 0)
            return SOCKS4_E_DOMAIN_EMPTY;
        if (address->name_len > SOCKS4_V5_TEXT_MAX)
            return SOCKS4_E_DOMAIN_LONG;
        if (v5_text_has_nul(address->name, address->name_len))
            return SOCKS4_E_NUL;
        return (ssize_t)(1 + 1 + address->name_len + 2);
    default:
        return SOCKS4_E_V5_TYPE;
    }
}

/*
 * Writes a message of three octets, which are in `head`, and an address.
 * Returns its octets, or writes nothing and returns an error.
 */
static ssize_t
v5_write(const uint8_t head[3], const struct socks4_v5_address *address,
         uint8_t *octets, size_t room)
{
    ssize_t size = v5_address_size(address);
    uint8_t type = address->type;

    if (size < 0)
        return size;
    if (room < 3 + (size_t)size)
        return SOCKS4_E_ROOM;
    memcpy(octets, head, 3);
    octets[3] = type;
    switch (type) {
    case SOCKS4_V5_IPV4:
        octets_put32(octets + 4, address->ip4);
        break;
    case SOCKS4_V5_IPV6:
        memcpy(octets + 4, address->ip6, sizeof address->ip6);
        break;
    default:
        v5_write_text(octets, 4, address->name, address->name_len);
        break;
    }
    octets_put16(octets + 1 + size, address->port);
    return 3 + size;
}

static int
v5_knows_command(uint8_t command)
{
    return command >= SOCKS4_V5_CONNECT && command <= SOCKS4_V5_UDP;
}

ssize_t
socks4_v5_request_decode(const uint8_t *octets, size_t len,
                         struct socks4_v5_request *request)
{
    memset(request, 0, sizeof *request);
    if (len < 1)
        return 0;
    request->version = octets[0];
    if (request->version != SOCKS4_V5_VERSION)
        return SOCKS4_E_V5_VERSION;
    if (len < 2)
        return 0;
    request->command = octets[1];
    if (!v5_knows_command(request->command))
        return SOCKS4_E_V5_COMMAND;
    if (len < 3)
        return 0;
    request->reserved = octets[2];
    return v5_read_address(octets, len, 3, &request->address);
}

ssize_t
socks4_v5_request_encode(const struct socks4_v5_request *request,
                         uint8_t *octets, size_t room)
{
    const uint8_t head[3] = {SOCKS4_V5_VERSION, request->command, 0};

    if (!v5_knows_command(request->command))
        return SOCKS4_E_V5_COMMAND;
    return v5_write(head, &request->address, octets, room);
}

ssize_t
socks4_v5_reply_decode(const uint8_t *octets, size_t len,
                       struct socks4_v5_reply *reply)
{
    memset(reply, 0, sizeof *reply);
    if (len < 1)
        return 0;
    reply->version = octets[0];
    if (reply->version != SOCKS4_V5_VERSION)
        return SOCKS4_E_V5_VERSION;
    if (len < 2)
        return 0;
    reply->code = octets[1];
    if (len < 3)
        return 0;
    reply->reserved = octets[2];
    return v5_read_address(octets, len, 3, &reply->address);
}

ssize_t
socks4_v5_reply_encode(const struct socks4_v5_reply *reply, uint8_t *octets,
                       size_t room)
{
    const uint8_t head[3] = {SOCKS4_V5_VERSION, reply->code, 0};

    if (reply->code > SOCKS4_V5_NO_TYPE)
        return SOCKS4_E_V5_CODE;
    return v5_write(head, &reply->address, octets, room);
}

ssize_t
socks4_v5_udp_decode(const uint8_t *octets, size_t len,
                     struct socks4_v5_udp *udp)
{
    memset(udp, 0, sizeof *udp);
    if (len < 2)
        return 0;
    udp->reserved = octets_get16(octets);
    if (len < 3)
        return 0;
    udp->fragment = octets[2];
    return v5_read_address(octets, len, 3, &udp->address);
}

ssize_t
socks4_v5_udp_encode(const struct socks4_v5_udp *udp, uint8_t *octets,
                     size_t room)
{
    const uint8_t head[3] = {0, 0, udp->fragment};

    return v5_write(head, &udp->address, octets, room);
}
