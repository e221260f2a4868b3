#include "gateway/observer/migration.h"

#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "gateway/observer/figures.h"
#include "gateway/observer/row_json.h"

static const char *const migration_versions[] = {
#define X(symbol, name) name,
    REQUEST_VERSIONS(X)
#undef X
};

/* The most that are put together, 16 MiB: 32 full tables. A worker that was
   taken over can fill those of all slots. The others count as forgotten. */
#define MIGRATION_GATHERED_MAX ((size_t)32 * SPEAKERS_COUNT)

struct migration {
    const struct segment *segment;        /* borrowed */
    const struct observer_filter *filter; /* borrowed */
    struct speaker *rows;                 /* owned */
    size_t count, room;
    uint64_t left_out[2]; /* those of refused requests, and of granted ones */
};

/* --- which of them ------------------------------------------------------- */

static bool
migration_is_user(const struct observer_text *text,
                  const struct speaker_key *key)
{
    size_t len = text->len;
    if (len > 0 && text->octets[len - 1] == '*')
        return key->user_len >= len - 1 &&
               memcmp(key->user, text->octets, len - 1) == 0;
    return key->user_len == len && memcmp(key->user, text->octets, len) == 0;
}

static bool
migration_is_rule(const struct migration *migration, unsigned rule)
{
    const struct observer_name *wanted = &migration->filter->rule;
    char name[SERIES_NAME_MAX];
    series_names_text(&migration->segment->names, SERIES_RULE, rule, name);
    return strlen(name) == wanted->len &&
           memcmp(name, wanted->octets, wanted->len) == 0;
}

static bool
migration_matches(const struct migration *migration,
                  const struct speaker *speaker)
{
    const struct observer_filter *filter = migration->filter;
    const struct speaker_key *key = &speaker->key;
    if ((filter->terms & OBSERVER_CLIENT) &&
        (addr_cmp(key->client, filter->client_first) < 0 ||
         addr_cmp(key->client, filter->client_last) > 0))
        return false;
    if ((filter->terms & OBSERVER_USERID) &&
        !migration_is_user(&filter->userid, key))
        return false;
    return !(filter->terms & OBSERVER_RULE) ||
           migration_is_rule(migration, key->rule);
}

/* Of the row as a whole, whatever worker has seen it. */
static bool
migration_has_version(const struct migration *migration,
                      const struct speaker *row)
{
    if (!(migration->filter->terms & OBSERVER_VERSION))
        return true;
    for (unsigned i = 0; i < SPEAKERS_VERSIONS; i++)
        if (row->seen[i].count > 0 &&
            (migration->filter->versions >> (i + 1) & 1))
            return true;
    return false;
}

/* --- the rows ------------------------------------------------------------ */

/* False: no memory. */
static bool
migration_add(struct migration *migration, const struct speaker *speaker)
{
    if (migration->count == MIGRATION_GATHERED_MAX) {
        migration->left_out[speaker->granted]++;
        return true;
    }
    if (migration->count == migration->room) {
        size_t room = migration->room > 0 ? 2 * migration->room : 256;
        struct speaker *rows =
            reallocarray(migration->rows, room, sizeof(*rows));
        if (rows == NULL)
            return false;
        migration->rows = rows;
        migration->room = room;
    }
    migration->rows[migration->count++] = *speaker;
    return true;
}

static bool
migration_gather(struct migration *migration)
{
    const struct segment *segment = migration->segment;
    uint32_t slots =
        atomic_load_explicit(&segment->counted, memory_order_relaxed);
    struct speaker speaker;
    for (uint32_t slot = 0; slot < slots && slot < SEGMENT_SLOTS; slot++)
        for (unsigned i = 0; i < SPEAKERS_COUNT; i++)
            if (speakers_read(&segment->speakers[slot], i, &speaker) &&
                migration_matches(migration, &speaker) &&
                !migration_add(migration, &speaker))
                return false;
    return true;
}

static int
migration_compare_keys(const void *one, const void *other)
{
    const struct speaker_key *a = &((const struct speaker *)one)->key;
    const struct speaker_key *b = &((const struct speaker *)other)->key;
    int order = addr_cmp(a->client, b->client);
    if (order == 0)
        order = (a->rule > b->rule) - (a->rule < b->rule);
    if (order == 0)
        order = (int)a->user_whole - (int)b->user_whole;
    if (order == 0)
        order = (int)a->user_len - (int)b->user_len;
    return order != 0 ? order : memcmp(a->user, b->user, a->user_len);
}

