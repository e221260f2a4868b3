#include "tests/proof/libc.h"
#include "tests/proof/structs.h"

#define memcmp proof_memcmp
#define strchr proof_strchr
#define strlen proof_strlen

/*@ predicate is_text(uint8_t *text, integer len) =
  @   0 <= len && \valid_read(text + (0 .. len)) && text[len] == 0 &&
  @   \forall integer i; 0 <= i < len ==> text[i] != 0;
  @*/

/*@ requires \valid_read(one + (0 .. count - 1));
  @ requires \valid_read(other + (0 .. count - 1));
  @ assigns \result \from one[0 .. count - 1], other[0 .. count - 1];
  @ ensures \result == 0 <==>
  @   \forall integer i; 0 <= i < count ==> one[i] == other[i];
  @*/
int memcmp(const uint8_t *one, const uint8_t *other, size_t count);

/*@ requires \exists integer len; is_text(text, len);
  @ assigns \result \from text, indirect:text[0 ..], octet;
  @*/
const char *strchr(const char *text, int octet);

/*@ requires \exists integer len; is_text(text, len);
  @ assigns \result \from text[0 ..];
  @ ensures is_text(text, \result);
  @*/
size_t strlen(const char *text);

#include "base/addr.h"

/*@ logic integer number16(uint8_t *at) = at[0] * 0x100 + at[1];
  @ logic integer number32(uint8_t *at) =
  @   number16(at) * 0x10000 + number16(at + 2);
  @ logic integer number64(uint8_t *at) =
  @   number32(at) * 0x100000000 + number32(at + 4);
  @*/

/* The shift of addr_is_v4 as WP rewrites it. */
/*@ predicate is_mapped(struct addr addr) =
  @   addr.hi == 0 && (addr.lo & 0xffffffff00000000) == 0xffff00000000;
  @*/

/*@ assigns \nothing;
  @ ensures \result.hi == 0 && \result.lo == (0xffff00000000 | ip);
  @*/
static inline struct addr addr_v4(uint32_t ip);

/*@ assigns \nothing;
  @ ensures \result == 0 || \result == 1;
  @ ensures \result == 1 <==> is_mapped(addr);
  @*/
static inline bool addr_is_v4(struct addr addr);

/*@ assigns \nothing;
  @ ensures \result == (uint32_t)addr.lo;
  @*/
static inline uint32_t addr_to_v4(struct addr addr);

/*@ assigns \nothing; */
static inline bool addr_equal(struct addr a, struct addr b);

/*@ assigns \nothing; */
static inline int addr_cmp(struct addr a, struct addr b);

/*@ requires \valid_read(octets + (0 .. 15));
  @ assigns \result \from octets[0 .. 15];
  @ ensures \result.hi == number64(octets);
  @ ensures \result.lo == number64(octets + 8);
  @*/
struct addr addr_from_octets(const uint8_t octets[16]);

/*@ requires \valid(octets + (0 .. 15));
  @ assigns octets[0 .. 15];
  @ ensures number64(octets) == addr.hi;
  @ ensures number64(octets + 8) == addr.lo;
  @*/
void addr_to_octets(struct addr addr, uint8_t octets[16]);

/*@ requires \exists integer len; is_text(text, len);
  @ requires \valid(addr);
  @ assigns \result, *addr \from text[0 ..];
  @*/
int addr_parse(const char *text, struct addr *addr);

/*@ requires \valid(text + (0 .. ADDR_TEXT_MAX - 1));
  @ assigns text[0 .. ADDR_TEXT_MAX - 1] \from addr;
  @ assigns \result \from text;
  @ ensures \result == text;
  @ ensures \exists integer len; 0 < len <= 39 && is_text(text, len) &&
  @   (is_mapped(addr) ==> len <= 15);
  @*/
char *addr_format(struct addr addr, char text[ADDR_TEXT_MAX]);

#include "gateway/worker/proxy_header.h"

