#include "gateway/observer/top.h"

#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "gateway/observer/row_json.h"

#define TOP_RATE_MS 500

/* Sessions whose rates are known, and groups, at most; what is beyond is
   counted among the others. No less than the first few, however many there may
   be. */
#define TOP_SAMPLES_MAX (1u << 20)
#define TOP_GROUPS_MAX (1u << 16)
#define TOP_LEAST 1024

/* Room for so many of each at first: many operators may ask at once. */
#define TOP_FIRST 64

static const char *const top_words[OBSERVER_BY_COUNT] = {
    [OBSERVER_BY_CLIENT] = "client",
    [OBSERVER_BY_DEST] = "dest",
    [OBSERVER_BY_RULE] = "rule",
    [OBSERVER_BY_USERID] = "userid",
    [OBSERVER_BY_CERTIFICATE] = "certificate"};

struct top_sample {
    uint64_t id; /* and 1; 0: free */
    uint64_t up, down, us;
};

struct top_group {
    struct observer_name key;
    uint64_t sessions, up, down, rate_up, rate_down;
};

/* Open addressing, half empty at least. */
struct top {
    struct workers *workers; /* borrowed */
    struct survey survey;
    struct timer rate;
    enum observer_by by;
    size_t most; /* sessions of which something is kept */
    top_done_fn *done;
    void *context;
    bool second;
    struct top_sample *samples;
    size_t sample_count, sample_room;
    struct top_group *groups;
    size_t group_count;
    uint32_t *group_table; /* number of a group and 1 */
    size_t group_room;
    uint64_t unknown; /* sessions without a group */
};

enum observer_by
top_find(const char *word)
{
    unsigned by = 0;
    while (by < OBSERVER_BY_COUNT && strcmp(top_words[by], word) != 0)
        by++;
    return (enum observer_by)by;
}

/* --- samples ------------------------------------------------------------- */

/* The sample of that session, or the place for it. */
static struct top_sample *
top_sample_at(const struct top *top, struct top_sample *samples, size_t room,
              uint64_t id)
{
    size_t at = siphash(top->workers->secret, id) & (room - 1);
    while (samples[at].id != 0 && samples[at].id != id + 1)
        at = (at + 1) & (room - 1);
    return &samples[at];
}

static bool
top_grow_samples(struct top *top)
{
    size_t room = top->sample_room > 0 ? 2 * top->sample_room : 2 * TOP_FIRST;
    if (2 * (top->sample_count + 1) <= top->sample_room)
        return true;
    if (top->sample_count >= top->most)
        return false;
    struct top_sample *samples = calloc(room, sizeof(*samples));
    if (samples == NULL)
        return false;
    for (size_t i = 0; i < top->sample_room; i++)
        if (top->samples[i].id != 0)
            *top_sample_at(top, samples, room, top->samples[i].id - 1) =
                top->samples[i];
    free(top->samples);
    top->samples = samples;
    top->sample_room = room;
    return true;
}

static void
top_take_sample(struct top *top, const struct observer_entry *entry)
{
    if (!top_grow_samples(top))
        return;
    struct top_sample *sample =
        top_sample_at(top, top->samples, top->sample_room, entry->id);
    top->sample_count += sample->id == 0;
    *sample = (struct top_sample){.id = entry->id + 1,
                                  .up = entry->up,
                                  .down = entry->down,
                                  .us = top->workers->loop->now_us};
}

/* --- groups -------------------------------------------------------------- */

/* Of what clients choose: without the secret they could choose what collides,
   and a search would take seconds. */
static uint64_t
top_hash(const struct top *top, const struct observer_name *key)
{
    uint64_t sum = key->len;
    for (size_t at = 0; at < key->len; at += sizeof(sum)) {
        uint64_t word = 0;
        size_t left = key->len - at;
        memcpy(&word, key->octets + at,
               left < sizeof(word) ? left : sizeof(word));
        sum = siphash(top->workers->secret, sum ^ word);
    }
    return sum;
}

static bool
top_is_same(const struct observer_name *a, const struct observer_name *b)
{
    return a->len == b->len && memcmp(a->octets, b->octets, a->len) == 0;
}

/* Where its number stands, or is to stand. */
static uint32_t *
top_group_at(const struct top *top, uint32_t *table, size_t room,
             const struct observer_name *key)
{
    size_t at = top_hash(top, key) & (room - 1);
    while (table[at] != 0 && !top_is_same(&top->groups[table[at] - 1].key, key))
        at = (at + 1) & (room - 1);
    return &table[at];
}

/* False: there are too many, or no memory. */
static bool
top_grow_groups(struct top *top)
{
    size_t room = top->group_room > 0 ? 2 * top->group_room : 2 * TOP_FIRST;
    if (top->group_count == TOP_GROUPS_MAX || top->group_count >= top->most)
        return false;
    if (2 * (top->group_count + 1) <= top->group_room)
        return true;
    struct top_group *groups = realloc(top->groups, room / 2 * sizeof(*groups));
    if (groups == NULL)
        return false;
    top->groups = groups;
    uint32_t *table = calloc(room, sizeof(*table));
    if (table == NULL)
        return false;
    for (size_t i = 0; i < top->group_count; i++)
        *top_group_at(top, table, room, &groups[i].key) = (uint32_t)i + 1;
    free(top->group_table);
    top->group_table = table;
    top->group_room = room;
    return true;
}

/* NULL: there are too many, or no memory. */
static struct top_group *
top_find_group(struct top *top, const struct observer_name *key)
{
    uint32_t *number = top->group_room > 0 ? top_group_at(top, top->group_table,
                                                          top->group_room, key)
                                           : NULL;
    if (number != NULL && *number != 0)
        return &top->groups[*number - 1];
    if (!top_grow_groups(top))
        return NULL;
    number = top_group_at(top, top->group_table, top->group_room, key);
    struct top_group *group = &top->groups[top->group_count++];
    *number = (uint32_t)top->group_count;
    *group = (struct top_group){.key = *key};
    return group;
}

