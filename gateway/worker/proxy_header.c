#include "gateway/worker/proxy_header.h"

#include <string.h>

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
static const char word[6] = {'P', 'R', 'O', 'X', 'Y', ' '};
static const char word_unknown[7] = {'U', 'N', 'K', 'N', 'O', 'W', 'N'};
static const char word_tcp4[5] = {'T', 'C', 'P', '4', ' '};
static const char word_tcp6[5] = {'T', 'C', 'P', '6', ' '};
static const char word_mapped[7] = {':', ':', 'f', 'f', 'f', 'f', ':'};

#define FIXED 16 /* octets of version 2 in front of the addresses */

const char *
proxy_header_error_text(enum proxy_header_error error)
{
    static const char texts[][64] = {"",
#define X(symbol, text) text,
                                     PROXY_HEADER_ERRORS(X)
#undef X
    };
    return error == PROXY_HEADER_FINE ? NULL : texts[error];
}

static uint16_t
proxy_header_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] * 0x100 + at[1]);
}

static uint32_t
proxy_header_get32(const uint8_t *at)
{
    return proxy_header_get16(at) * 0x10000u + proxy_header_get16(at + 2);
}

/* ---- Version 1 ---- */

/* A line without its line feed: a carriage return ends it. */
struct header_line {
    const char *octets;
    size_t at; /* up to which it has been read */
    size_t end;
};

/* Takes the `len` octets of `text`, if the line has them next. They are not its
   last ones, since the carriage return is. */
static bool
proxy_header_take(struct header_line *line, const char *text, size_t len)
{
    if (line->end - line->at <= len ||
        memcmp(line->octets + line->at, text, len) != 0)
        return false;
    line->at += len;
    return true;
}

/* Takes the next word into `text`, which has room for `room` octets, and the
   octet behind it, which is `last`. False: it is too long, or empty. */
static bool
proxy_header_word(struct header_line *line, char last, char *text, size_t room)
{
    size_t len = 0;

    /*@ loop invariant \at(line->at, Pre) <= line->at <= line->end;
      @ loop invariant 0 <= len < room;
      @ loop invariant \forall integer i; 0 <= i < len ==> text[i] != 0;
      @ loop assigns len, line->at, text[0 .. room - 1];
      @ loop variant line->end - line->at;
      @*/
    while (line->at < line->end && line->octets[line->at] != last &&
           line->octets[line->at] != 0 && len + 1 < room)
        text[len++] = line->octets[line->at++];
    text[len] = '\0';
    /*@ assert is_text(text, len); */
    if (len == 0 || line->at == line->end || line->octets[line->at] != last)
        return false;
    line->at++;
    return true;
}

/* An address of the family that TCP4 or TCP6 says. */
static bool
proxy_header_address(struct header_line *line, bool v4, struct addr *addr)
{
    char text[ADDR_TEXT_MAX];

    return proxy_header_word(line, ' ', text, sizeof(text)) &&
           (strchr(text, ':') == NULL) == v4 && addr_parse(text, addr) == 0;
}

/* Decimal, without leading zeros. */
static bool
proxy_header_port(struct header_line *line, char last, uint16_t *port)
{
    char text[sizeof("65535")];
    uint32_t number = 0;

    if (!proxy_header_word(line, last, text, sizeof(text)) ||
        (text[0] == '0' && text[1] != '\0'))
        return false;
    /*@ loop invariant 0 <= i < sizeof(text);
      @ loop invariant \forall integer j; 0 <= j < i ==> text[j] != 0;
      @ loop assigns i, number;
      @ loop variant sizeof(text) - i;
      @*/
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        number = number * 10 + (uint32_t)(text[i] - '0');
    }
    *port = (uint16_t)number;
    return number <= UINT16_MAX;
}

/* A line whose end, a carriage return, is in front of octets[end]. */
static enum proxy_header_error
proxy_header_line(const uint8_t *octets, size_t end,
                  struct proxy_header *header)
{
    struct header_line line = {(const char *)octets, sizeof(word), end};

    if (proxy_header_take(&line, word_unknown, sizeof(word_unknown)))
        return line.octets[line.at] == ' ' || line.at + 1 == line.end
                   ? PROXY_HEADER_FINE /* whatever follows */
                   : PROXY_HEADER_TEXT;
    bool v4 = proxy_header_take(&line, word_tcp4, sizeof(word_tcp4));
    if (!v4 && !proxy_header_take(&line, word_tcp6, sizeof(word_tcp6)))
        return PROXY_HEADER_TEXT;
    if (!proxy_header_address(&line, v4, &header->source.addr) ||
        !proxy_header_address(&line, v4, &header->dest.addr) ||
        !proxy_header_port(&line, ' ', &header->source.port) ||
        !proxy_header_port(&line, '\r', &header->dest.port) ||
        line.at != line.end)
        return PROXY_HEADER_TEXT;
    header->given = true;
    return PROXY_HEADER_FINE;
}

