#ifndef TOOLS_PRELOAD_RENDEZVOUS_H
#define TOOLS_PRELOAD_RENDEZVOUS_H

#include <stdbool.h>

/* A listening socket of the program that is a BIND at the gateway. */

/* Makes the socket the waiting connection of a BIND for the program's last
   CONNECT. 0, or a negative errno. */
int rendezvous_open(int fd);

/* Whether the program means it for a peer of its last CONNECT: bound as
   clients of active-mode FTP bind. */
bool rendezvous_is_meant(int fd);

#endif
