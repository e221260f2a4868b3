#ifndef TOOLS_PRELOAD_SOCKUTIL_H
#define TOOLS_PRELOAD_SOCKUTIL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "socks4/dial.h"

/* Sockets and addresses, for the functions of this library. */

/* Whether it is a socket of TCP (or MPTCP) over IPv4 or IPv6; *domain is
   which. */
bool sockutil_is_tcp(int fd, int *domain);

/* Reads the program's address; false: it is of another family, or short. */
bool sockutil_address_read(const struct sockaddr *sa, socklen_t len,
                           struct endpoint *at);

/* Writes the address into the program's buffer, in the form of a socket of
   that domain. 0, or -1 and errno. */
int sockutil_address_write(const struct endpoint *at, int domain,
                           struct sockaddr *sa, socklen_t *len);

/* Makes `to` the socket `from`: `to` keeps its number and its flags
   FD_CLOEXEC and O_NONBLOCK. Closes `from`. 0, or a negative errno. */
int sockutil_replace(int to, int from);

/* The errno for the program, of a result of route_ask; `socks5`: from a
   gateway of that version. */
int sockutil_errno(int result, bool socks5);

/* A dial by the settings, whose time begins now. */
struct socks4_dial sockutil_dial(void);

/* Ends a function of the C library that failed. */
#define RETURN_ERRNO(error)                                                    \
    do {                                                                       \
        errno = (error);                                                       \
        return -1;                                                             \
    } while (0)

#endif
