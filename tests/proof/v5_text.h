#ifndef PROOF_V5_TEXT_H
#define PROOF_V5_TEXT_H

#include "tests/proof/libc.h"
#include "tests/proof/octets.h"
#include "tests/proof/structs.h"

/*@ predicate no_nul(uint8_t *at, integer from, integer count) =
  @   \forall integer i; from <= i < from + count ==> at[i] != 0;
  @*/

#include "lib/v5_text.h"

/*@ requires at <= len <= SSIZE_MAX;
  @ requires size <= 255;
  @ requires \valid_read(octets + (0 .. len - 1));
  @ requires \valid(text) && \valid(text_len) && \separated(text, text_len);
  @ requires \separated(text, octets + (0 .. len - 1));
  @ requires \separated(text_len, octets + (0 .. len - 1));
  @ assigns *text \from octets, at;
  @ assigns *text_len;
  @ ensures where: *text == octets + at;
  @ ensures bound: *text_len <= size && at + *text_len <= len;
  @ ensures no_nul: no_nul(octets, at, *text_len);
  @ ensures whole: \result == 1 ==> *text_len == size;
  @ ensures more: \result == 0 ==>
  @   *text_len < size && at + *text_len == len;
  @ ensures nul: \result == SOCKS4_E_NUL ==>
  @   *text_len < size && at + *text_len < len &&
  @   octets[at + *text_len] == 0;
  @ ensures total: \result == 1 || \result == 0 || \result == SOCKS4_E_NUL;
  @*/
static inline int v5_read_text(const uint8_t *octets, size_t len, size_t at,
                               size_t size, const char **text,
                               size_t *text_len);

/*@ requires \valid_read(text + (0 .. len - 1));
  @ assigns \nothing;
  @ ensures \result == 0 || \result == 1;
  @ ensures \result == 0 <==> no_nul(text, 0, len);
  @*/
static inline int v5_text_has_nul(const char *text, size_t len);

/*@ requires len <= 255 && at <= 512;
  @ requires \valid(octets + (at .. at + len));
  @ requires \valid_read(text + (0 .. len - 1));
  @ requires \separated(octets + (at .. at + len), text + (0 .. len - 1));
  @ assigns octets[at .. at + len];
  @ ensures \result == 1 + len;
  @ ensures size: octets[at] == len;
  @ ensures text: \forall integer i; 0 <= i < len ==>
  @   octets[at + 1 + i] == text[i];
  @*/
static inline size_t v5_write_text(uint8_t *octets, size_t at, const char *text,
                                   size_t len);

#endif
