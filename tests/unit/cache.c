#include "gateway/resolver/cache.h"

#include "tests/unit/unit.h"

static struct cache cache;

static int
setup(void **state)
{
    (void)state;
    memset(&cache, 0, sizeof(cache));
    return 0;
}

static struct key
key(const char *name)
{
    struct key made;

    assert_int_equal(key_make(&made, name, strlen(name)), 0);
    return made;
}

static void
put(const char *name, uint32_t address, uint32_t ttl_s, uint64_t now_ms)
{
    struct answer answer = {.outcome = LOOKUP_FOUND,
                            .count = 1,
                            .addresses = {addr_v4(address)},
                            .ttl_s = ttl_s};
    struct key at = key(name);

    cache_put(&cache, &at, LOOKUP_V4, &answer, now_ms);
}

static void
put_none(const char *name, enum lookup_outcome outcome, uint64_t now_ms)
{
    struct answer answer = {.outcome = outcome, .ttl_s = 60};
    struct key at = key(name);

    cache_put(&cache, &at, LOOKUP_V4, &answer, now_ms);
}

/* The address kept, or 0. */
static uint32_t
find(const char *name, uint64_t now_ms)
{
    struct key at = key(name);
    const struct answer *found = cache_find(&cache, &at, LOOKUP_V4, now_ms);

    return found == NULL ? 0 : addr_to_v4(found->addresses[0]);
}

static void
an_answer_is_kept_for_its_ttl_and_no_longer(void **state)
{
    (void)state;
    put("a.example", 7, 10, 1000);
    assert_int_equal(find("a.example", 1000), 7);
    assert_int_equal(find("A.example.", 10999), 7);
    assert_int_equal(find("a.example", 11000), 0);
    assert_int_equal(find("b.example", 1000), 0);
}

static void
a_ttl_of_nothing_is_for_this_once(void **state)
{
    (void)state;
    put("a.example", 7, 0, 1000);
    assert_int_equal(find("a.example", 1000), 0);
}

static void
nothing_is_kept_longer_than_five_minutes(void **state)
{
    (void)state;
    put("a.example", 7, UINT32_MAX, 1000);
    assert_int_equal(find("a.example", 300999), 7);
    assert_int_equal(find("a.example", 301000), 0);
}

static void
that_there_is_none_is_kept_for_five_seconds(void **state)
{
    (void)state;
    struct key at = key("a.example");
    put_none("a.example", LOOKUP_NO_SUCH_NAME, 1000);
    const struct answer *found = cache_find(&cache, &at, LOOKUP_V4, 5999);
    assert_non_null(found);
    assert_int_equal(found->outcome, LOOKUP_NO_SUCH_NAME);
    assert_null(cache_find(&cache, &at, LOOKUP_V4, 6000));
}

static void
a_failure_is_not_kept(void **state)
{
    (void)state;
    struct key at = key("a.example");
    put_none("a.example", LOOKUP_FAILED, 1000);
    assert_null(cache_find(&cache, &at, LOOKUP_V4, 1000));
}

static void
a_new_answer_takes_the_place_of_the_old(void **state)
{
    (void)state;
    put("a.example", 7, 10, 1000);
    put("a.example", 8, 20, 2000);
    assert_int_equal(find("a.example", 2000), 8);
    assert_int_equal(find("a.example", 21999), 8);
    put("a.example", 9, 1, 3000);
    assert_int_equal(find("a.example", 3000), 9);
    assert_int_equal(find("a.example", 4000), 0);
}

static void
a_family_is_kept_by_itself(void **state)
{
    struct answer none = {.outcome = LOOKUP_NO_SUCH_NAME};

    (void)state;
    put("a.example", 7, 60, 1000);
    struct key at = key("a.example");
    assert_null(cache_find(&cache, &at, LOOKUP_V6, 1000));
    cache_put(&cache, &at, LOOKUP_V6, &none, 1000);
    assert_int_equal(find("a.example", 1000), 7);
    const struct answer *found = cache_find(&cache, &at, LOOKUP_V6, 1000);
    assert_non_null(found);
    assert_int_equal(found->outcome, LOOKUP_NO_SUCH_NAME);
}

/* A million names: none is ever answered with another's address, and the
   latest is always there. */
static void
names_share_places_and_never_answers(void **state)
{
    (void)state;
    char name[32];
    unsigned kept = 0;
    for (uint32_t i = 1; i <= 1000000; i++) {
        snprintf(name, sizeof(name), "n%u.example", i);
        put(name, i, 60, i);
        assert_int_equal(find(name, i), i);
    }
    for (uint32_t i = 1; i <= 1000000; i++) {
        snprintf(name, sizeof(name), "n%u.example", i);
        uint32_t found = find(name, 1000000);
        assert_true(found == 0 || found == i);
        kept += found != 0;
    }
    assert_int_equal(kept, CACHE_SETS * CACHE_WAYS);
}

/* What goes first is what would go first anyway. */
static void
the_one_that_ends_soonest_gives_way(void **state)
{
    (void)state;
    char names[CACHE_WAYS + 1][32];
    size_t count = 0;
    uint32_t set = key("n0.example").hash % CACHE_SETS;
    for (unsigned i = 0; count < COUNT(names); i++) {
        snprintf(names[count], sizeof(names[count]), "n%u.example", i);
        count += key(names[count]).hash % CACHE_SETS == set;
    }
    for (uint32_t i = 0; i < CACHE_WAYS; i++)
        put(names[i], i + 1, i == 2 ? 5 : 50, 0);
    put(names[CACHE_WAYS], 99, 50, 0);
    for (uint32_t i = 0; i < CACHE_WAYS; i++)
        assert_int_equal(find(names[i], 1), i == 2 ? 0 : i + 1);
    assert_int_equal(find(names[CACHE_WAYS], 1), 99);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_is_kept_for_its_ttl_and_no_longer),
        TEST(a_ttl_of_nothing_is_for_this_once),
        TEST(nothing_is_kept_longer_than_five_minutes),
        TEST(that_there_is_none_is_kept_for_five_seconds),
        TEST(a_failure_is_not_kept),
        TEST(a_new_answer_takes_the_place_of_the_old),
        TEST(a_family_is_kept_by_itself),
        TEST(names_share_places_and_never_answers),
        TEST(the_one_that_ends_soonest_gives_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
