#include "gateway/authenticator/failures.h"

#include <string.h>
#include <sys/random.h>

#include "base/siphash.h"

static const struct failures_limit {
    uint64_t interval_ms, at_once;
} of_user = {5000, 10}, of_source = {1000, 50};

void
failures_init(struct failures *failures)
{
    memset(failures, 0, sizeof(*failures));
    /* Eight octets at most are never interrupted, and the pool is filled. */
    if (getrandom(failures->secret, sizeof(failures->secret), 0) < 0)
        failures->secret[0] = (uint64_t)(uintptr_t)failures;
}

static uint64_t
failures_source_key(const struct failures *failures, uint64_t source)
{
    return siphash(failures->secret, source);
}

/* Its length first, so that no name is the beginning of another. */
static uint64_t
failures_user_key(const struct failures *failures, uint64_t source,
                  const char *user, size_t len)
{
    uint64_t key =
        siphash(failures->secret, failures_source_key(failures, source) ^ ~len);

    for (size_t at = 0; at < len; at += sizeof(uint64_t)) {
        uint64_t octets = 0;
        size_t left = len - at < sizeof(octets) ? len - at : sizeof(octets);
        memcpy(&octets, user + at, left);
        key = siphash(failures->secret, key ^ octets);
    }
    return key;
}

static uint64_t
failures_due(const struct failures *failures, uint64_t key)
{
    const struct failure *row = failures->table[key % FAILURES_ROWS];

    for (size_t i = 0; i < FAILURES_ROW; i++)
        if (row[i].key == key)
            return row[i].due_ms;
    return 0;
}

static bool
failures_is_within(const struct failures *failures, uint64_t key,
                   const struct failures_limit *limit, uint64_t now_ms)
{
    return failures_due(failures, key) <=
           now_ms + (limit->at_once - 1) * limit->interval_ms;
}

static void
failures_add(struct failures *failures, uint64_t key,
             const struct failures_limit *limit, uint64_t now_ms)
{
    struct failure *row = failures->table[key % FAILURES_ROWS], *entry = row;

    for (size_t i = 0; i < FAILURES_ROW && entry->key != key; i++)
        if (row[i].key == key || row[i].due_ms < entry->due_ms)
            entry = &row[i];
    if (entry->key != key || entry->due_ms < now_ms)
        *entry = (struct failure){.key = key, .due_ms = now_ms};
    entry->due_ms += limit->interval_ms;
}

bool
failures_permit(const struct failures *failures, uint64_t source,
                const char *user, size_t len, uint64_t now_ms)
{
    return failures_is_within(failures, failures_source_key(failures, source),
                              &of_source, now_ms) &&
           failures_is_within(failures,
                              failures_user_key(failures, source, user, len),
                              &of_user, now_ms);
}

void
failures_note(struct failures *failures, uint64_t source, const char *user,
              size_t len, uint64_t now_ms)
{
    failures_add(failures, failures_source_key(failures, source), &of_source,
                 now_ms);
    failures_add(failures, failures_user_key(failures, source, user, len),
                 &of_user, now_ms);
}
