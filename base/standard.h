#ifndef BASE_STANDARD_H
#define BASE_STANDARD_H

#include <fcntl.h>
#include <unistd.h>

/* Opens standard input, output and error where they are closed, so that no
   socket gets their numbers, and with them what is printed. */
static inline void
standard_fill(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

#endif
