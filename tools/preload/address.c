/* getsockname() and getpeername(): what the program would see without us. */

#include <errno.h>
#include <string.h>

#include "tools/preload/book.h"
#include "tools/preload/libc.h"
#include "tools/preload/settings.h"
#include "tools/preload/through.h"

int getsockname(int fd, __SOCKADDR_ARG address, socklen_t *restrict len);
int getpeername(int fd, __SOCKADDR_ARG address, socklen_t *restrict len);

/* Some clients ask for the port to tell before they listen. */
static void
rendezvous_hasten(int fd, struct book_entry *entry)
{
    int was = errno;

    if (entry->kind == BOOK_BOUND && rendezvous_is_meant(fd) &&
        rendezvous_open(fd) == 0)
        book_find(fd, entry);
    errno = was;
}

int
getsockname(int fd, __SOCKADDR_ARG address, socklen_t *restrict len)
{
    struct book_entry entry;

    if (!settings()->active || !book_find(fd, &entry))
        return libc()->getsockname(fd, address.__sockaddr__, len);
    rendezvous_hasten(fd, &entry);
    if (entry.local.port == 0)
        return libc()->getsockname(fd, address.__sockaddr__, len);
    return address_write(&entry.local, entry.domain, address.__sockaddr__, len);
}

int
getpeername(int fd, __SOCKADDR_ARG address, socklen_t *restrict len)
{
    struct sockaddr_storage sa;
    socklen_t size = sizeof(sa);
    struct book_entry entry;

    if (!settings()->active || !book_find(fd, &entry))
        return libc()->getpeername(fd, address.__sockaddr__, len);
    if (entry.kind == BOOK_AWAITING)
        RETURN_ERRNO(ENOTCONN);
    /* It may have been closed or dissolved since. */
    if (entry.peer.port == 0 ||
        libc()->getpeername(fd, (struct sockaddr *)&sa, &size) != 0)
        return libc()->getpeername(fd, address.__sockaddr__, len);
    return address_write(&entry.peer, entry.domain, address.__sockaddr__, len);
}
