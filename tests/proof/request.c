#include "tests/proof/libc.h"
#include "tests/proof/octets.h"

/*@ predicate no_nul(uint8_t *at, integer from, integer count) =
  @   \forall integer i; from <= i < from + count ==> at[i] != 0;
  @*/

#include "lib/request.c"

/*@ requires from <= len <= SSIZE_MAX;
  @ requires \valid_read(octets + (0 .. len - 1));
  @ requires \valid(size) && \separated(size, octets + (0 .. len - 1));
  @ assigns *size;
  @ ensures bound: *size <= max && from + *size <= len;
  @ ensures clean: no_nul(octets, from, *size);
  @ ensures whole: \result == FIELD_WHOLE ==>
  @   from + *size < len && octets[from + *size] == 0;
  @ ensures more: \result == FIELD_MORE ==> from + *size == len;
  @ ensures long: \result == FIELD_LONG ==>
  @   *size == max && from + max < len && octets[from + max] != 0;
  @ ensures total: \result == FIELD_WHOLE || \result == FIELD_MORE ||
  @   \result == FIELD_LONG;
  @*/
static enum field request_read_field(const uint8_t *octets, size_t from,
                                     size_t len, size_t max, size_t *size);

/*@ assigns \nothing;
  @ ensures \result == (command == 1 || command == 2 ? 1 : 0);
  @*/
static int request_knows_command(uint8_t command);

/*@ assigns \nothing;
  @ ensures \result == (1 <= dstip <= 255 ? 1 : 0);
  @*/
int socks4_is_4a(uint32_t dstip);

/*@ requires \valid(request);
  @ assigns *request;
  @ ensures request->version == 0 && request->command == 0;
  @ ensures request->dstport == 0 && request->dstip == 0;
  @ ensures request->userid == \null && request->domain == \null;
  @ ensures request->userid_len == 0 && request->domain_len == 0;
  @*/
static void request_clear(struct socks4_request *request);

/*@ requires \valid_read(octets + (0 .. len - 1));
  @ requires \valid(request);
  @ requires \separated(request, octets + (0 .. len - 1));
  @ requires request->version == 0 && request->command == 0;
  @ requires request->dstport == 0 && request->dstip == 0;
  @ assigns request->version, request->command, request->dstport,
  @   request->dstip;
  @ ensures version: request->version == (len < 1 ? 0 : octets[0]);
  @ ensures command:
  @   request->command == (len < 2 || octets[0] != 4 ? 0 : octets[1]);
  @ ensures port: len >= 4 && octets[0] == 4 ==>
  @   request->dstport == number16(octets + 2);
  @ ensures no_port: len < 4 || octets[0] != 4 ==> request->dstport == 0;
  @ ensures address: len >= 8 && octets[0] == 4 ==>
  @   request->dstip == number32(octets + 4);
  @ ensures no_address: len < 8 || octets[0] != 4 ==> request->dstip == 0;
  @*/
static void request_read_header(const uint8_t *octets, size_t len,
                                struct socks4_request *request);

/*@ requires used <= len <= SSIZE_MAX;
  @ requires \valid_read(octets + (0 .. len - 1));
  @ requires \valid(request);
  @ requires \separated(request, octets + (0 .. len - 1));
  @ assigns request->domain \from octets, used;
  @ assigns request->domain_len;
  @ ensures where: request->domain == octets + used;
  @ ensures bound: request->domain_len <= 255 &&
  @   used + request->domain_len <= len;
  @ ensures clean: no_nul(octets, used, request->domain_len);
  @ ensures whole: \result > 0 ==> \result == used + request->domain_len + 1 &&
  @   \result <= len && octets[used + request->domain_len] == 0 &&
  @   request->domain_len > 0;
  @ ensures more: \result == 0 ==> used + request->domain_len == len;
  @ ensures long: \result == SOCKS4_E_DOMAIN_LONG ==>
  @   request->domain_len == 255 && used + 255 < len &&
  @   octets[used + 255] != 0;
  @ ensures empty: \result == SOCKS4_E_DOMAIN_EMPTY ==>
  @   request->domain_len == 0 && used < len && octets[used] == 0;
  @ ensures total: \result >= 0 || \result == SOCKS4_E_DOMAIN_LONG ||
  @   \result == SOCKS4_E_DOMAIN_EMPTY;
  @*/
