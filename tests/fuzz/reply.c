#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/naive.h"

#define MARK 0xa5 /* stands where nothing is to be written */

static int
same(const struct socks4_reply *a, const struct socks4_reply *b)
{
    return a->version == b->version && a->code == b->code &&
           a->dstport == b->dstport && a->dstip == b->dstip;
}

/* What is written reads as it was; a code that there is not is not written. */
static void
check_encoder(const struct socks4_reply *reply)
{
    uint8_t back[SOCKS4_REPLY_SIZE];
    struct socks4_reply again;

    memset(back, MARK, sizeof back);
    if (reply->code < 90 || reply->code > 93) {
        assert(socks4_reply_encode(reply, back) == SOCKS4_E_CODE);
        assert(back[0] == MARK && back[1] == MARK);
        return;
    }
    assert(socks4_reply_encode(reply, back) == SOCKS4_REPLY_SIZE);
    assert(naive_reply(back, sizeof back, &again) == SOCKS4_REPLY_SIZE);
    assert(same(reply, &again));
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct socks4_reply reply, expected;

    if (size > 64)
        return 0;
    fuzz_put(input, size);
    for (size_t part = 0; part <= size; part++) {
        ssize_t result = socks4_reply_decode(fuzz_part(part), part, &reply);

        assert(result == naive_reply(input, part, &expected));
        assert(same(&reply, &expected));
    }
    check_encoder(&reply);
    return 0;
}
