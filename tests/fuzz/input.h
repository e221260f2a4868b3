#ifndef TESTS_FUZZ_INPUT_H
#define TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The octets of a run that were not used yet. Behind their end all is 0. */
struct input {
    const uint8_t *at;
    size_t left;
};

static inline uint8_t
take(struct input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->at++;
}

/* A length, and as many octets of it as are there. */
static inline size_t
take_octets(struct input *input, uint8_t octets[256])
{
    size_t len = take(input);
    len = len < input->left ? len : input->left;
    memcpy(octets, input->at, len);
    input->at += len;
    input->left -= len;
    return len;
}

#endif
