#include "gateway/worker/proxy_header.h"

#include <stdio.h>
#include <string.h>

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
static const char word[6] = {'P', 'R', 'O', 'X', 'Y', ' '};

#define FIXED 16 /* octets of version 2 in front of the addresses */

const char *
proxy_header_error_text(enum proxy_header_error error)
{
    static const char *const texts[] = {NULL,
#define X(symbol, text) text,
                                        PROXY_HEADER_ERRORS(X)
#undef X
    };
    return texts[error];
}

static uint16_t
proxy_header_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t
proxy_header_get32(const uint8_t *at)
{
    return (uint32_t)proxy_header_get16(at) << 16 | proxy_header_get16(at + 2);
}

/* ---- Version 1 ---- */

/* The next word of the line into `text`, which has room for `room` octets, and
   the place behind the octet that ends it. The end of the line at the latest:
   there is a `last` behind the last word. NULL: it is too long, or empty. */
static const char *
proxy_header_word(const char *at, const char *end, char last, char *text,
                  size_t room)
{
    size_t len = 0;

    while (at < end && *at != last && *at != 0 && len + 1 < room)
        text[len++] = *at++;
    text[len] = '\0';
    return at < end && *at == last && len > 0 ? at + 1 : NULL;
}

/* An address of the family that TCP4 or TCP6 says. */
static const char *
proxy_header_address(const char *at, const char *end, bool v4,
                     struct addr *addr)
{
    char text[ADDR_TEXT_MAX];

    at = proxy_header_word(at, end, ' ', text, sizeof(text));
    if (at == NULL || (strchr(text, ':') == NULL) != v4 ||
        addr_parse(text, addr) != 0)
        return NULL;
    return at;
}

/* Decimal, without leading zeros. */
static const char *
proxy_header_port(const char *at, const char *end, char last, uint16_t *port)
{
    char text[sizeof("65535")];
    uint32_t number = 0;

    at = proxy_header_word(at, end, last, text, sizeof(text));
    if (at == NULL || (text[0] == '0' && text[1] != '\0'))
        return NULL;
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (text[i] < '0' || text[i] > '9')
            return NULL;
        number = number * 10 + (uint32_t)(text[i] - '0');
    }
    *port = (uint16_t)number;
    return number <= UINT16_MAX ? at : NULL;
}

/* What is between "PROXY " and the line feed: a carriage return ends it. */
static enum proxy_header_error
proxy_header_line(const char *at, const char *end, struct proxy_header *header)
{
    char kind[sizeof("TCP4")];

    if (end - at > 7 && memcmp(at, "UNKNOWN", 7) == 0 &&
        (at[7] == ' ' || end - at == 8))
        return PROXY_HEADER_FINE; /* whatever follows */
    at = proxy_header_word(at, end, ' ', kind, sizeof(kind));
    if (at == NULL || memcmp(kind, "TCP", 3) != 0 ||
        (kind[3] != '4' && kind[3] != '6'))
        return PROXY_HEADER_TEXT;
    at = proxy_header_address(at, end, kind[3] == '4', &header->source.addr);
    if (at != NULL)
        at = proxy_header_address(at, end, kind[3] == '4', &header->dest.addr);
    if (at != NULL)
        at = proxy_header_port(at, end, ' ', &header->source.port);
    if (at != NULL)
        at = proxy_header_port(at, end, '\r', &header->dest.port);
    if (at != end)
        return PROXY_HEADER_TEXT;
    header->given = true;
    return PROXY_HEADER_FINE;
}

static ssize_t
proxy_header_decode_1(const uint8_t *octets, size_t len,
                      struct proxy_header *header)
{
    size_t look = len < PROXY_HEADER_LINE_MAX ? len : PROXY_HEADER_LINE_MAX;
    size_t at = sizeof(word);

    while (at + 1 < look && (octets[at] != '\r' || octets[at + 1] != '\n'))
        at++;
    if (at + 1 >= look)
        return look < PROXY_HEADER_LINE_MAX ? 0 : -PROXY_HEADER_LINE;
    const char *line = (const char *)octets;
    enum proxy_header_error error =
        proxy_header_line(line + sizeof(word), line + at + 1, header);
    return error != PROXY_HEADER_FINE ? -(ssize_t)error : (ssize_t)at + 2;
}

/* ---- Version 2 ---- */

enum {
    TLV_CHECKSUM = 0x03,
    TLV_SSL = 0x20,
    TLV_SSL_NAME = 0x22,
    SSL_CERTIFIED = 0x06 /* in this connection, or in this session of TLS */
};

/* CRC32C of the header, in which the checksum's own four octets count as
   zeros. */
