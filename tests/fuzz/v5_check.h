#ifndef FUZZ_V5_CHECK_H
#define FUZZ_V5_CHECK_H

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/naive_v5.h"

#define V5_MARK 0xa5 /* stands where nothing is to be written */

/* What was taken is what the encoder writes, but for what it sets right, into
   just as much room. */
static inline void
v5_check_encoder(const struct naive_v5 *naive)
{
    int fixed = naive->kind == V5_CHOICE || naive->kind == V5_STATUS;
    ssize_t size = naive_v5_size(naive);
    size_t room = size > 0 ? (size_t)size : 0;
    uint8_t back[600];

    memset(back, V5_MARK, room + 1);
    if (size > 0 && !fixed)
        assert(v5_encode(naive->kind, &naive->message, back, room - 1) ==
               SOCKS4_E_ROOM);
    assert(back[0] == V5_MARK);
    assert(v5_encode(naive->kind, &naive->message, back, room) == size);
    assert(back[room] == V5_MARK);
    for (size_t i = 0; i < room; i++)
        assert(back[i] == naive_v5_written(naive, i));
}

/*
 * The message at the start of the octets: answer and fields of each part of
 * them are those of the plain reader. Returns the answer to all of them.
 */
static inline ssize_t
v5_check(enum v5_kind kind, const uint8_t *octets, size_t size)
{
    struct naive_v5 naive = {.kind = kind, .place = fuzz_place};
    union v5_message message;
    size_t look = 0; /* the next part to look at */

    fuzz_put(octets, size);
    for (size_t part = 0; part <= size; part++) {
        ssize_t before = naive.answer;

        if (part > 0)
            naive_v5_add(&naive, octets[part - 1]);
        if (part != look && naive.answer == before)
            continue;
        look = fuzz_next_part(part, size);
        memset(&message, V5_MARK, sizeof message);
        assert(v5_decode(kind, fuzz_part(part), part, &message) ==
               naive.answer);
        assert(v5_same(kind, &message, &naive.message));
    }
    fuzz_part(size);
    if (naive.answer > 0)
        v5_check_encoder(&naive);
    return naive.answer;
}

#endif