/*@ predicate is_zero(struct proxy_header *header) =
  @   header->local == 0 && header->given == 0 && header->verified == 0 &&
  @   header->name.at == \null && header->name.len == 0 &&
  @   header->source.addr.hi == 0 && header->source.addr.lo == 0 &&
  @   header->dest.addr.hi == 0 && header->dest.addr.lo == 0 &&
  @   header->source.port == 0 && header->dest.port == 0;
  @*/

/*@ requires \valid(header);
  @ assigns *header;
  @ ensures is_zero(header);
  @*/
void proof_clear_header(struct proxy_header *header);

/*
 * Of a line: the first CR LF that begins behind octet 5 ends it. Of a body, the
 * header of version 2: its length is in it.
 */

/*@ predicate no_end(uint8_t *o, integer to) =
  @   \forall integer i; 6 <= i < to ==> o[i] != '\r' || o[i + 1] != '\n';
  @
  @ predicate is_line_end(uint8_t *o, integer len, integer end) =
  @   8 <= end <= len && end <= PROXY_HEADER_LINE_MAX &&
  @   o[end - 2] == '\r' && o[end - 1] == '\n' && no_end(o, end - 2);
  @
  @ predicate ends_line(uint8_t *o, integer len, integer answer) =
  @   (answer == 0 ==> len < PROXY_HEADER_LINE_MAX && no_end(o, len - 1)) &&
  @   (answer == -PROXY_HEADER_LINE ==> len >= PROXY_HEADER_LINE_MAX &&
  @     no_end(o, PROXY_HEADER_LINE_MAX - 1)) &&
  @   (answer > 0 ==> is_line_end(o, len, answer)) &&
  @   (answer >= 0 || answer == -PROXY_HEADER_LINE);
  @
  @ logic integer body_end(uint8_t *o) = 16 + number16(o + 14);
  @
  @ predicate ends_body(uint8_t *o, integer len, integer answer) =
  @   answer == (len < 16 ? 0 :
  @     body_end(o) > PROXY_HEADER_MAX ? -PROXY_HEADER_LONG :
  @     len < body_end(o) ? 0 : body_end(o));
  @
  @ predicate is_word(uint8_t *o, integer len) =
  @   (len > 0 ==> o[0] == 'P') && (len > 1 ==> o[1] == 'R') &&
  @   (len > 2 ==> o[2] == 'O') && (len > 3 ==> o[3] == 'X') &&
  @   (len > 4 ==> o[4] == 'Y') && (len > 5 ==> o[5] == ' ');
  @
  @ predicate is_signature(uint8_t *o, integer len) =
  @   (len > 0 ==> o[0] == 0x0d) && (len > 1 ==> o[1] == 0x0a) &&
  @   (len > 2 ==> o[2] == 0x0d) && (len > 3 ==> o[3] == 0x0a) &&
  @   (len > 4 ==> o[4] == 0x00) && (len > 5 ==> o[5] == 0x0d) &&
  @   (len > 6 ==> o[6] == 0x0a) && (len > 7 ==> o[7] == 0x51) &&
  @   (len > 8 ==> o[8] == 0x55) && (len > 9 ==> o[9] == 0x49) &&
  @   (len > 10 ==> o[10] == 0x54) && (len > 11 ==> o[11] == 0x0a);
  @
  @ predicate ends(uint8_t *o, integer len, integer answer) =
  @   (is_word(o, len) ==> ends_line(o, len, answer)) &&
  @   (!is_word(o, len) && is_signature(o, len) ==>
  @     ends_body(o, len, answer)) &&
  @   (!is_word(o, len) && !is_signature(o, len) ==>
  @     answer == -PROXY_HEADER_MISSING);
  @
  @ lemma one_end: \forall uint8_t *o, integer len, answer, other;
  @   0 <= len ==>
  @   ends(o, len, answer) ==> ends(o, len, other) ==> answer == other;
  @
  @ lemma split_ends: \forall uint8_t *o, integer len, more, answer, again;
  @   0 <= len <= more ==> answer != 0 ==>
  @   ends(o, len, answer) ==> ends(o, more, again) ==> answer == again;
  @*/

