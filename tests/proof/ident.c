#include "tests/proof/libc.h"
#include "tests/proof/structs.h"

#define memcmp proof_memcmp

/*@ requires \valid_read(one + (0 .. count - 1));
  @ requires \valid_read(other + (0 .. count - 1));
  @ assigns \result \from one[0 .. count - 1], other[0 .. count - 1];
  @ ensures \result == 0 <==>
  @   \forall integer i; 0 <= i < count ==> one[i] == other[i];
  @*/
int memcmp(const uint8_t *one, const uint8_t *other, size_t count);

/*@ predicate no_lf(uint8_t *octets, integer count) =
  @   \forall integer i; 0 <= i < count ==> octets[i] != '\n';
  @*/

#include "socks4/ident.h"

/*@ predicate is_zero(struct socks4_ident_answer *answer) =
  @   answer->kind == 0 && answer->opsys == \null && answer->opsys_len == 0 &&
  @   answer->charset == \null && answer->charset_len == 0 &&
  @   answer->userid == \null && answer->userid_len == 0 &&
  @   answer->error == \null && answer->error_len == 0;
  @*/

/*@ requires \valid(answer);
  @ assigns *answer;
  @ ensures is_zero(answer);
  @*/
void proof_clear_answer(struct socks4_ident_answer *answer);

#include "lib/ident.c"

/*@ predicate is_line(struct ident_line *line) =
  @   \valid(line) && line->at <= line->end <= SOCKS4_IDENT_LINE_MAX &&
  @   \valid_read(line->octets + (0 .. line->end - 1)) &&
  @   \separated(line, line->octets + (0 .. line->end - 1));
  @
  @ predicate is_token(struct ident_line *line, struct token *token) =
  @   token->len > 0 && token->at + token->len <= line->end;
  @
  @ predicate no_end(uint8_t *octets, integer from, integer to) =
  @   \forall integer i; from <= i < to ==>
  @     octets[i] != '\0' && octets[i] != '\r' && octets[i] != '\n';
  @
  @ predicate is_field(uint8_t *octets, integer end, uint8_t *field,
  @                    integer len) =
  @   len > 0 &&
  @   \exists integer at; field == octets + at && 0 <= at && at + len <= end;
  @*/

/*@ requires \valid(octets + (at .. at + 4));
  @ requires at <= SOCKS4_IDENT_QUERY_MAX;
  @ assigns octets[at .. at + 4];
  @ ensures at + 1 <= \result <= at + 5;
  @*/
static size_t ident_write_port(uint8_t *octets, size_t at, uint16_t port);

/*@ requires \valid_read(query);
  @ requires \valid(octets + (0 .. SOCKS4_IDENT_QUERY_MAX - 1));
  @ requires \separated(query, octets + (0 .. SOCKS4_IDENT_QUERY_MAX - 1));
  @ assigns octets[0 .. SOCKS4_IDENT_QUERY_MAX - 1];
  @ ensures bound: 6 <= \result <= SOCKS4_IDENT_QUERY_MAX;
  @ ensures end: octets[\result - 2] == '\r' && octets[\result - 1] == '\n';
  @*/
size_t socks4_ident_query_encode(const struct socks4_ident_query *query,
                                 uint8_t octets[SOCKS4_IDENT_QUERY_MAX]);

/*@ requires is_line(line);
  @ assigns line->at;
  @ ensures \old(line->at) <= line->at <= line->end;
  @*/
static void ident_skip_blanks(struct ident_line *line);

/*@ requires is_line(line);
  @ assigns line->at;
  @ ensures \old(line->at) <= line->at <= line->end;
  @ ensures \result == 0 || \result == 1;
  @*/
static int ident_take_mark(struct ident_line *line, char mark);

/*@ requires is_line(line);
  @ requires \valid(port) && \separated(port, line,
  @   line->octets + (0 .. line->end - 1));
  @ assigns line->at, *port;
  @ ensures \old(line->at) <= line->at <= line->end;
  @ ensures \result == 0 || \result == 1;
  @*/
static int ident_take_port(struct ident_line *line, uint16_t *port);

/*@ requires is_line(line);
  @ requires \valid(token) && \separated(token, line,
  @   line->octets + (0 .. line->end - 1));
  @ assigns line->at, *token;
  @ ensures \old(line->at) <= line->at <= line->end;
  @ ensures \result == 0 || \result == 1;
  @ ensures \result == 0 ==> token->len == 0;
  @ ensures \result == 1 ==> is_token(line, token);
  @*/
static int ident_take_token(struct ident_line *line, char stop,
                            struct token *token);

/*@ requires is_line(line);
  @ requires \valid_read(token) && is_token(line, token);
  @ requires \valid_read(word + (0 .. len - 1));
  @ assigns \nothing;
  @ ensures \result == 0 || \result == 1;
  @*/
static int ident_token_is(const struct ident_line *line,
                          const struct token *token, const char *word,
                          size_t len);

/*@ requires is_line(line);
  @ requires no_end(line->octets, 0, line->end);
  @ requires \valid(answer) && \separated(answer, line,
  @   line->octets + (0 .. line->end - 1));
  @ requires is_zero(answer);
  @ assigns line->at, *answer;
  @ ensures \result == 0 || \result == 1;
  @ ensures \result == 0 ==> is_zero(answer);
  @ ensures kind: \result == 1 ==> answer->kind == SOCKS4_IDENT_USERID &&
  @   answer->error == \null && answer->error_len == 0;
  @ ensures opsys: \result == 1 ==>
  @   is_field(line->octets, line->end, answer->opsys, answer->opsys_len);
  @ ensures charset: \result == 1 ==>
  @   (answer->charset == \null && answer->charset_len == 0) ||
  @   is_field(line->octets, line->end, answer->charset, answer->charset_len);
  @ ensures userid: \result == 1 ==>
  @   is_field(line->octets, line->end, answer->userid, answer->userid_len);
  @*/
