#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/naive.h"

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct socks4_reply reply;
    uint8_t back[SOCKS4_REPLY_SIZE];

    if (size > 64)
        return 0;
    fuzz_put(input, size);
    for (size_t part = 0; part <= size; part++) {
        ssize_t result = socks4_reply_decode(fuzz_part(part), part, &reply);

        assert(result == naive_reply(input, part));
        if (result <= 0)
            continue;
        assert(socks4_reply_encode(&reply, back) == SOCKS4_REPLY_SIZE);
        assert(memcmp(back, input, SOCKS4_REPLY_SIZE) == 0);
    }
    return 0;
}
