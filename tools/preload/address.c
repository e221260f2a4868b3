/* getsockname() and getpeername(): the addresses of a direct connection. */

#include <errno.h>
#include <string.h>

#include "tools/preload/libc.h"
#include "tools/preload/rendezvous.h"
#include "tools/preload/settings.h"
#include "tools/preload/socket_table.h"
#include "tools/preload/sockutil.h"

int getsockname(int fd, __SOCKADDR_ARG address, socklen_t *restrict len);
int getpeername(int fd, __SOCKADDR_ARG address, socklen_t *restrict len);

/* Some clients ask for the port before they listen. */
static void
address_open_rendezvous(int fd, struct socket_entry *entry)
{
    int was = errno;

    if (entry->kind == SOCKET_BOUND && rendezvous_is_meant(fd) &&
        rendezvous_open(fd) == 0)
        socket_table_find(fd, entry);
    errno = was;
}

int
getsockname(int fd, __SOCKADDR_ARG address, socklen_t *restrict len)
{
    struct socket_entry entry;

    if (settings()->broken || !socket_table_find(fd, &entry))
        return libc()->getsockname(fd, address.__sockaddr__, len);
    address_open_rendezvous(fd, &entry);
    if (entry.local.port == 0)
        return libc()->getsockname(fd, address.__sockaddr__, len);
    return sockutil_address_write(&entry.local, entry.domain,
                                  address.__sockaddr__, len);
}

int
getpeername(int fd, __SOCKADDR_ARG address, socklen_t *restrict len)
{
    struct sockaddr_storage sa;
    socklen_t size = sizeof(sa);
    struct socket_entry entry;

    if (settings()->broken || !socket_table_find(fd, &entry))
        return libc()->getpeername(fd, address.__sockaddr__, len);
    if (entry.kind == SOCKET_AWAITING)
        RETURN_ERRNO(ENOTCONN);
    /* The socket may have been closed or disconnected since. */
    if (entry.peer.port == 0 ||
        libc()->getpeername(fd, (struct sockaddr *)&sa, &size) != 0)
        return libc()->getpeername(fd, address.__sockaddr__, len);
    return sockutil_address_write(&entry.peer, entry.domain,
                                  address.__sockaddr__, len);
}
