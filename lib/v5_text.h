#ifndef LIB_V5_TEXT_H
#define LIB_V5_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "socks4/codec.h"

/* Text of version 5: an octet with its length, and as many octets. */

/*
 * Reads the `size` octets that begin at octets[at], behind their length, as
 * far as they are there; at <= len. Returns 1 if they are whole, 0 if more
 * are needed, E_NUL at a NUL.
 */
static inline int
v5_read_text(const uint8_t *octets, size_t len, size_t at, size_t size,
             const char **text, size_t *text_len)
{
    size_t count = 0;

    /*@ loop invariant count <= size && at + count <= len;
      @ loop invariant no_nul(octets, at, count);
      @ loop assigns count;
      @ loop variant len - count;
      @*/
    while (count < size && at + count < len && octets[at + count] != 0)
        count++;
    *text = (const char *)octets + at;
    *text_len = count;
    if (count == size)
        return 1;
    return at + count < len ? SOCKS4_E_NUL : 0;
}

static inline int
v5_text_has_nul(const char *text, size_t len)
{
    /*@ loop invariant 0 <= i <= len && no_nul(text, 0, i);
      @ loop assigns i;
      @ loop variant len - i;
      @*/
    for (size_t i = 0; i < len; i++)
        if (text[i] == 0)
            return 1;
    return 0;
}

/* Writes the length, which is at most 255, and the text to octets[at].
   Returns the number of octets. */
static inline size_t
v5_write_text(uint8_t *octets, size_t at, const char *text, size_t len)
{
    octets[at] = (uint8_t)len;
    /*@ loop invariant 0 <= i <= len;
      @ loop invariant \forall integer j; 0 <= j < i ==>
      @   octets[at + 1 + j] == text[j];
      @ loop assigns i, octets[at + 1 .. at + len];
      @ loop variant len - i;
      @*/
    for (size_t i = 0; i < len; i++)
        octets[at + 1 + i] = (uint8_t)text[i];
    return 1 + len;
}

#endif
