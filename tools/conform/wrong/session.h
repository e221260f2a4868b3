#ifndef CONFORM_WRONG_SESSION_H
#define CONFORM_WRONG_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "tools/stream/tls.h"

/* What passed over a client's connection, for the line about its session. */
struct session_tally {
    size_t in;            /* octets from the client */
    size_t out;           /* octets to the client */
    const char *ended_by; /* who ended the connection first; NULL: nobody yet */
};

struct wrong_manner;

/* One connection of a client, in a thread of its own. */
struct session {
    int fd;                 /* owned */
    struct endpoint client; /* the ends of the connection, also with TLS */
    struct endpoint near;
    struct session_tally *tally;       /* borrowed */
    const struct tls_context *tls;     /* borrowed; NULL: without TLS */
    const struct wrong_manner *manner; /* borrowed */
    bool socks4a;
    bool ident;
    uint8_t version;
    uint8_t command;
    uint16_t port; /* host order, as the rest */
    uint32_t ip;
    char userid[1100];
    size_t userid_len;
    char domain[300];
    size_t domain_len;
    bool named; /* it has a DOMAIN */
    int held;   /* octets behind the request that wait until there are more */
    struct addr found[8]; /* the addresses to try, or to be called from */
    unsigned found_count;
    struct addr to; /* of version 5, in place of `ip`, if it is no name */
    uint8_t rep;    /* of version 5: why it is refused; 0: for some reason */
};

#define REQUEST_MS 2500
#define CONNECT_MS 2500
#define BIND_MS 2500
#define IDENT_MS 1500
#define FOR_EVER_MS 600000

enum request {
    REQUEST_WHOLE,
    REQUEST_REFUSED, /* 91 */
    REQUEST_DROPPED, /* closed without a reply */
    REQUEST_KEPT,    /* left as it is */
};

/* Reads the request octet by octet: what follows it stays in the socket. */
enum request session_read_request(struct session *session);

/* The same of version 5, with the greeting and the password in front. */
enum request session_read_socks5(struct session *session);

/* Asks identd. 0: it names USERID; else the code, 92 or 93. */
unsigned session_ask_identd(const struct session *session);

/* Connects; the socket, or -errno. */
int session_connect(const struct session *session);
/* The whole of a BIND, first reply to last octet. */
void session_bind(struct session *session);

/* The whole of an association, from the reply to its end. */
void session_udp(struct session *session);

/* Until both have ended. */
void session_relay(const struct session *session, int server);

/* Each counts what went over the client's connection. */
ssize_t session_recv(const struct session *session, void *octets, size_t len);
void session_send(const struct session *session, const void *octets,
                  size_t len);
/* The first who does so has ended it. */
void session_ended_by(const struct session *session, const char *who);

void session_reply(const struct session *session, unsigned code, uint16_t port,
                   uint32_t ip);
/* The same with an address of either family. */
void session_reply_at(const struct session *session, unsigned code,
                      const struct endpoint *at);
/* No octet is unread at the close: that would be a reset. */
void session_linger(const struct session *session);
/* Replies and closes so that the reply arrives. */
void session_refuse(struct session *session, unsigned code);
/* Does nothing until the client goes away. */
void session_keep(struct session *session);

/* An end of a socket of whichever family. */
struct endpoint session_near_end(int fd);

/* Milliseconds, monotonic; and whether `fd` is ready before `until`. */
uint64_t session_now(void);
bool session_wait(int fd, short events, uint64_t until);

#endif
