#ifndef SOCKS4_CODEC_H
#define SOCKS4_CODEC_H

/*
 * The octets of SOCKS version 4 (draft-vance-socks-v4-09) and SOCKS 4A
 * (draft-vance-socks-v4a-02): requests and replies, both directions.
 *
 * No I/O, no allocation, no state. A decoder looks at the octets received
 * so far and returns how many of them make one message. The caller keeps
 * the octets; pointers of a decoded message point into them and are valid
 * as long as they are. The result for the same octets does not depend on
 * how they were split. Any number of threads may call the functions.
 *
 *     request  +----+----+----+----+----+----+----+----+---- ... ----+------+
 *              | VN | CD | DSTPORT |       DSTIP       |   USERID    | NUL  |
 *              +----+----+----+----+----+----+----+----+---- ... ----+------+
 *                 1    1      2              4            variable      1
 *
 *     4A, if DSTIP is 0.0.0.x with x not 0, adds:
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

#define SOCKS4_VERSION 4       /* VN of a request [V4-D.1-1] */
#define SOCKS4_REPLY_VERSION 0 /* VN of a reply [V4-3.3-2] */
#define SOCKS4_PORT 1080       /* the customary port [V4-D.4-1] */
#define SOCKS4_HEADER_SIZE 8   /* VN to DSTIP */
#define SOCKS4_REPLY_SIZE 8    /* [V4-3.3-1] */
#define SOCKS4_DOMAIN_MAX 255  /* octets, without NUL [4A-3.1.2-5] */

/* CD of a request [V4-D.2-1]; no others will be assigned [V4-7-1]. */
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

/* Errors of decoders and encoders; always negative. */
enum socks4_error {
    SOCKS4_E_VERSION = -1,      /* VN is not 4 (request) or 0 (reply) */
    SOCKS4_E_COMMAND = -2,      /* CD is neither CONNECT nor BIND */
    SOCKS4_E_CODE = -3,         /* CD of a reply is not 90 to 93 */
    SOCKS4_E_USERID_LONG = -4,  /* USERID exceeds the caller's limit */
    SOCKS4_E_DOMAIN_LONG = -5,  /* DOMAIN exceeds 255 octets */
    SOCKS4_E_DOMAIN_EMPTY = -6, /* DOMAIN is empty */
    SOCKS4_E_4A = -7,           /* DSTIP asks for 4A, which is off */
    SOCKS4_E_NUL = -8,          /* a NUL inside a field to be encoded */
    SOCKS4_E_ROOM = -9,         /* the caller's buffer is too small */
    /* ident.h */
    SOCKS4_E_IDENT_LONG = -10,      /* a line of more than 1000 octets */
    SOCKS4_E_IDENT_MALFORMED = -11, /* not an answer of RFC 1413 */
    SOCKS4_E_IDENT_PORTS = -12,     /* an answer about other ports */
    /* client.h */
    SOCKS4_E_NO_REPLY = -13, /* the stream ended before a reply */
    SOCKS4_E_SHORT = -14,    /* the stream ended inside a reply */
    SOCKS4_E_EARLY = -15,    /* a grant before the request was sent */
    /* server.h */
    SOCKS4_E_ORDER = -16, /* no such reply may be sent now */
    /* v5.h */
    SOCKS4_E_V5_VERSION = -17,          /* VER is not 5 */
    SOCKS4_E_V5_METHODS = -18,          /* no methods, or over 255 */
    SOCKS4_E_V5_PASSWORD_VERSION = -19, /* VER of RFC 1929 is not 1 */
    SOCKS4_E_V5_USER = -20,             /* UNAME has not 1 to 255 octets */
    SOCKS4_E_V5_PASSWORD = -21,         /* PASSWD has not 1 to 255 octets */
    SOCKS4_E_V5_COMMAND = -22,          /* CMD is not 1 to 3 */
    SOCKS4_E_V5_TYPE = -23,             /* ATYP is not 1, 3 or 4 */
    SOCKS4_E_V5_CODE = -24,             /* REP to be encoded is over 8 */
    /* v5_client.h */
    SOCKS4_E_V5_METHOD = -25,       /* a METHOD that was not offered */
    SOCKS4_E_V5_UNACCEPTABLE = -26, /* the server takes none of them */
    SOCKS4_E_V5_DENIED = -27,       /* user name or password refused */
};