/*@ predicate is_clean(uint8_t *o, integer len) =
  @   \forall integer i; 0 <= i < len ==> o[i] >= 0x20 && o[i] != 0x7f;
  @
  @ predicate is_name(struct span *name) =
  @   name->len <= PROXY_HEADER_NAME_MAX && is_clean(name->at, name->len);
  @
  @ predicate has_no_name(struct proxy_header *header) =
  @   header->name.at == \null && header->name.len == 0;
  @
  @ predicate has_name(uint8_t *o, integer end, struct proxy_header *header) =
  @   has_no_name(header) ||
  @   \exists integer at; header->name.at == o + at && 16 <= at &&
  @     at + header->name.len <= end;
  @
  @ predicate is_tlv_error(integer error) =
  @   error == PROXY_HEADER_FINE || error == PROXY_HEADER_TLV ||
  @   error == PROXY_HEADER_NAME || error == PROXY_HEADER_CHECKSUM;
  @*/

#include "gateway/worker/proxy_header.c"

/*@ requires error <= PROXY_HEADER_CHECKSUM;
  @ assigns \result \from error;
  @*/
const char *proxy_header_error_text(enum proxy_header_error error);

/*@ requires \valid_read(at + (0 .. 1));
  @ assigns \nothing;
  @ ensures \result == number16(at);
  @*/
static uint16_t proxy_header_get16(const uint8_t *at);

/*@ requires \valid_read(at + (0 .. 3));
  @ assigns \nothing;
  @ ensures \result == number32(at);
  @*/
static uint32_t proxy_header_get32(const uint8_t *at);

/*@ predicate is_line(struct header_line *line) =
  @   \valid(line) && line->at <= line->end <= PROXY_HEADER_LINE_MAX &&
  @   \valid_read(line->octets + (0 .. line->end - 1)) &&
  @   \separated(line, line->octets + (0 .. line->end - 1));
  @*/

/*@ requires is_line(line);
  @ requires len <= 8;
  @ requires \valid_read(text + (0 .. len - 1));
  @ assigns line->at;
  @ ensures \result == 0 || \result == 1;
  @ ensures \result == 0 ==> line->at == \old(line->at);
  @ ensures \result == 1 ==>
  @   line->at == \old(line->at) + len && line->at < line->end;
  @*/
static bool proxy_header_take(struct header_line *line, const char *text,
                              size_t len);

/*@ requires is_line(line);
  @ requires 1 <= room <= ADDR_TEXT_MAX;
  @ requires \valid(text + (0 .. room - 1));
  @ requires \separated(text + (0 .. room - 1), line);
  @ requires \separated(text + (0 .. room - 1),
  @   line->octets + (0 .. line->end - 1));
  @ assigns line->at, text[0 .. room - 1];
  @ ensures \old(line->at) <= line->at <= line->end;
  @ ensures \result == 0 || \result == 1;
  @ ensures \result == 1 ==>
  @   \exists integer len; 0 < len < room && is_text(text, len);
  @*/
static bool proxy_header_word(struct header_line *line, char last, char *text,
                              size_t room);

/*@ requires is_line(line);
  @ requires \valid(addr) && \separated(addr, line,
  @   line->octets + (0 .. line->end - 1));
  @ assigns line->at, *addr;
  @ ensures \old(line->at) <= line->at <= line->end;
  @ ensures \result == 0 || \result == 1;
  @*/
static bool proxy_header_address(struct header_line *line, bool v4,
                                 struct addr *addr);

/*@ requires is_line(line);
  @ requires \valid(port) && \separated(port, line,
  @   line->octets + (0 .. line->end - 1));
  @ assigns line->at, *port;
  @ ensures \old(line->at) <= line->at <= line->end;
  @ ensures \result == 0 || \result == 1;
  @*/
