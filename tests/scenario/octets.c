#include "tests/scenario/octets.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

void
octets_add(struct octets *octets, const void *more, size_t len)
{
    if (octets->len + len > octets->room) {
        octets->room = (octets->len + len) * 2 + 64;
        octets->at = realloc(octets->at, octets->room);
        if (octets->at == NULL)
            abort();
    }
    if (len > 0)
        memcpy(octets->at + octets->len, more, len);
    octets->len += len;
}

void
octets_free(struct octets *octets)
{
    free(octets->at);
    memset(octets, 0, sizeof(*octets));
}

const uint8_t *
octets_from(const struct octets *octets, size_t place)
{
    static const uint8_t none;
    return octets->at != NULL ? octets->at + place : &none;
}

static void
add_one(struct octets *octets, unsigned octet)
{
    uint8_t one = (uint8_t)octet;
    octets_add(octets, &one, 1);
}

/* An octet of a pattern without a short period. */
static uint8_t
pattern(size_t place)
{
    uint32_t x = (uint32_t)place * 2654435761u;
    return (uint8_t)(x >> 24 ^ x >> 13);
}

static bool
parse_hex(const char **text, unsigned *octet)
{
    if (!isxdigit((unsigned char)(*text)[0]) ||
        !isxdigit((unsigned char)(*text)[1]))
        return false;
    if (sscanf(*text, "%2x", octet) != 1)
        return false;
    *text += 2;
    return true;
}

static bool
parse_escape(const char **text, unsigned *octet)
{
    char kind = *(*text)++;

    if (kind == 'x')
        return parse_hex(text, octet);
    if (kind == 'n' || kind == 'r')
        *octet = kind == 'n' ? '\n' : '\r';
    else if (kind == '"' || kind == '\\')
        *octet = (unsigned char)kind;
    else
        return false;
    return true;
}

static bool
parse_string(struct octets *octets, const char **text)
{
    while (**text != '"') {
        unsigned octet = (unsigned char)*(*text)++;
        if (octet == '\0')
            return false;
        if (octet == '\\' && !parse_escape(text, &octet))
            return false;
        add_one(octets, octet);
    }
    (*text)++;
    return true;
}

/* "*N" behind what was read since `start`. */
static bool
repeat(struct octets *octets, const char **text, size_t start)
{
    size_t len = octets->len - start;
    char *end;

    if (**text != '*')
        return true;
    unsigned long times = strtoul(*text + 1, &end, 10);
    if (end == *text + 1 || times == 0)
        return false;
    *text = end;
    for (unsigned long i = 1; i < times; i++) {
        octets_add(octets, NULL, 0);
        for (size_t k = 0; k < len; k++)
            add_one(octets, octets->at[start + k]);
    }
    return true;
}

static bool
parse_endpoint(const char **text, struct endpoint *endpoint)
{
    char word[ENDPOINT_TEXT_MAX] = "";
    int used = 0;

    if (sscanf(*text, " %55s%n", word, &used) != 1 ||
        endpoint_parse(word, endpoint) < 0)
        return false;
    *text += used;
    return true;
}

static void
add_header(struct octets *octets, unsigned vn, unsigned cd,
           const struct endpoint *dst)
{
    uint32_t ip = addr_is_v4(dst->addr) ? addr_to_v4(dst->addr) : 0;

    add_one(octets, vn);
    add_one(octets, cd);
    add_one(octets, dst->port >> 8);
    add_one(octets, dst->port & 255);
    for (int shift = 24; shift >= 0; shift -= 8)
        add_one(octets, ip >> shift & 255);
}

static bool
parse_request(struct octets *octets, const char **text, unsigned cd)
{
    struct endpoint dst;

    if (!parse_endpoint(text, &dst))
        return false;
    add_header(octets, 4, cd, &dst);
    while (**text == ' ')
        (*text)++;
    if (*(*text)++ != '"' || !parse_string(octets, text))
        return false;
    add_one(octets, 0);
    return true;
}

static bool
parse_reply(struct octets *octets, const char **text)
{
    struct endpoint dst;
    char *end;
    unsigned long code = strtoul(*text, &end, 10);

    *text = end;
    if (!parse_endpoint(text, &dst))
        return false;
    add_header(octets, 0, (unsigned)code, &dst);
    return true;
}

