#ifndef SOCKS4_V5_H
#define SOCKS4_V5_H

/*
 * The octets of SOCKS version 5 (RFC 1928) and of its user name and password
 * (RFC 1929), both directions. They are part of this library, and not of one
 * of their own, because a program that moves from version 4 to 5 speaks both
 * for years: one set of errors, one release.
 *
 * As codec.h: no I/O, no allocation, no state. A decoder looks at the octets
 * received so far and returns
 *
 *   > 0  the number of the octets of one message
 *   0    more octets are needed
 *   < 0  a socks4_error, exactly at the octet that is wrong
 *
 * Once the result is not 0, more octets change nothing, so the result does
 * not depend on how the octets were split. The struct holds every field that
 * is complete, also with 0 and with an error; its other fields are zero. An
 * unfinished list or text is set to the octets received so far, one with a
 * NUL to those before it. Pointers point into the caller's octets. Any number
 * of threads may call the functions.
 *
 * An encoder returns the number of octets written, or writes nothing and
 * returns an error. It ignores `version` and `reserved` and writes what the
 * RFC says. Ports and IPv4 addresses are in host order.
 *
 *     client                                    server
 *     greeting   VER NMETHODS METHODS   ──►
 *                                       ◄──     choice   VER METHOD
 *     password   VER ULEN UNAME         ──►
 *                    PLEN PASSWD                          if METHOD is 2
 *                                       ◄──     status   VER STATUS
 *     request    VER CMD RSV ATYP       ──►
 *                    DST.ADDR DST.PORT
 *                                       ◄──     reply    VER REP RSV ATYP
 *                                                        BND.ADDR BND.PORT
 *     datagram   RSV FRAG ATYP          ◄─►     likewise
 *                    DST.ADDR DST.PORT
 *                    DATA
 *
 * Where the RFCs leave room, or peers differ from them:
 *
 *   NMETHODS 0       taken, though 1 is the least: the server answers it with
 *                    SOCKS4_V5_UNACCEPTABLE. Not written.
 *   RSV is not 0     taken, and told in `reserved`: nothing depends on it,
 *                    and servers in use do not look at it.
 *   ULEN or PLEN 0   taken, though 1 is the least: clients send an empty
 *                    password, and a status answers better than an end.
 *                    An empty UNAME is nobody. Not written.
 *   a NUL in text    refused, in names, UNAME and PASSWD: a later reader of
 *                    strings that end there (a resolver, PAM, crypt(3))
 *                    would see another name than the one that was checked.
 *   an empty name    refused.
 *   status, VER 5    taken as 1: servers err so, and clients do not look.
 *   REP over 8       taken: every REP but 0 refuses. Not written.
 *   a wrong ATYP     refused, also in a reply, whose `code` is there: a
 *                    refusal of four octets is still a refusal.
 *   FRAG is not 0    taken, and told: a server that does not reassemble drops
 *                    the datagram (RFC 1928, section 7).
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <socks4/codec.h> /* enum socks4_error */

