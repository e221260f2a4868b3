#ifndef SOCKS4_CLIENT_H
#define SOCKS4_CLIENT_H

/*
 * The client's side of a session's beginning, without I/O: it says which
 * octets to send, is given those that came, and says how things stand. The
 * caller moves them over whatever connection it has, waits as it likes, and
 * owns all memory. See dial.h for one that does the moving.
 *
 *     CONNECT   SEND ──► REPLY ─────────────────────► OPEN
 *     BIND      SEND ──► REPLY ──► PEER ────────────► OPEN
 *                 └────────┴────────┴──► REFUSED or FAILED
 *
 *     struct socks4_client client;
 *     uint8_t room[SOCKS4_REQUEST_ROOM(2, 0)];
 *
 *     socks4_client_start(&client, &request, room, sizeof room);
 *     while ((count = socks4_client_unsent(&client, &octets)) > 0)
 *         socks4_client_sent(&client, send(fd, octets, count, ...));
 *     while ((count = socks4_client_wants(&client)) > 0) {
 *         got = recv(fd, octets, count, 0);
 *         if (got > 0)
 *             socks4_client_take(&client, octets, got);
 *         else
 *             socks4_client_end(&client);
 *     }
 *
 * Who never reads more than it wants finds the application's first octet as
 * the next one on the connection; who reads more gives it all to
 * socks4_client_take, which leaves what is not its own.
 *
 * A client is used by one thread at a time; any number of them by any
 * number of threads. Addresses and ports are in host order.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <socks4/codec.h>

#ifdef __cplusplus
extern "C" {
#endif

enum socks4_client_state {
    SOCKS4_CLIENT_SEND = 1,    /* the request is to be sent */
    SOCKS4_CLIENT_REPLY = 2,   /* the first reply is to come */
    SOCKS4_CLIENT_PEER = 3,    /* BIND: the second reply is to come */
    SOCKS4_CLIENT_OPEN = 4,    /* granted: it is as a direct connection */
    SOCKS4_CLIENT_REFUSED = 5, /* `code` says why; close */
    SOCKS4_CLIENT_FAILED = 6,  /* `error` says why; close */
};

/*
 * What a lenient client forgives, as bits of `forgave`. Without `lenient`
 * each of them is an error.
 */
enum socks4_forgiven {
    SOCKS4_FORGAVE_VERSION = 1, /* VN 4 in a reply */
    SOCKS4_FORGAVE_CODE = 2,    /* a CD beside 90 to 93: a refusal */
    SOCKS4_FORGAVE_SHORT = 4,   /* a refusal of fewer than 8 octets */
};

/*
 * Set by the functions; to be read between them. What stands behind
 * `bound_port` is theirs alone.
 */
struct socks4_client {
    uint8_t state;   /* enum socks4_client_state */
    uint8_t command; /* of the request */
    uint8_t lenient; /* the caller's to set, after the start */
    uint8_t code;    /* CD of the last whole reply; 0: none yet */
    int error;       /* FAILED: a socks4_error */
    unsigned forgave;

    /* The last whole reply, as it came. That to a CONNECT means nothing
       certain [V4-3.3-8]; the second to a BIND mostly names the peer. */
    struct socks4_reply reply;

    /* The gateway's IPv4 address, the caller's to set after the start; 0:
       not known. It stands in for a DSTIP of 0 [V4-4.2-7]. */
    uint32_t gateway_ip;

    /* BIND, from PEER on: what the peer is to be told [V4-4.2-8]. bound_ip
       is 0 where the gateway named none and gateway_ip is not known. */
    uint32_t bound_ip;
    uint16_t bound_port;

    uint8_t got; /* octets of a reply on its way */
    uint8_t octets[SOCKS4_REPLY_SIZE];
    const uint8_t *request;
    size_t unsent;
};

/* Octets that a request takes with a USERID and a DOMAIN as long as these;
   domain_len 0: version 4. */
#define SOCKS4_REQUEST_ROOM(userid_len, domain_len)                            \
    (SOCKS4_HEADER_SIZE + (userid_len) + 1 +                                   \
     ((domain_len) > 0 ? (domain_len) + 1 : 0))

/*
 * Begins with that request: version 4, or 4A where it has a domain. It is
 * written into `room`, which must stay until it is sent; neither `request`
 * nor what it points to is looked at afterwards. Returns 0, or the
 * negative socks4_error of socks4_request_encode: the client is then
 * FAILED.
 */
int socks4_client_start(struct socks4_client *client,
                        const struct socks4_request *request, uint8_t *room,
                        size_t size);

/* How many octets are still to be sent, and where they are; 0: none. */
size_t socks4_client_unsent(const struct socks4_client *client,
                            const uint8_t **octets);

/* That many of them went out. */
void socks4_client_sent(struct socks4_client *client, size_t count);

/*
 * How many octets would end the reply that is due; 0: none is due. Also
 * while the request is still being sent, for a refusal may come early.
 */
size_t socks4_client_wants(const struct socks4_client *client);

/*
 * Takes octets that came. Returns how many were its own: never one beyond
 * the end of a reply, so that a BIND's first reply can be acted upon before
 * the second is given to it, and what follows the last is the caller's,
 * untouched [V4-3.3-11, V4-4.3-8]. In OPEN, REFUSED and FAILED it takes
 * none. However the octets are split, the outcome is the same.
 *
 * It is FAILED at the octet that makes it certain, with the error
 *
 *   VERSION  VN is not 0 [V4-3.3-2]
 *   CODE     CD is not 90 to 93 [V4-3.3-3]
 *   EARLY    a grant before the request was sent
 */
size_t socks4_client_take(struct socks4_client *client, const uint8_t *octets,
                          size_t len);

/*
 * The stream ended, in order or not; no more will come. Where a reply is
 * due it is FAILED, with the error NO_REPLY, or SHORT inside a reply.
 * Otherwise nothing changes.
 */
void socks4_client_end(struct socks4_client *client);

/* A sentence for one bit of `forgave`, unknown ones included; never NULL,
   static. */
const char *socks4_forgiven_text(unsigned forgiven);

#ifdef __cplusplus
}
#endif

#endif
