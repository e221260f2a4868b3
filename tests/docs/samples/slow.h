/* Sockets as a network has them: they move few octets a call, and a signal
   interrupts every other call. */

#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int calls;

static int
slow_interrupts(void)
{
    errno = EINTR;
    return calls++ % 2 == 0;
}

static ssize_t
slow_send(int fd, const void *octets, size_t count, int flags)
{
    return slow_interrupts() ? -1
                             : send(fd, octets, count < 5 ? count : 5, flags);
}

static ssize_t
slow_recv(int fd, void *octets, size_t count, int flags)
{
    return slow_interrupts() ? -1
                             : recv(fd, octets, count < 3 ? count : 3, flags);
}

#define send slow_send
#define recv slow_recv