static bool proxy_header_port(struct header_line *line, char last,
                              uint16_t *port);

/*@ requires 7 <= end < PROXY_HEADER_LINE_MAX;
  @ requires \valid_read(octets + (0 .. end - 1));
  @ requires \valid(header) && \separated(header, octets + (0 .. end - 1));
  @ requires header->given == 0;
  @ assigns header->given, header->source, header->dest;
  @ ensures \result == PROXY_HEADER_FINE || \result == PROXY_HEADER_TEXT;
  @ ensures header->given == 0 || header->given == 1;
  @ ensures \result != PROXY_HEADER_FINE ==> header->given == 0;
  @*/
static enum proxy_header_error proxy_header_line(const uint8_t *octets,
                                                 size_t end,
                                                 struct proxy_header *header);

/*@ requires len <= SSIZE_MAX;
  @ requires \valid_read(octets + (0 .. len - 1));
  @ assigns \nothing;
  @ ensures ends_line(octets, len, \result);
  @*/
static ssize_t proxy_header_line_end(const uint8_t *octets, size_t len);

/*@ requires own <= len <= PROXY_HEADER_MAX;
  @ requires \valid_read(octets + (0 .. len - 1));
  @ assigns \nothing;
  @*/
static uint32_t proxy_header_checksum(const uint8_t *octets, size_t len,
                                      size_t own);

/*@ requires at <= end <= PROXY_HEADER_MAX;
  @ requires \valid_read(octets + (0 .. end - 1));
  @ requires \valid(tlv) && \separated(tlv, octets + (0 .. end - 1));
  @ assigns *tlv;
  @ ensures \result == 0 || \result == 1;
  @ ensures \result == 1 <==>
  @   at + 3 <= end && at + 3 + number16(octets + (at + 1)) <= end;
  @ ensures \result == 1 ==> tlv->type == octets[at] && tlv->at == at + 3 &&
  @   tlv->len == number16(octets + (at + 1));
  @ ensures \result == 1 ==> tlv->at + tlv->len <= end;
  @*/
static bool proxy_header_tlv(const uint8_t *octets, size_t at, size_t end,
                             struct tlv *tlv);

/*@ requires \valid_read(name);
  @ requires \valid_read(name->at + (0 .. name->len - 1));
  @ assigns \nothing;
  @ ensures \result == 0 || \result == 1;
  @ ensures \result == 1 <==> is_name(name);
  @*/
static bool proxy_header_is_name(const struct span *name);

/*@ requires \valid_read(ssl);
  @ requires 16 <= ssl->at && ssl->at + ssl->len <= PROXY_HEADER_MAX;
  @ requires \valid_read(octets + (0 .. ssl->at + ssl->len - 1));
  @ requires \valid(header) && \separated(header, ssl,
  @   octets + (0 .. ssl->at + ssl->len - 1));
  @ requires has_no_name(header);
  @ assigns header->verified, header->name;
  @ ensures \result == PROXY_HEADER_FINE || \result == PROXY_HEADER_TLV ||
  @   \result == PROXY_HEADER_NAME;
  @ ensures has_name(octets, ssl->at + ssl->len, header);
  @ ensures \result == PROXY_HEADER_FINE ==> is_name(&header->name);
  @*/
static enum proxy_header_error proxy_header_ssl(const uint8_t *octets,
                                                const struct tlv *ssl,
                                                struct proxy_header *header);

/*@ requires 16 <= at <= end <= PROXY_HEADER_MAX;
  @ requires \valid_read(octets + (0 .. end - 1));
  @ requires \valid(header) && \separated(header, octets + (0 .. end - 1));
  @ requires has_no_name(header);
  @ assigns header->verified, header->name;
  @ ensures is_tlv_error(\result);
  @ ensures has_name(octets, end, header);
  @ ensures \result == PROXY_HEADER_FINE ==> is_name(&header->name);
  @*/
