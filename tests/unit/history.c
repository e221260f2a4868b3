#include "gateway/observer/history.h"

#include <math.h>

#include "tests/unit/unit.h"

#define assert_near(a, b) assert_true(fabs((a) - (b)) < 1e-9)

static const double bounds[] = {.001, .01, .1};
#define BUCKETS 4

static struct history history;
static struct history_kept kept;
static struct history_sample sample;

static int
begin(void **state)
{
    (void)state;
    memset(&kept, 0, sizeof(kept));
    history_init(&history, &kept, bounds, BUCKETS, 0);
    memset(&sample, 0, sizeof(sample));
    return 0;
}

static const struct history_point *
newest(const struct history_ring *ring)
{
    return history_at(ring, history_count(ring) - 1);
}

static void
needs_two_samples_for_a_point(void **state)
{
    (void)state;
    sample.accepted = 5000;
    history_add(&history, 100, &sample);
    assert_int_equal(history_count(&history.seconds), 0);
    sample.accepted = 5042;
    sample.up = 10;
    sample.down = 1000;
    sample.sessions = 7;
    history_add(&history, 101, &sample);
    assert_int_equal(history_count(&history.seconds), 1);
    const struct history_point *point = newest(&history.seconds);
    assert_near(point->connections, 42);
    assert_near(point->up, 10);
    assert_near(point->down, 1000);
    assert_near(point->sessions, 7);
    assert_true(isnan(point->p50) && isnan(point->p99));
}

static void
adds_nothing_twice_in_a_second(void **state)
{
    (void)state;
    history_add(&history, 100, &sample);
    history_add(&history, 101, &sample);
    history_add(&history, 101, &sample);
    history_add(&history, 100, &sample);
    assert_int_equal(history_count(&history.seconds), 1);
}

static void
says_of_missed_seconds_that_nothing_is_known(void **state)
{
    (void)state;
    history_add(&history, 100, &sample);
    sample.accepted = 40;
    history_add(&history, 104, &sample);
    assert_int_equal(history_count(&history.seconds), 4);
    assert_true(isnan(history_at(&history.seconds, 0)->sessions));
    assert_true(isnan(history_at(&history.seconds, 2)->connections));
    assert_near(newest(&history.seconds)->connections, 10);
    /* However many they are. */
    history_add(&history, UINT64_MAX, &sample);
    assert_int_equal(history_count(&history.seconds), HISTORY_SECONDS);
    assert_int_equal(history_count(&history.minutes), HISTORY_MINUTES);
}

static void
keeps_ten_minutes_of_seconds_and_a_day_of_minutes(void **state)
{
    (void)state;
    for (uint64_t second = 0; second <= 90000; second++) {
        sample.accepted += second % 60 == 0 ? 0 : 3;
        sample.sessions = second;
        history_add(&history, second + 1, &sample);
    }
    assert_int_equal(history_count(&history.seconds), HISTORY_SECONDS);
    assert_int_equal(history_count(&history.minutes), HISTORY_MINUTES);
    assert_near(newest(&history.seconds)->sessions, 90000);
    assert_near(history_at(&history.seconds, 0)->sessions,
                90000 - HISTORY_SECONDS + 1);
    /* Of a minute the rate is the mean, and the sessions are the most. */
    assert_near(newest(&history.minutes)->connections, 59. * 3 / 60);
    assert_near(newest(&history.minutes)->sessions, 90000);
    assert_near(history_at(&history.minutes, 0)->sessions,
                90000 - (HISTORY_MINUTES - 1) * 60);
}

static void
takes_a_counter_that_went_back_for_no_change(void **state)
{
    (void)state;
    sample.down = 1000;
    sample.connects[0] = 9;
    history_add(&history, 1, &sample);
    sample.down = 10;
    sample.connects[0] = 2;
    history_add(&history, 2, &sample);
    assert_near(newest(&history.seconds)->down, 0);
    assert_true(isnan(newest(&history.seconds)->p50));
}

