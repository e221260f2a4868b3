#include "base/port_search.h"

#include "tests/unit/unit.h"

static unsigned tried[65536];

/* Looks through a range; how many ports were tried. */
static unsigned
look(uint16_t first, uint16_t last, uint64_t seed)
{
    struct port_search search;
    unsigned count = 0, most_tried = 0;
    uint16_t port;

    memset(tried, 0, sizeof(tried));
    port_search_start(&search, first, last, seed);
    while (port_search_next(&search, &port)) {
        assert_in_range(port, first, last);
        most_tried = ++tried[port] > most_tried ? tried[port] : most_tried;
        count++;
    }
    assert_false(port_search_next(&search, &port));
    if (last - first < PORT_SEARCH_TRIES)
        assert_int_equal(most_tried, 1);
    return count;
}

static void
tries_each_port_of_a_few_once_and_of_many_so_many(void **state)
{
    (void)state;
    const unsigned sizes[] = {1, 2, 6, 16, 100, 255, 256, 257, 1000, 60000};
    struct random random;

    random_init(&random, 3);
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (int n = 0; n < 200; n++) {
            unsigned most =
                sizes[i] < PORT_SEARCH_TRIES ? sizes[i] : PORT_SEARCH_TRIES;
            uint16_t last = (uint16_t)(5000 + sizes[i] - 1);
            uint64_t seed = random_below(&random, UINT64_MAX);
            assert_int_equal(look(5000, last, seed), most);
        }
    assert_int_equal(look(0, 0, 7), 1);
    assert_int_equal(look(0, 65535, UINT64_MAX), PORT_SEARCH_TRIES);
}

/* Where a tenth is free it is found, but for one search in 10^11. */
static void
finds_a_free_port_where_a_tenth_is_free(void **state)
{
    (void)state;
    struct random random;

    random_init(&random, 5);
    for (int n = 0; n < 10000; n++) {
        struct port_search search;
        uint16_t port;
        bool found = false;
        uint64_t seed = random_below(&random, UINT64_MAX);
        port_search_start(&search, 40000, 49999, seed);
        while (!found && port_search_next(&search, &port))
            found = port >= 44000 && port < 45000;
        assert_true(found);
    }
}

static void
neither_the_first_nor_the_step_can_be_told(void **state)
{
    (void)state;
    static bool firsts[251], steps[251];
    struct random random;
    unsigned first_count = 0, step_count = 0;

    random_init(&random, 9);
    for (int n = 0; n < 2000; n++) {
        struct port_search search;
        uint16_t first, second;
        uint64_t seed = random_below(&random, UINT64_MAX);
        port_search_start(&search, 40000, 40250, seed);
        assert_true(port_search_next(&search, &first));
        assert_true(port_search_next(&search, &second));
        unsigned step = (unsigned)(second + 251 - first) % 251;
        first_count += !firsts[first - 40000];
        step_count += !steps[step];
        firsts[first - 40000] = steps[step] = true;
    }
    assert_in_range(first_count, 245, 251);
    assert_in_range(step_count, 244, 250);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tries_each_port_of_a_few_once_and_of_many_so_many),
        cmocka_unit_test(finds_a_free_port_where_a_tenth_is_free),
        cmocka_unit_test(neither_the_first_nor_the_step_can_be_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
