/*
 * The memory model of WP keeps `char` and `uint8_t` apart, and cannot follow a
 * pointer that is cast from one to the other. So the proofs read `char` as
 * `unsigned char`. None of these files computes with the sign of a char.
 */
#ifndef PROOF_CHARS_H
#define PROOF_CHARS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#define char unsigned char

#endif
