#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"

bool
addr_is_loopback(struct addr addr)
{
    return addr_is_v4(addr) ? addr_to_v4(addr) >> 24 == 127
                            : addr.hi == 0 && addr.lo == 1;
}

bool
addr_is_any(struct addr addr)
{
    return addr.hi == 0 && (addr.lo == 0 || addr.lo == 0xffff00000000u);
}

static uint64_t
addr_read_octets(const uint8_t *octets)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | octets[i];
    return value;
}

static void
addr_write_octets(uint8_t *octets, uint64_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 8)
        octets[i] = (uint8_t)value;
}

struct addr
addr_from_octets(const uint8_t octets[16])
{
    return (struct addr){addr_read_octets(octets),
                         addr_read_octets(octets + 8)};
}

void
addr_to_octets(struct addr addr, uint8_t octets[16])
{
    addr_write_octets(octets, addr.hi);
    addr_write_octets(octets + 8, addr.lo);
}

int
addr_parse(const char *text, struct addr *addr)
{
    struct in_addr v4;
    struct in6_addr v6;

    /* inet_pton takes only four decimal numbers without leading zeros. */
    if (inet_pton(AF_INET, text, &v4) == 1) {
        *addr = addr_v4(ntohl(v4.s_addr));
        return 0;
    }
    if (inet_pton(AF_INET6, text, &v6) == 1) {
        *addr = addr_from_octets(v6.s6_addr);
        return 0;
    }
    return -EINVAL;
}

/* The bits of the network among the 64 that begin at bit `from`. */
static uint64_t
cidr_mask(unsigned prefix, unsigned from)
{
    if (prefix <= from)
        return 0;
    if (prefix >= from + 64)
        return UINT64_MAX;
    return UINT64_MAX << (64 - (prefix - from));
}

/* Address and prefix length of "ADDRESS/LENGTH", counted in 128 bits. */
static int
cidr_split(const char *text, struct addr *addr, unsigned *prefix)
{
    char head[ADDR_TEXT_MAX];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    unsigned bits = strchr(text, ':') ? 128 : 32;
    uint64_t length = bits;

    if (len >= sizeof(head))
        return -EINVAL;
    memcpy(head, text, len);
    head[len] = '\0';
    if (addr_parse(head, addr) != 0)
        return -EINVAL;
    if (slash && (text_number(slash + 1, &length) != 0 || length > bits))
        return -EINVAL;
    *prefix = (unsigned)length + (128 - bits);
    return 0;
}

static bool
label_consists_of(const char *text, size_t len, const char *octets)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] == '\0' || !strchr(octets, text[i]))
            return false;
    return true;
}

/* As strtoul reads numbers, in any base; 0b came with C23. */
static bool
label_is_number(const char *label, size_t len)
{
    if (len > 0 && (label[0] == '+' || label[0] == '-'))
        label++, len--;
    if (len > 1 && label[0] == '0' && strchr("xX", label[1]))
        return label_consists_of(label + 2, len - 2, "0123456789abcdefABCDEF");
    if (len > 1 && label[0] == '0' && strchr("bB", label[1]))
        return label_consists_of(label + 2, len - 2, "01");
    return len > 0 && label_consists_of(label, len, "0123456789");
}

bool
addr_is_number(const char *text, size_t len)
{
    while (len > 0 && text[len - 1] == '.')
        len--;
    size_t label = len;
    while (label > 0 && text[label - 1] != '.')
        label--;
    return label_is_number(text + label, len - label);
}

int
addr_parse_cidr(const char *text, struct addr *first, struct addr *last)
{
    struct addr addr;
    unsigned prefix;
    int rc = cidr_split(text, &addr, &prefix);

    if (rc != 0)
        return rc;
    uint64_t hi = cidr_mask(prefix, 0);
    uint64_t lo = cidr_mask(prefix, 64);
    *first = (struct addr){addr.hi & hi, addr.lo & lo};
    *last = (struct addr){addr.hi | ~hi, addr.lo | ~lo};
    return addr_equal(addr, *first) ? 0 : -EDOM;
}

bool
endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && addr_equal(a->addr, b->addr);
}

