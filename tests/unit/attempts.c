#include "gateway/worker/attempts.h"

#include "gateway/worker/session.h"
#include "tests/unit/unit.h"

#define MANY 3000

static const uint64_t secret[2] = {1, 2};
static struct attempts attempts;
static struct session sessions[MANY]; /* registered: it is an attempt */

static int
setup(void **state)
{
    (void)state;
    attempts_init(&attempts, secret);
    for (int i = 0; i < MANY; i++)
        list_init(&sessions[i].link);
    return 0;
}

static int
source_of(struct addr client)
{
    return (int)(client.hi ^ client.lo) & 0xffff;
}

static struct session *
of_most(struct addr from)
{
    return attempts_of_most(&attempts, from, source_of(from));
}

static struct session *
add(int i, struct addr client, bool left)
{
    sessions[i].client = client;
    sessions[i].source_index = (int16_t)source_of(client);
    attempts_add(&attempts, &sessions[i], left);
    return &sessions[i];
}

static struct addr
host(uint32_t number)
{
    return addr_v4(0x0a000000 + number);
}

static struct addr
network(uint64_t number)
{
    return (struct addr){0x20010db800000000 + number, 1};
}

static void
the_oldest_of_whoever_has_most_is_found(void **state)
{
    (void)state;
    add(0, host(1), false);
    for (int i = 1; i <= 3; i++)
        add(i, host(2), false);
    for (int i = 4; i <= 5; i++)
        add(i, host(3), false);
    assert_int_equal(attempts_most(&attempts), 3);
    assert_ptr_equal(of_most(host(9)), &sessions[1]);
    attempts_remove(&attempts, &sessions[1]);
    attempts_remove(&attempts, &sessions[2]);
    assert_int_equal(attempts_most(&attempts), 2);
    assert_ptr_equal(of_most(host(9)), &sessions[4]);
}

static void
who_has_as_many_as_any_other_loses_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++)
        add(i, host((uint32_t)i % 3), false);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(of_most(host((uint32_t)i)), &sessions[i]);
}

static void
those_whose_client_has_left_come_first_in_their_order(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        add(i, host((uint32_t)i % 2), false);
    assert_null(attempts_fin_received(&attempts));
    attempts_receive_fin(&attempts, &sessions[3]);
    attempts_receive_fin(&attempts, &sessions[1]);
    add(4, host(7), true);
    const int order[] = {3, 1, 4};
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(attempts_fin_received(&attempts), &sessions[order[i]]);
        attempts_remove(&attempts, &sessions[order[i]]);
    }
    assert_null(attempts_fin_received(&attempts));
    assert_int_equal(attempts.count, 2);
}

static void
of_one_source_its_own_is_found(void **state)
{
    (void)state;
    add(0, network(0x10001), false);
    add(1, network(0x10002), false);
    add(2, network(0x10002), false);
    int source_index = sessions[1].source_index;
    assert_ptr_equal(
        attempts_of_source(&attempts, network(0x10002), source_index),
        &sessions[1]);
    attempts_receive_fin(&attempts, &sessions[2]);
    assert_ptr_equal(
        attempts_of_source(&attempts, network(0x10002), source_index),
        &sessions[2]);
    attempts_remove(&attempts, &sessions[1]);
    attempts_remove(&attempts, &sessions[2]);
    assert_null(attempts_of_source(&attempts, network(0x10002), source_index));
}

/* A provider's /48: many customers with one each, and one whose /56 has many
   networks. */
static void
within_a_48_the_56_that_has_most_gives_way(void **state)
{
    (void)state;
    int i = 0;

    add(i++, host(1), false);
    for (uint64_t customer = 0; customer < 20; customer++)
        add(i++, network(customer << 8), false);
    struct session *first = add(i++, network(0x7701), false);
    for (uint64_t n = 2; n < 10; n++)
        add(i++, network(0x7700 + n), false);
    assert_int_equal(attempts_most(&attempts), 29);
    assert_ptr_equal(of_most(host(9)), first);
}

static void
within_a_56_the_64_that_has_most_gives_way(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        add(i, network((uint64_t)i), false);
    for (int i = 10; i < 15; i++)
        add(i, network(40), false);
    assert_ptr_equal(of_most(host(9)), &sessions[10]);
}

/* Random ones come and go; the counts are those of a naive count, and nothing
   is left in the end. */
static void
counts_as_a_naive_count_does(void **state)
{
    (void)state;
    struct random random;
    size_t held[3] = {0};
    int most = 0;

    random_init(&random, 11);
    for (int round = 0; round < 100000; round++) {
        size_t i = random_below(&random, MANY);
        struct session *session = &sessions[i];
        if (!session->registered) {
            add((int)i, host((uint32_t)(i % 3)), random_below(&random, 2) == 0);
            session->registered = true;
            held[i % 3]++;
        } else {
            attempts_remove(&attempts, session);
            session->registered = false;
            held[i % 3]--;
        }
        size_t top = 0;
        for (int k = 0; k < 3; k++)
            top = held[k] > top ? held[k] : top;
        if (top >= ATTEMPTS_RANKS)
            top = ATTEMPTS_RANKS - 1;
        assert_int_equal(attempts_most(&attempts), top);
        most += top == ATTEMPTS_RANKS - 1;
    }
    assert_in_range(most, 10000, 90000);
    while (attempts.count > 0) {
        struct session *session = attempts_any(&attempts);
        attempts_remove(&attempts, session);
        session->registered = false;
    }
    assert_int_equal(attempts_most(&attempts), 0);
    assert_null(attempts_fin_received(&attempts));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(the_oldest_of_whoever_has_most_is_found),
        TEST(who_has_as_many_as_any_other_loses_its_own),
        TEST(those_whose_client_has_left_come_first_in_their_order),
        TEST(of_one_source_its_own_is_found),
        TEST(within_a_48_the_56_that_has_most_gives_way),
        TEST(within_a_56_the_64_that_has_most_gives_way),
        TEST(counts_as_a_naive_count_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