static enum proxy_header_error proxy_header_tlvs(const uint8_t *octets,
                                                 size_t at, size_t end,
                                                 struct proxy_header *header);

/*@ predicate is_v4(uint8_t *at, struct endpoint *endpoint) =
  @   endpoint->addr.hi == 0 &&
  @   endpoint->addr.lo == (0xffff00000000 | number32(at));
  @
  @ predicate is_v6(uint8_t *at, integer from, struct endpoint *endpoint) =
  @   endpoint->addr.hi == number64(at + from) &&
  @   endpoint->addr.lo == number64(at + (from + 8));
  @
  @ predicate has_v4(uint8_t *at, struct proxy_header *header) =
  @   header->given == 1 &&
  @   is_v4(at, &header->source) && is_v4(at + 4, &header->dest) &&
  @   header->source.port == number16(at + 8) &&
  @   header->dest.port == number16(at + 10);
  @
  @ predicate has_v6(uint8_t *at, struct proxy_header *header) =
  @   header->given == 1 &&
  @   is_v6(at, 0, &header->source) && is_v6(at, 16, &header->dest) &&
  @   header->source.port == number16(at + 32) &&
  @   header->dest.port == number16(at + 34);
  @
  @ logic integer size_of(integer kind) =
  @   kind == 0x00 ? 0 : kind == 0x11 ? 12 : kind == 0x21 ? 36 :
  @   kind == 0x31 ? 216 : -1;
  @*/

/*@ requires len <= PROXY_HEADER_MAX;
  @ requires \valid_read(at + (0 .. len - 1));
  @ requires \valid(header) && \separated(header, at + (0 .. len - 1));
  @ requires header->given == 0;
  @ assigns header->given, header->source, header->dest;
  @ ensures \result == size_of(kind);
  @ ensures kind == 0x11 && len >= 12 ==> has_v4(at, header);
  @ ensures kind == 0x21 && len >= 36 ==> has_v6(at, header);
  @ ensures len < \result || (kind != 0x11 && kind != 0x21) ==>
  @   header->given == 0;
  @*/
static int proxy_header_addresses(const uint8_t *at, uint8_t kind, size_t len,
                                  struct proxy_header *header);

/*@ predicate is_local(uint8_t *o) = o[12] == 0x20;
  @
  @ predicate body_error(uint8_t *o, integer end, integer error) =
  @   (error == PROXY_HEADER_VERSION <==> !(0x20 <= o[12] <= 0x2f)) &&
  @   (error == PROXY_HEADER_COMMAND <==> 0x22 <= o[12] <= 0x2f) &&
  @   (error == PROXY_HEADER_FAMILY <==>
  @     o[12] == 0x21 && size_of(o[13]) < 0) &&
  @   (error == PROXY_HEADER_SHORT <==>
  @     o[12] == 0x21 && end < 16 + size_of(o[13])) &&
  @   (is_local(o) ==> error == PROXY_HEADER_FINE) &&
  @   (is_tlv_error(error) || error == PROXY_HEADER_VERSION ||
  @     error == PROXY_HEADER_COMMAND || error == PROXY_HEADER_FAMILY ||
  @     error == PROXY_HEADER_SHORT);
  @
  @ predicate body_fields(uint8_t *o, integer end,
  @                       struct proxy_header *header) =
  @   (header->local == 1 <==> is_local(o)) &&
  @   (is_local(o) ==> header->given == 0 && header->verified == 0) &&
  @   (!is_local(o) && o[13] == 0x11 ==> has_v4(o + 16, header)) &&
  @   (!is_local(o) && o[13] == 0x21 ==> has_v6(o + 16, header)) &&
  @   (o[13] != 0x11 && o[13] != 0x21 ==> header->given == 0) &&
  @   is_name(&header->name);
  @*/

