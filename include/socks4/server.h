#ifndef SOCKS4_SERVER_H
#define SOCKS4_SERVER_H

/*
 * The server's side of the handshake, without I/O. The functions decode the
 * request from the octets received so far and encode the replies, each only
 * when the protocol allows it. The caller decides, connects, listens, moves
 * the octets, and owns all memory.
 *
 *     CONNECT   REQUEST ──► DECIDE ─────────────────► OPEN
 *     BIND      REQUEST ──► DECIDE ──► PEER ────────► OPEN
 *                 └───────────┴─────────┴──► REFUSED, or DROPPED
 *
 * A server that answers one request over a blocking socket. `decide`
 * connects to request->dstip, or to an address of request->domain, and
 * returns 90, or the code of the refusal. Returns that code; 0: the peer
 * does not speak SOCKS 4, or the socket failed:
 *
 *     int
 *     session_serve(int fd, int (*decide)(const struct socks4_request *))
 *     {
 *         struct socks4_framing framing = {.userid_max = 1023, .socks4a = 1};
 *         struct socks4_server server = {0};
 *         struct socks4_request request;
 *         uint8_t octets[2048], reply[SOCKS4_REPLY_SIZE];
 *         size_t len = 0;
 *         ssize_t used = 0, size, got = 1;
 *         int code = SOCKS4_REJECTED;
 *
 *         while (used == 0 && got != 0) {
 *             got = recv(fd, octets + len, sizeof octets - len, 0);
 *             if (got < 0 && errno != EINTR)
 *                 return 0;
 *             len += got > 0 ? (size_t)got : 0;
 *             used = socks4_server_read(&server, &framing, octets, len,
 *                                       &request);
 *         }
 *         if (used > 0)
 *             code = decide(&request);
 *         size = code == SOCKS4_GRANTED
 *                    ? socks4_server_grant(&server, request.dstport,
 *                                          request.dstip, reply)
 *                    : socks4_server_refuse(&server, code, reply);
 *         for (ssize_t at = 0, sent; at < size; at += sent > 0 ? sent : 0) {
 *             sent = send(fd, reply + at, (size_t)(size - at), MSG_NOSIGNAL);
 *             if (sent < 0 && errno != EINTR)
 *                 return 0;
 *         }
 *         return size > 0 ? code : 0;
 *     }
 *
 * The longest request of that framing has 1288 octets, so the buffer always
 * has room. The octets behind `used` are the application's.
 *
 * One thread at a time may use a server. Different servers are independent
 * of each other. Addresses and ports are in host order.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <socks4/codec.h>

#ifdef __cplusplus
extern "C" {
#endif

enum socks4_server_state {
    SOCKS4_SERVER_REQUEST = 0, /* waits for the request */
    SOCKS4_SERVER_DECIDE = 1,  /* the request is whole or wrong: reply */
    SOCKS4_SERVER_PEER = 2,    /* BIND: listening; send the second reply */
    SOCKS4_SERVER_OPEN = 3,    /* granted: relay */
    SOCKS4_SERVER_REFUSED = 4, /* send the reply, then close */
    SOCKS4_SERVER_DROPPED = 5, /* close without a reply */
};

/* Starts all zero. The caller may read it between calls. */
struct socks4_server {
    uint8_t state;   /* enum socks4_server_state */
    uint8_t version; /* first octet of the request */
    uint8_t command; /* 0: not known */
    uint8_t code;    /* CD of the last reply; 0: none yet */
    int error;       /* a socks4_error, if the request is wrong */
    uint16_t dstport;
    uint32_t dstip;
    uint8_t has_header; /* the fixed eight octets are whole */
    uint8_t begun;      /* at least one octet was received */
};

/*
 * Decodes the request from all `len` octets received so far. The result is
 * that of socks4_request_decode, and so is `request`, which points into the
 * octets:
 *
 *   > 0   the number of its octets; what follows is the application's and
 *         goes first into the relay [V4-3.1-7]. DECIDE: grant or refuse.
 *   0     more octets are needed
 *   < 0   a socks4_error, also in `error`. DECIDE: refuse. DROPPED after
 *         E_VERSION: the peer does not speak SOCKS 4 [V4-3.1-2, 4A-4.1-2].
 *
 * E_ORDER once the request has been read.
 */
ssize_t socks4_server_read(struct socks4_server *server,
                           const struct socks4_framing *framing,
                           const uint8_t *octets, size_t len,
                           struct socks4_request *request);

/*
 * Encodes the reply that grants. For a CONNECT call it once connected
 * [V4-3.3-4]. For a BIND call it twice: when the socket listens, with the
 * listening address [V4-4.2-4..6], and when the expected peer has connected,
 * with the peer's address [V4-4.3-1, V4-4.3-4]. Returns 8, or writes nothing
 * and returns E_ORDER before the request, after a wrong request, and after
 * the last reply.
 */
ssize_t socks4_server_grant(struct socks4_server *server, uint16_t port,
                            uint32_t ip, uint8_t octets[SOCKS4_REPLY_SIZE]);

/*
 * Encodes the reply that refuses, with a code of 91 to 93. It also refuses
 * an unfinished request, when its time is over or its stream has ended
 * [4A-A.2.2-2]. Port and address are those of the request, or 0 where they
 * were not received and in a second reply. Returns 8; 0, and nothing is
 * written, if no octet was received or the first was not 4: such a peer
 * understands no reply; E_CODE for another code; E_ORDER after the last
 * reply.
 */
ssize_t socks4_server_refuse(struct socks4_server *server, int code,
                             uint8_t octets[SOCKS4_REPLY_SIZE]);

#ifdef __cplusplus
}
#endif

#endif
