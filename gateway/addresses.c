#include "gateway/addresses.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* How often a reader looks again at a list that changes. */
#define READ_TRIES 8

static struct addresses *
addresses_create_mapping(int fd)
{
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

    if (ftruncate(fd, sizeof(struct addresses)) != 0)
        return NULL;
    struct addresses *map =
        mmap(NULL, sizeof(*map), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return NULL;
    if (fcntl(fd, F_ADD_SEALS, seals) == 0)
        return map;
    munmap(map, sizeof(*map));
    return NULL;
}

int
addresses_create(struct addresses **map)
{
    int fd = memfd_create("socks4d addresses", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    *map = fd < 0 ? NULL : addresses_create_mapping(fd);
    if (*map != NULL) {
        atomic_store(&(*map)->count, ADDRESSES_UNKNOWN);
        return fd;
    }
    if (fd >= 0) /* it could be written: an empty one in its place */
        close(fd);
    fd = memfd_create("socks4d addresses", MFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static void
addresses_store(struct addresses_end *to, struct addr addr)
{
    atomic_store(&to->hi, addr.hi);
    atomic_store(&to->lo, addr.lo);
}

static struct addr
addresses_load(const struct addresses_end *from)
{
    return (struct addr){atomic_load(&from->hi), atomic_load(&from->lo)};
}

void
addresses_publish(struct addresses *map, const struct netset *set)
{
    uint32_t count = set != NULL && set->count <= ADDRESSES_MAX
                         ? (uint32_t)set->count
                         : ADDRESSES_UNKNOWN;

    atomic_fetch_add(&map->sequence, 1);
    for (uint32_t i = 0; count != ADDRESSES_UNKNOWN && i < count; i++) {
        addresses_store(&map->list[i].first, set->ranges[i].first);
        addresses_store(&map->list[i].last, set->ranges[i].last);
    }
    atomic_store(&map->count, count);
    atomic_fetch_add(&map->sequence, 1);
}

int
addresses_map(int fd, const struct addresses **map)
{
    struct stat stat;

    if (fstat(fd, &stat) != 0)
        return -errno;
    if (stat.st_size != sizeof(struct addresses))
        return -EBADMSG;
    void *mapped =
        mmap(NULL, sizeof(struct addresses), PROT_READ, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED)
        return -errno;
    *map = mapped;
    return 0;
}

static int
addresses_search(const struct addresses *map, struct addr addr)
{
    uint32_t high = atomic_load(&map->count);
    uint32_t low = 0;

    if (high > ADDRESSES_MAX)
        return -EAGAIN;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct addresses_range *at = &map->list[middle];
        if (addr_cmp(addr, addresses_load(&at->first)) < 0)
            high = middle;
        else if (addr_cmp(addr, addresses_load(&at->last)) > 0)
            low = middle + 1;
        else
            return 1;
    }
    return 0;
}

int
addresses_has(const struct addresses *map, struct addr addr)
{
    for (int tries = 0; map != NULL && tries < READ_TRIES; tries++) {
        uint32_t before = atomic_load(&map->sequence);
        int found = addresses_search(map, addr);
        if (before % 2 == 0 && atomic_load(&map->sequence) == before)
            return found;
    }
    return -EAGAIN;
}

void
addresses_unmap(const struct addresses *map)
{
    if (map != NULL)
        munmap((void *)(uintptr_t)map, sizeof(*map));
}
