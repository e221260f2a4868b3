#ifndef TOOLS_PRELOAD_BOOK_H
#define TOOLS_PRELOAD_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "socks4/client.h"

/*
 * What is known of a program's sockets. An entry goes by the kernel's own
 * number of the socket (SO_COOKIE), which is never given twice: it holds
 * for every duplicate of the descriptor, in children as well, and needs no
 * word when one is closed. The oldest of BOOK_MAX entries makes room.
 */

enum { BOOK_MAX = 4096 };

enum book_kind {
    BOOK_CONNECTED = 1, /* through the gateway */
    BOOK_BOUND,         /* bound as for an FTP client's PORT; not listening */
    BOOK_AWAITING,      /* is the BIND's connection; the peer is to come */
    BOOK_ACCEPTED,      /* the same, and it came */
    BOOK_SPENT,         /* was a listener: its one peer came, or none will */
};

struct book_entry {
    uint64_t cookie;
    uint8_t kind;
    bool failed;           /* SPENT: nobody came */
    int domain;            /* AF_INET or AF_INET6: what the program made */
    struct endpoint local; /* as the program is told; port 0: as it is */
    struct endpoint peer;
    struct socks4_client client; /* AWAITING */
};

/* The entry of that socket. False: there is none, or it is no socket. */
bool book_find(int fd, struct book_entry *entry);

/* Keeps it as the socket's one. */
void book_keep(int fd, const struct book_entry *entry);

/* The program's last CONNECT: whom a BIND is for, and the local address it
   was told. */
struct book_primary {
    bool known;
    uint32_t ip; /* or the sign of 4A, and the name */
    uint16_t port;
    char name[SOCKS4_DOMAIN_MAX + 1];
    struct addr local;
};

void book_keep_primary(const struct book_primary *primary);
bool book_find_primary(struct book_primary *primary);

#endif
