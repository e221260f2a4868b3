#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/naive.h"

static ssize_t
decode(const struct socks4_framing *framing, size_t len,
       struct socks4_request *request)
{
    ssize_t result =
        socks4_request_decode(framing, fuzz_part(len), len, request);

    assert(request->userid_len <= framing->userid_max);
    assert(request->domain_len <= SOCKS4_DOMAIN_MAX);
    return result;
}

/* No prefix has another answer than 0 or that of the whole. */
static void
check_prefixes(const struct socks4_framing *framing, const uint8_t *octets,
               size_t len, ssize_t whole)
{
    struct socks4_request request;
    ssize_t before = 0;

    for (size_t part = 0; part <= len; part = fuzz_next_part(part, len)) {
        ssize_t result = decode(framing, part, &request);

        assert(result == naive_request(framing, octets, part));
        assert(result == whole || (result == 0 && before == 0));
        assert(result <= (ssize_t)part);
        before = result;
    }
}

/* What was taken is what the encoder writes. */
static void
check_encoder(const uint8_t *octets, const struct socks4_request *request,
              ssize_t taken)
{
    uint8_t back[4096];
    ssize_t len;

    if (taken <= 0 || taken > (ssize_t)sizeof back)
        return;
    len = socks4_request_encode(request, back, sizeof back);
    assert(len == taken);
    assert(memcmp(back, octets, (size_t)len) == 0);
}

/* The first octet is the framing: the lowest bit 4A, the others the limit. */
int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct socks4_request request;
    struct socks4_framing framing;
    ssize_t result;

    if (size == 0 || size > 2048)
        return 0;
    framing.socks4a = input[0] & 1;
    framing.userid_max = input[0] >> 1;
    input++, size--;
    fuzz_put(input, size);
    result = decode(&framing, size, &request);
    check_prefixes(&framing, input, size, result);
    result = socks4_request_decode(&framing, input, size, &request);
    check_encoder(input, &request, result);
    return 0;
}