int
endpoint_parse(const char *text, struct endpoint *endpoint)
{
    char head[ADDR_TEXT_MAX];
    const char *colon = strrchr(text, ':');
    bool bracket = text[0] == '[';
    uint64_t port;

    if (!colon || text_number(colon + 1, &port) != 0 || port > UINT16_MAX)
        return -EINVAL;
    const char *start = text + bracket;
    const char *end = colon - bracket;
    if (end <= start || (bracket && *end != ']'))
        return -EINVAL;
    size_t len = (size_t)(end - start);
    if (len >= sizeof(head))
        return -EINVAL;
    memcpy(head, start, len);
    head[len] = '\0';
    if (bracket != (strchr(head, ':') != NULL))
        return -EINVAL;
    endpoint->port = (uint16_t)port;
    return addr_parse(head, &endpoint->addr);
}

/* Every record contains three addresses, and printf is slow. */
static char *
addr_put_decimal(char *at, unsigned number)
{
    if (number >= 10000)
        *at++ = (char)('0' + number / 10000);
    if (number >= 1000)
        *at++ = (char)('0' + number / 1000 % 10);
    if (number >= 100)
        *at++ = (char)('0' + number / 100 % 10);
    if (number >= 10)
        *at++ = (char)('0' + number / 10 % 10);
    *at++ = (char)('0' + number % 10);
    return at;
}

static char *
addr_put_octet(char *at, unsigned octet)
{
    if (octet >= 100) {
        *at++ = (char)('0' + octet / 100);
        octet %= 100;
        *at++ = (char)('0' + octet / 10);
    } else if (octet >= 10) {
        *at++ = (char)('0' + octet / 10);
    }
    *at++ = (char)('0' + octet % 10);
    return at;
}

static char *
addr_put_v4(char *at, uint32_t v4)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        at = addr_put_octet(at, v4 >> shift & 255);
        if (shift > 0)
            *at++ = '.';
    }
    return at;
}

char *
addr_format(struct addr addr, char text[ADDR_TEXT_MAX])
{
    if (addr_is_v4(addr)) {
        *addr_put_v4(text, addr_to_v4(addr)) = '\0';
    } else {
        struct in6_addr v6;
        addr_to_octets(addr, v6.s6_addr);
        inet_ntop(AF_INET6, &v6, text, ADDR_TEXT_MAX);
    }
    return text;
}

char *
endpoint_write(const struct endpoint *endpoint, char *at)
{
    if (addr_is_v4(endpoint->addr)) {
        at = addr_put_v4(at, addr_to_v4(endpoint->addr));
    } else {
        *at++ = '[';
        at = strchr(addr_format(endpoint->addr, at), '\0');
        *at++ = ']';
    }
    *at++ = ':';
    return addr_put_decimal(at, endpoint->port);
}

char *
endpoint_format(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_MAX])
{
    *endpoint_write(endpoint, text) = '\0';
    return text;
}

unsigned
endpoint_to_sockaddr(const struct endpoint *endpoint,
                     struct sockaddr_storage *sa)
{
    memset(sa, 0, sizeof(*sa));
    if (addr_is_v4(endpoint->addr)) {
        struct sockaddr_in *in = (struct sockaddr_in *)sa;
        in->sin_family = AF_INET;
        in->sin_port = htons(endpoint->port);
        in->sin_addr.s_addr = htonl(addr_to_v4(endpoint->addr));
        return sizeof(*in);
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)sa;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(endpoint->port);
    addr_to_octets(endpoint->addr, in6->sin6_addr.s6_addr);
    return sizeof(*in6);
}

void
endpoint_from_sockaddr(struct endpoint *endpoint,
                       const struct sockaddr_storage *sa)
{
    memset(endpoint, 0, sizeof(*endpoint));
    if (sa->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
        endpoint->addr = addr_v4(ntohl(in->sin_addr.s_addr));
        endpoint->port = ntohs(in->sin_port);
    } else if (sa->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
        endpoint->addr = addr_from_octets(in6->sin6_addr.s6_addr);
        endpoint->port = ntohs(in6->sin6_port);
    }
}
