/*
 * One side of a conversation of version 5: each message is read, and what
 * follows it is the next one. The first octet chooses: its lowest bit the
 * server's side, the next that there is a password.
 */

#include "tests/fuzz/v5_check.h"

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static const enum v5_kind sides[2][4] = {
        {V5_GREETING, V5_PASSWORD, V5_REQUEST, V5_REQUEST},
        {V5_CHOICE, V5_STATUS, V5_REPLY, V5_REPLY},
    };
    size_t at = 1;

    if (size < 1 || size > 1200)
        return 0;
    for (int i = 0; i < 4; i++) {
        ssize_t used;

        if (i == 1 && (input[0] & 2) == 0)
            continue;
        used = v5_check(sides[input[0] & 1][i], input + at, size - at);
        if (used <= 0)
            break;
        at += (size_t)used;
    }
    return 0;
}