static ssize_t request_read_domain(const uint8_t *octets, size_t len,
                                   size_t used, struct socks4_request *request);

/*
 * What the decoder answers to `len` octets. `named` says whether DOMAIN was
 * looked at. The lemmas below say that this relation is a function, and that
 * more octets do not change an answer other than 0.
 */

/*@ predicate has_header(uint8_t *o, integer len) =
  @   len >= 8 && o[0] == 4 && 1 <= o[1] <= 2;
  @
  @ predicate asks_4a(uint8_t *o) = 1 <= number32(o + 4) <= 255;
  @
  @ predicate userid_ends(uint8_t *o, integer len, integer userid_len) =
  @   8 + userid_len < len && o[8 + userid_len] == 0;
  @
  @ predicate answers_header(uint8_t *o, integer len, integer answer) =
  @   (len == 0 ==> answer == 0) &&
  @   (len >= 1 && o[0] != 4 ==> answer == SOCKS4_E_VERSION) &&
  @   (1 <= len < 8 && o[0] == 4 ==> answer == 0) &&
  @   (len >= 8 && o[0] == 4 && !(1 <= o[1] <= 2) ==>
  @     answer == SOCKS4_E_COMMAND);
  @
  @ predicate answers_userid(uint8_t *o, integer len, integer max, integer on,
  @                          integer answer, integer userid_len) =
  @   0 <= userid_len <= max && 8 + userid_len <= len &&
  @   no_nul(o, 8, userid_len) &&
  @   (answer == 0 ==> 8 + userid_len == len) &&
  @   (answer == SOCKS4_E_USERID_LONG ==>
  @     userid_len == max && 8 + max < len && o[8 + max] != 0) &&
  @   (answer == SOCKS4_E_4A ==>
  @     userid_ends(o, len, userid_len) && asks_4a(o) && on == 0) &&
  @   (answer > 0 ==>
  @     userid_ends(o, len, userid_len) && !asks_4a(o) &&
  @     answer == 9 + userid_len) &&
  @   (answer >= 0 || answer == SOCKS4_E_USERID_LONG || answer == SOCKS4_E_4A);
  @
  @ predicate answers_domain(uint8_t *o, integer len, integer from,
  @                          integer answer, integer domain_len) =
  @   0 <= domain_len <= 255 && from + domain_len <= len &&
  @   no_nul(o, from, domain_len) &&
  @   (answer == 0 ==> from + domain_len == len) &&
  @   (answer > 0 ==> domain_len > 0 && answer == from + domain_len + 1 &&
  @     answer <= len && o[from + domain_len] == 0) &&
  @   (answer == SOCKS4_E_DOMAIN_LONG ==>
  @     domain_len == 255 && from + 255 < len && o[from + 255] != 0) &&
  @   (answer == SOCKS4_E_DOMAIN_EMPTY ==>
  @     domain_len == 0 && from < len && o[from] == 0) &&
  @   (answer >= 0 || answer == SOCKS4_E_DOMAIN_LONG ||
  @     answer == SOCKS4_E_DOMAIN_EMPTY);
  @
  @ predicate answers(uint8_t *o, integer len, integer max, integer on,
  @                   integer answer, integer userid_len, integer named,
  @                   integer domain_len) =
  @   answers_header(o, len, answer) &&
  @   (!has_header(o, len) ==> named == 0 && userid_len == 0) &&
  @   (named == 0 || named == 1) && (named == 0 ==> domain_len == 0) &&
  @   (has_header(o, len) && named == 0 ==>
  @     answers_userid(o, len, max, on, answer, userid_len)) &&
  @   (has_header(o, len) && named == 1 ==>
  @     0 <= userid_len <= max && no_nul(o, 8, userid_len) &&
  @     userid_ends(o, len, userid_len) && asks_4a(o) && on != 0 &&
  @     answers_domain(o, len, 9 + userid_len, answer, domain_len));
  @*/

