#ifndef SOCKS4_SERVER_H
#define SOCKS4_SERVER_H

/*
 * The server's side of a session's beginning, without I/O: it is shown the
 * octets that came, says what was asked, is told the verdict, and writes
 * the replies, each in its turn and no other. Who decides, who connects and
 * who listens is the caller's affair, as is all memory.
 *
 *     CONNECT   REQUEST ──► DECIDE ─────────────────► OPEN
 *     BIND      REQUEST ──► DECIDE ──► PEER ────────► OPEN
 *                 └───────────┴─────────┴──► REFUSED, or DROPPED
 *
 *     struct socks4_server server = {0};
 *
 *     used = socks4_server_read(&server, &framing, octets, len, &request);
 *     if (used < 0)
 *         size = socks4_server_refuse(&server, SOCKS4_REJECTED, reply);
 *     ... connect to request.dstip, or to what its domain resolves to ...
 *     size = socks4_server_grant(&server, port, ip, reply);
 *
 * A server is used by one thread at a time; any number of them by any
 * number of threads. Addresses and ports are in host order.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <socks4/codec.h>

#ifdef __cplusplus
extern "C" {
#endif

enum socks4_server_state {
    SOCKS4_SERVER_REQUEST = 0, /* the request is to come */
    SOCKS4_SERVER_DECIDE = 1,  /* it is there, or is wrong: a reply is due */
    SOCKS4_SERVER_PEER = 2,    /* BIND: listening; the second is due */
    SOCKS4_SERVER_OPEN = 3,    /* granted: relay */
    SOCKS4_SERVER_REFUSED = 4, /* close, so that the reply arrives */
    SOCKS4_SERVER_DROPPED = 5, /* close; no reply means anything to it */
};

/* Begins all zero. To be read between the functions. */
struct socks4_server {
    uint8_t state;   /* enum socks4_server_state */
    uint8_t version; /* of the request; 4, or what it began with instead */
    uint8_t command; /* 0: not known */
    uint8_t code;    /* CD of the last reply; 0: none yet */
    int error;       /* a socks4_error, where the request is wrong */
    uint16_t dstport;
    uint32_t dstip;
    uint8_t has_header; /* the fixed eight octets were understood */
    uint8_t begun;      /* the first octet was there */
};

/*
 * Looks at the request, of which `len` octets, all so far, are there. The
 * result is that of socks4_request_decode, and so is `request`, a view into
 * the octets:
 *
 *   > 0   the octets it took; what follows is the application's and comes
 *         first in the relay [V4-3.1-7]. DECIDE: grant or refuse.
 *   0     more is needed
 *   < 0   a socks4_error, also in `error`. DECIDE, where only a refusal is
 *         to come; DROPPED after E_VERSION: whoever that is does not speak
 *         SOCKS 4 [V4-3.1-2, 4A-4.1-2].
 *
 * E_ORDER after the request has been decided upon.
 */
ssize_t socks4_server_read(struct socks4_server *server,
                           const struct socks4_framing *framing,
                           const uint8_t *octets, size_t len,
                           struct socks4_request *request);

/*
 * Writes the reply that grants: to a CONNECT once the connection stands
 * [V4-3.3-4], to a BIND first when the socket listens, with its address
 * [V4-4.2-4..6], then when the expected peer is there, with the peer's
 * [V4-4.3-1, V4-4.3-4]. Returns 8, or E_ORDER with nothing written where no
 * grant is due: before the request, after a wrong one, after the last reply.
 */
ssize_t socks4_server_grant(struct socks4_server *server, uint16_t port,
                            uint32_t ip, uint8_t octets[SOCKS4_REPLY_SIZE]);

/*
 * Writes the reply that refuses, with a code of 91 to 93; to an unfinished
 * request as well, when its time is up or its stream has ended
 * [4A-A.2.2-2]. Port and address are those of the request, as far as they
 * had come; zeros in a second reply. Returns 8; 0, with nothing written,
 * where no reply means anything: not one octet came, or the first was not 4;
 * E_CODE for another code; E_ORDER after the last reply.
 */
ssize_t socks4_server_refuse(struct socks4_server *server, int code,
                             uint8_t octets[SOCKS4_REPLY_SIZE]);

#ifdef __cplusplus
}
#endif

#endif
