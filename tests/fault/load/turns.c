#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/*
 * Preloaded into a gateway (LD_PRELOAD): the processor time between two calls
 * of epoll_wait is one turn of its loop. The count and the longest turn go to
 * the file that FAULT_TURNS names, which must exist.
 */
struct turns {
    _Atomic uint64_t count;
    _Atomic uint64_t longest_ns;
};

static struct turns nowhere, *turns = &nowhere;
static int (*wait_really)(int, struct epoll_event *, int, int);
static uint64_t began_ns;

static uint64_t
processor_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

__attribute__((constructor)) static void
turns_open(void)
{
    const char *path = getenv("FAULT_TURNS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *mapped = fd >= 0 ? mmap(NULL, sizeof *turns, PROT_READ | PROT_WRITE,
                                  MAP_SHARED, fd, 0)
                           : MAP_FAILED;

    if (mapped != MAP_FAILED)
        turns = mapped;
    if (fd >= 0)
        close(fd);
    *(void **)&wait_really = dlsym(RTLD_NEXT, "epoll_wait");
}

static void
turns_note(uint64_t ns)
{
    uint64_t longest = atomic_load(&turns->longest_ns);

    atomic_fetch_add(&turns->count, 1);
    while (ns > longest &&
           !atomic_compare_exchange_weak(&turns->longest_ns, &longest, ns))
        ;
}

int epoll_wait(int poller, struct epoll_event *events, int most, int wait_ms);

int
epoll_wait(int poller, struct epoll_event *events, int most, int wait_ms)
{
    int count;

    if (began_ns > 0)
        turns_note(processor_ns() - began_ns);
    count = wait_really(poller, events, most, wait_ms);
    began_ns = processor_ns();
    return count;
}