static int ident_take_userid(struct ident_line *line,
                             struct socks4_ident_answer *answer);

/*@ requires is_line(line);
  @ requires \valid(answer) && \separated(answer, line,
  @   line->octets + (0 .. line->end - 1));
  @ requires is_zero(answer);
  @ assigns line->at, *answer;
  @ ensures \result == 0 || \result == 1;
  @ ensures \result == 0 ==> is_zero(answer);
  @ ensures kind: \result == 1 ==> answer->kind == SOCKS4_IDENT_ERROR &&
  @   answer->opsys == \null && answer->opsys_len == 0 &&
  @   answer->charset == \null && answer->charset_len == 0 &&
  @   answer->userid == \null && answer->userid_len == 0;
  @ ensures error: \result == 1 ==>
  @   is_field(line->octets, line->end, answer->error, answer->error_len);
  @*/
static int ident_take_error(struct ident_line *line,
                            struct socks4_ident_answer *answer);

/*@ predicate is_answer(uint8_t *octets, integer end,
  @                     struct socks4_ident_answer *answer) =
  @   (answer->kind == SOCKS4_IDENT_USERID &&
  @     answer->error == \null && answer->error_len == 0 &&
  @     is_field(octets, end, answer->opsys, answer->opsys_len) &&
  @     ((answer->charset == \null && answer->charset_len == 0) ||
  @       is_field(octets, end, answer->charset, answer->charset_len)) &&
  @     is_field(octets, end, answer->userid, answer->userid_len)) ||
  @   (answer->kind == SOCKS4_IDENT_ERROR &&
  @     answer->opsys == \null && answer->opsys_len == 0 &&
  @     answer->charset == \null && answer->charset_len == 0 &&
  @     answer->userid == \null && answer->userid_len == 0 &&
  @     is_field(octets, end, answer->error, answer->error_len));
  @*/

/*@ requires is_line(line);
  @ requires no_end(line->octets, 0, line->end);
  @ requires \valid(about) && \separated(about, line, answer,
  @   line->octets + (0 .. line->end - 1));
  @ requires \valid(answer) && \separated(answer, line,
  @   line->octets + (0 .. line->end - 1));
  @ requires is_zero(answer);
  @ assigns line->at, *about, *answer;
  @ ensures \result == 0 || \result == 1;
  @ ensures \result == 0 ==> is_zero(answer);
  @ ensures \result == 1 ==> is_answer(line->octets, line->end, answer);
  @*/
static int ident_take_line(struct ident_line *line,
                           struct socks4_ident_query *about,
                           struct socks4_ident_answer *answer);

/*@ requires is_line(line);
  @ assigns \nothing;
  @ ensures \result == 0 || \result == 1;
  @ ensures \result == 0 ==> \forall integer i; 0 <= i < line->end ==>
  @   line->octets[i] != '\0' && line->octets[i] != '\r';
  @*/
static int ident_has_end(const struct ident_line *line);

/*@ requires size <= SOCKS4_IDENT_LINE_MAX;
  @ requires \valid_read(octets + (0 .. size - 1));
  @ requires no_lf(octets, size);
  @ requires \valid_read(query);
  @ requires \valid(answer) && \separated(answer, query,
  @   octets + (0 .. size - 1));
  @ requires is_zero(answer);
  @ assigns *answer;
  @ ensures \result == 0 || \result == SOCKS4_E_IDENT_MALFORMED ||
  @   \result == SOCKS4_E_IDENT_PORTS;
  @ ensures \result != 0 ==> is_zero(answer);
  @ ensures \result == 0 ==> is_answer(octets, size, answer);
  @*/
static int ident_decode_line(const struct socks4_ident_query *query,
                             const uint8_t *octets, size_t size,
                             struct socks4_ident_answer *answer);

/*@ requires \valid_read(octets + (0 .. len - 1));
  @ requires \valid_read(query);
  @ requires \valid(answer) && \separated(answer, query,
  @   octets + (0 .. len - 1));
  @ assigns *answer;
  @ ensures more: \result == 0 <==>
  @   len <= SOCKS4_IDENT_LINE_MAX && no_lf(octets, len);
  @ ensures long: \result == SOCKS4_E_IDENT_LONG <==>
  @   len > SOCKS4_IDENT_LINE_MAX && no_lf(octets, SOCKS4_IDENT_LINE_MAX + 1);
  @ ensures line: \result > 0 ==>
  @   \result <= len && \result <= SOCKS4_IDENT_LINE_MAX + 1 &&
  @   octets[\result - 1] == '\n' && no_lf(octets, \result - 1);
  @ ensures total: \result >= 0 || \result == SOCKS4_E_IDENT_LONG ||
  @   \result == SOCKS4_E_IDENT_MALFORMED || \result == SOCKS4_E_IDENT_PORTS;
  @ ensures zero: \result <= 0 ==> is_zero(answer);
  @ ensures answer: \result > 0 ==> is_answer(octets, \result - 1, answer);
  @*/
ssize_t socks4_ident_answer_decode(const struct socks4_ident_query *query,
                                   const uint8_t *octets, size_t len,
                                   struct socks4_ident_answer *answer);