static uint32_t
proxy_header_checksum(const uint8_t *octets, size_t len, size_t own)
{
    uint32_t sum = UINT32_MAX;

    for (size_t i = 0; i < len; i++) {
        sum ^= i >= own && i < own + 4 ? 0 : octets[i];
        for (int bit = 0; bit < 8; bit++)
            sum = sum >> 1 ^ (sum & 1 ? 0x82f63b78 : 0);
    }
    return ~sum;
}

struct tlv {
    uint8_t type;
    size_t at, len; /* its value's, in the header */
};

/* The one at `at` of what ends at `end`; false: it does not fit. */
static bool
proxy_header_tlv(const uint8_t *octets, size_t at, size_t end, struct tlv *tlv)
{
    if (end - at < 3)
        return false;
    tlv->type = octets[at];
    tlv->len = proxy_header_get16(octets + at + 1);
    tlv->at = at + 3;
    return tlv->len <= end - tlv->at;
}

/* A name is compared and recorded: as those that TLS itself brings. */
static bool
proxy_header_is_name(const struct span *name)
{
    if (name->len > PROXY_HEADER_NAME_MAX)
        return false;
    for (size_t i = 0; i < name->len; i++)
        if ((uint8_t)name->at[i] < 0x20 || name->at[i] == 0x7f)
            return false;
    return true;
}

/* What the balancer says of the client's certificate: five octets, then TLVs
   within the TLV. */
static enum proxy_header_error
proxy_header_ssl(const uint8_t *octets, const struct tlv *ssl,
                 struct proxy_header *header)
{
    size_t at = ssl->at + 5, end = ssl->at + ssl->len;
    struct span name = {NULL, 0};
    struct tlv tlv;

    if (ssl->len < 5)
        return PROXY_HEADER_TLV;
    for (; at < end; at = tlv.at + tlv.len) {
        if (!proxy_header_tlv(octets, at, end, &tlv))
            return PROXY_HEADER_TLV;
        if (tlv.type != TLV_SSL_NAME)
            continue;
        if (name.at != NULL)
            return PROXY_HEADER_TLV;
        name = (struct span){(const char *)octets + tlv.at, tlv.len};
    }
    header->verified = (octets[ssl->at] & SSL_CERTIFIED) != 0 &&
                       proxy_header_get32(octets + ssl->at + 1) == 0;
    if (!header->verified)
        return PROXY_HEADER_FINE;
    header->name = name;
    return proxy_header_is_name(&name) ? PROXY_HEADER_FINE : PROXY_HEADER_NAME;
}

static enum proxy_header_error
proxy_header_tlvs(const uint8_t *octets, size_t at, size_t end,
                  struct proxy_header *header)
{
    enum proxy_header_error error = PROXY_HEADER_FINE;
    bool had_ssl = false, had_checksum = false;
    struct tlv tlv;

    for (; at < end && error == PROXY_HEADER_FINE; at = tlv.at + tlv.len) {
        if (!proxy_header_tlv(octets, at, end, &tlv))
            return PROXY_HEADER_TLV;
        if (tlv.type == TLV_CHECKSUM) {
            if (tlv.len != 4 || had_checksum) /* each takes a whole reading */
                return PROXY_HEADER_TLV;
            had_checksum = true;
            if (proxy_header_get32(octets + tlv.at) !=
                proxy_header_checksum(octets, end, tlv.at))
                return PROXY_HEADER_CHECKSUM;
        } else if (tlv.type == TLV_SSL) {
            error = had_ssl ? PROXY_HEADER_TLV
                            : proxy_header_ssl(octets, &tlv, header);
            had_ssl = true;
        }
    }
    return error;
}

/* Streams of a kind: how many octets its addresses take; -1: none such. */
static int
proxy_header_addresses(const uint8_t *at, uint8_t kind, size_t len,
                       struct proxy_header *header)
{
    switch (kind) {
    case 0x00: /* UNSPEC */
        return 0;
    case 0x11: /* TCP over IPv4 */
        if (len < 12)
            return 12;
        header->source = (struct endpoint){addr_v4(proxy_header_get32(at)),
                                           proxy_header_get16(at + 8)};
        header->dest = (struct endpoint){addr_v4(proxy_header_get32(at + 4)),
                                         proxy_header_get16(at + 10)};
        header->given = true;
        return 12;
    case 0x21: /* TCP over IPv6; a mapped one is the IPv4 address (addr.h) */
        if (len < 36)
            return 36;
        header->source = (struct endpoint){addr_from_octets(at),
                                           proxy_header_get16(at + 32)};
        header->dest = (struct endpoint){addr_from_octets(at + 16),
                                         proxy_header_get16(at + 34)};
        header->given = true;
        return 36;
    case 0x31: /* a UNIX stream: two paths, which are no address here */
        return 216;
    }
    return -1;
}