/*@ requires 16 <= end <= PROXY_HEADER_MAX;
  @ requires \valid_read(octets + (0 .. end - 1));
  @ requires \valid(header) && \separated(header, octets + (0 .. end - 1));
  @ requires header->local == 0 && header->given == 0;
  @ requires header->verified == 0;
  @ requires has_no_name(header);
  @ assigns *header;
  @ ensures error: body_error(octets, end, \result);
  @ ensures name: has_name(octets, end, header);
  @ ensures fields: \result == PROXY_HEADER_FINE ==>
  @   body_fields(octets, end, header);
  @*/
static enum proxy_header_error proxy_header_body(const uint8_t *octets,
                                                 size_t end,
                                                 struct proxy_header *header);

/*@ requires len <= SSIZE_MAX;
  @ requires \valid_read(octets + (0 .. len - 1));
  @ assigns \nothing;
  @ ensures ends_body(octets, len, \result);
  @*/
static ssize_t proxy_header_body_end(const uint8_t *octets, size_t len);

/*@ requires \valid_read(octets + (0 .. len - 1));
  @ assigns \nothing;
  @ ensures \result == 0 || \result == 1;
  @ ensures \result == 1 <==> is_word(octets, len);
  @*/
static bool proxy_header_is_line(const uint8_t *octets, size_t len);

/*@ requires \valid_read(octets + (0 .. len - 1));
  @ assigns \nothing;
  @ ensures \result == 0 || \result == 1;
  @ ensures \result == 1 <==> is_signature(octets, len);
  @*/
static bool proxy_header_is_body(const uint8_t *octets, size_t len);

/*@ requires len <= SSIZE_MAX;
  @ requires \valid_read(octets + (0 .. len - 1));
  @ assigns \nothing;
  @ ensures ends(octets, len, \result);
  @*/
static ssize_t proxy_header_end(const uint8_t *octets, size_t len);

/*@ requires len <= SSIZE_MAX;
  @ requires \valid_read(octets + (0 .. len - 1));
  @ requires \valid(header) && \separated(header, octets + (0 .. len - 1));
  @ assigns *header;
  @ ensures bound: \result <= len && \result <= PROXY_HEADER_MAX;
  @ ensures total: -PROXY_HEADER_CHECKSUM <= \result;
  @ ensures end: \result >= 0 || \result == -PROXY_HEADER_MISSING ||
  @   \result == -PROXY_HEADER_LINE || \result == -PROXY_HEADER_LONG ==>
  @   ends(octets, len, \result);
  @ ensures text: \result == -PROXY_HEADER_TEXT ==> is_word(octets, len) &&
  @   \exists integer end; end > 0 && ends(octets, len, end);
  @ ensures body: \result < -PROXY_HEADER_TEXT &&
  @   \result != -PROXY_HEADER_LONG ==> !is_word(octets, len) &&
  @   ends(octets, len, body_end(octets)) &&
  @   body_error(octets, body_end(octets), -\result);
  @ ensures fine: \result > 0 && !is_word(octets, len) ==>
  @   body_error(octets, body_end(octets), PROXY_HEADER_FINE);
  @ ensures zero: \result == 0 ==> is_zero(header);
  @ ensures line_fields: \result > 0 && is_word(octets, len) ==>
  @   header->local == 0 && header->verified == 0 && has_no_name(header);
  @ ensures body_fields: \result > 0 && !is_word(octets, len) ==>
  @   body_fields(octets, \result, header);
  @ ensures name: \result > 0 ==> has_name(octets, \result, header);
  @*/
ssize_t proxy_header_decode(const uint8_t *octets, size_t len,
                            struct proxy_header *header);

/*@ requires \valid(at + (0 .. 1));
  @ assigns at[0 .. 1];
  @ ensures number16(at) == number;
  @*/
static void proxy_header_put16(uint8_t *at, uint16_t number);

