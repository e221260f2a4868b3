#ifndef SOCKS4_V5_CLIENT_H
#define SOCKS4_V5_CLIENT_H

/*
 * The client's side of version 5, without I/O, as client.h is that of version
 * 4: the functions say which octets to send, take the octets that were
 * received, and keep the state of the session.
 *
 *     CONNECT  METHOD ──► (LOGIN) ──► REPLY ──────────────► OPEN
 *     BIND     METHOD ──► (LOGIN) ──► REPLY ──► PEER ─────► OPEN
 *                └───────────┴──────────┴─────────┴──► REFUSED or FAILED
 *
 * Each state but the last three sends one message and waits for one; PEER
 * sends nothing. A session over a blocking socket; 0 when it is open, or a
 * BIND waits for its peer; -1 and errno when the socket failed; else
 * client->state says what the server did:
 *
 *     int
 *     session_open_v5(int fd, const struct socks4_v5_request *request,
 *                     const struct socks4_v5_password *login,
 *                     struct socks4_v5_client *client)
 *     {
 *         uint8_t room[SOCKS4_V5_CLIENT_ROOM], answer[SOCKS4_V5_REPLY_MAX];
 *         const uint8_t *octets;
 *         size_t count;
 *         ssize_t moved;
 *
 *         socks4_v5_client_start(client, request, login, room);
 *         while ((count = socks4_v5_client_wants(client)) > 0 &&
 *                client->state != SOCKS4_V5_CLIENT_PEER) {
 *             size_t unsent = socks4_v5_client_unsent(client, &octets);
 *
 *             moved = unsent > 0 ? send(fd, octets, unsent, MSG_NOSIGNAL)
 *                                : recv(fd, answer, count, 0);
 *             if (moved < 0 && errno != EINTR)
 *                 break;
 *             if (unsent > 0)
 *                 socks4_v5_client_sent(client, moved > 0 ? (size_t)moved : 0);
 *             else if (moved > 0)
 *                 socks4_v5_client_take(client, answer, (size_t)moved);
 *             else if (moved == 0)
 *                 socks4_v5_client_end(client);
 *         }
 *         socks4_v5_client_wipe(client);
 *         if (count > 0 && client->state != SOCKS4_V5_CLIENT_PEER)
 *             return -1;
 *         return client->state >= SOCKS4_V5_CLIENT_REFUSED;
 *     }
 *
 * One thread at a time may use a client. Different clients are independent
 * of each other.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <socks4/v5.h>

#ifdef __cplusplus
extern "C" {
#endif

enum socks4_v5_client_state {
    SOCKS4_V5_CLIENT_METHOD = 1,  /* sends the greeting, waits for the choice */
    SOCKS4_V5_CLIENT_LOGIN = 2,   /* sends the password, waits for the status */
    SOCKS4_V5_CLIENT_REPLY = 3,   /* sends the request, waits for the reply */
    SOCKS4_V5_CLIENT_PEER = 4,    /* BIND: waits for the second reply */
    SOCKS4_V5_CLIENT_OPEN = 5,    /* granted; UDP: send datagrams to `bound` */
    SOCKS4_V5_CLIENT_REFUSED = 6, /* `error` or `code` says why; close */
    SOCKS4_V5_CLIENT_FAILED = 7,  /* `error` says why; close */
};

/* The caller may read all of it and writes none of it. */
struct socks4_v5_client {
    uint8_t state;  /* enum socks4_v5_client_state */
    uint8_t code;   /* REP of the last reply; 0: granted, or none yet */
    uint8_t method; /* that the server chose; UNACCEPTABLE: none, or not yet */

    /*
     * FAILED: E_V5_VERSION, E_V5_PASSWORD_VERSION, E_V5_TYPE,
     *         E_DOMAIN_EMPTY or E_NUL: as the decoders
     *         E_V5_METHOD   a method that was not offered
     *         E_EARLY       a message before it was asked for
     *         E_NO_REPLY    the stream ended before a message
     *         E_SHORT       it ended inside a message
     * REFUSED: E_V5_UNACCEPTABLE, E_V5_DENIED, or 0 and `code`
     */
    int error;

    /* BND of the last reply. A name points into `in`. */
    struct socks4_v5_address bound;

    uint8_t in[SOCKS4_V5_REPLY_MAX]; /* of the message that is received */
    uint16_t in_len;
    uint16_t out_len, out_sent; /* of the one that is sent, in `out` */
    uint8_t command;

    /* Of the caller, while the state is METHOD, LOGIN or REPLY. */
    uint8_t *out;
    const struct socks4_v5_request *request;
    const struct socks4_v5_password *login;
};

/* Octets of the longest message that a client sends. */
#define SOCKS4_V5_CLIENT_ROOM SOCKS4_V5_PASSWORD_MAX

/*
 * Starts a client with that request. With a `login`, which may be NULL, it
 * offers the password method beside that without authentication, and tells
 * it if the server wants it. Messages are encoded into `room`. All three must
 * stay valid while the state is METHOD, LOGIN or REPLY. Returns 0, or the
 * negative socks4_error of an encoder, and the client is FAILED.
 */
int socks4_v5_client_start(struct socks4_v5_client *client,
                           const struct socks4_v5_request *request,
                           const struct socks4_v5_password *login,
                           uint8_t room[SOCKS4_V5_CLIENT_ROOM]);

/* Returns how many octets are unsent and sets *octets to them; 0: none. */
size_t socks4_v5_client_unsent(const struct socks4_v5_client *client,
                               const uint8_t **octets);

/* Tells the client that `count` of the unsent octets were sent. */
void socks4_v5_client_sent(struct socks4_v5_client *client, size_t count);

/*
 * Returns how many octets may be received without taking one behind the
 * message that is awaited; 0: the client waits for none. It is not 0 while
 * octets are unsent, since a server may refuse before it has all of them.
 */
size_t socks4_v5_client_wants(const struct socks4_v5_client *client);

/*
 * Takes received octets. Returns how many belonged to the message, of which
 * it never takes one behind the end. A refusal needs no more than its code:
 * one with a wrong ATYP, or cut behind its code, is a refusal.
 */
size_t socks4_v5_client_take(struct socks4_v5_client *client,
                             const uint8_t *octets, size_t len);

/* Tells the client that the stream ended, in order or by an error. If it
   waits for a message it is FAILED, or REFUSED by a reply that was cut. */
void socks4_v5_client_end(struct socks4_v5_client *client);

/* Wipes the room, which may have a password in it. The client does so itself
   when its message is sent, and at an end; call it where a session is given
   up before. */
void socks4_v5_client_wipe(struct socks4_v5_client *client);

#ifdef __cplusplus
}
#endif

#endif
