#include "gateway/monitor/respawn.h"

#include "tests/unit/unit.h"

#define NOW 1000000

static void
doubles_from_100_ms_to_10_s_for_one_that_never_was_ready(void **state)
{
    (void)state;
    static const uint64_t expected[] = {100,  200,  400,   800,  1600,
                                        3200, 6400, 10000, 10000};
    struct respawn respawn = {0};
    struct respawn_rate rate = {0};
    for (size_t i = 0; i < COUNT(expected); i++)
        assert_int_equal(respawn_in_ms(&respawn, &rate, false, NOW),
                         expected[i]);
}

static void
starts_one_that_was_ready_at_once_and_forgives(void **state)
{
    (void)state;
    struct respawn respawn = {0};
    struct respawn_rate rate = {0};
    for (int i = 0; i < 4; i++)
        respawn_in_ms(&respawn, &rate, false, NOW);
    assert_int_equal(respawn_in_ms(&respawn, &rate, true, NOW), 0);
    assert_int_equal(respawn_in_ms(&respawn, &rate, false, NOW), 100);
}

static void
starts_no_more_than_ten_a_second_whoever_they_are(void **state)
{
    (void)state;
    struct respawn respawns[4] = {{0}};
    struct respawn_rate rate = {0};
    uint64_t starts[60];
    for (size_t i = 0; i < COUNT(starts); i++) {
        uint64_t now = NOW + i; /* one dies each millisecond */
        starts[i] = now + respawn_in_ms(&respawns[i % 4], &rate, true, now);
    }
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(starts[i], NOW + i);
    for (size_t i = 10; i < COUNT(starts); i++)
        assert_true(starts[i] >= starts[i - 10] + 1000);
    assert_true(starts[59] < NOW + 6000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            doubles_from_100_ms_to_10_s_for_one_that_never_was_ready),
        cmocka_unit_test(starts_one_that_was_ready_at_once_and_forgives),
        cmocka_unit_test(starts_no_more_than_ten_a_second_whoever_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
