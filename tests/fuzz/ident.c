#include <stdio.h>

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

static void
check_part(size_t len, ssize_t result,
           const struct socks4_ident_answer *expected)
{
    struct socks4_ident_answer answer;

    assert(socks4_ident_answer_decode(&query, fuzz_part(len), len, &answer) ==
           result);
    assert(same(&answer, expected));
}

/* The first four octets as the ports that are asked about. */
static void
check_query(const uint8_t *input)
{
    struct socks4_ident_query asked = {(uint16_t)(input[0] * 256 + input[1]),
                                       (uint16_t)(input[2] * 256 + input[3])};
    uint8_t octets[SOCKS4_IDENT_QUERY_MAX];
    char expected[32];
    int len = snprintf(expected, sizeof expected, "%u, %u\r\n",
                       asked.client_port, asked.server_port);

    assert(socks4_ident_query_encode(&asked, octets) == (size_t)len);
    assert(memcmp(octets, expected, (size_t)len) == 0);
}

/* Up to the answer; returns its octets, `size` if there is none. */
static size_t
check_to_answer(const uint8_t *input, size_t size, ssize_t *result,
                struct socks4_ident_answer *answer)
{
    static const struct socks4_ident_answer none;
    size_t look = 0; /* the next part to look at */

    for (size_t part = 0; part < size; part++) {
        *result = naive_ident(&query, input, (const char *)fuzz_place, part + 1,
                              answer);
        if (part == look || *result != 0) {
            check_part(part, 0, &none);
            look = fuzz_next_part(part, size);
        }
        if (*result != 0)
            return part + 1;
    }
    return size;
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct socks4_ident_answer answer = {0};
    ssize_t result = 0;
    size_t answered;

    if (size > 1100)
        return 0;
    if (size >= 4)
        check_query(input);
    fuzz_put(input, size);
    answered = check_to_answer(input, size, &result, &answer);
    check_part(answered, result, &answer);
    /* Behind an answer, more of the same is asked about once. */
    check_part(size, result, &answer);
    return 0;
}
