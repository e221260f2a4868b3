#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/policy/name.h"
#include "tests/fuzz/fuzz.h"

/* A copy of its own, so that a sanitizer sees who reads past its end. */
static enum name_kind
read_copy(const uint8_t *octets, size_t len, struct addr *address)
{
    char *copy = malloc(len > 0 ? len : 1);

    assert(copy != NULL);
    memcpy(copy, octets, len);
    enum name_kind kind = name_read(copy, len, address);
    free(copy);
    return kind;
}

/* However the C library reads numbers, it reads none here. */
static int
is_numeric(const char *text)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST};
    struct addrinfo *found;
    struct in_addr four;
    struct in6_addr six;

    if (inet_aton(text, &four) != 0 || inet_pton(AF_INET6, text, &six) == 1)
        return 1;
    if (getaddrinfo(text, NULL, &hints, &found) != 0)
        return 0;
    freeaddrinfo(found);
    return 1;
}

static void
check_name(const char *text, size_t len)
{
    char dotted[NAME_OCTETS_MAX + 2];
    struct addr address;

    assert(strlen(text) == len);
    assert(len > 0 && len <= NAME_OCTETS_MAX + (text[len - 1] == '.'));
    for (size_t i = 0; i < len; i++)
        assert(text[i] > ' ' && text[i] < 0x7f);
    assert(!is_numeric(text));
    if (text[len - 1] == '.')
        return;
    /* A final dot makes no difference, and a number behind it does. */
    memcpy(dotted, text, len);
    dotted[len] = '.';
    assert(name_read(dotted, len + 1, &address) == NAME_HOST);
    if (len + 2 <= NAME_OCTETS_MAX) {
        dotted[len + 1] = '7';
        assert(name_read(dotted, len + 2, &address) == NAME_BAD);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    char text[NAME_OCTETS_MAX + 8] = "";
    struct in_addr four;
    struct addr address = addr_v4(0);
    enum name_kind kind = read_copy(input, size, &address);

    if (size >= sizeof(text)) {
        assert(kind == NAME_BAD);
        return 0;
    }
    memcpy(text, input, size);
    if (kind == NAME_HOST)
        check_name(text, size);
    int quad = strlen(text) == size && inet_pton(AF_INET, text, &four) == 1;
    assert(quad == (kind == NAME_ADDRESS));
    assert(!quad || addr_to_v4(address) == ntohl(four.s_addr));
    return 0;
}
