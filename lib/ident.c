#include <string.h>

#include "socks4/ident.h"

/* The rest of a line. */
struct ident_cursor {
    const char *at;
    const char *end;
};

struct token {
    const char *at;
    size_t len;
};

/* --- The query --- */

/* Writes the number; returns the place behind it. */
static uint8_t *
ident_write_port(uint8_t *at, uint16_t port)
{
    uint8_t digits[5];
    size_t count = 0;

    do {
        digits[count++] = (uint8_t)('0' + port % 10);
        port /= 10;
    } while (port > 0);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

size_t
socks4_ident_query_encode(const struct socks4_ident_query *query,
                          uint8_t octets[SOCKS4_IDENT_QUERY_MAX])
{
    uint8_t *end = ident_write_port(octets, query->client_port);

    *end++ = ',';
    *end++ = ' ';
    end = ident_write_port(end, query->server_port);
    *end++ = '\r';
    *end++ = '\n';
    return (size_t)(end - octets);
}

/* --- The answer --- */

static void
ident_skip_blanks(struct ident_cursor *line)
{
    while (line->at < line->end && (*line->at == ' ' || *line->at == '\t'))
        line->at++;
}

/* Takes blanks, then `mark`. */
static int
ident_take_mark(struct ident_cursor *line, char mark)
{
    ident_skip_blanks(line);
    if (line->at == line->end || *line->at != mark)
        return 0;
    line->at++;
    return 1;
}

/* Takes blanks, then a number of one to five digits. */
static int
ident_take_port(struct ident_cursor *line, uint16_t *port)
{
    uint32_t number = 0;
    int digits = 0;

    ident_skip_blanks(line);
    while (line->at < line->end && *line->at >= '0' && *line->at <= '9' &&
           digits < 6) {
        number = number * 10 + (uint32_t)(*line->at++ - '0');
        digits++;
    }
    *port = (uint16_t)number;
    return digits >= 1 && digits <= 5 && number <= UINT16_MAX;
}

/* Takes blanks, then at least one printable octet, up to a blank, a colon
   or `stop`. */
static int
ident_take_token(struct ident_cursor *line, char stop, struct token *token)
{
    ident_skip_blanks(line);
    token->at = line->at;
    while (line->at<line->end && * line->at> ' ' && *line->at < 0x7f &&
           *line->at != ':' && *line->at != stop)
        line->at++;
    token->len = (size_t)(line->at - token->at);
    return token->len > 0;
}

static int
ident_token_is(const struct token *token, const char *word)
{
    return token->len == strlen(word) &&
           memcmp(token->at, word, token->len) == 0;
}

/* The part behind "USERID :". The user-id is everything behind the next
   colon except leading blanks. */
static int
ident_take_userid(struct ident_cursor *line, struct socks4_ident_answer *answer)
{
    struct token opsys, charset = {NULL, 0};

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
    answer->opsys = opsys.at;
    answer->opsys_len = opsys.len;
    answer->charset = charset.at;
    answer->charset_len = charset.len;
    answer->userid = line->at;
    answer->userid_len = (size_t)(line->end - line->at);
    return 1;
}

/* The part behind "ERROR :". */
static int
ident_take_error(struct ident_cursor *line, struct socks4_ident_answer *answer)
{
    struct token error;

    if (!ident_take_token(line, ':', &error))
        return 0;
    ident_skip_blanks(line);
    if (line->at != line->end)
        return 0;
    answer->kind = SOCKS4_IDENT_ERROR;
    answer->error = error.at;
    answer->error_len = error.len;
    return 1;
}

/* Decodes a whole line without its end: the answer and its ports. */
static int
ident_take_line(struct ident_cursor *line, struct socks4_ident_query *about,
                struct socks4_ident_answer *answer)
{
    struct token kind;

    if (!ident_take_port(line, &about->client_port) ||
        !ident_take_mark(line, ',') ||
        !ident_take_port(line, &about->server_port) ||
        !ident_take_mark(line, ':') || !ident_take_token(line, ':', &kind) ||
        !ident_take_mark(line, ':'))
        return 0;
    if (ident_token_is(&kind, "USERID"))
        return ident_take_userid(line, answer);
    return ident_token_is(&kind, "ERROR") && ident_take_error(line, answer);
}

static int
ident_has_octet(const struct ident_cursor *line, char octet)
{
    return line->at < line->end &&
           memchr(line->at, octet, (size_t)(line->end - line->at)) != NULL;
}

/* Returns the error of a line of `size` octets, or 0. */
static int
ident_decode_line(const struct socks4_ident_query *query, const uint8_t *octets,
                  size_t size, struct socks4_ident_answer *answer)
{
    struct ident_cursor line = {(const char *)octets,
                                (const char *)octets + size};
    struct socks4_ident_query about;

    if (size > 0 && line.end[-1] == '\r')
        line.end--;
    if (ident_has_octet(&line, '\0') || ident_has_octet(&line, '\r'))
        return SOCKS4_E_IDENT_MALFORMED;
    if (!ident_take_line(&line, &about, answer))
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
    size_t look = len > SOCKS4_IDENT_LINE_MAX ? SOCKS4_IDENT_LINE_MAX + 1 : len;
    const uint8_t *lf = look > 0 ? memchr(octets, '\n', look) : NULL;
    int fault;

    memset(answer, 0, sizeof *answer);
    if (lf == NULL)
        return len > SOCKS4_IDENT_LINE_MAX ? SOCKS4_E_IDENT_LONG : 0;
    fault = ident_decode_line(query, octets, (size_t)(lf - octets), answer);
    return fault != 0 ? fault : lf - octets + 1;
}