static void
finds_percentiles_within_a_bucket(void **state)
{
    (void)state;
    const struct {
        uint64_t counts[BUCKETS];
        double share, expected;
    } rows[] = {
        {{10, 0, 0, 0}, .5, .0005}, {{10, 0, 0, 0}, 1, .001},
        {{0, 10, 0, 0}, .5, .0055}, {{50, 50, 0, 0}, .5, .001},
        {{98, 0, 2, 0}, .99, .055}, {{0, 0, 0, 7}, .5, .1},
        {{1, 1, 1, 97}, .99, .1},   {{0, 0, 1, 0}, 0, .01},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_near(
            history_quantile(bounds, rows[i].counts, BUCKETS, rows[i].share),
            rows[i].expected);
    assert_true(isnan(history_quantile(bounds, sample.connects, BUCKETS, .5)));
}

static void
prints_both_rings_and_null_for_what_is_not_known(void **state)
{
    (void)state;
    char *text = history_print(&history, 7);
    assert_string_equal(
        text, "{\"second\":0,\"end\":7,\"seconds\":[],\"minutes\":[]}\n");
    free(text);
    history_add(&history, 1, &sample);
    sample.sessions = 65535;
    sample.connects[0] = 2;
    history_add(&history, 2, &sample);
    history_add(&history, 4, &sample);
    text = history_print(&history, 1764486000);
    assert_string_equal(text, "{\"second\":4,\"end\":1764486000,\"seconds\":["
                              "[65535,0,0,0,0.0005,0.00099],"
                              "[null,null,null,null,null,null],"
                              "[65535,0,0,0,null,null]],\"minutes\":[]}\n");
    free(text);
}

/* Three seconds later another process goes on. */
static void
goes_on_with_what_another_process_has_left(void **state)
{
    (void)state;
    history_add(&history, 100, &sample);
    sample.accepted = 7;
    history_add(&history, 101, &sample);
    history_init(&history, &kept, bounds, BUCKETS, 104);
    sample.accepted = 16;
    history_add(&history, 104, &sample);
    assert_int_equal(history_count(&history.seconds), 4);
    assert_near(history_at(&history.seconds, 0)->connections, 7);
    assert_true(isnan(history_at(&history.seconds, 2)->connections));
    assert_near(newest(&history.seconds)->connections, 3);
}

/* Whatever another process has left: no time that cannot be, no point outside,
   no number that is none. */
static void
relies_on_nothing_that_was_left(void **state)
{
    (void)state;
    for (unsigned octet = 1; octet < 256; octet++) {
        memset(&kept, (int)octet, sizeof(kept));
        kept.second = octet % 2 ? 100 : UINT64_MAX;
        kept.minute_second = octet % 4 == 1 ? 1 : kept.second;
        history_init(&history, &kept, bounds, BUCKETS, 105);
        history_add(&history, 106, &sample);
        history_add(&history, 107, &sample);
        assert_int_equal(kept.second, 107);
        kept.seconds[3].up = INFINITY;
        kept.minutes[3].p99 = -INFINITY;
        char *text = history_print(&history, 7);
        assert_null(strstr(text, "inf"));
        assert_null(strstr(text, "nan"));
        free(text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(needs_two_samples_for_a_point, begin),
        cmocka_unit_test_setup(adds_nothing_twice_in_a_second, begin),
        cmocka_unit_test_setup(says_of_missed_seconds_that_nothing_is_known,
                               begin),
        cmocka_unit_test_setup(
            keeps_ten_minutes_of_seconds_and_a_day_of_minutes, begin),
        cmocka_unit_test_setup(takes_a_counter_that_went_back_for_no_change,
                               begin),
        cmocka_unit_test_setup(finds_percentiles_within_a_bucket, begin),
        cmocka_unit_test_setup(goes_on_with_what_another_process_has_left,
                               begin),
        cmocka_unit_test_setup(relies_on_nothing_that_was_left, begin),
        cmocka_unit_test_setup(prints_both_rings_and_null_for_what_is_not_known,
                               begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
