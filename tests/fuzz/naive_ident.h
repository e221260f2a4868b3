#ifndef FUZZ_NAIVE_IDENT_H
#define FUZZ_NAIVE_IDENT_H

#include <assert.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "socks4/ident.h"

/*
 * A second reading of RFC 1413: its grammar as two regular expressions. The
 * decoder must give the same.
 */

#define NAIVE_BLANKS "[ \t]*"
#define NAIVE_PORT NAIVE_BLANKS "([0-9]{1,5})" NAIVE_BLANKS
#define NAIVE_TOKEN NAIVE_BLANKS "([!-9;-~]+)" NAIVE_BLANKS
#define NAIVE_OPSYS NAIVE_BLANKS "([!-+./0-9;-~-]+)" NAIVE_BLANKS
#define NAIVE_PORTS "^" NAIVE_PORT "," NAIVE_PORT ":" NAIVE_BLANKS

/* ports: 1 and 2, opsys: 3, charset: 5, user-id: 6 */
#define NAIVE_USERID                                                           \
    NAIVE_PORTS "USERID" NAIVE_BLANKS ":" NAIVE_OPSYS "(," NAIVE_TOKEN         \
                ")?:" NAIVE_BLANKS "([^ \t].*)$"
/* ports: 1 and 2, error: 3 */
#define NAIVE_ERROR NAIVE_PORTS "ERROR" NAIVE_BLANKS ":" NAIVE_TOKEN "$"

struct naive_line {
    char text[SOCKS4_IDENT_LINE_MAX + 1];
    regmatch_t parts[7];
};

/* `regex` is compiled at the first call and kept. */
static inline int
naive_matches(struct naive_line *line, regex_t *regex, const char *pattern)
{
    int error = regex->re_nsub == 0 ? regcomp(regex, pattern, REG_EXTENDED) : 0;

    assert(error == 0);
    return regexec(regex, line->text, 7, line->parts, 0) == 0;
}

/* Where the part stands in the line at `place`, and its length. */
static inline const char *
naive_part(const struct naive_line *line, int part, const char *place,
           size_t *len)
{
    if (line->parts[part].rm_so < 0)
        return NULL;
    *len = (size_t)(line->parts[part].rm_eo - line->parts[part].rm_so);
    return place + line->parts[part].rm_so;
}

static inline long
naive_port(const struct naive_line *line, int part)
{
    return strtol(line->text + line->parts[part].rm_so, NULL, 10);
}

static inline int
naive_fields(struct naive_line *line, const char *place,
             struct socks4_ident_answer *answer)
{
    static regex_t userid, error;

    if (naive_matches(line, &userid, NAIVE_USERID)) {
        answer->kind = SOCKS4_IDENT_USERID;
        answer->opsys = naive_part(line, 3, place, &answer->opsys_len);
        answer->charset = naive_part(line, 5, place, &answer->charset_len);
        answer->userid = naive_part(line, 6, place, &answer->userid_len);
        return 1;
    }
    if (naive_matches(line, &error, NAIVE_ERROR)) {
        answer->kind = SOCKS4_IDENT_ERROR;
        answer->error = naive_part(line, 3, place, &answer->error_len);
        return 1;
    }
    return 0;
}

/* The line of `len` octets at `octets`, LF included; the views are into its
   copy at `place`. */
static inline ssize_t
naive_ident_line(const struct socks4_ident_query *query, const uint8_t *octets,
                 const char *place, size_t len,
                 struct socks4_ident_answer *answer)
{
    struct naive_line line = {.text = ""};
    struct socks4_ident_answer found = {0};
    size_t size = len - 1;

    if (size > 0 && octets[size - 1] == '\r')
        size--;
    memcpy(line.text, octets, size);
    if (strlen(line.text) != size || strchr(line.text, '\r') != NULL ||
        !naive_fields(&line, place, &found) || naive_port(&line, 1) > 65535 ||
        naive_port(&line, 2) > 65535)
        return SOCKS4_E_IDENT_MALFORMED;
    if (naive_port(&line, 1) != query->client_port ||
        naive_port(&line, 2) != query->server_port)
        return SOCKS4_E_IDENT_PORTS;
    *answer = found;
    return (ssize_t)len;
}

/* The answer once `len` octets have come; before the last of them there was
   none. */
static inline ssize_t
naive_ident(const struct socks4_ident_query *query, const uint8_t *octets,
            const char *place, size_t len, struct socks4_ident_answer *answer)
{
    memset(answer, 0, sizeof *answer);
    if (octets[len - 1] == '\n')
        return naive_ident_line(query, octets, place, len, answer);
    return len > SOCKS4_IDENT_LINE_MAX ? SOCKS4_E_IDENT_LONG : 0;
}

#endif
