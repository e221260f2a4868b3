#include "tests/fault/load/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/argument.h"
#include "bench/pattern.h"

#define SLOW_MOST (64 * 1024)
#define SLOW_GAP_MS 2
#define BREAK_TIME_NS 3000000

static void
plan_init(struct plan *plan)
{
    *plan = (struct plan){
        .command = HANDSHAKE_CONNECT, .protocol = PROTOCOL_SOCKS4, .share = 1};
    for (int i = 0; i < 2; i++) {
        plan->sides[i].write_most = PATTERN_CHUNK;
        plan->sides[i].read_most = PATTERN_CHUNK;
    }
}

/* The index of "client" or "server"; -1: neither. */
static int
plan_side(const char *value)
{
    if (strcmp(value, "client") == 0)
        return PLAN_CLIENT;
    return strcmp(value, "server") == 0 ? PLAN_SERVER : -1;
}

static bool
plan_take_side(struct plan *plan, const char *key, const char *value)
{
    int side = plan_side(value);

    if (side < 0)
        return false;
    if (strcmp(key, "first") == 0) {
        plan->sides[!side].second = true;
        return true;
    }
    plan->sides[side].read_most = SLOW_MOST;
    plan->sides[side].read_gap_ms = SLOW_GAP_MS;
    return true;
}

static void
plan_set_both(struct plan *plan, uint64_t piece, unsigned gap_ms)
{
    for (int i = 0; i < 2; i++) {
        if (piece > 0)
            plan->sides[i].write_most = plan->sides[i].read_most = piece;
        if (gap_ms > 0)
            plan->sides[i].write_gap_ms = gap_ms;
    }
}

static bool
plan_take_number(struct plan *plan, const char *key, const char *value)
{
    uint64_t number;

    if (!argument_number(value, 0, UINT64_MAX, &number))
        return false;
    if (strcmp(key, "up") == 0)
        plan->sides[PLAN_CLIENT].octets = number;
    else if (strcmp(key, "down") == 0)
        plan->sides[PLAN_SERVER].octets = number;
    else if (strcmp(key, "piece") == 0 && number > 0 && number <= PATTERN_CHUNK)
        plan_set_both(plan, number, 0);
    else if (strcmp(key, "gap") == 0 && number < 60000)
        plan_set_both(plan, 0, (unsigned)number);
    else if (strcmp(key, "buffer") == 0 && number < 1 << 30)
        plan->buffer = (int)number;
    else if (strcmp(key, "share") == 0 && number > 0 && number < 1 << 20)
        plan->share = (unsigned)number;
    else
        return false;
    return true;
}

static bool
plan_take_word(struct plan *plan, const char *key, const char *value)
{
    if (strcmp(key, "name") == 0) {
        snprintf(plan->name, sizeof plan->name, "%s", value);
        return strlen(value) <= PLAN_NAME_MAX;
    }
    if (strcmp(key, "command") == 0) {
        plan->command = HANDSHAKE_BIND;
        return strcmp(value, "bind") == 0;
    }
    if (strcmp(key, "version") == 0) {
        plan->protocol = PROTOCOL_SOCKS5;
        return strcmp(value, "5") == 0;
    }
    if (strcmp(key, "resets") == 0) {
        plan->resets = true;
        return strcmp(value, "yes") == 0;
    }
    if (strcmp(key, "cuts") == 0) {
        plan->cuts = true;
        return strcmp(value, "yes") == 0;
    }
    if (strcmp(key, "first") == 0 || strcmp(key, "slow") == 0)
        return plan_take_side(plan, key, value);
    return plan_take_number(plan, key, value);
}

bool
plan_parse(struct plan *plan, const char *text)
{
    char *copy = strdup(text), *rest = copy, *word;
    bool good = copy != NULL;

    plan_init(plan);
    while (good && (word = strsep(&rest, ",")) != NULL) {
        char *value = strchr(word, '=');
        if (value)
            *value++ = '\0';
        good = value && plan_take_word(plan, word, value);
        if (!good)
            fprintf(stderr, "load: %s: not understood\n", word);
    }
    free(copy);
    return good;
}

/* splitmix64: the same value on both sides, and unrelated values for seeds next
   to each other. */
static uint64_t
plan_scatter(uint64_t seed)
{
    seed += 0x9e3779b97f4a7c15u;
    seed = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9u;
    seed = (seed ^ seed >> 27) * 0x94d049bb133111ebu;
    return seed ^ seed >> 31;
}

/* One in eight is reset before or while the gateway replies. */
struct plan_break
plan_break_of(const struct plan *plan, uint64_t seed)
{
    uint64_t chance = plan_scatter(seed);
    struct plan_break at = {.moment = BREAK_NEVER};

    if (!plan->resets && !plan->cuts)
        return at;
    at.side = plan->cuts || chance & 8 ? PLAN_CLIENT : PLAN_SERVER;
    at.moment = BREAK_AT_OCTET;
    at.octet = (chance >> 8) % (plan->sides[at.side].octets + 1);
    if (plan->resets && (chance & 7) == 0) {
        at.moment = BREAK_AT_TIME;
        at.side = PLAN_CLIENT;
        at.time_ns = (chance >> 8) % BREAK_TIME_NS;
    }
    return at;
}
