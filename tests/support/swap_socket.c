/* Preloaded: as soon as a socket is made at a path, the file VICTIM stands
   there: a link to it, or, where SWAP says so, the file itself. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int
bind(int fd, const struct sockaddr *address, socklen_t len)
{
    int (*next)(int, const struct sockaddr *, socklen_t) =
        (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT,
                                                                "bind");
    const char *path = ((const struct sockaddr_un *)address)->sun_path;
    const char *victim = getenv("VICTIM");
    int result = next(fd, address, len);

    if (result != 0 || address->sa_family != AF_UNIX || path[0] != '/' ||
        unlink(path) != 0)
        return result;
    if (strcmp(getenv("SWAP"), "link") == 0)
        (void)!symlink(victim, path);
    else
        (void)!link(victim, path);
    return 0;
}
