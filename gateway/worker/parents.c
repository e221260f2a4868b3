#include "gateway/worker/parents.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define REST_FIRST_MS 5000
#define REST_LONGEST_MS 60000

/* "gw.example:1080" */
#define PLACE_MAX 300

static const char *
parent_place(const struct config_parent_address *address, char place[PLACE_MAX])
{
    char text[ENDPOINT_TEXT_MAX];

    if (address->name != NULL)
        snprintf(place, PLACE_MAX, "%.*s:%u", (int)address->name_len,
                 address->name, address->at.port);
    else
        snprintf(place, PLACE_MAX, "%s", endpoint_format(&address->at, text));
    return place;
}

static void
parent_put(const struct parent_state *state, struct log_line *line)
{
    char place[PLACE_MAX];

    log_number(line, "worker", state->parents->slot);
    log_text(line, "parent", state->parent->name);
    log_text(line, "address", parent_place(state->address, place));
}

/* NULL: nothing is kept of it. */
static struct parent_state *
parents_find(const struct parents *parents, const struct config *config,
             const struct config_parent_address *address)
{
    return config == parents->config && address->number < parents->count
               ? &parents->states[address->number]
               : NULL;
}

/* --- rest ---------------------------------------------------------------- */

bool
parents_rests(const struct parents *parents, const struct config *config,
              const struct config_parent_address *address)
{
    const struct parent_state *state = parents_find(parents, config, address);

    return state != NULL && state->rest_ms > 0 &&
           (state->tried || parents->loop->now_us < state->rests_until_us);
}

bool
parents_try(struct parents *parents, const struct config *config,
            const struct config_parent_address *address)
{
    struct parent_state *state = parents_find(parents, config, address);

    if (state == NULL || state->rest_ms == 0 ||
        parents_rests(parents, config, address))
        return false;
    state->tried = true;
    return true;
}

void
parents_leave(struct parents *parents, const struct config *config,
              const struct config_parent_address *address)
{
    struct parent_state *state = parents_find(parents, config, address);

    if (state != NULL)
        state->tried = false;
}

void
parents_answered(struct parents *parents, const struct config *config,
                 const struct config_parent_address *address,
                 uint64_t dialled_us)
{
    struct parent_state *state = parents_find(parents, config, address);
    struct series *series = &parents->segment->series[parents->slot];
    struct log_line line;

    if (state == NULL)
        return;
    state->answered_us = parents->loop->now_us;
    atomic_store_explicit(&series->parent_answered_us[state->number],
                          state->answered_us, memory_order_relaxed);
    if (dialled_us > 0)
        series_observe(&series->parents[state->number],
                       (uint32_t)((state->answered_us - dialled_us) / 1000));
    if (state->rest_ms == 0)
        return;
    state->rest_ms = 0;
    state->tried = false;
    record_begin(parents->records, &line, "parent_back", LOG_LEVEL_NOTICE);
    parent_put(state, &line);
    record_say(parents->records, &line);
}

/* For metrics: a parent is down when all its addresses rest. */
static void
parents_note_down(struct parents *parents, const struct parent_state *failed)
{
    struct series *series = &parents->segment->series[parents->slot];
    const struct config_parent *parent = failed->parent;
    bool any = false;

    for (size_t i = 0; i < parent->address_count; i++)
        any |= parents->states[parent->addresses[i].number].rest_ms == 0;
    if (!any)
        atomic_store_explicit(&series->parent_failed_us[failed->number],
                              parents->loop->now_us, memory_order_relaxed);
}

void
parents_failed(struct parents *parents, const struct config *config,
               const struct config_parent_address *address, const char *why)
{
    struct parent_state *state = parents_find(parents, config, address);
    uint64_t now_us = parents->loop->now_us;
    struct log_line line;

    /* Of those that began before its rest, only the first counts. */
    if (state == NULL || (state->rest_ms > 0 && now_us < state->rests_until_us))
        return;
    state->rest_ms = state->rest_ms == 0 ? REST_FIRST_MS : 2 * state->rest_ms;
    if (state->rest_ms > REST_LONGEST_MS)
        state->rest_ms = REST_LONGEST_MS;
    state->rests_until_us = now_us + UINT64_C(1000) * state->rest_ms;
    state->tried = false;
    parents_note_down(parents, state);
    record_begin(parents->records, &line, "parent_resting", LOG_LEVEL_WARNING);
    parent_put(state, &line);
    log_text(&line, "why", why);
    log_number(&line, "ms", state->rest_ms);
    record_say(parents->records, &line);
}

