#include "gateway/monitor/live_connects.h"
#include <errno.h>

#include "tests/unit/unit.h"

enum { QUOTA = 10000 };

static struct live_connects live_connects;

static int
setup(void **state)
{
    (void)state;
    live_connects_init(&live_connects, QUOTA);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    live_connects_fini(&live_connects);
    return 0;
}

static struct channel_message
between(uint64_t id, uint32_t client, uint32_t dstip)
{
    return (struct channel_message){
        .id = id, .client = addr_v4(client), .to = addr_v4(dstip)};
}

static void
add(unsigned slot, uint64_t id, uint32_t client, uint32_t dstip)
{
    struct channel_message message = between(id, client, dstip);
    assert_int_equal(live_connects_register(&live_connects, slot, &message), 0);
}

static void
drop(unsigned slot, uint64_t id, uint32_t client, uint32_t dstip)
{
    struct channel_message message = between(id, client, dstip);
    live_connects_unregister(&live_connects, slot, &message);
}

/* A question has an id of its own, which says nothing. */
static bool
has(uint32_t client, uint32_t dstip)
{
    struct channel_message message = between(999999, client, dstip);
    return live_connects_has(&live_connects, &message);
}

static void
has_what_was_added_and_nothing_like_it(void **state)
{
    (void)state;
    assert_false(has(1, 2));
    add(0, 7, 1, 2);
    assert_true(has(1, 2));
    assert_false(has(2, 1));
    assert_false(has(1, 1));
    assert_false(has(1, 3));
    assert_false(has(3, 2));
}

static void
an_ipv6_client_is_known_by_all_of_its_address(void **state)
{
    (void)state;
    struct channel_message message = {.client = {5, 6}, .to = addr_v4(2)};
    assert_int_equal(live_connects_register(&live_connects, 0, &message), 0);
    assert_true(live_connects_has(&live_connects, &message));
    message.client.lo++;
    assert_false(live_connects_has(&live_connects, &message));
    message.client = (struct addr){4, 6};
    assert_false(live_connects_has(&live_connects, &message));
}

static void
one_of_two_is_enough(void **state)
{
    (void)state;
    add(0, 7, 1, 2);
    add(1, 8, 1, 2);
    drop(0, 7, 1, 2);
    assert_true(has(1, 2));
    drop(1, 8, 1, 2);
    assert_false(has(1, 2));
}

/* A worker can only speak for its own sessions. */
static void
another_slot_cannot_take_it_away(void **state)
{
    (void)state;
    add(0, 7, 1, 2);
    drop(1, 7, 1, 2);
    drop(0, 8, 1, 2);
    assert_true(has(1, 2));
    live_connects_drop(&live_connects, 1);
    assert_true(has(1, 2));
}

static void
they_go_with_their_worker(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 1000; i++)
        add(i % 2, i, i, 2);
    live_connects_drop(&live_connects, 0);
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(has(i, 2), i % 2);
}

static void
no_worker_has_more_than_its_quota(void **state)
{
    struct channel_message message = between(QUOTA, 1, 2);
    (void)state;
    for (uint64_t id = 0; id < QUOTA; id++)
        add(1, id, 1, 2);
    assert_int_equal(live_connects_register(&live_connects, 1, &message),
                     -EDQUOT);
    add(0, 7, 1, 2); /* another one's is its own */
    drop(1, 7, 1, 2);
    add(1, QUOTA, 1, 2);
    live_connects_drop(&live_connects, 1);
    for (uint64_t id = 0; id < QUOTA; id++)
        add(1, id, 1, 2);
}

/* An id may come twice where a worker that was taken over has set back the
   numbers of sessions: its CONNECT ends, and the other lives. */
static void
two_with_the_same_id_are_told_apart(void **state)
{
    (void)state;
    add(0, 7, 1, 2);
    add(0, 7, 3, 4);
    drop(0, 7, 3, 4);
    assert_true(has(1, 2));
    assert_false(has(3, 4));
    drop(0, 7, 1, 3);
    assert_true(has(1, 2));
}

static void
one_that_comes_twice_has_to_end_twice(void **state)
{
    (void)state;
    add(0, 7, 1, 2);
    add(0, 7, 1, 2);
    drop(0, 7, 1, 2);
    assert_true(has(1, 2));
    drop(0, 7, 1, 2);
    assert_false(has(1, 2));
    drop(0, 7, 1, 2);
    add(0, 7, 1, 2);
    assert_true(has(1, 2));
}