static void
migration_merge_seen(struct speaker_seen *to, const struct speaker_seen *from)
{
    if (from->count == 0)
        return;
    if (to->count == 0 || from->first_s < to->first_s)
        to->first_s = from->first_s;
    if (to->count == 0 || from->last_s > to->last_s)
        to->last_s = from->last_s;
    to->count += from->count;
}

/* Those of all workers to one, and without those that have not the version. */
static void
migration_merge(struct migration *migration)
{
    struct speaker *rows = migration->rows;
    size_t kept = 0;
    qsort(rows, migration->count, sizeof(*rows), migration_compare_keys);
    for (size_t i = 0; i < migration->count;) {
        struct speaker row = rows[i++];
        for (; i < migration->count &&
               migration_compare_keys(&row, &rows[i]) == 0;
             i++) {
            for (unsigned j = 0; j < SPEAKERS_VERSIONS; j++)
                migration_merge_seen(&row.seen[j], &rows[i].seen[j]);
            row.granted |= rows[i].granted;
        }
        if (migration_has_version(migration, &row))
            rows[kept++] = row;
    }
    migration->count = kept;
}

static uint32_t
migration_last(const struct speaker *row, bool old)
{
    uint32_t last = 0;
    for (unsigned i = 0; i < SPEAKERS_VERSIONS; i++)
        if (row->seen[i].count > 0 && row->seen[i].last_s > last &&
            (!old || i + 1 != REQUEST_SOCKS5))
            last = row->seen[i].last_s;
    return last;
}

static int
migration_compare(const void *one, const void *other)
{
    for (int old = 1; old >= 0; old--) {
        uint32_t a = migration_last(one, old), b = migration_last(other, old);
        if (a != b)
            return a < b ? 1 : -1;
    }
    return migration_compare_keys(one, other);
}

/* --- the answer ---------------------------------------------------------- */

static json_t *
migration_user(const struct speaker_key *key)
{
    struct observer_text text = {.whole = key->user_whole,
                                 .len = key->user_len};
    memcpy(text.octets, key->user, key->user_len);
    return row_json_text(&text);
}

static json_t *
migration_row(const struct migration *migration, const struct speaker *row,
              uint64_t now_s)
{
    char rule[SERIES_NAME_MAX], client[ADDR_TEXT_MAX];
    json_t *versions = json_object();
    for (unsigned i = 0; i < SPEAKERS_VERSIONS; i++) {
        const struct speaker_seen *seen = &row->seen[i];
        uint64_t age = now_s > seen->last_s ? now_s - seen->last_s : 0;
        if (seen->count > 0)
            json_object_set_new(
                versions, migration_versions[i],
                json_pack("{s:I,s:I,s:I,s:I}", "count", (json_int_t)seen->count,
                          "first", (json_int_t)seen->first_s, "last",
                          (json_int_t)seen->last_s, "age", (json_int_t)age));
    }
    series_names_text(&migration->segment->names, SERIES_RULE, row->key.rule,
                      rule);
    return json_pack(
        "{s:s,s:o,s:o,s:b,s:o}", "client", addr_format(row->key.client, client),
        "userid", migration_user(&row->key), "rule",
        rule[0] != '\0' ? row_json_octets(rule, strlen(rule)) : json_null(),
        "granted", row->granted, "versions", versions);
}

json_t *
migration_json(const struct segment *segment,
               const struct observer_filter *filter)
{
    struct migration migration = {.segment = segment, .filter = filter};
    const struct figures figures = {.segment = segment};
    uint64_t now_s = sys_wall_ms() / 1000;
    if (!migration_gather(&migration)) {
        free(migration.rows);
        return NULL;
    }
    json_t *rows = json_array();
    size_t shown = 0;
    if (migration.count > 0) {
        migration_merge(&migration);
        qsort(migration.rows, migration.count, sizeof(*migration.rows),
              migration_compare);
    }
    for (; shown < migration.count && shown < MIGRATION_ROWS_MAX; shown++)
        json_array_append_new(
            rows, migration_row(&migration, &migration.rows[shown], now_s));
    json_t *answer = json_pack(
        "{s:o,s:I,s:I,s:I,s:I,s:I}", "rows", rows, "total",
        (json_int_t)migration.count, "more",
        (json_int_t)(migration.count - shown), "since",
        (json_int_t)(segment->began_ms / 1000), "forgotten",
        (json_int_t)(figures_forgotten(&figures, true) + migration.left_out[1]),
        "forgotten_refused",
        (json_int_t)(figures_forgotten(&figures, false) +
                     migration.left_out[0]));
    free(migration.rows);
    return answer;
}