/* A header that is all there. */
static enum proxy_header_error
proxy_header_body(const uint8_t *octets, size_t total,
                  struct proxy_header *header)
{
    unsigned command = octets[12] & 0x0f;

    if (octets[12] >> 4 != 2)
        return PROXY_HEADER_VERSION;
    if (command > 1)
        return PROXY_HEADER_COMMAND;
    header->local = command == 0;
    if (header->local) /* all that follows is to be ignored */
        return PROXY_HEADER_FINE;
    int size = proxy_header_addresses(octets + FIXED, octets[13], total - FIXED,
                                      header);
    if (size < 0)
        return PROXY_HEADER_FAMILY;
    if ((size_t)size > total - FIXED)
        return PROXY_HEADER_SHORT;
    return proxy_header_tlvs(octets, FIXED + (size_t)size, total, header);
}

static ssize_t
proxy_header_decode_2(const uint8_t *octets, size_t len,
                      struct proxy_header *header)
{
    if (len < FIXED)
        return 0;
    size_t total = FIXED + (size_t)proxy_header_get16(octets + 14);
    if (total > PROXY_HEADER_MAX)
        return -PROXY_HEADER_LONG;
    if (len < total)
        return 0;
    enum proxy_header_error error = proxy_header_body(octets, total, header);
    return error != PROXY_HEADER_FINE ? -(ssize_t)error : (ssize_t)total;
}

ssize_t
proxy_header_decode(const uint8_t *octets, size_t len,
                    struct proxy_header *header)
{
    size_t look_1 = len < sizeof(word) ? len : sizeof(word);
    size_t look_2 = len < sizeof(signature) ? len : sizeof(signature);

    memset(header, 0, sizeof(*header));
    if (len == 0)
        return 0;
    if (memcmp(octets, word, look_1) == 0)
        return proxy_header_decode_1(octets, len, header);
    if (memcmp(octets, signature, look_2) == 0)
        return proxy_header_decode_2(octets, len, header);
    return -PROXY_HEADER_MISSING;
}

/* ---- To a server ---- */

static size_t
proxy_header_put16(uint8_t *at, uint16_t number)
{
    at[0] = (uint8_t)(number >> 8);
    at[1] = (uint8_t)number;
    return 2;
}

static size_t
proxy_header_put_addr(uint8_t *at, struct addr addr, bool v4)
{
    uint8_t octets[16];
    size_t from = v4 ? 12 : 0;

    addr_to_octets(addr, octets);
    memcpy(at, octets + from, sizeof(octets) - from);
    return sizeof(octets) - from;
}

static size_t
proxy_header_encode_1(const struct endpoint *source,
                      const struct endpoint *dest, bool v4, uint8_t *octets)
{
    char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];
    char line[PROXY_HEADER_SENT_MAX + 1];
    const char *from_mapped = !v4 && addr_is_v4(source->addr) ? "::ffff:" : "";
    const char *to_mapped = !v4 && addr_is_v4(dest->addr) ? "::ffff:" : "";

    int len = snprintf(line, sizeof(line), "PROXY %s %s%s %s%s %u %u\r\n",
                       v4 ? "TCP4" : "TCP6", from_mapped,
                       addr_format(source->addr, from), to_mapped,
                       addr_format(dest->addr, to), source->port, dest->port);
    memcpy(octets, line, (size_t)len);
    return (size_t)len;
}

static size_t
proxy_header_encode_2(const struct endpoint *source,
                      const struct endpoint *dest, bool v4, uint8_t *octets)
{
    size_t used = sizeof(signature);

    memcpy(octets, signature, sizeof(signature));
    octets[used++] = 0x21;
    octets[used++] = v4 ? 0x11 : 0x21;
    used += proxy_header_put16(octets + used, v4 ? 12 : 36);
    used += proxy_header_put_addr(octets + used, source->addr, v4);
    used += proxy_header_put_addr(octets + used, dest->addr, v4);
    used += proxy_header_put16(octets + used, source->port);
    used += proxy_header_put16(octets + used, dest->port);
    return used;
}

size_t
proxy_header_encode(unsigned version, const struct endpoint *source,
                    const struct endpoint *dest,
                    uint8_t octets[PROXY_HEADER_SENT_MAX])
{
    bool v4 = addr_is_v4(source->addr) && addr_is_v4(dest->addr);

    return version == 1 ? proxy_header_encode_1(source, dest, v4, octets)
                        : proxy_header_encode_2(source, dest, v4, octets);
}
