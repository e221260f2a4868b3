#ifndef SOCKS4_CODEC_H
#define SOCKS4_CODEC_H

/*
 * The octets of SOCKS version 4 (draft-vance-socks-v4-09) and SOCKS 4A
 * (draft-vance-socks-v4a-01): requests and replies, both directions.
 *
 * No I/O, no allocation, no state: a decoder looks at the octets received
 * so far and says how many make one message. The caller keeps the octets;
 * what a decoded message points to lies among them and lives as long as
 * they do. However the octets were split on their way, the answer for the
 * same octets is the same. Any number of threads.
 *
 *     request  +----+----+----+----+----+----+----+----+---- ... ----+------+
 *              | VN | CD | DSTPORT |       DSTIP       |   USERID    | NUL  |
 *              +----+----+----+----+----+----+----+----+---- ... ----+------+
 *                 1    1      2              4            variable      1
 *
 *     4A, where DSTIP is 0.0.0.x with x not 0, goes on:
 *                                                 +---- ... ----+------+
 *                                                 |   DOMAIN    | NUL  |
 *                                                 +---- ... ----+------+
 *
 *     reply    +----+----+----+----+----+----+----+----+
 *              | VN | CD | DSTPORT |       DSTIP       |     VN is 0
 *              +----+----+----+----+----+----+----+----+
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SOCKS4_VERSION 4        /* VN of a request [V4-D.1-1] */
#define SOCKS4_REPLY_VERSION 0  /* VN of a reply [V4-3.3-2] */
#define SOCKS4_PORT 1080        /* the customary port [V4-D.4-1] */
#define SOCKS4_HEADER_SIZE 8    /* VN to DSTIP */
#define SOCKS4_REPLY_SIZE 8     /* [V4-3.3-1] */
#define SOCKS4_DOMAIN_MAX 255   /* octets, without NUL [4A-3.1.2-5] */

/* CD of a request [V4-D.2-1]. */
enum socks4_command {
    SOCKS4_CONNECT = 1,
    SOCKS4_BIND = 2,
};

/* CD of a reply [V4-D.3-1]. */
enum socks4_code {
    SOCKS4_GRANTED = 90,
    SOCKS4_REJECTED = 91,
    SOCKS4_NO_IDENTD = 92,
    SOCKS4_OTHER_USER = 93,
};

/* What a decoder or encoder may find wrong; always negative. */
enum socks4_error {
    SOCKS4_E_VERSION = -1,      /* VN is not 4 (request) or 0 (reply) */
    SOCKS4_E_COMMAND = -2,      /* CD is neither CONNECT nor BIND */
    SOCKS4_E_CODE = -3,         /* CD of a reply is not 90 to 93 */
    SOCKS4_E_USERID_LONG = -4,  /* USERID passes the caller's limit */
    SOCKS4_E_DOMAIN_LONG = -5,  /* DOMAIN passes 255 octets */
    SOCKS4_E_DOMAIN_EMPTY = -6, /* DOMAIN is empty */
    SOCKS4_E_4A = -7,           /* DSTIP asks for 4A, which is off */
    SOCKS4_E_NUL = -8,          /* a NUL inside a field to be encoded */
    SOCKS4_E_ROOM = -9,         /* the caller's buffer is too small */
};

/*
 * One request. Port and address in host order. userid and domain are views
 * into the caller's octets, not terminated strings; domain is NULL in a
 * plain version 4 request.
 */
struct socks4_request {
    uint8_t version;
    uint8_t command;
    uint16_t dstport;
    uint32_t dstip;
    const char *userid;
    size_t userid_len;
    const char *domain;
    size_t domain_len;
};

struct socks4_reply {
    uint8_t version;
    uint8_t code;
    uint16_t dstport;
    uint32_t dstip;
};

/* How a server reads requests. */
struct socks4_framing {
    size_t userid_max; /* octets, without NUL */
    int socks4a;       /* 0: 0.0.0.x is refused; else DOMAIN is read */
};

/*
 * The first request among `len` octets.
 *
 * Returns the octets it took (> 0), NUL included: what follows is data for
 * the application [V4-3.1-7]. 0: more is needed. Or a negative
 * socks4_error, as soon as it is certain:
 *   VERSION at the first octet [V4-3.1-2]; COMMAND once the eight fixed
 *   octets are there [V4-3.2-3]; USERID_LONG and DOMAIN_LONG when the limit
 *   is passed [4A-B.4-1]; 4A and DOMAIN_EMPTY at the field's NUL [V4-A-3].
 *
 * `request` holds every field that could be read, also with 0 and with an
 * error; the rest of it is zero. An unfinished USERID is given as far as it
 * has come.
 */
ssize_t socks4_request_decode(const struct socks4_framing *framing,
                              const uint8_t *octets, size_t len,
                              struct socks4_request *request);

/*
 * Writes a request; 4A if request->domain is not NULL, and then dstip must
 * be 0.0.0.x with x not 0 [4A-3.1.1-1]. `version` is ignored: 4 is written.
 * Returns the octets written, or SOCKS4_E_COMMAND, _NUL, _ROOM, _4A (domain
 * and dstip do not fit each other), _DOMAIN_EMPTY, _DOMAIN_LONG.
 */
ssize_t socks4_request_encode(const struct socks4_request *request,
                              uint8_t *octets, size_t room);

/*
 * The reply among `len` octets: 8, or 0 for more, or SOCKS4_E_VERSION at
 * the first octet, SOCKS4_E_CODE at the second.
 */
ssize_t socks4_reply_decode(const uint8_t *octets, size_t len,
                            struct socks4_reply *reply);

/* Writes exactly 8 octets, VN 0 [V4-3.3-1, V4-3.3-2]. Returns 8, or
   SOCKS4_E_CODE for a code that is not 90 to 93 [V4-3.3-3]. */
ssize_t socks4_reply_encode(const struct socks4_reply *reply,
                            uint8_t octets[SOCKS4_REPLY_SIZE]);

/* Whether DSTIP is 0.0.0.x with x not 0, the sign of 4A [4A-3.1.1-1]. */
int socks4_is_4a(uint32_t dstip);

/* A sentence for a reply code or an error; never NULL, static. */
const char *socks4_code_text(int code);
const char *socks4_error_text(int error);

#ifdef __cplusplus
}
#endif

#endif
