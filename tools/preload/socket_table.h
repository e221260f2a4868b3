#ifndef TOOLS_PRELOAD_SOCKET_TABLE_H
#define TOOLS_PRELOAD_SOCKET_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "tools/route/route_ask.h"

/*
 * What the library knows of a program's sockets. The key of an entry is the
 * kernel's number of the socket (SO_COOKIE), which is never reused: the entry
 * is valid for every duplicate of the descriptor, in children as well, and
 * need not be removed at close. A new entry replaces the oldest one of
 * SOCKET_TABLE_MAX.
 */

enum { SOCKET_TABLE_MAX = 4096 };

enum socket_kind {
    SOCKET_CONNECTED = 1, /* through the gateway */
    SOCKET_BOUND,         /* bound like an FTP client's data socket */
    SOCKET_AWAITING,      /* a BIND's connection that waits for the peer */
    SOCKET_ACCEPTED,      /* a BIND's connection with its peer */
    SOCKET_SPENT,         /* a listener whose one peer came, or none will */
};

struct socket_entry {
    uint64_t cookie;
    uint8_t kind;
    bool failed;           /* SPENT: no peer connected */
    int domain;            /* AF_INET or AF_INET6, of the program's socket */
    struct endpoint local; /* for getsockname; port 0: the socket's own */
    struct endpoint peer;
    struct route_asked asked; /* AWAITING */
};

/* Finds the socket's entry. False: there is none, or it is not a socket. */
bool socket_table_find(int fd, struct socket_entry *entry);

/* Sets the socket's entry. */
void socket_table_keep(int fd, const struct socket_entry *entry);

/* The program's last CONNECT: the peer of a BIND, and the local address that
   the program got for it. */
struct last_connect {
    bool known;
    struct addr addr; /* without a name */
    uint16_t port;
    char name[SOCKS4_DOMAIN_MAX + 1];
    struct addr local;
};

void socket_table_keep_last(const struct last_connect *last);
bool socket_table_find_last(struct last_connect *last);

#endif