static size_t
longest(const struct list buckets[LIVE_CONNECTS_BUCKETS])
{
    size_t most = 0;
    for (size_t i = 0; i < LIVE_CONNECTS_BUCKETS; i++) {
        size_t count = 0;
        for (struct list *at = buckets[i].next; at != &buckets[i];
             at = at->next)
            count++;
        if (count > most)
            most = count;
    }
    return most;
}

/* To find one costs what its bucket holds, whatever a worker chooses or
   repeats: ids, a client and a destination, or all of it. */
static void
no_bucket_gets_long(void **state)
{
    (void)state;
    const uint64_t ids[] = {LIVE_CONNECTS_BUCKETS, 1, 0, 0};
    const uint32_t clients[] = {0, 0, 1, 0};
    for (size_t which = 0; which < COUNT(ids); which++) {
        for (uint32_t i = 0; i < QUOTA; i++)
            add(1, i * ids[which], i * clients[which], 2);
        size_t entries = longest(live_connects.buckets);
        size_t pairs = longest(live_connects.pairs);
        printf("# %zu and %zu in a bucket at most\n", entries, pairs);
        assert_in_range(entries, 1, 32);
        assert_in_range(pairs, 1, 32);
        for (uint32_t i = 0; i < QUOTA; i++)
            drop(1, i * ids[which], i * clients[which], 2);
        assert_int_equal(longest(live_connects.buckets), 0);
        assert_int_equal(longest(live_connects.pairs), 0);
    }
}

static void
sum_up(void *context, unsigned slot, const struct channel_message *message)
{
    uint64_t *sum = context;
    assert_true(live_connects_has(&live_connects, message));
    assert_int_equal(message->kind, CHANNEL_REGISTER);
    *sum += slot * 1000 + message->id;
}

static void
tells_of_each_of_them(void **state)
{
    uint64_t sum = 0;
    (void)state;
    add(1, 10, 1, 2);
    add(2, 20, 3, 4);
    add(2, 30, 3, 4);
    live_connects_each(&live_connects, sum_up, &sum);
    assert_int_equal(sum, 5060);
}

/* Random news against a plain table. */
enum { HOSTS = 12, SERVERS = 4, SLOTS = 3, LIVE = 64 };

struct live {
    bool there;
    unsigned slot;
    uint64_t id;
    uint32_t client;
    uint32_t dstip;
};

static bool
table_has(const struct live table[LIVE], uint32_t client, uint32_t dstip)
{
    for (size_t i = 0; i < LIVE; i++)
        if (table[i].there && table[i].client == client &&
            table[i].dstip == dstip)
            return true;
    return false;
}

static void
table_lose(struct live table[LIVE], unsigned slot)
{
    for (size_t i = 0; i < LIVE; i++)
        if (table[i].slot == slot)
            table[i].there = false;
    live_connects_drop(&live_connects, slot);
}

static void
table_change(struct random *random, struct live table[LIVE], uint64_t id)
{
    struct live *live = &table[random_below(random, LIVE)];

    if (live->there) {
        drop(live->slot, live->id, live->client, live->dstip);
        live->there = false;
        return;
    }
    *live = (struct live){.there = true,
                          .slot = (unsigned)random_below(random, SLOTS),
                          .id = id,
                          .client = (uint32_t)random_below(random, HOSTS),
                          .dstip = (uint32_t)random_below(random, SERVERS)};
    add(live->slot, live->id, live->client, live->dstip);
}

static void
has_what_a_plain_table_has(void **state)
{
    (void)state;
    struct random random;
    struct live table[LIVE] = {{0}};
    int answers[2] = {0};

    random_init(&random, 3);
    for (uint64_t id = 0; id < 50000; id++) {
        if (random_below(&random, 200) == 0)
            table_lose(table, (unsigned)random_below(&random, SLOTS));
        else
            table_change(&random, table, id);
        uint32_t client = (uint32_t)random_below(&random, HOSTS);
        uint32_t dstip = (uint32_t)random_below(&random, SERVERS);
        bool lives = table_has(table, client, dstip);
        assert_int_equal(has(client, dstip), lives);
        answers[lives]++;
    }
    printf("# %d yes, %d no\n", answers[1], answers[0]);
    assert_true(answers[0] > 10000 && answers[1] > 10000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(has_what_was_added_and_nothing_like_it),
        TEST(an_ipv6_client_is_known_by_all_of_its_address),
        TEST(one_of_two_is_enough),
        TEST(another_slot_cannot_take_it_away),
        TEST(they_go_with_their_worker),
        TEST(no_worker_has_more_than_its_quota),
        TEST(two_with_the_same_id_are_told_apart),
        TEST(one_that_comes_twice_has_to_end_twice),
        TEST(no_bucket_gets_long),
        TEST(tells_of_each_of_them),
        TEST(has_what_a_plain_table_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
