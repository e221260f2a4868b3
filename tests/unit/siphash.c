#include "base/siphash.h"

#include "tests/unit/unit.h"

/* The vectors published with the algorithm, key 00 01 ... 0f. */
static const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

static void
agrees_with_the_published_vector_of_eight_octets(void **state)
{
    (void)state;
    assert_true(siphash(key, 0x0706050403020100) == 0x93f5f5799a932462);
}

/* Each bit of word and key turns about half of the hash. */
static void
every_bit_of_word_and_key_matters(void **state)
{
    (void)state;
    const uint64_t word = 0xffff0a000001;
    uint64_t usual = siphash(key, word);

    for (int bit = 0; bit < 64; bit++) {
        uint64_t one = UINT64_C(1) << bit;
        uint64_t first[2] = {key[0] ^ one, key[1]};
        uint64_t second[2] = {key[0], key[1] ^ one};
        assert_in_range(__builtin_popcountll(siphash(key, word ^ one) ^ usual),
                        12, 52);
        assert_in_range(__builtin_popcountll(siphash(first, word) ^ usual), 12,
                        52);
        assert_in_range(__builtin_popcountll(siphash(second, word) ^ usual), 12,
                        52);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_published_vector_of_eight_octets),
        cmocka_unit_test(every_bit_of_word_and_key_matters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