bool
parents_answered_since(const struct parents *parents,
                       const struct config *config,
                       const struct config_parent_address *address,
                       uint64_t since_us)
{
    const struct parent_state *state = parents_find(parents, config, address);

    return state != NULL && state->answered_us >= since_us;
}

/* --- names --------------------------------------------------------------- */

void
parents_found_name(struct parents *parents, const struct config *config,
                   const struct config_parent_address *address, bool found)
{
    struct parent_state *state = parents_find(parents, config, address);
    struct log_line line;

    if (state == NULL || state->nameless == !found)
        return;
    state->nameless = !found;
    record_begin(parents->records, &line, "parent_name",
                 found ? LOG_LEVEL_NOTICE : LOG_LEVEL_WARNING);
    parent_put(state, &line);
    log_text(&line, "message",
             found ? "the name has an address now"
                   : "the name has no address: requests through this parent "
                     "are refused until it has; correct parents[].address, or "
                     "let the resolver know the name");
    record_say(parents->records, &line);
}

static void
parents_looked_up(struct lookup *lookup, enum lookup_outcome outcome,
                  const struct addr *addresses, size_t count)
{
    struct parent_state *state =
        container_of(lookup, struct parent_state, lookup);
    struct parents *parents = state->parents;

    (void)addresses, (void)count;
    parents_found_name(parents, parents->config, state->address,
                       outcome == LOOKUP_FOUND);
}

static void
parents_look_up(struct parents *parents, struct parent_state *state)
{
    if (state->address->name != NULL)
        lookup_start(parents->lookups, &state->lookup, 0, state->address->name,
                     state->address->name_len, LOOKUP_V4,
                     parents->config->timeouts.resolve_ms, parents_looked_up);
}

/* --- their life ---------------------------------------------------------- */

void
parents_init(struct parents *parents, struct loop *loop,
             struct lookups *lookups, struct record_log *records,
             struct segment *segment, unsigned slot)
{
    *parents = (struct parents){.loop = loop,
                                .lookups = lookups,
                                .records = records,
                                .segment = segment,
                                .slot = slot};
}

void
parents_fini(struct parents *parents)
{
    for (size_t i = 0; i < parents->count; i++)
        lookup_cancel(parents->lookups, &parents->states[i].lookup);
    free(parents->states);
    parents->states = NULL;
    parents->count = 0;
}

void
parents_set(struct parents *parents, const struct config *config)
{
    size_t count = config->parent_address_count;

    parents_fini(parents);
    parents->config = config;
    parents->states =
        count > 0 ? calloc(count, sizeof(*parents->states)) : NULL;
    if (parents->states == NULL)
        return;
    parents->count = count;
    for (size_t i = 0; i < config->parent_count; i++) {
        const struct config_parent *parent = &config->parents[i];
        for (size_t j = 0; j < parent->address_count; j++) {
            struct parent_state *state =
                &parents->states[parent->addresses[j].number];
            lookup_init(&state->lookup);
            state->parents = parents;
            state->parent = parent;
            state->number = series_names_find(&parents->segment->names,
                                              SERIES_PARENT, parent->name);
            state->address = &parent->addresses[j];
        }
    }
    for (size_t i = 0; i < count; i++)
        parents_look_up(parents, &parents->states[i]);
}

/* --- passwords ----------------------------------------------------------- */

int
parents_take_passwords(struct config *config, const struct tls_files *files)
{
    for (uint32_t i = 0; i < config->parent_count && files != NULL; i++) {
        struct config_parent *parent = &config->parents[i];
        size_t len = 0;
        const uint8_t *octets = tls_files_find(files, TLS_FILE_PASSWORD,
                                               CONFIG_LISTENERS_MAX + i, &len);
        if (octets == NULL || parent->password != NULL ||
            tls_files_password(octets, &len) != NULL)
            continue;
        parent->password = arena_copy(config->arena, (const char *)octets, len);
        if (parent->password == NULL)
            return -ENOMEM;
        parent->password_len = len;
    }
    return 0;
}
