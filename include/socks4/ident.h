#ifndef SOCKS4_IDENT_H
#define SOCKS4_IDENT_H

/*
 * The octets of the Identification Protocol (RFC 1413), from the side of the
 * host that asks: how a SOCKS server learns the user of a connection
 * [V4-2-4].
 *
 *     query    6193, 1080 CR LF
 *              ----  ----
 *              port on identd's host: the SOCKS client's
 *                    port on the asking host: the SOCKS server's
 *
 *     answer   6193, 1080 : USERID : UNIX : stjohns CR LF
 *              6193, 1080 : USERID : OTHER , US-ASCII : st johns: 8 CR LF
 *              6193, 1080 : ERROR : NO-USER CR LF
 *
 * No I/O, no allocation, no state, as in codec.h. The decoder looks at the
 * octets received so far; pointers of an answer point into them and are
 * valid as long as they are. The result does not depend on how the octets
 * were split. Any number of threads may call the functions.
 *
 * An answer is a claim of the host that gives it and not more reliable than
 * that host [V4-C.1-1]. Escape its octets before you show them.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <socks4/codec.h> /* enum socks4_error */

#ifdef __cplusplus
extern "C" {
#endif

#define SOCKS4_IDENT_PORT 113      /* identd's port */
#define SOCKS4_IDENT_QUERY_MAX 14  /* "65535, 65535" CR LF */
#define SOCKS4_IDENT_LINE_MAX 1000 /* octets of an answer, without LF */

/* The ports of the connection in question, in host order. */
struct socks4_ident_query {
    uint16_t client_port; /* on the host that is asked */
    uint16_t server_port; /* on the host that asks */
};

/* The two kinds of answers. */
enum socks4_ident_kind {
    SOCKS4_IDENT_USERID = 1,
    SOCKS4_IDENT_ERROR = 2,
};

/*
 * One answer. The pointers point into the caller's octets, which are not
 * terminated; fields that the kind does not have are NULL.
 *
 * opsys and charset are tokens; charset is often missing. userid is
 * everything behind the third colon except leading blanks, which RFC 1413's
 * own example has: colons, later blanks and octets over 127 are part of it.
 * It is never empty and holds no NUL, CR or LF. error is a token: NO-USER,
 * HIDDEN-USER, INVALID-PORT, UNKNOWN-ERROR or another one.
 */
struct socks4_ident_answer {
    uint8_t kind;
    const char *opsys; /* USERID */
    size_t opsys_len;
    const char *charset; /* USERID; NULL: none was named */
    size_t charset_len;
    const char *userid; /* USERID */
    size_t userid_len;
    const char *error; /* ERROR */
    size_t error_len;
};

/* Encodes the query, CR LF included. Returns its length, at most 14. */
size_t socks4_ident_query_encode(const struct socks4_ident_query *query,
                                 uint8_t octets[SOCKS4_IDENT_QUERY_MAX]);

/*
 * Decodes the answer to `query` at the start of `len` octets.
 *
 * Returns the number of its octets (> 0), LF included; later octets are
 * ignored. 0: more octets are needed. An answer ends with CR LF or a bare
 * LF. Without them it is not an answer, however complete it looks, since a
 * user-id that was cut short may be another user's; so if the stream ends
 * after a 0 there was no answer. Or a negative socks4_error:
 *
 *   IDENT_LONG       the line has more than 1000 octets; at the first octet
 *                    beyond the limit
 *   IDENT_MALFORMED  the line is not an answer of RFC 1413; at the LF
 *   IDENT_PORTS      the answer is about other ports than those of the
 *                    query; at the LF
 *
 * Once the result is not 0, more octets change neither the result nor the
 * answer. Unless an answer was decoded, `answer` is zero.
 *
 * Blanks (spaces, tabs) may stand anywhere but inside a token. USERID and
 * ERROR must be in upper case, as in RFC 1413: every identd sends them so,
 * and a decoder that guesses might name the wrong user.
 */
ssize_t socks4_ident_answer_decode(const struct socks4_ident_query *query,
                                   const uint8_t *octets, size_t len,
                                   struct socks4_ident_answer *answer);

#ifdef __cplusplus
}
#endif

#endif