static uint64_t
top_rate(uint64_t before, uint64_t now, uint64_t us)
{
    return now > before && us > 0 ? (now - before) * 1000000 / us : 0;
}

static void
top_take_entry(struct top *top, const struct observer_entry *entry)
{
    struct observer_name key = entry->key;
    if (key.len > OBSERVER_NAME_MAX)
        key.len = OBSERVER_NAME_MAX;
    struct top_group *group = top_find_group(top, &key);
    if (group == NULL) {
        top->unknown++;
        return;
    }
    group->sessions++;
    group->up += entry->up;
    group->down += entry->down;
    if (top->sample_room == 0)
        return;
    const struct top_sample *sample =
        top_sample_at(top, top->samples, top->sample_room, entry->id);
    if (sample->id == 0)
        return;
    uint64_t us = top->workers->loop->now_us - sample->us;
    group->rate_up += top_rate(sample->up, entry->up, us);
    group->rate_down += top_rate(sample->down, entry->down, us);
}

static void
top_on_entry(struct survey *survey, const struct observer_entry *entry)
{
    struct top *top = container_of(survey, struct top, survey);
    if (top->second)
        top_take_entry(top, entry);
    else
        top_take_sample(top, entry);
}

/* --- the answer ---------------------------------------------------------- */

static int
top_compare_numbers(uint64_t a, uint64_t b)
{
    return (a < b) - (a > b);
}

static int
top_compare(const void *one, const void *other)
{
    const struct top_group *a = one, *b = other;
    int order = top_compare_numbers(a->rate_up + a->rate_down,
                                    b->rate_up + b->rate_down);
    if (order == 0)
        order = top_compare_numbers(a->sessions, b->sessions);
    return order != 0 ? order
                      : top_compare_numbers(a->up + a->down, b->up + b->down);
}

static json_t *
top_row(const struct top *top, const struct top_group *group)
{
    json_t *key = group->key.len > 0
                      ? row_json_octets(group->key.octets, group->key.len)
                      : json_null();
    return json_pack("{s:o,s:I,s:I,s:I,s:I,s:I}", top_words[top->by], key,
                     "sessions", (json_int_t)group->sessions, "up",
                     (json_int_t)group->up, "down", (json_int_t)group->down,
                     "rate_up", (json_int_t)group->rate_up, "rate_down",
                     (json_int_t)group->rate_down);
}

static json_t *
top_json(const struct top *top)
{
    json_t *rows = json_array();
    size_t shown = top->group_count < OBSERVER_ROWS_MAX ? top->group_count
                                                        : OBSERVER_ROWS_MAX;
    if (top->groups != NULL)
        qsort(top->groups, top->group_count, sizeof(*top->groups), top_compare);
    for (size_t i = 0; i < shown; i++)
        json_array_append_new(rows, top_row(top, &top->groups[i]));
    json_t *answer = json_pack(
        "{s:s,s:o,s:I,s:I}", "by", top_words[top->by], "rows", rows, "total",
        (json_int_t)(top->group_count + top->unknown), "more",
        (json_int_t)(top->group_count + top->unknown - shown));
    if (top->survey.unanswered > 0)
        json_object_set_new(answer, "unanswered",
                            json_integer(top->survey.unanswered));
    return answer;
}

static void
top_free(struct top *top)
{
    free(top->samples);
    free(top->groups);
    free(top->group_table);
    free(top);
}

static void
top_on_rate(struct timer *timer)
{
    struct top *top = container_of(timer, struct top, rate);
    top->second = true;
    (void)!survey_start(&top->survey, top->workers);
}

static void
top_on_done(struct survey *survey)
{
    struct top *top = container_of(survey, struct top, survey);
    if (!top->second) {
        loop_start_timer(top->workers->loop, &top->rate, TOP_RATE_MS);
        return;
    }
    top->done(top->context, top_json(top));
    top_free(top);
}

static const struct survey_ops top_ops = {.entry = top_on_entry,
                                          .done = top_on_done};

static size_t
top_most(uint64_t sessions)
{
    return sessions < TOP_LEAST         ? TOP_LEAST
           : sessions < TOP_SAMPLES_MAX ? (size_t)sessions
                                        : TOP_SAMPLES_MAX;
}

/* Tables that have just been doubled are four times as large as what is in
   them, and the one before is there for a moment. */
size_t
top_octets(uint64_t sessions)
{
    size_t samples = top_most(sessions);
    size_t groups = samples < TOP_GROUPS_MAX ? samples : TOP_GROUPS_MAX;

    return 6 * samples * sizeof(struct top_sample) +
           3 * groups * sizeof(struct top_group) +
           6 * groups * sizeof(uint32_t);
}

struct top *
top_start(struct workers *workers, enum observer_by by, uint64_t most,
          top_done_fn *done, void *context)
{
    struct top *top = calloc(1, sizeof(*top));
    if (top == NULL)
        return NULL;
    top->workers = workers;
    top->by = by;
    top->most = top_most(most);
    top->done = done;
    top->context = context;
    top->survey.ops = &top_ops;
    top->survey.ask = (struct observer_ask){.kind = OBSERVER_TOP, .count = by};
    timer_init(&top->rate, top_on_rate);
    (void)!survey_start(&top->survey, workers);
    return top;
}

void
top_cancel(struct top *top)
{
    survey_cancel(&top->survey);
    loop_cancel_timer(top->workers->loop, &top->rate);
    top_free(top);
}
