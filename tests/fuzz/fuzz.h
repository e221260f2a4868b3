#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <sanitizer/asan_interface.h>

/*
 * One input for one target; whatever is wrong ends the process. libFuzzer
 * calls it with inputs it makes, replay.c with those that were kept.
 */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

/*
 * The input at a place of its own, of which only a part can be read: a
 * sanitizer sees who reads before it or past its end. Quicker than an
 * allocation a part.
 */
#define FUZZ_INPUT_MAX 4096
#define FUZZ_GUARD 16

static _Alignas(8) uint8_t fuzz_room[FUZZ_GUARD + FUZZ_INPUT_MAX];
static uint8_t *const fuzz_place = fuzz_room + FUZZ_GUARD;
static size_t fuzz_size; /* of the input; nothing behind it can be read */

static inline void
fuzz_put(const uint8_t *input, size_t size)
{
    assert(size <= FUZZ_INPUT_MAX);
    ASAN_POISON_MEMORY_REGION(fuzz_room, FUZZ_GUARD);
    ASAN_UNPOISON_MEMORY_REGION(fuzz_place, size);
    memcpy(fuzz_place, input, size);
    ASAN_POISON_MEMORY_REGION(fuzz_place + size, FUZZ_INPUT_MAX - size);
    fuzz_size = size;
}

static inline const uint8_t *
fuzz_part(size_t len)
{
    ASAN_UNPOISON_MEMORY_REGION(fuzz_place, len);
    ASAN_POISON_MEMORY_REGION(fuzz_place + len, fuzz_size - len);
    return fuzz_place;
}

/*
 * The next part to look at after one of `len` octets: every one of a short
 * input; of a long one those at both ends and sixteen between. replay.c looks
 * at all of them.
 */
#define FUZZ_SHORT 64

extern int fuzz_patient __attribute__((weak));

static inline size_t
fuzz_next_part(size_t len, size_t size)
{
    if (&fuzz_patient != NULL || size <= FUZZ_SHORT || len < 16 ||
        len + 16 >= size)
        return len + 1;
    size_t stride = (size - 32) / 16 + 1, next = len + stride;
    return next + 16 > size ? size - 16 : next;
}

#endif
