#ifndef TOOLS_PRELOAD_SOCKUTIL_H
#define TOOLS_PRELOAD_SOCKUTIL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "socks4/dial.h"

/* What the functions of this library share about sockets. */

/* A stream socket of TCP over IPv4 or IPv6; *domain is which. */
bool sockutil_is_tcp(int fd, int *domain);

/* The address a program gave; false: it is of another family. */
bool sockutil_address_read(const struct sockaddr *sa, socklen_t len,
                           struct endpoint *at);

/* Fills the program's buffer with the address, as a socket of that domain
   has it. 0, or -1 and errno. */
int sockutil_address_write(const struct endpoint *at, int domain,
                           struct sockaddr *sa, socklen_t *len);

/* Puts `from` in the place of `to`, which keeps its number, its close on
   exec and its blocking or not. `from` is closed. 0, or a negative errno. */
int sockutil_replace(int to, int from);

/* The errno that a program is to see for what socks4_dial_open returned. */
int sockutil_errno(int result);

/* A dial with the settings' ways and their time from now. */
struct socks4_dial sockutil_dial(void);

/* The errno is the caller's again, whatever was done meanwhile. */
#define RETURN_ERRNO(error)                                                    \
    do {                                                                       \
        errno = (error);                                                       \
        return -1;                                                             \
    } while (0)

#endif
