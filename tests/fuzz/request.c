#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/naive.h"

#define MARK 0xa5 /* stands where nothing is to be written */

static int
same(const struct socks4_request *a, const struct socks4_request *b)
{
    return a->version == b->version && a->command == b->command &&
           a->dstport == b->dstport && a->dstip == b->dstip &&
           a->userid == b->userid && a->userid_len == b->userid_len &&
           a->domain == b->domain && a->domain_len == b->domain_len;
}

/* The first `len` octets: answer and fields are those of the plain reader,
   none stands for what has not come. */
static void
check_part(const struct naive_request *naive, size_t len)
{
    struct socks4_request request;
    ssize_t result =
        socks4_request_decode(naive->framing, fuzz_part(len), len, &request);

    assert(result == naive->answer);
    assert(same(&request, &naive->request));
}

/* What was taken is what the encoder writes, into just as much room; what
   was not taken it refuses, or completes. */
static void
check_encoder(const struct naive_request *naive, const uint8_t *octets)
{
    const struct socks4_request *request = &naive->request;
    ssize_t size = naive_request_size(request);
    size_t room = size > 0 ? (size_t)size : 0;
    uint8_t back[FUZZ_INPUT_MAX];

    memset(back, MARK, room + 1);
    if (size > 0)
        assert(socks4_request_encode(request, back, room - 1) == SOCKS4_E_ROOM);
    assert(back[0] == MARK);
    assert(socks4_request_encode(request, back, room) == size);
    assert(back[room] == MARK);
    if (naive->answer > 0) {
        assert(size == naive->answer);
        assert(memcmp(back, octets, room) == 0);
    }
}

/* Of a request that was taken: a field with its NUL in it is not written. */
static void
check_nul(const struct naive_request *naive)
{
    struct socks4_request request = naive->request;
    uint8_t back[FUZZ_INPUT_MAX];

    if (request.domain != NULL)
        request.domain_len++;
    else
        request.userid_len++;
    assert(socks4_request_encode(&request, back, sizeof back) == SOCKS4_E_NUL);
}

/* The part before an answer and that with it are looked at, whatever else. */
static void
check_parts(struct naive_request *naive, const uint8_t *octets, size_t size)
{
    size_t look = 0; /* the next part to look at */

    for (size_t part = 0; part <= size; part++) {
        struct naive_request before = *naive;
        int answered;

        if (part > 0)
            naive_request_add(naive, octets[part - 1]);
        answered = naive->answer != before.answer;
        if (answered)
            check_part(&before, part - 1);
        if (answered || part == look)
            check_part(naive, part);
        if (part == look)
            look = fuzz_next_part(part, size);
    }
}

/* The first octet is the framing: the lowest bit 4A, the others the limit. */
int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct socks4_framing framing;
    struct naive_request naive = {.framing = &framing,
                                  .place = (const char *)fuzz_place};

    if (size == 0 || size > 2048)
        return 0;
    framing.socks4a = input[0] & 1;
    framing.userid_max = input[0] >> 1;
    input++, size--;
    fuzz_put(input, size);
    check_parts(&naive, input, size);
    check_encoder(&naive, input);
    if (naive.answer > 0)
        check_nul(&naive);
    return 0;
}
