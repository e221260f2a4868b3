#ifndef UNIT_UNIT_H
#define UNIT_UNIT_H

/*
 * What every unit test includes: cmocka with what it wants in front, a
 * guarded page, random numbers that can be had again.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

/*
 * Octets whose last one stands right before a page that cannot be touched:
 * who reads one too many dies of it.
 */
struct guard {
    uint8_t *start;
    uint8_t *end;
    size_t page;
};

static inline void
guard_init(struct guard *guard, size_t room)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = (room + page - 1) / page * page;

    guard->page = page;
    guard->start = mmap(NULL, size + page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(guard->start, MAP_FAILED);
    guard->end = guard->start + size;
    assert_int_equal(mprotect(guard->end, page, PROT_NONE), 0);
}

static inline void
guard_fini(struct guard *guard)
{
    munmap(guard->start, (size_t)(guard->end - guard->start) + guard->page);
}

/* Where `len` octets end at the guard; room for writing. */
static inline uint8_t *
guard_room(const struct guard *guard, size_t len)
{
    assert_true(len <= (size_t)(guard->end - guard->start));
    return guard->end - len;
}

/* A copy of the octets there. */
static inline uint8_t *
guard_put(const struct guard *guard, const void *octets, size_t len)
{
    uint8_t *at = guard_room(guard, len);

    if (len > 0)
        memcpy(at, octets, len);
    return at;
}

/*
 * splitmix64. The seed is UNIT_SEED of the environment, else `usual`; it is
 * printed, as a comment in TAP.
 */
struct random {
    uint64_t state;
};

static inline void
random_init(struct random *random, uint64_t usual)
{
    const char *wish = getenv("UNIT_SEED");

    random->state = wish != NULL ? strtoull(wish, NULL, 0) : usual;
    printf("# UNIT_SEED=%llu\n", (unsigned long long)random->state);
}

static inline uint64_t
random_next(struct random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* 0 to below - 1. */
static inline uint64_t
random_below(struct random *random, uint64_t below)
{
    return random_next(random) % below;
}

#endif
