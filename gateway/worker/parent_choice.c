#include "gateway/worker/parent_choice.h"

#include <string.h>

_Static_assert(CONFIG_PARENT_ADDRESSES_MAX <= 16, "bits of choice.tried");

void
parent_choice_init(struct parent_choice *choice, struct parents *parents,
                   const struct config *config, const struct rule *rule)
{
    *choice = (struct parent_choice){
        .parents = parents, .config = config, .rule = rule};
}

/* ---- The present one ---- */

const struct config_parent *
parent_choice_parent(const struct parent_choice *choice)
{
    return &choice->config->parents[choice->rule->via[choice->place.parent]];
}

const struct config_parent_address *
parent_choice_address(const struct parent_choice *choice)
{
    return &parent_choice_parent(choice)->addresses[choice->place.address];
}

bool
parent_choice_wants_lookup(const struct parent_choice *choice)
{
    return parent_choice_address(choice)->name != NULL && choice->count == 0;
}

struct endpoint
parent_choice_endpoint(const struct parent_choice *choice)
{
    const struct config_parent_address *address = parent_choice_address(choice);
    struct endpoint to = address->at;

    if (address->name != NULL)
        to.addr = choice->addresses[choice->at];
    return to;
}

/* ---- The next one ---- */

/* False: there is none behind it. */
static bool
parent_place_advance(struct parent_place *place,
                     const struct parent_choice *choice)
{
    const struct rule *rule = choice->rule;

    if (!place->begun) {
        *place = (struct parent_place){.begun = true};
        return true;
    }
    if (place->address + 1u <
        choice->config->parents[rule->via[place->parent]].address_count) {
        place->address++;
        return true;
    }
    if (place->parent + 1u >= rule->via_count)
        return false;
    *place = (struct parent_place){.parent = (uint8_t)(place->parent + 1),
                                   .begun = true};
    return true;
}

/* The next one that was not tried, and does not rest unless all others have
   been tried. */
static bool
parent_choice_seek(const struct parent_choice *choice,
                   struct parent_place *place)
{
    const struct config *config = choice->config;

    while (parent_place_advance(place, choice)) {
        const struct config_parent *parent =
            &config->parents[choice->rule->via[place->parent]];
        if ((choice->tried[place->parent] >> place->address & 1) == 0 &&
            (choice->all || !parents_rests(choice->parents, config,
                                           &parent->addresses[place->address])))
            return true;
    }
    return false;
}

bool
parent_choice_next(struct parent_choice *choice)
{
    if (choice->again) {
        choice->again = false;
        return true;
    }
    if (choice->at + 1u < choice->count) {
        choice->at++;
        return true;
    }
    parent_choice_leave(choice);
    while (!parent_choice_seek(choice, &choice->place)) {
        if (choice->all)
            return false;
        choice->all = true;
        choice->place = (struct parent_place){0};
    }
    choice->tried[choice->place.parent] |=
        (uint16_t)(1u << choice->place.address);
    choice->probes = parents_try(choice->parents, choice->config,
                                 parent_choice_address(choice));
    choice->count = 0;
    choice->at = 0;
    return true;
}

void
parent_choice_repeat(struct parent_choice *choice)
{
    choice->again = true;
}

void
parent_choice_skip_name(struct parent_choice *choice)
{
    choice->at = choice->count;
}

unsigned
parent_choice_left(const struct parent_choice *choice)
{
    struct parent_place place = choice->place;
    unsigned left =
        choice->count > choice->at ? (unsigned)(choice->count - choice->at) : 1;

    while (parent_choice_seek(choice, &place))
        left++;
    return left;
}

/* ---- What has come of it ---- */

void
parent_choice_resolved(struct parent_choice *choice,
                       enum lookup_outcome outcome,
                       const struct addr *addresses, size_t count)
{
    bool found = outcome == LOOKUP_FOUND;

    if (outcome != LOOKUP_OVERLOADED)
        parents_found_name(choice->parents, choice->config,
                           parent_choice_address(choice), found);
    if (!found)
        return;
    memcpy(choice->addresses, addresses, count * sizeof(*addresses));
    choice->count = (uint8_t)count;
    choice->at = 0;
    parent_choice_repeat(choice);
}

void
parent_choice_answered(struct parent_choice *choice, uint64_t dialled_us)
{
    choice->probes = false;
    parents_answered(choice->parents, choice->config,
                     parent_choice_address(choice), dialled_us);
}

void
parent_choice_failed(struct parent_choice *choice, const char *why)
{
    if (choice->at + 1u >= choice->count)
        parents_failed(choice->parents, choice->config,
                       parent_choice_address(choice), why);
}

void
parent_choice_leave(struct parent_choice *choice)
{
    if (choice->probes)
        parents_leave(choice->parents, choice->config,
                      parent_choice_address(choice));
    choice->probes = false;
}

bool
parent_choice_answered_since(const struct parent_choice *choice,
                             uint64_t since_us)
{
    return parents_answered_since(choice->parents, choice->config,
                                  parent_choice_address(choice), since_us);
}