/*@ requires len <= SSIZE_MAX;
  @ requires \valid_read(framing);
  @ requires \valid_read(octets + (0 .. len - 1));
  @ requires \valid(request);
  @ requires \separated(request, octets + (0 .. len - 1), framing);
  @ assigns *request;
  @ ensures bound: \result <= len;
  @ ensures version: request->version == (len < 1 ? 0 : octets[0]);
  @ ensures command:
  @   request->command == (len < 2 || octets[0] != 4 ? 0 : octets[1]);
  @ ensures port: len >= 4 && octets[0] == 4 ==>
  @   request->dstport == number16(octets + 2);
  @ ensures no_port: len < 4 || octets[0] != 4 ==> request->dstport == 0;
  @ ensures address: len >= 8 && octets[0] == 4 ==>
  @   request->dstip == number32(octets + 4);
  @ ensures no_address: len < 8 || octets[0] != 4 ==> request->dstip == 0;
  @ ensures userid: has_header(octets, len) ==> request->userid == octets + 8;
  @ ensures no_userid: !has_header(octets, len) ==> request->userid == \null;
  @ ensures domain: request->domain != \null ==>
  @   request->domain == octets + 9 + request->userid_len;
  @ ensures relation: answers(octets, len, framing->userid_max,
  @   framing->socks4a, \result, request->userid_len,
  @   request->domain == \null ? 0 : 1, request->domain_len);
  @*/
ssize_t socks4_request_decode(const struct socks4_framing *framing,
                              const uint8_t *octets, size_t len,
                              struct socks4_request *request);

/*@ lemma field_ends: \forall uint8_t *o, integer from, n, m;
  @   no_nul(o, from, n) ==> 0 <= m ==> o[from + m] == 0 ==> n <= m;
  @
  @ lemma split_userid: \forall uint8_t *o, integer len, more, max, on, answer,
  @     again, userid_len, userid_len2, named, named2,
  @     domain_len, domain_len2;
  @   0 <= len <= more ==> answer != 0 ==>
  @   answers(o, len, max, on, answer, userid_len, named, domain_len) ==>
  @   answers(o, more, max, on, again, userid_len2, named2, domain_len2) ==>
  @   userid_len == userid_len2;
  @
  @ lemma split_named: \forall uint8_t *o, integer len, more, max, on, answer,
  @     again, userid_len, userid_len2, named, named2,
  @     domain_len, domain_len2;
  @   0 <= len <= more ==> answer != 0 ==>
  @   answers(o, len, max, on, answer, userid_len, named, domain_len) ==>
  @   answers(o, more, max, on, again, userid_len2, named2, domain_len2) ==>
  @   named == named2;
  @
  @ lemma split_domain: \forall uint8_t *o, integer len, more, max, on, answer,
  @     again, userid_len, userid_len2, named, named2,
  @     domain_len, domain_len2;
  @   0 <= len <= more ==> answer != 0 ==>
  @   answers(o, len, max, on, answer, userid_len, named, domain_len) ==>
  @   answers(o, more, max, on, again, userid_len2, named2, domain_len2) ==>
  @   domain_len == domain_len2;
  @
  @ lemma split_answer: \forall uint8_t *o, integer len, more, max, on, answer,
  @     again, userid_len, userid_len2, named, named2,
  @     domain_len, domain_len2;
  @   0 <= len <= more ==> answer != 0 ==>
  @   answers(o, len, max, on, answer, userid_len, named, domain_len) ==>
  @   answers(o, more, max, on, again, userid_len2, named2, domain_len2) ==>
  @   answer == again;
  @*/

/*@ requires len <= SSIZE_MAX;
  @ requires \valid_read(field + (0 .. len - 1));
  @ assigns \nothing;
  @ ensures \result == 0 || \result == 1;
  @ ensures \result == 0 <==> no_nul(field, 0, len);
  @*/
