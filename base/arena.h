#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

/*
 * Memory that is freed all at once: the parts of a snapshot or of a parsed
 * text, so that neither needs a free for each part.
 */
struct arena;

/* NULL: out of memory. */
struct arena *arena_new(void);
/* Accepts NULL. */
void arena_free(struct arena *arena);

/* Zeroed, aligned for anything; NULL: out of memory. count may be 0. */
void *arena_take(struct arena *arena, size_t count, size_t size);

/* A copy of `len` octets, NUL-terminated; NULL: out of memory. */
char *arena_copy(struct arena *arena, const char *text, size_t len);

#endif
