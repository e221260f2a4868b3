#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/naive_ident.h"

static const struct socks4_ident_query query = {6193, 1080};

static int
same(const struct socks4_ident_answer *a, const struct socks4_ident_answer *b)
{
    return a->kind == b->kind && a->opsys == b->opsys &&
           a->opsys_len == b->opsys_len && a->charset == b->charset &&
           a->charset_len == b->charset_len && a->userid == b->userid &&
           a->userid_len == b->userid_len && a->error == b->error &&
           a->error_len == b->error_len;
}

static ssize_t
decode(size_t len)
{
    struct socks4_ident_answer answer, expected;
    const uint8_t *octets = fuzz_part(len);
    ssize_t result = socks4_ident_answer_decode(&query, octets, len, &answer);

    assert(result == naive_ident(&query, octets, len, &expected));
    assert(same(&answer, &expected));
    return result;
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    ssize_t before = 0;

    if (size > 1100)
        return 0;
    fuzz_put(input, size);
    for (size_t part = 0; part <= size; part = fuzz_next_part(part, size)) {
        ssize_t result = before;

        /* Behind an answer, more of the same is asked about once. */
        if (before == 0 || part == size)
            result = decode(part);
        assert(before == 0 || result == before);
        assert(result <= (ssize_t)part);
        before = result;
    }
    return 0;
}
