/* malloc and its kin, wrapped by the linker (--wrap). */

#include "tests/scenario/heap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LIVE_MAX 65536 /* a power of two */

static struct {
    bool watched;
    bool healed;
    unsigned count;
    unsigned fail_at;
    unsigned fail_every;
    size_t live_count;
    void *live[LIVE_MAX]; /* open hashing; NULL: free */
} heap;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *memory);

void
heap_start(unsigned fail_at, unsigned fail_every)
{
    /* Where nothing is live the table is empty, and it is large. */
    if (heap.live_count > 0)
        memset(heap.live, 0, sizeof(heap.live));
    heap.live_count = 0;
    heap.watched = heap.healed = false;
    heap.count = 0;
    heap.fail_at = fail_at;
    heap.fail_every = fail_every;
}

void
heap_heal(void)
{
    heap.healed = true;
}

void
heap_watch(bool watch)
{
    heap.watched = watch;
}

bool
heap_suspend(void)
{
    bool was = heap.watched;
    heap.watched = false;
    return was;
}

void
heap_resume(bool was)
{
    heap.watched = was;
}

unsigned
heap_count(void)
{
    return heap.count;
}

size_t
heap_live(void)
{
    return heap.live_count;
}

/* --- What is live --- */

static size_t
place(const void *memory)
{
    return (uintptr_t)memory / 16 * 2654435761u % LIVE_MAX;
}

static void *
note(void *memory)
{
    size_t at = place(memory);

    if (memory == NULL || !heap.watched)
        return memory;
    if (heap.live_count == LIVE_MAX / 2)
        abort();
    while (heap.live[at] != NULL)
        at = (at + 1) % LIVE_MAX;
    heap.live[at] = memory;
    heap.live_count++;
    return memory;
}

/* Closes the gap that a removal leaves in a run of the table. */
static void
close_gap(size_t gap)
{
    for (size_t at = (gap + 1) % LIVE_MAX; heap.live[at] != NULL;
         at = (at + 1) % LIVE_MAX) {
        size_t home = place(heap.live[at]);
        if ((at - home) % LIVE_MAX < (at - gap) % LIVE_MAX)
            continue;
        heap.live[gap] = heap.live[at];
        gap = at;
    }
    heap.live[gap] = NULL;
}

static bool
forget(const void *memory)
{
    size_t at = place(memory);

    while (heap.live[at] != NULL && heap.live[at] != memory)
        at = (at + 1) % LIVE_MAX;
    if (heap.live[at] == NULL)
        return false;
    heap.live_count--;
    close_gap(at);
    return true;
}

/* --- The wrapped functions --- */

static bool
fails(void)
{
    if (!heap.watched || heap.healed)
        return false;
    heap.count++;
    if (heap.fail_at == 0 || heap.count < heap.fail_at)
        return false;
    if (heap.count == heap.fail_at)
        return true;
    return heap.fail_every != 0 &&
           (heap.count - heap.fail_at) % heap.fail_every == 0;
}

void *
__wrap_malloc(size_t size)
{
    return fails() ? NULL : note(__real_malloc(size));
}

void *
__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : note(__real_calloc(count, size));
}

void *
__wrap_realloc(void *memory, size_t size)
{
    if (fails())
        return NULL;
    if (memory != NULL)
        forget(memory);
    return note(__real_realloc(memory, size));
}

char *
__wrap_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = __wrap_malloc(size);

    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

void
__wrap_free(void *memory)
{
    if (memory != NULL && heap.live_count > 0)
        forget(memory);
    __real_free(memory);
}