/*
 * One request. Port and address in host order [V4-3.1-4, V4-3.1-5]. userid
 * and domain point into the caller's octets; they are not terminated and
 * hold any octet but NUL [V4-3.1-6]; domain is NULL in a plain version
 * 4 request.
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

/* One reply. Port and address in host order. */
struct socks4_reply {
    uint8_t version;
    uint8_t code;
    uint16_t dstport;
    uint32_t dstip;
};

/* How a server reads requests. */
struct socks4_framing {
    size_t userid_max; /* octets, without NUL [4A-B.4-1] */
    int socks4a;       /* 0: refuse 0.0.0.x; else read DOMAIN */
};

/*
 * Decodes the request at the start of `len` octets.
 *
 * Returns the number of its octets (> 0), NUL included: what follows is data
 * for the application [V4-3.1-7, 4A-3.1.2-4]. 0: more octets are needed. Or
 * a negative socks4_error, exactly at the octet that is wrong:
 *
 *   VERSION                   the first octet [V4-3.1-2]
 *   COMMAND                   the eighth [V4-3.1-3, V4-3.2-3]
 *   USERID_LONG, DOMAIN_LONG  the first beyond the limit [4A-B.4-1]
 *   4A                        USERID's NUL [V4-A-3]
 *   DOMAIN_EMPTY              DOMAIN's NUL
 *
 * Once the result is not 0, more octets change neither the result nor the
 * request.
 *
 * `request` holds every field that is complete, also with 0 and with an
 * error; its other fields are zero. An unfinished USERID or DOMAIN is set to
 * the octets received so far, one that is too long to those up to the limit.
 */
ssize_t socks4_request_decode(const struct socks4_framing *framing,
                              const uint8_t *octets, size_t len,
                              struct socks4_request *request);

/*
 * Encodes a request, as 4A if request->domain is not NULL. `version` is
 * ignored: 4 is written. Returns the number of octets written, or writes
 * nothing and returns the first of these that applies:
 *
 *   COMMAND       neither CONNECT nor BIND
 *   4A            domain without a dstip of 0.0.0.x with x not 0, or such a
 *                 dstip without a domain [4A-3.1.1-1]
 *   NUL           a NUL in userid or domain
 *   DOMAIN_EMPTY  domain_len is 0
 *   DOMAIN_LONG   domain_len is over 255 [4A-3.1.2-5]
 *   ROOM          it needs more than `room` octets
 *
 * userid may be NULL if userid_len is 0.
 */
ssize_t socks4_request_encode(const struct socks4_request *request,
                              uint8_t *octets, size_t room);

/*
 * Decodes the reply at the start of `len` octets. Returns 8; 0: more octets
 * are needed; or E_VERSION at the first octet, E_CODE at the second. `reply`
 * holds every field that is complete; its other fields are zero.
 */
ssize_t socks4_reply_decode(const uint8_t *octets, size_t len,
                            struct socks4_reply *reply);

/*
 * Encodes a reply of exactly 8 octets; reply->version is ignored: VN is 0
 * [V4-3.3-1, V4-3.3-2]. Returns 8, or writes nothing and returns E_CODE for
 * a code that is not 90 to 93 [V4-3.3-3].
 */
ssize_t socks4_reply_encode(const struct socks4_reply *reply,
                            uint8_t octets[SOCKS4_REPLY_SIZE]);

/* Returns 1 if DSTIP is 0.0.0.x with x not 0, which marks a 4A request
   [4A-3.1.1-1], else 0. */
int socks4_is_4a(uint32_t dstip);

/* Return a sentence for a reply code or an error, also for an unknown one;
   static, never NULL. */
const char *socks4_code_text(int code);
const char *socks4_error_text(int error);

#ifdef __cplusplus
}
#endif

#endif
