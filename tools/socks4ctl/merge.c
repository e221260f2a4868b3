#include "tools/socks4ctl/merge.h"

#include <stdlib.h>
#include <string.h>

static void
merge_add(json_t *to, const json_t *from, const char *key)
{
    json_t *value = json_object_get(from, key);

    if (value != NULL)
        json_object_set_new(
            to, key,
            json_integer(json_integer_value(json_object_get(to, key)) +
                         json_integer_value(value)));
}

static bool
merge_is_same(const json_t *a, const json_t *b)
{
    return json_equal((json_t *)a, (json_t *)b) == 1;
}

/* Two gateways may have the same client, destination, … */
static void
merge_top(json_t *rows, json_t *row, const char *by)
{
    static const char *const sums[] = {"sessions", "up", "down", "rate_up",
                                       "rate_down"};
    json_t *had;
    size_t i;

    json_array_foreach(rows, i, had)
    {
        if (!merge_is_same(json_object_get(had, by), json_object_get(row, by)))
            continue;
        for (size_t s = 0; s < sizeof(sums) / sizeof(sums[0]); s++)
            merge_add(had, row, sums[s]);
        return;
    }
    json_array_append(rows, row);
}

static void
merge_rows(json_t *merged, json_t *answer, const char *host)
{
    const char *by = json_string_value(json_object_get(answer, "by"));
    json_t *rows = json_object_get(merged, "rows"), *row;
    size_t i;

    json_array_foreach(json_object_get(answer, "rows"), i, row)
    {
        if (by != NULL) {
            merge_top(rows, row, by);
            continue;
        }
        json_object_set_new(row, "host", json_string(host));
        json_array_append(rows, row);
    }
    merge_add(merged, answer, "total");
    merge_add(merged, answer, "more");
    merge_add(merged, answer, "forgotten");
    merge_add(merged, answer, "forgotten_refused");
    merge_add(merged, answer, "unanswered");
}

static json_t *
merge_begin(const json_t *answer)
{
    json_t *by = json_object_get(answer, "by");

    if (json_object_get(answer, "killed") != NULL)
        return json_pack("{s:i}", "killed", 0);
    if (json_object_get(answer, "rows") == NULL)
        return json_pack("{s:[]}", "gateways");
    json_t *merged = json_object();
    if (by != NULL)
        json_object_set(merged, "by", by);
    json_object_set_new(merged, "rows", json_array());
    return merged;
}

/* {"configs": {"3f9a2c17": [host, …], …}} */
static void
merge_config(json_t *merged, const json_t *answer, const char *host)
{
    const char *id = json_string_value(json_object_get(answer, "config"));

    if (id == NULL)
        return;
    if (json_object_get(merged, "configs") == NULL)
        json_object_set_new(merged, "configs", json_object());
    json_t *configs = json_object_get(merged, "configs");
    if (json_object_get(configs, id) == NULL)
        json_object_set_new(configs, id, json_array());
    json_array_append_new(json_object_get(configs, id), json_string(host));
}

json_t *
merge_answer(json_t *merged, json_t *answer, const char *host)
{
    if (host == NULL)
        return answer;
    if (merged == NULL)
        merged = merge_begin(answer);
    json_t *gateways = json_object_get(merged, "gateways");
    if (gateways != NULL) {
        json_object_set_new(answer, "host", json_string(host));
        json_array_append(gateways, answer);
        merge_config(merged, answer, host);
    } else if (json_object_get(merged, "killed") != NULL) {
        merge_add(merged, answer, "killed");
        merge_add(merged, answer, "unanswered");
    } else {
        merge_rows(merged, answer, host);
    }
    json_decref(answer);
    return merged;
}

static double
merge_weight(const json_t *row, const char *a, const char *b)
{
    return json_number_value(json_object_get(row, a)) +
           json_number_value(json_object_get(row, b));
}

/* Those that move most, then those that have most. */
static int
merge_compare(const void *one, const void *other)
{
    const json_t *a = *(json_t *const *)one, *b = *(json_t *const *)other;
    double order = merge_weight(b, "rate_up", "rate_down") -
                   merge_weight(a, "rate_up", "rate_down");

    if (order == 0)
        order = merge_weight(b, "sessions", "sessions") -
                merge_weight(a, "sessions", "sessions");
    return (order > 0) - (order < 0);
}

void
merge_finish(json_t *merged)
{
    json_t *rows = json_object_get(merged, "rows");
    size_t count = json_array_size(rows);

    if (json_object_get(merged, "by") == NULL || count == 0)
        return;
    json_t **sorted = malloc(count * sizeof(json_t *));
    if (sorted == NULL)
        return;
    for (size_t i = 0; i < count; i++)
        sorted[i] = json_incref(json_array_get(rows, i));
    qsort(sorted, count, sizeof(json_t *), merge_compare);
    json_array_clear(rows);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(rows, sorted[i]);
    free(sorted);
}
