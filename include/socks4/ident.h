#ifndef SOCKS4_IDENT_H
#define SOCKS4_IDENT_H

/*
 * The octets of the Identification Protocol (RFC 1413), from the side of
 * the one who asks: how a SOCKS server learns who the user of a connection
 * is [V4-2-4].
 *
 *     query    6193, 1080 CR LF
 *              ----  ----
 *              on identd's host, the SOCKS client's
 *                    on the asking host: the SOCKS server's
 *
 *     answer   6193, 1080 : USERID : UNIX : stjohns CR LF
 *              6193, 1080 : USERID : OTHER , US-ASCII : st johns: 8 CR LF
 *              6193, 1080 : ERROR : NO-USER CR LF
 *
 * No I/O, no allocation, no state, as in codec.h: the decoder looks at the
 * octets received so far; what it gives out lies among them and lives as
 * long as they do. However they were split, the answer is the same. Any
 * number of threads.
 *
 * What identd says is a claim of its host, worth as much as that host
 * [V4-C.1-1]: octets of a stranger, to be escaped before they are shown.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <socks4/codec.h> /* enum socks4_error */

#ifdef __cplusplus
extern "C" {
#endif

#define SOCKS4_IDENT_PORT 113      /* where identd listens */
#define SOCKS4_IDENT_QUERY_MAX 14  /* "65535, 65535" CR LF */
#define SOCKS4_IDENT_LINE_MAX 1000 /* octets of an answer, without LF */

/* The connection asked about: its ports, in host order. */
struct socks4_ident_query {
    uint16_t client_port; /* on the host that is asked */
    uint16_t server_port; /* on the host that asks */
};

/* The two kinds of answer there are. */
enum socks4_ident_kind {
    SOCKS4_IDENT_USERID = 1,
    SOCKS4_IDENT_ERROR = 2,
};

/*
 * One answer. All are views into the caller's octets, not terminated; those
 * that the kind has not are NULL.
 *
 * opsys and charset are tokens, charset often missing. userid is all that
 * stands behind the third colon, but for leading blanks, which RFC 1413's
 * own example puts there: colons, blanks in it and behind it and octets
 * over 127 are part of it. It is never empty and holds no NUL, CR or LF.
 * error is identd's word: NO-USER, HIDDEN-USER, INVALID-PORT, UNKNOWN-ERROR
 * or another token.
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

/* Writes the query, CR LF included. Returns its octets, at most 14. */
size_t socks4_ident_query_encode(const struct socks4_ident_query *query,
                                 uint8_t octets[SOCKS4_IDENT_QUERY_MAX]);

/*
 * The answer to `query` among `len` octets.
 *
 * Returns the octets it took (> 0), LF included; what follows it is not
 * looked at. 0: more is needed. An answer ends with CR LF, a bare LF is
 * forgiven; without either it is none, however whole it looks: a user-id
 * that is cut short may be another's. So where the stream ends after a 0,
 * no answer came. Or a negative socks4_error:
 *
 *   IDENT_LONG       the line has more than 1000 octets; at the first past
 *                    the limit
 *   IDENT_MALFORMED  it is no answer as RFC 1413 writes them; at the LF
 *   IDENT_PORTS      it is one, about other ports than those asked; at the LF
 *
 * Once it has returned something other than 0, more octets change neither
 * the result nor the answer. Unless an answer was found, `answer` is zero.
 *
 * Blanks (spaces, tabs) may stand anywhere but inside a token. USERID and
 * ERROR are taken in upper case only, as RFC 1413 writes them: every identd
 * does, and who guesses what a line may mean guesses who somebody is.
 */
ssize_t socks4_ident_answer_decode(const struct socks4_ident_query *query,
                                   const uint8_t *octets, size_t len,
                                   struct socks4_ident_answer *answer);

#ifdef __cplusplus
}
#endif

#endif
