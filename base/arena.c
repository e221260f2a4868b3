#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE 16384
#define ALIGNMENT 16

struct chunk {
    struct chunk *next;
    size_t used;
    size_t size;
    _Alignas(ALIGNMENT) char octets[];
};

struct arena {
    struct chunk *chunks; /* owned; the first one is filled */
};

struct arena *
arena_new(void)
{
    return calloc(1, sizeof(struct arena));
}

void
arena_free(struct arena *arena)
{
    if (!arena)
        return;
    while (arena->chunks) {
        struct chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        free(chunk);
    }
    free(arena);
}

static struct chunk *
arena_grow(struct arena *arena, size_t size)
{
    size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
    struct chunk *chunk = calloc(1, sizeof(*chunk) + room);

    if (!chunk)
        return NULL;
    chunk->size = room;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    return chunk;
}

void *
arena_take(struct arena *arena, size_t count, size_t size)
{
    size_t octets;

    if (__builtin_mul_overflow(count, size, &octets) || octets > SIZE_MAX / 2)
        return NULL;
    octets = (octets + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct chunk *chunk = arena->chunks;
    if (!chunk || chunk->size - chunk->used < octets)
        chunk = arena_grow(arena, octets);
    if (!chunk)
        return NULL;
    void *taken = chunk->octets + chunk->used;
    chunk->used += octets;
    return taken;
}

char *
arena_copy(struct arena *arena, const char *text, size_t len)
{
    char *copy = arena_take(arena, len + 1, 1);

    if (copy && len > 0)
        memcpy(copy, text, len);
    return copy;
}