#ifdef __cplusplus
extern "C" {
#endif

#define SOCKS4_V5_VERSION 5          /* VER of all but password and status */
#define SOCKS4_V5_PASSWORD_VERSION 1 /* VER of those */
#define SOCKS4_V5_TEXT_MAX 255       /* octets of a name, UNAME, PASSWD */

/* The longest messages. Requests, replies and headers of datagrams with a
   name of 255 octets have the same size. */
#define SOCKS4_V5_GREETING_MAX 257
#define SOCKS4_V5_CHOICE_SIZE 2
#define SOCKS4_V5_PASSWORD_MAX 513
#define SOCKS4_V5_STATUS_SIZE 2
#define SOCKS4_V5_REQUEST_MAX 262
#define SOCKS4_V5_REPLY_MAX 262
#define SOCKS4_V5_UDP_MAX 262

/* METHOD (RFC 1928, section 3). */
enum socks4_v5_method {
    SOCKS4_V5_NONE = 0, /* no authentication */
    SOCKS4_V5_GSSAPI = 1,
    SOCKS4_V5_PASSWORD = 2,
    SOCKS4_V5_UNACCEPTABLE = 0xff, /* none of the client's; it must close */
};

/* CMD (RFC 1928, section 4). */
enum socks4_v5_command {
    SOCKS4_V5_CONNECT = 1,
    SOCKS4_V5_BIND = 2,
    SOCKS4_V5_UDP = 3, /* UDP ASSOCIATE */
};

/* ATYP (RFC 1928, section 5). */
enum socks4_v5_type {
    SOCKS4_V5_IPV4 = 1,
    SOCKS4_V5_NAME = 3,
    SOCKS4_V5_IPV6 = 4,
};

/* REP (RFC 1928, section 6). */
enum socks4_v5_code {
    SOCKS4_V5_SUCCEEDED = 0,
    SOCKS4_V5_FAILURE = 1,
    SOCKS4_V5_NOT_ALLOWED = 2,
    SOCKS4_V5_NETWORK_UNREACHABLE = 3,
    SOCKS4_V5_HOST_UNREACHABLE = 4,
    SOCKS4_V5_REFUSED = 5,
    SOCKS4_V5_TTL_EXPIRED = 6,
    SOCKS4_V5_NO_COMMAND = 7, /* the server does not have this CMD */
    SOCKS4_V5_NO_TYPE = 8,    /* the server does not have this ATYP */
};

struct socks4_v5_greeting {
    uint8_t version;
    uint8_t count; /* NMETHODS */
    const uint8_t *methods;
    size_t methods_len;
};

struct socks4_v5_choice {
    uint8_t version;
    uint8_t method; /* any octet: the caller knows what it offered */
};

/* The texts are not terminated. Wipe the octets they point into after use. */
struct socks4_v5_password {
    uint8_t version;
    const char *user;
    size_t user_len;
    const char *password;
    size_t password_len;
};

struct socks4_v5_status {
    uint8_t version;
    uint8_t status; /* 0: success; any other: failure, and the end */
};

/* Of the address only the field of its type is used. The name is not
   terminated and holds any octet but NUL; it may be an address as text. */
struct socks4_v5_address {
    uint8_t type; /* enum socks4_v5_type */
    uint8_t ip6[16];
    uint16_t port;
    uint32_t ip4;
    const char *name;
    size_t name_len;
};

struct socks4_v5_request {
    uint8_t version;
    uint8_t command;
    uint8_t reserved;
    struct socks4_v5_address address;
};

struct socks4_v5_reply {
    uint8_t version;
    uint8_t code;
    uint8_t reserved;
    struct socks4_v5_address address;
};

/* What stands in front of the data of a datagram. */
struct socks4_v5_udp {
    uint16_t reserved;
    uint8_t fragment; /* FRAG; 0: the datagram is whole */
    struct socks4_v5_address address;
};

/* Errors: E_V5_VERSION at the first octet. */
ssize_t socks4_v5_greeting_decode(const uint8_t *octets, size_t len,
                                  struct socks4_v5_greeting *greeting);

/* Errors: E_V5_METHODS if methods_len is not 1 to 255; E_ROOM. `count` is
   ignored. */
ssize_t socks4_v5_greeting_encode(const struct socks4_v5_greeting *greeting,
                                  uint8_t *octets, size_t room);

/* Returns 1 if that method is among those of the greeting, else 0. */
int socks4_v5_offers(const struct socks4_v5_greeting *greeting, int method);

/* Errors: E_V5_VERSION at the first octet. */
ssize_t socks4_v5_choice_decode(const uint8_t *octets, size_t len,
                                struct socks4_v5_choice *choice);

/* Returns 2. */
ssize_t socks4_v5_choice_encode(uint8_t method,
                                uint8_t octets[SOCKS4_V5_CHOICE_SIZE]);

/* Errors: E_V5_PASSWORD_VERSION at the first octet if it is not 1; E_NUL at a
   NUL in UNAME or PASSWD. */
ssize_t socks4_v5_password_decode(const uint8_t *octets, size_t len,
                                  struct socks4_v5_password *password);

/* Errors, the first that applies: E_V5_USER, E_V5_PASSWORD if the length is
   not 1 to 255; E_NUL; E_ROOM. */
ssize_t socks4_v5_password_encode(const struct socks4_v5_password *password,
                                  uint8_t *octets, size_t room);

/* Errors: E_V5_PASSWORD_VERSION at the first octet if it is neither 1 nor
   5. */
ssize_t socks4_v5_status_decode(const uint8_t *octets, size_t len,
                                struct socks4_v5_status *status);

/* Returns 2. */
ssize_t socks4_v5_status_encode(uint8_t status,
                                uint8_t octets[SOCKS4_V5_STATUS_SIZE]);

/*
 * Errors:
 *
 *   E_V5_VERSION    the first octet is not 5
 *   E_V5_COMMAND    the second is not 1, 2 or 3; answer NO_COMMAND
 *   E_V5_TYPE       the fourth is not 1, 3 or 4; answer NO_TYPE
 *   E_DOMAIN_EMPTY  the length of a name is 0
 *   E_NUL           at a NUL in a name
 */
ssize_t socks4_v5_request_decode(const uint8_t *octets, size_t len,
                                 struct socks4_v5_request *request);

/* Errors, the first that applies: E_V5_COMMAND; E_V5_TYPE; of a name
   E_DOMAIN_EMPTY, E_DOMAIN_LONG (over 255), E_NUL; E_ROOM. */
ssize_t socks4_v5_request_encode(const struct socks4_v5_request *request,
                                 uint8_t *octets, size_t room);

/* Errors: those of socks4_v5_request_decode but E_V5_COMMAND. */
ssize_t socks4_v5_reply_decode(const uint8_t *octets, size_t len,
                               struct socks4_v5_reply *reply);

/* Errors, the first that applies: E_V5_CODE if it is over 8; those of the
   address as in socks4_v5_request_encode; E_ROOM. */
ssize_t socks4_v5_reply_encode(const struct socks4_v5_reply *reply,
                               uint8_t *octets, size_t room);

/*
 * Decodes the header of a datagram; what follows its octets is the data,
 * which may be none. 0: the datagram ends inside the header; drop it. Errors:
 * E_V5_TYPE, E_DOMAIN_EMPTY, E_NUL.
 */
ssize_t socks4_v5_udp_decode(const uint8_t *octets, size_t len,
                             struct socks4_v5_udp *udp);

/* Encodes the header. Errors: those of the address as in
   socks4_v5_request_encode; E_ROOM. */
ssize_t socks4_v5_udp_encode(const struct socks4_v5_udp *udp, uint8_t *octets,
                             size_t room);

/* Returns a sentence for REP, also for an unknown one; static, never NULL. */
const char *socks4_v5_code_text(int code);

#ifdef __cplusplus
}
#endif

#endif