static int request_has_nul(const char *field, size_t len);

/*@ predicate readable(struct socks4_request *request) =
  @   \valid_read(request) &&
  @   request->userid_len <= SSIZE_MAX - 512 &&
  @   request->domain_len <= SSIZE_MAX - 512 &&
  @   \valid_read(request->userid + (0 .. request->userid_len - 1)) &&
  @   (request->domain != \null ==>
  @     \valid_read(request->domain + (0 .. request->domain_len - 1)));
  @
  @ predicate sound(struct socks4_request *request) =
  @   1 <= request->command <= 2 &&
  @   (request->domain != \null <==> 1 <= request->dstip <= 255) &&
  @   no_nul(request->userid, 0, request->userid_len) &&
  @   (request->domain != \null ==> 1 <= request->domain_len <= 255 &&
  @     no_nul(request->domain, 0, request->domain_len));
  @*/

/*@ requires readable(request);
  @ assigns \nothing;
  @ ensures sound: \result == 0 <==> sound(request);
  @ ensures total: \result == 0 || \result == SOCKS4_E_COMMAND ||
  @   \result == SOCKS4_E_4A || \result == SOCKS4_E_NUL ||
  @   \result == SOCKS4_E_DOMAIN_EMPTY || \result == SOCKS4_E_DOMAIN_LONG;
  @*/
static int request_fault(const struct socks4_request *request);

/*@ requires len <= SSIZE_MAX - 512;
  @ requires \valid(at + (0 .. len));
  @ requires \valid_read(field + (0 .. len - 1));
  @ requires \separated(at + (0 .. len), field + (0 .. len - 1));
  @ assigns at[0 .. len];
  @ assigns \result \from at, len;
  @ ensures \result == at + len + 1;
  @ ensures at[len] == 0;
  @ ensures \forall integer i; 0 <= i < len ==> at[i] == field[i];
  @*/
static uint8_t *request_write_field(uint8_t *at, const char *field, size_t len);

/*@ requires readable(request);
  @ requires room <= SSIZE_MAX;
  @ requires \valid(octets + (0 .. room - 1));
  @ requires \separated(octets + (0 .. room - 1), request);
  @ requires \separated(octets + (0 .. room - 1),
  @   request->userid + (0 .. request->userid_len - 1));
  @ requires \separated(octets + (0 .. room - 1),
  @   request->domain + (0 .. request->domain_len - 1));
  @ assigns octets[0 .. room - 1];
  @ ensures bound: \result <= room;
  @ ensures length: \result > 0 ==> \result == 9 + request->userid_len +
  @   (request->domain == \null ? 0 : request->domain_len + 1);
  @ ensures fault: !\old(sound(request)) ==> \result < 0;
  @ ensures room: \old(sound(request)) ==>
  @   (\result < 0 <==> room < 9 + request->userid_len +
  @     (request->domain == \null ? 0 : request->domain_len + 1));
  @ ensures nothing: \result < 0 ==>
  @   \forall integer i; 0 <= i < room ==> octets[i] == \old(octets[i]);
  @ ensures version: \result > 0 ==> octets[0] == 4;
  @ ensures command: \result > 0 ==> octets[1] == \old(request->command);
  @ ensures port: \result > 0 ==>
  @   number16(octets + 2) == \old(request->dstport);
  @ ensures address: \result > 0 ==>
  @   number32(octets + 4) == \old(request->dstip);
  @ ensures userid: \result > 0 ==> octets[8 + request->userid_len] == 0 &&
  @   \forall integer i; 0 <= i < request->userid_len ==>
  @     octets[8 + i] == request->userid[i];
  @ ensures domain: \result > 0 && request->domain != \null ==>
  @   octets[9 + request->userid_len + request->domain_len] == 0 &&
  @   \forall integer i; 0 <= i < request->domain_len ==>
  @     octets[9 + request->userid_len + i] == request->domain[i];
  @ ensures total: \result != 0;
  @*/
ssize_t socks4_request_encode(const struct socks4_request *request,
                              uint8_t *octets, size_t room);
