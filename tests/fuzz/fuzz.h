#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/*
 * One input for one target; whatever is wrong ends the process. libFuzzer
 * calls it with inputs it makes, replay.c with those that were kept.
 */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

#endif