/* The place behind the line feed; 0: it has to come; or a negative error. */
static ssize_t
proxy_header_line_end(const uint8_t *octets, size_t len)
{
    size_t look = len < PROXY_HEADER_LINE_MAX ? len : PROXY_HEADER_LINE_MAX;

    /*@ loop invariant at == sizeof(word) || sizeof(word) < at < look;
      @ loop invariant no_end(octets, at);
      @ loop assigns at;
      @ loop variant look - at;
      @*/
    for (size_t at = sizeof(word); at + 1 < look; at++)
        if (octets[at] == '\r' && octets[at + 1] == '\n')
            return (ssize_t)at + 2;
    return look < PROXY_HEADER_LINE_MAX ? 0 : -PROXY_HEADER_LINE;
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

    /*@ loop invariant 0 <= i <= len;
      @ loop assigns i, sum;
      @ loop variant len - i;
      @*/
    for (size_t i = 0; i < len; i++) {
        sum ^= i >= own && i < own + 4 ? 0 : octets[i];
        /*@ loop invariant 0 <= bit <= 8;
          @ loop assigns bit, sum;
          @ loop variant 8 - bit;
          @*/
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
    /*@ loop invariant 0 <= i <= name->len;
      @ loop invariant is_clean(name->at, i);
      @ loop assigns i;
      @ loop variant name->len - i;
      @*/
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
    struct tlv tlv, name = {0, 0, 0};

    if (ssl->len < 5)
        return PROXY_HEADER_TLV;
    /*@ loop invariant FIXED <= at <= end;
      @ loop invariant name.at == 0 || FIXED <= name.at;
      @ loop invariant name.at + name.len <= end;
      @ loop invariant name.at == 0 ==> name.len == 0;
      @ loop assigns at, tlv, name;
      @ loop variant end - at;
      @*/
    for (; at < end; at = tlv.at + tlv.len) {
        if (!proxy_header_tlv(octets, at, end, &tlv))
            return PROXY_HEADER_TLV;
        if (tlv.type == TLV_SSL_NAME) {
            if (name.at != 0)
                return PROXY_HEADER_TLV;
            name = tlv;
        }
    }
    header->verified = (octets[ssl->at] & SSL_CERTIFIED) != 0 &&
                       proxy_header_get32(octets + ssl->at + 1) == 0;
    if (!header->verified)
        return PROXY_HEADER_FINE;
    if (name.at != 0)
        header->name = (struct span){(const char *)octets + name.at, name.len};
    return proxy_header_is_name(&header->name) ? PROXY_HEADER_FINE
                                               : PROXY_HEADER_NAME;
}

static enum proxy_header_error
proxy_header_tlvs(const uint8_t *octets, size_t at, size_t end,
                  struct proxy_header *header)
{
    enum proxy_header_error error = PROXY_HEADER_FINE;
    bool had_ssl = false, had_checksum = false;
    struct tlv tlv;

    /*@ loop invariant FIXED <= at <= end;
      @ loop invariant had_ssl == 0 ==> has_no_name(header);
      @ loop invariant has_name(octets, end, header);
      @ loop invariant is_tlv_error(error);
      @ loop invariant error == PROXY_HEADER_FINE ==> is_name(&header->name);
      @ loop assigns at, error, had_ssl, had_checksum, tlv, header->verified,
      @   header->name;
      @ loop variant end - at;
      @*/
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
    unsigned command = octets[12] % 16;

    if (octets[12] / 16 != 2)
        return PROXY_HEADER_VERSION;
    if (command > 1)
        return PROXY_HEADER_COMMAND;
    header->local = command == 0;
    if (header->local) /* all that follows is to be ignored */
        return PROXY_HEADER_FINE;
    int size = proxy_header_addresses(octets + FIXED, octets[13], total - FIXED,
                                      header);
    /*@ assert has_no_name(header); */
    if (size < 0)
        return PROXY_HEADER_FAMILY;
    if ((size_t)size > total - FIXED)
        return PROXY_HEADER_SHORT;
    return proxy_header_tlvs(octets, FIXED + (size_t)size, total, header);
}

/* The place behind it; 0: more has to come; or a negative error. */
static ssize_t
proxy_header_body_end(const uint8_t *octets, size_t len)
{
    if (len < FIXED)
        return 0;
    size_t end = FIXED + (size_t)proxy_header_get16(octets + 14);
    if (end > PROXY_HEADER_MAX)
        return -PROXY_HEADER_LONG;
    return len < end ? 0 : (ssize_t)end;
}

/* ---- Either ---- */

/* Whether they begin as a line does, as far as they are there. */
static bool
proxy_header_is_line(const uint8_t *octets, size_t len)
{
    return memcmp(octets, word, len < sizeof(word) ? len : sizeof(word)) == 0;
}

static bool
proxy_header_is_body(const uint8_t *octets, size_t len)
{
    return memcmp(octets, signature,
                  len < sizeof(signature) ? len : sizeof(signature)) == 0;
}

/* The place behind the header; 0: more of it has to come; or a negative error.
   What is behind that place makes no difference. */
static ssize_t
proxy_header_end(const uint8_t *octets, size_t len)
{
    if (len == 0)
        return 0;
    if (proxy_header_is_line(octets, len))
        return proxy_header_line_end(octets, len);
    if (proxy_header_is_body(octets, len))
        return proxy_header_body_end(octets, len);
    return -PROXY_HEADER_MISSING;
}

ssize_t
proxy_header_decode(const uint8_t *octets, size_t len,
                    struct proxy_header *header)
{
    enum proxy_header_error error;

    memset(header, 0, sizeof(*header));
    ssize_t end = proxy_header_end(octets, len);
    if (end <= 0)
        return end;
    if (octets[0] == word[0])
        error = proxy_header_line(octets, (size_t)end - 1, header);
    else
        error = proxy_header_body(octets, (size_t)end, header);
    return error != PROXY_HEADER_FINE ? -(ssize_t)error : end;
}

/* ---- To a server ---- */

static void
proxy_header_put16(uint8_t *at, uint16_t number)
{
    at[0] = (uint8_t)(number / 0x100);
    at[1] = (uint8_t)(number % 0x100);
}

static void
proxy_header_put_addr(uint8_t *at, struct addr addr, bool v4)
{
    if (v4) {
        proxy_header_put16(at, (uint16_t)(addr_to_v4(addr) / 0x10000));
        proxy_header_put16(at + 2, (uint16_t)(addr_to_v4(addr) % 0x10000));
    } else {
        addr_to_octets(addr, at);
    }
}

static size_t
proxy_header_write(uint8_t *octets, size_t at, const char *text, size_t len)
{
    memcpy(octets + at, text, len);
    return at + len;
}

/* The text of an address, which is mapped where the other one is IPv6. */
static size_t
proxy_header_write_addr(uint8_t *octets, size_t at, struct addr addr, bool v4)
{
    char text[ADDR_TEXT_MAX];

    if (!v4 && addr_is_v4(addr))
        at = proxy_header_write(octets, at, word_mapped, sizeof(word_mapped));
    addr_format(addr, text);
    return proxy_header_write(octets, at, text, strlen(text));
}

/* Decimal. */
static size_t
proxy_header_write_port(uint8_t *octets, size_t at, uint16_t port)
{
    size_t digits = 1;

    /*@ loop invariant 1 <= digits <= 5;
      @ loop invariant digits == 1 ==> rest <= 65535;
      @ loop invariant digits == 2 ==> rest <= 6553;
      @ loop invariant digits == 3 ==> rest <= 655;
      @ loop invariant digits == 4 ==> rest <= 65;
      @ loop invariant digits == 5 ==> rest <= 6;
      @ loop assigns digits, rest;
      @ loop variant rest;
      @*/
    for (uint16_t rest = port; rest > 9; rest /= 10)
        digits++;
    /*@ loop invariant 0 <= i <= digits;
      @ loop assigns i, port, octets[at .. at + digits - 1];
      @ loop variant i;
      @*/
    for (size_t i = digits; i > 0; i--) {
        octets[at + i - 1] = (uint8_t)('0' + port % 10);
        port /= 10;
    }
    return at + digits;
}

static size_t
proxy_header_encode_1(const struct endpoint *source,
                      const struct endpoint *dest, bool v4, uint8_t *octets)
{
    size_t at = proxy_header_write(octets, 0, word, sizeof(word));

    at = proxy_header_write(octets, at, v4 ? word_tcp4 : word_tcp6,
                            sizeof(word_tcp4));
    at = proxy_header_write_addr(octets, at, source->addr, v4);
    octets[at++] = ' ';
    at = proxy_header_write_addr(octets, at, dest->addr, v4);
    octets[at++] = ' ';
    at = proxy_header_write_port(octets, at, source->port);
    octets[at++] = ' ';
    at = proxy_header_write_port(octets, at, dest->port);
    octets[at++] = '\r';
    octets[at++] = '\n';
    return at;
}

static size_t
proxy_header_encode_2(const struct endpoint *source,
                      const struct endpoint *dest, bool v4, uint8_t *octets)
{
    size_t size = v4 ? 4 : 16; /* of an address */
    uint8_t *ports = octets + FIXED + 2 * size;

    memcpy(octets, signature, sizeof(signature));
    octets[12] = 0x21;
    octets[13] = v4 ? 0x11 : 0x21;
    proxy_header_put16(octets + 14, v4 ? 12 : 36);
    proxy_header_put_addr(octets + FIXED, source->addr, v4);
    proxy_header_put_addr(octets + FIXED + size, dest->addr, v4);
    proxy_header_put16(ports, source->port);
    proxy_header_put16(ports + 2, dest->port);
    return FIXED + 2 * size + 4;
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
