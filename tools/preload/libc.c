#include "tools/preload/libc.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

static struct libc found;

#define FUNCTION(name)                                                         \
    {                                                                          \
#name, offsetof(struct libc, name)                                     \
    }

static const struct {
    const char *name;
    size_t at;
} functions[] = {
    FUNCTION(connect),          FUNCTION(bind),        FUNCTION(sendto),
    FUNCTION(sendmsg),          FUNCTION(sendmmsg),    FUNCTION(listen),
    FUNCTION(accept4),          FUNCTION(getsockname), FUNCTION(getpeername),
    FUNCTION(getaddrinfo),      FUNCTION(getnameinfo), FUNCTION(gethostbyname2),
    FUNCTION(gethostbyname2_r),
};

static void
libc_find(void)
{
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        void *function = dlsym(RTLD_NEXT, functions[i].name);
        memcpy((char *)&found + functions[i].at, &function, sizeof(function));
    }
}

const struct libc *
libc(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, libc_find);
    return &found;
}
