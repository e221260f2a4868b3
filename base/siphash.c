#include "base/siphash.h"

struct sip {
    uint64_t a, b, c, d;
};

static uint64_t
siphash_rotate(uint64_t word, unsigned by)
{
    return word << by | word >> (64 - by);
}

static void
siphash_round(struct sip *sip)
{
    sip->a += sip->b;
    sip->c += sip->d;
    sip->b = siphash_rotate(sip->b, 13) ^ sip->a;
    sip->d = siphash_rotate(sip->d, 16) ^ sip->c;
    sip->a = siphash_rotate(sip->a, 32);
    sip->c += sip->b;
    sip->a += sip->d;
    sip->b = siphash_rotate(sip->b, 17) ^ sip->c;
    sip->d = siphash_rotate(sip->d, 21) ^ sip->a;
    sip->c = siphash_rotate(sip->c, 32);
}

static void
siphash_take(struct sip *sip, uint64_t word)
{
    sip->d ^= word;
    siphash_round(sip);
    siphash_round(sip);
    sip->a ^= word;
}

uint64_t
siphash(const uint64_t key[2], uint64_t word)
{
    struct sip sip = {
        .a = key[0] ^ 0x736f6d6570736575,
        .b = key[1] ^ 0x646f72616e646f6d,
        .c = key[0] ^ 0x6c7967656e657261,
        .d = key[1] ^ 0x7465646279746573,
    };

    siphash_take(&sip, word);
    siphash_take(&sip, UINT64_C(8) << 56); /* the length, nothing behind it */
    sip.c ^= 0xff;
    for (int i = 0; i < 4; i++)
        siphash_round(&sip);
    return sip.a ^ sip.b ^ sip.c ^ sip.d;
}
