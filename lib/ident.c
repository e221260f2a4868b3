#include <string.h>

#include "socks4/ident.h"

static const char word_userid[] = "USERID";
static const char word_error[] = "ERROR";

/* A line without its end, and the place up to which it has been read. */
struct ident_line {
    const char *octets;
    size_t at;
    size_t end;
};

/* A word of the line. */
struct token {
    size_t at;
    size_t len;
};

/* --- The query --- */

/* Writes the number to octets[at]; returns the place behind it. */
static size_t
ident_write_port(uint8_t *octets, size_t at, uint16_t port)
{
    size_t digits = 1;

    /*@ loop invariant 1 <= digits && (digits == 1 ==> rest <= 65535) &&
      @   (digits == 2 ==> rest <= 6553) && (digits == 3 ==> rest <= 655) &&
      @   (digits == 4 ==> rest <= 65) && (digits == 5 ==> rest <= 6) &&
      @   digits <= 5;
      @ loop assigns digits, rest;
      @ loop variant rest;
      @*/
    for (uint16_t rest = port; rest > 9; rest /= 10)
        digits++;
    /*@ loop invariant 0 <= i <= digits;
      @ loop assigns i, port, octets[at .. at + digits - 1];
      @ loop variant i;
      @*/
    for (size_t i = digits; i > 0; i--) {
        octets[at + i - 1] = (uint8_t)('0' + port % 10);
        port /= 10;
    }
    return at + digits;
}

size_t
socks4_ident_query_encode(const struct socks4_ident_query *query,
                          uint8_t octets[SOCKS4_IDENT_QUERY_MAX])
{
    size_t at = ident_write_port(octets, 0, query->client_port);

    octets[at++] = ',';
    octets[at++] = ' ';
    at = ident_write_port(octets, at, query->server_port);
    octets[at++] = '\r';
    octets[at++] = '\n';
    return at;
}

/* --- The answer --- */

static void
ident_skip_blanks(struct ident_line *line)
{
    /*@ loop invariant \at(line->at, Pre) <= line->at <= line->end;
      @ loop assigns line->at;
      @ loop variant line->end - line->at;
      @*/
    while (line->at < line->end &&
           (line->octets[line->at] == ' ' || line->octets[line->at] == '\t'))
        line->at++;
}

/* Takes blanks, then `mark`. */
static int
ident_take_mark(struct ident_line *line, char mark)
{
    ident_skip_blanks(line);
    if (line->at == line->end || line->octets[line->at] != mark)
        return 0;
    line->at++;
    return 1;
}

/* Takes blanks, then a number of one to five digits. */
static int
ident_take_port(struct ident_line *line, uint16_t *port)
{
    uint32_t number = 0;
    int digits = 0;

    ident_skip_blanks(line);
    /*@ loop invariant \at(line->at, Pre) <= line->at <= line->end;
      @ loop invariant 0 <= digits <= 6;
      @ loop assigns line->at, number, digits;
      @ loop variant line->end - line->at;
      @*/
    while (line->at < line->end && digits < 6 &&
           line->octets[line->at] >= '0' && line->octets[line->at] <= '9') {
        number = number * 10 + (uint32_t)(line->octets[line->at++] - '0');
        digits++;
    }
    *port = (uint16_t)number;
    return digits >= 1 && digits <= 5 && number <= UINT16_MAX;
}

/* Takes blanks, then at least one printable octet, up to a blank, a colon
   or `stop`. */
static int
ident_take_token(struct ident_line *line, char stop, struct token *token)
{
    ident_skip_blanks(line);
    token->at = line->at;
    /*@ loop invariant \at(line->at, Pre) <= token->at <= line->at <= line->end;
      @ loop assigns line->at;
      @ loop variant line->end - line->at;
      @*/
    while (line->at < line->end && line->octets[line->at] > ' ' &&
           line->octets[line->at] < 0x7f && line->octets[line->at] != ':' &&
           line->octets[line->at] != stop)
        line->at++;
    token->len = line->at - token->at;
    return token->len > 0;
}

static int
ident_token_is(const struct ident_line *line, const struct token *token,
               const char *word, size_t len)
{
    return token->len == len &&
           memcmp(line->octets + token->at, word, len) == 0;
}

/* The part behind "USERID :". The user-id is everything behind the next
   colon except leading blanks. */
