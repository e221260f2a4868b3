#ifndef GATEWAY_ADDRESSES_H
#define GATEWAY_ADDRESSES_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/netset.h"

/*
 * The addresses of this machine, as the monitor tells them to workers: a
 * memory file of fixed size, which the monitor alone can write. It is sealed
 * against every mapping that could, so that a worker that was taken over
 * cannot change what other workers refuse. A change is seen by all at once, and
 * costs no message.
 *
 * They are ranges: a network that is routed to this machine is one of them.
 */
#define ADDRESSES_MAX 4096

struct addresses {
    _Atomic uint32_t sequence; /* odd while the list changes */
    _Atomic uint32_t count;    /* ADDRESSES_UNKNOWN: the list is not known */
    struct addresses_range {
        struct addresses_end {
            _Atomic uint64_t hi, lo;
        } first, last;
    } list[ADDRESSES_MAX]; /* disjoint, in order */
};

#define ADDRESSES_UNKNOWN UINT32_MAX

/*
 * The monitor's: a memory file and its mapping, where nothing is known yet.
 * Its descriptor, or a negative errno. *map is NULL where the kernel cannot
 * seal it; it is empty then, and workers ask the kernel themselves.
 */
int addresses_create(struct addresses **map);

/* Publishes a sealed set. NULL, or more than ADDRESSES_MAX ranges: not known.
 */
void addresses_publish(struct addresses *map, const struct netset *set);

/* Whose descriptor this is may read it. 0 or a negative errno. */
int addresses_map(int fd, const struct addresses **map);

/* Whether the address is in the list: 1, 0, or -EAGAIN where it is not known,
   or changes just now. NULL is fine, and knows nothing. */
int addresses_has(const struct addresses *map, struct addr addr);

void addresses_unmap(const struct addresses *map);

#endif
