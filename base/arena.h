#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

/*
 * Memory that is given back all at once: what a snapshot or a parsed text
 * consists of, so that neither needs a free for each of its parts.
 */
struct arena;

/* NULL: out of memory. */
struct arena *arena_new(void);
/* Accepts NULL. */
void arena_free(struct arena *arena);

/* Zeroed, aligned for anything; NULL: out of memory. count may be 0. */
void *arena_take(struct arena *arena, size_t count, size_t size);

/* A copy of `len` octets with a NUL behind; NULL: out of memory. */
char *arena_copy(struct arena *arena, const char *text, size_t len);

#endif
