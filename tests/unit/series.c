#include "gateway/series.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/unit.h"

static struct series_names *names;
static struct series *series;

static int
setup(void **state)
{
    (void)state;
    names = calloc(1, sizeof(*names));
    series = aligned_alloc(64, sizeof(*series));
    if (names == NULL || series == NULL)
        return -1;
    memset(series, 0, sizeof(*series));
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    free(names);
    free(series);
    return 0;
}

static void
a_name_keeps_its_number_whatever_comes_after_it(void **state)
{
    (void)state;
    char text[SERIES_NAME_MAX];

    assert_int_equal(series_names_find(names, SERIES_RULE, "web"),
                     SERIES_OTHER);
    unsigned web = series_names_add(names, SERIES_RULE, "web");
    unsigned ftp = series_names_add(names, SERIES_RULE, "ftp");
    assert_int_not_equal(web, SERIES_OTHER);
    assert_int_not_equal(web, ftp);
    assert_int_equal(series_names_add(names, SERIES_RULE, "web"), web);
    assert_int_equal(series_names_find(names, SERIES_RULE, "ftp"), ftp);
    assert_string_equal(series_names_text(names, SERIES_RULE, ftp, text),
                        "ftp");
    assert_int_equal(series_names_end(names, SERIES_RULE), ftp + 1);
    /* Each kind has its own. */
    assert_int_equal(series_names_find(names, SERIES_LISTENER, "web"),
                     SERIES_OTHER);
    assert_int_equal(series_names_end(names, SERIES_LISTENER), 1);
}

static void
names_for_which_there_is_no_room_share_a_number(void **state)
{
    (void)state;
    const unsigned places[] = {SERIES_LISTENER_PLACES, SERIES_PARENT_PLACES,
                               SERIES_RULE_PLACES};
    char name[SERIES_NAME_MAX], text[SERIES_NAME_MAX];

    for (int kind = 0; kind < SERIES_KIND_COUNT; kind++) {
        unsigned most = places[kind] / 4 * 3;
        for (unsigned i = 1; i < most + 10; i++) {
            snprintf(name, sizeof(name), "rule-%u", i);
            unsigned number =
                series_names_add(names, (enum series_kind)kind, name);
            assert_int_equal(number, i < most ? i : SERIES_OTHER);
        }
        assert_int_equal(series_names_end(names, (enum series_kind)kind), most);
        for (unsigned i = 1; i < most; i++) {
            snprintf(name, sizeof(name), "rule-%u", i);
            assert_int_equal(
                series_names_find(names, (enum series_kind)kind, name), i);
            assert_string_equal(
                series_names_text(names, (enum series_kind)kind, i, text),
                name);
        }
        assert_string_equal(series_names_text(names, (enum series_kind)kind,
                                              SERIES_OTHER, text),
                            "");
    }
}

/* Every number below which an index stays, and text that ends. */
static void
whatever_a_worker_that_was_taken_over_writes_stays_in_bounds(void **state)
{
    (void)state;
    char text[SERIES_NAME_MAX], longest[SERIES_NAME_MAX + 1];

    memset(names, 0xff, sizeof(*names));
    memset(longest, 'x', sizeof(longest));
    longest[SERIES_NAME_MAX] = '\0';
    assert_true(series_names_find(names, SERIES_RULE, "web") <
                SERIES_RULE_PLACES);
    assert_int_equal(series_names_add(names, SERIES_PARENT, "web"),
                     SERIES_OTHER);
    assert_int_equal(series_names_end(names, SERIES_RULE),
                     SERIES_RULE_PLACES / 4 * 3);
    assert_int_equal(strlen(series_names_text(names, SERIES_RULE, 7, text)),
                     SERIES_NAME_MAX - 1);
    assert_int_equal(
        strlen(series_names_text(names, SERIES_RULE, UINT32_MAX, text)), 64);
    memset(names, 0, sizeof(*names));
    assert_int_equal(series_names_add(names, SERIES_RULE, longest),
                     SERIES_OTHER);
}

static void
a_time_is_in_the_first_bucket_whose_bound_is_above_it(void **state)
{
    (void)state;
    struct series_histogram *histogram = &series->phases[PHASE_CONNECT];
    const uint32_t times[] = {0, 1, 9, 10, 3599999, 3600000, UINT32_MAX};
    const unsigned buckets[] = {
        0, 1, 3, 4, SERIES_BUCKETS - 1, SERIES_BUCKETS, SERIES_BUCKETS};
    uint64_t sum = 0;

    for (unsigned i = 1; i < SERIES_BUCKETS; i++)
        assert_true(series_bounds_ms[i - 1] < series_bounds_ms[i]);
    for (int i = 0; i < 7; i++) {
        uint64_t before = histogram->counts[buckets[i]];
        series_observe(histogram, times[i]);
        assert_int_equal(histogram->counts[buckets[i]], before + 1);
        sum += times[i];
    }
    assert_int_equal(histogram->sum_ms, sum);
}

static void
outcomes_are_counted_by_what_is_in_their_key(void **state)
{
    (void)state;
    uint32_t one = series_key(5, 77, 93, 2), other = series_key(5, 77, 92, 2);

    assert_int_equal(series_key_listener(one), 5);
    assert_int_equal(series_key_verdict(one), 77);
    assert_int_equal(series_key_code(one), 93);
    assert_int_equal(series_key_version(one), 2);
    assert_int_not_equal(series_key(0, 0, 0, 0), 0);
    for (int i = 0; i < 3; i++)
        series_count(series, one);
    series_count(series, other);
    series_count(series, one);
    assert_int_equal(series->keys[0], one);
    assert_int_equal(series->outcomes[0], 4);
    assert_int_equal(series->keys[1], other);
    assert_int_equal(series->outcomes[1], 1);
    assert_int_equal(series->keys[2], 0);
}

static void
outcomes_for_which_there_is_no_room_are_counted_together(void **state)
{
    (void)state;
    unsigned last = SERIES_OUTCOMES - 1;

    for (unsigned i = 0; i < last + 5; i++)
        series_count(series, series_key(i & 0x7f, i >> 7, 0, 0));
    series_count(series, series_key(0, 0, 0, 0));
    assert_int_equal(series->outcomes[0], 2);
    assert_int_equal(series_key_verdict(series->keys[last]),
                     SERIES_VERDICT_OTHER);
    assert_int_equal(series->outcomes[last], 5);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_name_keeps_its_number_whatever_comes_after_it),
        T(names_for_which_there_is_no_room_share_a_number),
        T(whatever_a_worker_that_was_taken_over_writes_stays_in_bounds),
        T(a_time_is_in_the_first_bucket_whose_bound_is_above_it),
        T(outcomes_are_counted_by_what_is_in_their_key),
        T(outcomes_for_which_there_is_no_room_are_counted_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
