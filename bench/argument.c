#include "bench/argument.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool
argument_number(const char *text, uint64_t least, uint64_t most,
                uint64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoull(text, &end, 10);
    return end != text && *end == '\0' && errno == 0 && *number >= least &&
           *number <= most;
}

bool
argument_port(const char *text, uint16_t *port)
{
    uint64_t number;

    if (!argument_number(text, 1, 65535, &number))
        return false;
    *port = (uint16_t)number;
    return true;
}

bool
argument_ip(const char *text, uint32_t *ip)
{
    struct in_addr wire;

    if (inet_pton(AF_INET, text, &wire) != 1)
        return false;
    *ip = ntohl(wire.s_addr);
    return true;
}

/* Parses the address before `sign`; returns what follows `sign`, or NULL. */
static const char *
argument_split(const char *text, char sign, uint32_t *ip)
{
    char address[INET_ADDRSTRLEN];
    const char *at = strchr(text, sign);
    size_t length = at ? (size_t)(at - text) : sizeof address;

    if (length >= sizeof address)
        return NULL;
    memcpy(address, text, length);
    address[length] = '\0';
    return argument_ip(address, ip) ? at + 1 : NULL;
}

bool
argument_endpoint(const char *text, uint32_t *ip, uint16_t *port)
{
    const char *behind = argument_split(text, ':', ip);

    return behind && argument_port(behind, port);
}

uint32_t
spread_at(const struct spread *spread, uint64_t number)
{
    return spread->count ? spread->first + (uint32_t)(number % spread->count)
                         : 0;
}

bool
argument_spread(const char *text, struct spread *spread)
{
    uint64_t count;
    const char *behind = argument_split(text, '/', &spread->first);

    if (!behind || !argument_number(behind, 1, 1 << 24, &count))
        return false;
    spread->count = (unsigned)count;
    return true;
}
