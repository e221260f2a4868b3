#ifndef TOOLS_PRELOAD_SOCKET_TABLE_H
#define TOOLS_PRELOAD_SOCKET_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "socks4/client.h"

/*
 * What is known of a program's sockets. An entry goes by the kernel's own
 * number of the socket (SO_COOKIE), which is never given twice: it holds
 * for every duplicate of the descriptor, in children as well, and needs no
 * word when one is closed. The oldest of SOCKET_TABLE_MAX entries makes room.
 */

enum { SOCKET_TABLE_MAX = 4096 };

enum socket_kind {
    SOCKET_CONNECTED = 1, /* through the gateway */
    SOCKET_BOUND,         /* bound as for an FTP client's PORT; not listening */
    SOCKET_AWAITING,      /* is the BIND's connection; the peer is to come */
    SOCKET_ACCEPTED,      /* the same, and it came */
    SOCKET_SPENT,         /* was a listener: its one peer came, or none will */
};

struct socket_entry {
    uint64_t cookie;
    uint8_t kind;
    bool failed;           /* SPENT: nobody came */
    int domain;            /* AF_INET or AF_INET6: what the program made */
    struct endpoint local; /* as the program is told; port 0: as it is */
    struct endpoint peer;
    struct socks4_client client; /* AWAITING */
};

/* The entry of that socket. False: there is none, or it is no socket. */
bool socket_table_find(int fd, struct socket_entry *entry);

/* Keeps it as the socket's one. */
void socket_table_keep(int fd, const struct socket_entry *entry);

/* The program's last CONNECT: whom a BIND is for, and the local address it
   was told. */
struct last_connect {
    bool known;
    uint32_t ip; /* or the sign of 4A, and the name */
    uint16_t port;
    char name[SOCKS4_DOMAIN_MAX + 1];
    struct addr local;
};

void socket_table_keep_last(const struct last_connect *last);
bool socket_table_find_last(struct last_connect *last);

#endif