static int
ident_take_userid(struct ident_line *line, struct socks4_ident_answer *answer)
{
    struct token opsys, charset = {0, 0};

    if (!ident_take_token(line, ',', &opsys))
        return 0;
    if (ident_take_mark(line, ',') && !ident_take_token(line, ':', &charset))
        return 0;
    if (!ident_take_mark(line, ':'))
        return 0;
    ident_skip_blanks(line);
    if (line->at == line->end)
        return 0;
    answer->kind = SOCKS4_IDENT_USERID;
    answer->opsys = line->octets + opsys.at;
    answer->opsys_len = opsys.len;
    if (charset.len > 0)
        answer->charset = line->octets + charset.at;
    answer->charset_len = charset.len;
    answer->userid = line->octets + line->at;
    answer->userid_len = line->end - line->at;
    return 1;
}

/* The part behind "ERROR :". */
static int
ident_take_error(struct ident_line *line, struct socks4_ident_answer *answer)
{
    struct token error;

    if (!ident_take_token(line, ':', &error))
        return 0;
    ident_skip_blanks(line);
    if (line->at != line->end)
        return 0;
    answer->kind = SOCKS4_IDENT_ERROR;
    answer->error = line->octets + error.at;
    answer->error_len = error.len;
    return 1;
}

/* Decodes a whole line without its end: the answer and its ports. */
static int
ident_take_line(struct ident_line *line, struct socks4_ident_query *about,
                struct socks4_ident_answer *answer)
{
    struct token kind;

    if (!ident_take_port(line, &about->client_port) ||
        !ident_take_mark(line, ',') ||
        !ident_take_port(line, &about->server_port) ||
        !ident_take_mark(line, ':') || !ident_take_token(line, ':', &kind) ||
        !ident_take_mark(line, ':'))
        return 0;
    if (ident_token_is(line, &kind, word_userid, sizeof word_userid - 1))
        return ident_take_userid(line, answer);
    return ident_token_is(line, &kind, word_error, sizeof word_error - 1) &&
           ident_take_error(line, answer);
}

/* Whether an octet of the line is one that ends lines or strings. */
static int
ident_has_end(const struct ident_line *line)
{
    /*@ loop invariant 0 <= i <= line->end;
      @ loop invariant \forall integer j; 0 <= j < i ==>
      @   line->octets[j] != 0 && line->octets[j] != '\r';
      @ loop assigns i;
      @ loop variant line->end - i;
      @*/
    for (size_t i = 0; i < line->end; i++)
        if (line->octets[i] == '\0' || line->octets[i] == '\r')
            return 1;
    return 0;
}

/* Returns the error of a line of `size` octets, or 0. */
static int
ident_decode_line(const struct socks4_ident_query *query, const uint8_t *octets,
                  size_t size, struct socks4_ident_answer *answer)
{
    struct ident_line line = {(const char *)octets, 0, size};
    struct socks4_ident_query about;

    if (size > 0 && octets[size - 1] == '\r')
        line.end--;
    if (ident_has_end(&line) || !ident_take_line(&line, &about, answer))
        return SOCKS4_E_IDENT_MALFORMED;
    if (about.client_port != query->client_port ||
        about.server_port != query->server_port) {
        memset(answer, 0, sizeof *answer);
        return SOCKS4_E_IDENT_PORTS;
    }
    return 0;
}

ssize_t
socks4_ident_answer_decode(const struct socks4_ident_query *query,
                           const uint8_t *octets, size_t len,
                           struct socks4_ident_answer *answer)
{
    size_t size = 0; /* of the line, without LF */
    int fault;

    memset(answer, 0, sizeof *answer);
    /*@ loop invariant size <= len && size <= SOCKS4_IDENT_LINE_MAX + 1;
      @ loop invariant no_lf(octets, size);
      @ loop assigns size;
      @ loop variant len - size;
      @*/
    while (size < len && size <= SOCKS4_IDENT_LINE_MAX && octets[size] != '\n')
        size++;
    if (size > SOCKS4_IDENT_LINE_MAX)
        return SOCKS4_E_IDENT_LONG;
    if (size == len)
        return 0;
    fault = ident_decode_line(query, octets, size, answer);
    return fault != 0 ? fault : (ssize_t)size + 1;
}
