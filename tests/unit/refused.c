#include "gateway/observer/refused.h"

#include "tests/unit/unit.h"

static struct refused refused;
static uint64_t counts[REFUSED_REASONS];

static int
begin(void **state)
{
    (void)state;
    memset(&refused, 0, sizeof(refused));
    memset(counts, 0, sizeof(counts));
    return 0;
}

static void
knows_nothing_before_the_first_sample(void **state)
{
    (void)state;
    assert_int_equal(refused_lately(&refused, 3, 50), 0);
}

static void
counts_since_the_first_sample(void **state)
{
    (void)state;
    counts[3] = 100;
    refused_add(&refused, 0, counts);
    counts[3] = 105;
    refused_add(&refused, 9, counts); /* of the same ten seconds */
    assert_int_equal(refused_lately(&refused, 3, 107), 7);
    assert_int_equal(refused_lately(&refused, 4, 0), 0);
}

static void
forgets_what_was_ten_minutes_ago(void **state)
{
    (void)state;
    /* One a second. */
    for (uint64_t second = 0; second <= 5000; second++) {
        counts[255] = second;
        refused_add(&refused, second, counts);
    }
    uint64_t lately = refused_lately(&refused, 255, 5000);
    assert_true(lately >= 590 && lately <= 600);
}

static void
forgets_as_much_where_nothing_was_added_for_long(void **state)
{
    (void)state;
    counts[1] = 5;
    refused_add(&refused, 0, counts);
    counts[1] = 9;
    refused_add(&refused, UINT64_MAX - 20, counts);
    assert_int_equal(refused_lately(&refused, 1, 9), 0);
    assert_int_equal(refused_lately(&refused, 1, 11), 2);
}

static void
takes_a_count_that_went_back_for_none(void **state)
{
    (void)state;
    counts[1] = 5;
    refused_add(&refused, 0, counts);
    assert_int_equal(refused_lately(&refused, 1, 2), 0);
}

static void
goes_on_but_not_from_a_time_to_come(void **state)
{
    (void)state;
    counts[2] = 1;
    refused_add(&refused, 100, counts);
    refused_resume(&refused, 100);
    assert_int_equal(refused_lately(&refused, 2, 5), 4);
    refused_resume(&refused, 89);
    refused_add(&refused, 89, counts);
    assert_int_equal(refused_lately(&refused, 2, 5), 4);
    memset(&refused, 0xff, sizeof(refused));
    refused_resume(&refused, 89);
    assert_int_equal(refused_lately(&refused, 2, 5), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(knows_nothing_before_the_first_sample, begin),
        cmocka_unit_test_setup(counts_since_the_first_sample, begin),
        cmocka_unit_test_setup(forgets_what_was_ten_minutes_ago, begin),
        cmocka_unit_test_setup(forgets_as_much_where_nothing_was_added_for_long,
                               begin),
        cmocka_unit_test_setup(takes_a_count_that_went_back_for_none, begin),
        cmocka_unit_test_setup(goes_on_but_not_from_a_time_to_come, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
