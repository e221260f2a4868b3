/* A walk over the sessions of a worker, which leave and move meanwhile. */
#include "gateway/worker/sessions.h"

#include "gateway/worker/session.h"
#include "tests/unit/unit.h"

#define MANY 8

static const uint64_t secret[2] = {1, 2};
static struct sessions all;
static struct session some[MANY];

static int
setup(void **state)
{
    (void)state;
    list_init(&all.unfinished);
    list_init(&all.live);
    list_init(&all.walks);
    attempts_init(&all.attempts, secret);
    for (int i = 0; i < MANY; i++)
        list_init(&some[i].link);
    return 0;
}

static void
leave(int i)
{
    sessions_leave(&all, &some[i].link);
    list_remove(&some[i].link);
}

/* Which is next; -1: the end. */
static int
next(struct sessions_walk *walk)
{
    struct session *session = sessions_walk_next(&all, walk);
    return session != NULL ? (int)(session - some) : -1;
}

static void
fill(void)
{
    list_append(&all.unfinished, &some[0].link);
    list_append(&all.unfinished, &some[1].link);
    attempts_add(&all.attempts, &some[2], false);
    attempts_add(&all.attempts, &some[3], true);
    for (int i = 4; i < MANY; i++)
        list_append(&all.live, &some[i].link);
}

static void
meets_each_once_in_either_order(void **state)
{
    (void)state;
    static const int forward[] = {0, 1, 2, 3, 4, 5, 6, 7, -1, -1};
    static const int backward[] = {4, 5, 6, 7, 3, 2, 0, 1, -1};
    struct sessions_walk walk;
    fill();
    sessions_walk_start(&all, &walk, true);
    for (size_t i = 0; i < COUNT(forward); i++)
        assert_int_equal(next(&walk), forward[i]);
    list_remove(&walk.link);
    sessions_walk_start(&all, &walk, false);
    for (size_t i = 0; i < COUNT(backward); i++)
        assert_int_equal(next(&walk), backward[i]);
    list_remove(&walk.link);
    assert_true(list_empty(&all.walks));
}

static void
goes_on_behind_one_that_leaves(void **state)
{
    (void)state;
    struct sessions_walk walk, other;
    fill();
    sessions_walk_start(&all, &walk, true);
    sessions_walk_start(&all, &other, false);
    assert_int_equal(next(&other), 4);
    for (int i = 0; i < 5; i++)
        assert_int_equal(next(&walk), i);
    leave(5); /* where both stand */
    leave(4); /* behind them */
    assert_int_equal(next(&walk), 6);
    leave(7); /* the last: its list ends */
    assert_int_equal(next(&walk), -1);
    assert_int_equal(next(&other), 6);
    assert_int_equal(next(&other), 3);
}

/* Forward, one that goes on in its life is met again, and none is missed. */
static void
misses_none_that_moves_on(void **state)
{
    (void)state;
    struct sessions_walk walk;
    fill();
    sessions_walk_start(&all, &walk, true);
    assert_int_equal(next(&walk), 0);
    leave(0);
    list_append(&all.live, &some[0].link);
    leave(1); /* it is next */
    list_append(&all.live, &some[1].link);
    for (int i = 2; i < MANY; i++)
        assert_int_equal(next(&walk), i);
    assert_int_equal(next(&walk), 0);
    assert_int_equal(next(&walk), 1);
    assert_int_equal(next(&walk), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(meets_each_once_in_either_order, setup),
        cmocka_unit_test_setup(goes_on_behind_one_that_leaves, setup),
        cmocka_unit_test_setup(misses_none_that_moves_on, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
