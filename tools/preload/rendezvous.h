#ifndef TOOLS_PRELOAD_RENDEZVOUS_H
#define TOOLS_PRELOAD_RENDEZVOUS_H

#include <stdbool.h>

/* A listening socket of the program that is a BIND at the gateway. */

/* Asks for a BIND on behalf of the peer of the program's last CONNECT, and
   makes the socket its connection. 0, or a negative errno. */
int rendezvous_open(int fd);

/* Whether the socket is bound as clients of active-mode FTP bind theirs. */
bool rendezvous_is_meant(int fd);

#endif
