#include <arpa/inet.h>
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/worker/proxy_header.h"
#include "tests/fuzz/fuzz.h"

/*
 * A PROXY header. The first octet says how the others are made one: as they
 * are, behind the signature of version 2 with the length that they have, or
 * with a right checksum behind them too. The answer is compared with that to
 * every prefix, and with a decoder that is slow and simple.
 */

/* Octets that make() adds at most. */
#define MADE 19

/* By a table, as the decoder does not. */
static uint32_t
checksum(const uint8_t *octets, size_t len)
{
    static uint32_t table[256];
    uint32_t sum = UINT32_MAX;

    for (uint32_t i = 0; table[255] == 0 && i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++)
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0x82f63b78 : 0);
    }
    for (size_t i = 0; i < len; i++)
        sum = table[(sum ^ octets[i]) & 0xff] ^ sum >> 8;
    return ~sum;
}

static size_t
make(const uint8_t *input, size_t size, uint8_t *octets)
{
    static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
    unsigned how = size > 0 ? input[0] % 3u : 0;
    size_t len = 0;

    if (size == 0)
        return 0;
    if (how > 0) {
        memcpy(octets, signature, 12);
        len = 12;
    }
    memcpy(octets + len, input + 1, size - 1);
    len += size - 1;
    if (how == 0 || len < 16)
        return len;
    if (how == 2) {
        memcpy(octets + len, "\3\0\4\0\0\0\0", 7);
        len += 7;
    }
    octets[14] = (uint8_t)((len - 16) >> 8);
    octets[15] = (uint8_t)(len - 16);
    if (how == 2) {
        uint32_t sum = htonl(checksum(octets, len));
        memcpy(octets + len - 4, &sum, 4);
    }
    return len;
}

/* ---- Version 1, naively ---- */

static bool
naive_address(const char *text, bool v4, struct addr *addr)
{
    uint8_t at[16] = {[10] = 0xff, [11] = 0xff};

    if (text == NULL ||
        inet_pton(v4 ? AF_INET : AF_INET6, text, v4 ? at + 12 : at) != 1)
        return false;
    *addr = (struct addr){0};
    for (int i = 0; i < 16; i++) {
        uint64_t *half = i < 8 ? &addr->hi : &addr->lo;
        *half = *half << 8 | at[i];
    }
    return true;
}

static bool
naive_port(const char *text, uint16_t *port)
{
    if (text == NULL || strspn(text, "0123456789") != strlen(text) ||
        strlen(text) > 5 || (text[0] == '0' && text[1] != '\0') ||
        strtoul(text, NULL, 10) > UINT16_MAX)
        return false;
    *port = (uint16_t)strtoul(text, NULL, 10);
    return true;
}

/* Of a line without its end. */
static bool
naive_line(char *line, size_t len, struct proxy_header *header)
{
    char *words[6] = {NULL};
    size_t count = 0;

    memset(header, 0, sizeof(*header));
    if (strncmp(line, "PROXY UNKNOWN", 13) == 0 &&
        (len == 13 || line[13] == ' '))
        return true;
    if (strlen(line) != len)
        return false;
    for (char *word; (word = strsep(&line, " ")) != NULL; count++) {
        if (count == 6 || *word == '\0')
            return false;
        words[count] = word;
    }
    bool v4 = count == 6 && strcmp(words[1], "TCP4") == 0;
    if (count != 6 || (!v4 && strcmp(words[1], "TCP6") != 0))
        return false;
    header->given = true;
    return naive_address(words[2], v4, &header->source.addr) &&
           naive_address(words[3], v4, &header->dest.addr) &&
           naive_port(words[4], &header->source.port) &&
           naive_port(words[5], &header->dest.port);
}

static void
check_line(const uint8_t *octets, size_t len, ssize_t result,
           const struct proxy_header *header)
{
    char line[PROXY_HEADER_LINE_MAX + 1] = "";
    size_t look = len < PROXY_HEADER_LINE_MAX ? len : PROXY_HEADER_LINE_MAX;
    struct proxy_header naive;
    const uint8_t *end = memmem(octets, look, "\r\n", 2);

    if (end == NULL) {
        assert(result ==
               (look < PROXY_HEADER_LINE_MAX ? 0 : -PROXY_HEADER_LINE));
        return;
    }
    memcpy(line, octets, (size_t)(end - octets));
    bool good = naive_line(line, (size_t)(end - octets), &naive);
    assert(result == (good ? end - octets + 2 : -PROXY_HEADER_TEXT));
    assert(!good || (header->given == naive.given &&
                     endpoint_equal(&header->source, &naive.source) &&
                     endpoint_equal(&header->dest, &naive.dest)));
}

/* ---- Whatever it is ---- */

static void
check_again(const struct proxy_header *header)
{
    uint8_t octets[PROXY_HEADER_SENT_MAX];
    struct proxy_header again;

    for (unsigned version = 1; version <= 2; version++) {
        size_t size = proxy_header_encode(version, &header->source,
                                          &header->dest, octets);
        assert(proxy_header_decode(octets, size, &again) == (ssize_t)size);
        assert(again.given && !again.local && !again.verified);
        assert(endpoint_equal(&again.source, &header->source));
        assert(endpoint_equal(&again.dest, &header->dest));
    }
}

static void
check_prefixes(size_t len, ssize_t result)
{
    struct proxy_header header;

    for (size_t part = 0; part < len; part = fuzz_next_part(part, len)) {
        ssize_t some = proxy_header_decode(fuzz_part(part), part, &header);
        assert(some == 0 || some == result);
        assert(some <= (ssize_t)part);
        assert(some != 0 || result <= 0 || (size_t)result > part);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static uint8_t made[FUZZ_INPUT_MAX];
    struct proxy_header header;

    if (size > FUZZ_INPUT_MAX - MADE)
        size = FUZZ_INPUT_MAX - MADE;
    size_t len = make(input, size, made);
    fuzz_put(made, len);
    const uint8_t *octets = fuzz_part(len);
    ssize_t result = proxy_header_decode(octets, len, &header);

    assert(result <= (ssize_t)len && result <= PROXY_HEADER_MAX);
    if (len > 5 && memcmp(octets, "PROXY ", 6) == 0)
        check_line(octets, len, result, &header);
    if (size > 0 && input[0] % 3 == 2)
        assert(result != -PROXY_HEADER_CHECKSUM ||
               memmem(octets + 16, len - 23, "\3\0\4", 3) != NULL);
    if (header.name.len > 0 && result > 0) {
        const uint8_t *name = (const uint8_t *)header.name.at;
        assert(header.verified && name > octets &&
               name + header.name.len <= octets + result);
    }
    assert(result <= 0 || !header.local || (!header.given && !header.verified));
    if (result > 0 && header.given)
        check_again(&header);
    check_prefixes(len, result);
    return 0;
}