/* A request or a reply of SOCKS5: an address, or a name, and a port. */
static bool
parse_5(struct octets *octets, const char **text, unsigned code)
{
    const char *word = *text + strspn(*text, " ");
    const char *end = word + strcspn(word, " ");
    const char *colon = memrchr(word, ':', (size_t)(end - word));
    struct endpoint dst;

    add_one(octets, 5);
    add_one(octets, code);
    add_one(octets, 0);
    if (parse_endpoint(text, &dst)) {
        bool v4 = addr_is_v4(dst.addr);
        add_one(octets, v4 ? 1 : 4);
        for (int shift = 56; shift >= 0 && !v4; shift -= 8)
            add_one(octets, dst.addr.hi >> shift & 255);
        for (int shift = v4 ? 24 : 56; shift >= 0; shift -= 8)
            add_one(octets, dst.addr.lo >> shift & 255);
    } else {
        if (colon == NULL)
            return false;
        add_one(octets, 3);
        add_one(octets, (unsigned)(colon - word));
        octets_add(octets, word, (size_t)(colon - word));
        dst.port = (uint16_t)strtoul(colon + 1, NULL, 10);
        *text = end;
    }
    add_one(octets, dst.port >> 8);
    add_one(octets, dst.port & 255);
    return true;
}

/* The header has no version, and an address where messages have it. */
static bool
parse_datagram(struct octets *octets, const char **text)
{
    size_t at = octets->len;
    bool parsed = parse_5(octets, text, 0);

    octets->at[at] = 0;
    return parsed;
}

static bool
parse_reply_5(struct octets *octets, const char **text)
{
    char *end;
    unsigned long code = strtoul(*text, &end, 10);

    *text = end;
    return parse_5(octets, text, (unsigned)code);
}

/* A text behind its length. */
static bool
parse_counted(struct octets *octets, const char **text)
{
    size_t at = octets->len;

    add_one(octets, 0);
    *text += strspn(*text, " ");
    if (*(*text)++ != '"' || !parse_string(octets, text))
        return false;
    octets->at[at] = (uint8_t)(octets->len - at - 1);
    return true;
}

static bool
parse_password(struct octets *octets, const char **text)
{
    add_one(octets, 1);
    return parse_counted(octets, text) && parse_counted(octets, text);
}

static bool
parse_pattern(struct octets *octets, const char **text)
{
    char *end;
    unsigned long count = strtoul(*text, &end, 10);

    if (end == *text)
        return false;
    *text = end;
    for (size_t i = 0; i < count; i++)
        add_one(octets, pattern(i));
    return true;
}

static bool
skip_word(const char **text, const char *word)
{
    size_t len = strlen(word);

    if (strncmp(*text, word, len) != 0 || (*text)[len] != ' ')
        return false;
    *text += len + 1;
    return true;
}

static bool
parse_item(struct octets *octets, const char **text)
{
    size_t start = octets->len;
    unsigned octet;

    if (skip_word(text, "CONNECT"))
        return parse_request(octets, text, 1);
    if (skip_word(text, "BIND"))
        return parse_request(octets, text, 2);
    if (skip_word(text, "REPLY"))
        return parse_reply(octets, text);
    if (skip_word(text, "CONNECT5"))
        return parse_5(octets, text, 1);
    if (skip_word(text, "BIND5"))
        return parse_5(octets, text, 2);
    if (skip_word(text, "UDP5"))
        return parse_5(octets, text, 3);
    if (skip_word(text, "DATAGRAM"))
        return parse_datagram(octets, text);
    if (skip_word(text, "REPLY5"))
        return parse_reply_5(octets, text);
    if (skip_word(text, "PASSWORD"))
        return parse_password(octets, text);
    if (skip_word(text, "PATTERN"))
        return parse_pattern(octets, text);
    if (**text == '"') {
        (*text)++;
        return parse_string(octets, text) && repeat(octets, text, start);
    }
    if (!parse_hex(text, &octet))
        return false;
    add_one(octets, octet);
    return repeat(octets, text, start);
}

bool
octets_parse(struct octets *octets, const char *text)
{
    while (*text != '\0') {
        if (!parse_item(octets, &text))
            return false;
        if (*text != '\0' && *text++ != ' ')
            return false;
    }
    return true;
}

char *
octets_show(const uint8_t *at, size_t len, char *text, size_t room)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < len && i < 24 && used + 4 < room; i++)
        used += (size_t)snprintf(text + used, room - used, "%s%02x",
                                 i > 0 ? " " : "", at[i]);
    if (len > 24)
        snprintf(text + used, room - used, " ... (%zu octets)", len);
    if (len == 0)
        snprintf(text, room, "nothing");
    return text;
}
