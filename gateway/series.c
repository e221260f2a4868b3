#include "gateway/series.h"

#include <string.h>

const uint32_t series_bounds_ms[SERIES_BUCKETS] = SERIES_BOUNDS_MS;

/* --- names --------------------------------------------------------------- */

/* How far from its place a number may stand. Hardly any stands so far where a
   quarter of the places is free; and where a worker that was taken over has
   filled them, the monitor does not search for long. */
#define SERIES_PROBES 256

static const struct series_row {
    unsigned first, places;
} series_rows[SERIES_KIND_COUNT] = {
    [SERIES_LISTENER] = {0, SERIES_LISTENER_PLACES},
    [SERIES_PARENT] = {SERIES_LISTENER_PLACES, SERIES_PARENT_PLACES},
    [SERIES_RULE] = {SERIES_LISTENER_PLACES + SERIES_PARENT_PLACES,
                     SERIES_RULE_PLACES},
};

/* FNV-1a. */
static unsigned
series_hash(const char *text)
{
    uint32_t sum = UINT32_C(0x811c9dc5);

    for (; *text != '\0'; text++)
        sum = (sum ^ (unsigned char)*text) * UINT32_C(0x01000193);
    return sum ^ sum >> 16;
}

/* The name's number; 0: it has none. Then *free is where it belongs, or NULL
   where there is no room. */
static unsigned
series_names_seek(const struct series_names *names, enum series_kind kind,
                  const char *text, const _Atomic uint32_t **free)
{
    const struct series_row *row = &series_rows[kind];
    unsigned hash = series_hash(text);

    *free = NULL;
    for (unsigned i = 0; i < SERIES_PROBES && i < row->places; i++) {
        const _Atomic uint32_t *place =
            &names->places[row->first + ((hash + i) & (row->places - 1))];
        unsigned number = atomic_load_explicit(place, memory_order_acquire);
        if (number == 0) {
            *free = place;
            break;
        }
        if (number < row->places && strncmp(names->texts[row->first + number],
                                            text, SERIES_NAME_MAX) == 0)
            return number;
    }
    return 0;
}

unsigned
series_names_find(const struct series_names *names, enum series_kind kind,
                  const char *text)
{
    const _Atomic uint32_t *free;

    return series_names_seek(names, kind, text, &free);
}

unsigned
series_names_end(const struct series_names *names, enum series_kind kind)
{
    unsigned end =
        atomic_load_explicit(&names->count[kind], memory_order_acquire);
    unsigned most = series_rows[kind].places / 4 * 3;

    if (end == 0)
        return 1; /* SERIES_OTHER */
    return end < most ? end : most;
}

unsigned
series_names_add(struct series_names *names, enum series_kind kind,
                 const char *text)
{
    const _Atomic uint32_t *free;
    unsigned there = series_names_seek(names, kind, text, &free);
    unsigned number = series_names_end(names, kind);

    if (there != 0)
        return there;
    if (free == NULL || number == series_rows[kind].places / 4 * 3 ||
        strlen(text) >= SERIES_NAME_MAX)
        return SERIES_OTHER;
    strcpy(names->texts[series_rows[kind].first + number], text);
    atomic_store_explicit(&names->places[free - names->places], number,
                          memory_order_release);
    atomic_store_explicit(&names->count[kind], number + 1,
                          memory_order_release);
    return number;
}

const char *
series_names_text(const struct series_names *names, enum series_kind kind,
                  unsigned number, char text[SERIES_NAME_MAX])
{
    const struct series_row *row = &series_rows[kind];
    const char *name =
        names->texts[row->first + (number < row->places ? number : 0)];
    size_t len = strnlen(name, SERIES_NAME_MAX - 1);

    memcpy(text, name, len);
    text[len] = '\0';
    return text;
}

/* --- sessions ------------------------------------------------------------ */

/* The frequent ones have come up first, and are found first. */
void
series_count(struct series *series, uint32_t key)
{
    unsigned i = 0;
    uint32_t at;

    while (i < SERIES_OUTCOMES - 1 &&
           (at = atomic_load_explicit(&series->keys[i],
                                      memory_order_relaxed)) != key &&
           at != 0)
        i++;
    if (i == SERIES_OUTCOMES - 1)
        key = series_key(SERIES_OTHER, SERIES_VERDICT_OTHER, 0, 0);
    series_add(&series->outcomes[i], 1);
    atomic_store_explicit(&series->keys[i], key, memory_order_release);
}
