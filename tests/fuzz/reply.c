#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/naive.h"

static ssize_t
decode(const uint8_t *octets, size_t len, struct socks4_reply *reply)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    ssize_t result;

    assert(copy != NULL);
    memcpy(copy, octets, len);
    result = socks4_reply_decode(copy, len, reply);
    free(copy);
    return result;
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct socks4_reply reply;
    uint8_t back[SOCKS4_REPLY_SIZE];

    if (size > 64)
        return 0;
    for (size_t part = 0; part <= size; part++) {
        ssize_t result = decode(input, part, &reply);

        assert(result == naive_reply(input, part));
        if (result <= 0)
            continue;
        assert(socks4_reply_encode(&reply, back) == SOCKS4_REPLY_SIZE);
        assert(memcmp(back, input, SOCKS4_REPLY_SIZE) == 0);
    }
    return 0;
}
