#ifndef SOCKS4_CLIENT_H
#define SOCKS4_CLIENT_H

/*
 * The client's side of the handshake, without I/O. The functions say which
 * octets to send, take the octets that were received, and keep the state of
 * the session. The caller moves the octets over any connection, waits as it
 * likes, and owns all memory. dial.h is a client that moves them itself.
 *
 *     CONNECT   SEND ──► REPLY ─────────────────────► OPEN
 *     BIND      SEND ──► REPLY ──► PEER ────────────► OPEN
 *                 └────────┴────────┴──► REFUSED or FAILED
 *
 * A CONNECT over a blocking socket; 0 when the session is open, -1 and
 * errno when the socket failed, else client->state says what the gateway
 * did:
 *
 *     int
 *     session_open(int fd, const struct socks4_request *request,
 *                  struct socks4_client *client)
 *     {
 *         uint8_t room[512], reply[SOCKS4_REPLY_SIZE];
 *         const uint8_t *octets;
 *         size_t count;
 *         ssize_t moved;
 *
 *         socks4_client_start(client, request, room, sizeof room);
 *         while ((count = socks4_client_unsent(client, &octets)) > 0) {
 *             moved = send(fd, octets, count, MSG_NOSIGNAL);
 *             if (moved > 0)
 *                 socks4_client_sent(client, (size_t)moved);
 *             else if (errno == EPIPE || errno == ECONNRESET)
 *                 break; // an early refusal may still be there to read
 *             else if (errno != EINTR)
 *                 return -1;
 *         }
 *         while ((count = socks4_client_wants(client)) > 0) {
 *             moved = recv(fd, reply, count, 0);
 *             if (moved > 0)
 *                 socks4_client_take(client, reply, (size_t)moved);
 *             else if (moved == 0)
 *                 socks4_client_end(client);
 *             else if (errno != EINTR)
 *                 return -1;
 *         }
 *         return client->state == SOCKS4_CLIENT_OPEN ? 0 : 1;
 *     }
 *
 * A caller that never reads more than socks4_client_wants says finds the
 * application's first octet as the next one on the connection. A caller
 * that reads more passes everything to socks4_client_take, which returns
 * how many octets belonged to the reply.
 *
 * One thread at a time may use a client. Different clients are independent
 * of each other. Addresses and ports are in host order.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <socks4/codec.h>

#ifdef __cplusplus
extern "C" {
#endif

enum socks4_client_state {
    SOCKS4_CLIENT_SEND = 1,    /* octets of the request are unsent */
    SOCKS4_CLIENT_REPLY = 2,   /* waits for the first reply */
    SOCKS4_CLIENT_PEER = 3,    /* BIND: waits for the second reply */
    SOCKS4_CLIENT_OPEN = 4,    /* granted: use it like a direct connection */
    SOCKS4_CLIENT_REFUSED = 5, /* `code` says why; close the connection */
    SOCKS4_CLIENT_FAILED = 6,  /* `error` says why; close the connection */
};

/*
 * Deviations that a lenient client accepts, as bits of `forgave`. Without
 * `lenient` each of them is an error.
 */
enum socks4_forgiven {
    SOCKS4_FORGAVE_VERSION = 1, /* VN 4 in a reply */
    SOCKS4_FORGAVE_CODE = 2,    /* a CD that is not 90 to 93: a refusal */
    SOCKS4_FORGAVE_SHORT = 4,   /* a refusal of fewer than 8 octets */
};

/*
 * The functions set the fields; the caller may read them between calls. The
 * fields after `bound_port` are private.
 */
struct socks4_client {
    uint8_t state;   /* enum socks4_client_state */
    uint8_t command; /* of the request */
    uint8_t lenient; /* set by the caller, after socks4_client_start */
    uint8_t code;    /* CD of the last whole reply; 0: none yet */
    int error;       /* FAILED: a socks4_error */
    unsigned forgave;

    /* The last whole reply, as received. Ignore address and port of a
       CONNECT's reply [V4-3.3-8]; a BIND's second reply usually has those of
       the peer. */
    struct socks4_reply reply;

    /* The gateway's IPv4 address; the caller sets it after
       socks4_client_start, or leaves 0 where it does not know. It replaces a
       DSTIP of 0 in a BIND's reply [V4-4.2-7]. */
    uint32_t gateway_ip;

    /* BIND, from PEER on: the address to tell the peer [V4-4.2-8]. bound_ip
       is 0 if the reply has none and gateway_ip is not known. */
    uint32_t bound_ip;
    uint16_t bound_port;

    uint8_t got; /* octets of an unfinished reply */
    uint8_t octets[SOCKS4_REPLY_SIZE];
    const uint8_t *request;
    size_t unsent;
};

/* Octets of a request with a USERID and a DOMAIN of these lengths;
   domain_len 0: version 4. */
#define SOCKS4_REQUEST_ROOM(userid_len, domain_len)                            \
    (SOCKS4_HEADER_SIZE + (userid_len) + 1 +                                   \
     ((domain_len) > 0 ? (domain_len) + 1 : 0))

/*
 * Starts a client with that request: version 4, or 4A if it has a domain.
 * The request is encoded into `room`, which must stay valid until all of it
 * is sent; `request` and what it points to are not used after the call.
 * Returns 0, or the negative socks4_error of socks4_request_encode, and the
 * client is FAILED.
 */
int socks4_client_start(struct socks4_client *client,
                        const struct socks4_request *request, uint8_t *room,
                        size_t size);

/* Returns how many octets are unsent and sets *octets to them; 0: none. */
size_t socks4_client_unsent(const struct socks4_client *client,
                            const uint8_t **octets);

/* Tells the client that `count` of the unsent octets were sent. */
void socks4_client_sent(struct socks4_client *client, size_t count);

/*
 * Returns how many octets are missing until the reply is whole; 0: the
 * client waits for no reply. In SEND it is not 0 either, since a gateway may
 * refuse before it has the whole request.
 */
size_t socks4_client_wants(const struct socks4_client *client);

/*
 * Takes received octets. Returns how many belonged to the reply. It never
 * takes an octet behind the end of a reply: a caller can act on a BIND's
 * first reply before it passes the second, and the octets behind the last
 * reply are the application's [V4-3.3-11, V4-4.3-8]. In OPEN, REFUSED and
 * FAILED it takes none. The result does not depend on how the octets are
 * split.
 *
 * The client is FAILED at the first octet that is wrong, with the error
 *
 *   VERSION  VN is not 0 [V4-3.3-2]
 *   CODE     CD is not 90 to 93 [V4-3.3-3]
 *   EARLY    a grant before the request was sent
 */
size_t socks4_client_take(struct socks4_client *client, const uint8_t *octets,
                          size_t len);

/*
 * Tells the client that the stream ended, in order or by an error. If it
 * waits for a reply it is FAILED, with the error NO_REPLY, or SHORT inside a
 * reply. Otherwise nothing changes.
 */
void socks4_client_end(struct socks4_client *client);

/* Returns a sentence for one bit of `forgave`, also for an unknown one;
   static, never NULL. */
const char *socks4_forgiven_text(unsigned forgiven);

#ifdef __cplusplus
}
#endif

#endif