/*@ requires \valid(at + (0 .. (v4 ? 3 : 15)));
  @ assigns at[0 .. (v4 ? 3 : 15)];
  @ ensures v4 != 0 ==> number32(at) == (uint32_t)addr.lo;
  @ ensures v4 == 0 ==> number64(at) == addr.hi;
  @ ensures v4 == 0 ==> number64(at + 8) == addr.lo;
  @*/
static void proxy_header_put_addr(uint8_t *at, struct addr addr, bool v4);

/*@ requires at + len <= PROXY_HEADER_SENT_MAX;
  @ requires \valid(octets + (at .. at + len - 1));
  @ requires \valid_read(text + (0 .. len - 1));
  @ requires \separated(octets + (at .. at + len - 1), text + (0 .. len - 1));
  @ assigns octets[at .. at + len - 1];
  @ ensures \result == at + len;
  @ ensures \forall integer i; 0 <= i < len ==> octets[at + i] == text[i];
  @*/
static size_t proxy_header_write(uint8_t *octets, size_t at, const char *text,
                                 size_t len);

/*@ requires at <= 60;
  @ requires v4 != 0 ==> is_mapped(addr);
  @ requires \valid(octets + (at .. at + 38));
  @ assigns octets[at .. at + 38];
  @ ensures at < \result <= at + 39;
  @*/
static size_t proxy_header_write_addr(uint8_t *octets, size_t at,
                                      struct addr addr, bool v4);

/*@ requires at <= PROXY_HEADER_SENT_MAX;
  @ requires \valid(octets + (at .. at + 4));
  @ assigns octets[at .. at + 4];
  @ ensures at + 1 <= \result <= at + 5;
  @*/
static size_t proxy_header_write_port(uint8_t *octets, size_t at,
                                      uint16_t port);

/*@ requires \valid_read(source) && \valid_read(dest);
  @ requires \valid(octets + (0 .. PROXY_HEADER_SENT_MAX - 1));
  @ requires \separated(octets + (0 .. PROXY_HEADER_SENT_MAX - 1), source,
  @   dest);
  @ requires v4 != 0 ==> is_mapped(source->addr) && is_mapped(dest->addr);
  @ assigns octets[0 .. PROXY_HEADER_SENT_MAX - 1];
  @ ensures 20 <= \result <= PROXY_HEADER_SENT_MAX;
  @ ensures octets[\result - 2] == '\r' && octets[\result - 1] == '\n';
  @*/
static size_t proxy_header_encode_1(const struct endpoint *source,
                                    const struct endpoint *dest, bool v4,
                                    uint8_t *octets);

/*@ requires \valid_read(source) && \valid_read(dest);
  @ requires \valid(octets + (0 .. PROXY_HEADER_SENT_MAX - 1));
  @ requires \separated(octets + (0 .. PROXY_HEADER_SENT_MAX - 1), source,
  @   dest);
  @ assigns octets[0 .. PROXY_HEADER_SENT_MAX - 1];
  @ ensures \result == (v4 ? 28 : 52);
  @ ensures octets[12] == 0x21 && octets[13] == (v4 ? 0x11 : 0x21);
  @ ensures ports: number16(octets + (\result - 4)) == \old(source->port) &&
  @   number16(octets + (\result - 2)) == \old(dest->port);
  @*/
static size_t proxy_header_encode_2(const struct endpoint *source,
                                    const struct endpoint *dest, bool v4,
                                    uint8_t *octets);

/*@ requires \valid_read(source) && \valid_read(dest);
  @ requires \valid(octets + (0 .. PROXY_HEADER_SENT_MAX - 1));
  @ requires \separated(octets + (0 .. PROXY_HEADER_SENT_MAX - 1), source,
  @   dest);
  @ assigns octets[0 .. PROXY_HEADER_SENT_MAX - 1];
  @ ensures 20 <= \result <= PROXY_HEADER_SENT_MAX;
  @*/
size_t proxy_header_encode(unsigned version, const struct endpoint *source,
                           const struct endpoint *dest,
                           uint8_t octets[PROXY_HEADER_SENT_MAX]);
