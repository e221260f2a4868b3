#include "gateway/worker/shared_sessions.h"

_Static_assert(sizeof(struct segment_session) == 64, "one cache line");
_Static_assert(SEGMENT_SESSIONS <= SHARED_SESSIONS_NONE,
               "an index has 16 bits");

void
shared_sessions_init(struct shared_sessions *shared, struct segment *segment,
                     unsigned slot)
{
    shared->entries = segment->sessions[slot];
    shared->touched = 0;
    shared->free_count = 0;
}

uint16_t
shared_sessions_add(struct shared_sessions *shared, uint64_t id,
                    const struct endpoint *client, uint64_t began_us)
{
    uint32_t index;

    if (shared->free_count > 0)
        index = shared->free[--shared->free_count];
    else if (shared->touched < SEGMENT_SESSIONS)
        index = shared->touched++;
    else
        return SHARED_SESSIONS_NONE;
    struct segment_session *entry = &shared->entries[index];
    entry->began_us = began_us;
    entry->client = *client;
    entry->dest = (struct endpoint){0};
    atomic_store_explicit(&entry->id, id + 1, memory_order_release);
    return (uint16_t)index;
}

void
shared_sessions_client(struct shared_sessions *shared, uint16_t index,
                       const struct endpoint *client)
{
    if (index != SHARED_SESSIONS_NONE)
        shared->entries[index].client = *client;
}

void
shared_sessions_relay(struct shared_sessions *shared, uint16_t index,
                      const struct endpoint *dest)
{
    if (index != SHARED_SESSIONS_NONE)
        shared->entries[index].dest = *dest;
}

void
shared_sessions_remove(struct shared_sessions *shared, uint16_t index)
{
    if (index == SHARED_SESSIONS_NONE)
        return;
    atomic_store_explicit(&shared->entries[index].id, 0, memory_order_release);
    shared->free[shared->free_count++] = index;
}
