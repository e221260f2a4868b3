/* The header of a datagram of version 5, and its data. */

#include "tests/fuzz/v5_check.h"

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    if (size <= 400)
        v5_check(V5_UDP, input, size);
    return 0;
}
