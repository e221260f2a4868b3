#include "gateway/monitor/heartbeat.h"

#include "gateway/channel.h"
#include "tests/unit/unit.h"

static struct loop loop;
static struct heartbeat heartbeat;
static int ends[2];
static unsigned lost, asked, patience;

static bool
count_lost(struct heartbeat *one)
{
    asked++;
    if (heartbeat_overdue(one) < patience)
        return false;
    lost++;
    return true;
}

/* The clock goes on; timers that are due by then fire once. */
static void
pass(uint64_t ms)
{
    loop.now_us += ms * 1000;
    timer_fire(&loop.timers, loop_now_ms(&loop));
}

/* How many questions have come. */
static unsigned
pings(void)
{
    struct channel_message message;
    unsigned count = 0;
    while (channel_receive(ends[1], &message, NULL) == 1) {
        assert_int_equal(message.kind, CHANNEL_PING);
        count++;
    }
    return count;
}

static int
begin(void **state)
{
    (void)state;
    lost = asked = patience = 0;
    assert_int_equal(loop_init(&loop), 0);
    assert_int_equal(channel_pair(ends), 0);
    heartbeat_init(&heartbeat, &loop, count_lost);
    heartbeat_start(&heartbeat, ends[0]);
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    heartbeat_stop(&heartbeat);
    loop_fini(&loop);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static void
asks_every_second_for_as_long_as_it_is_answered(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        pass(1000);
        assert_int_equal(pings(), 1);
        heartbeat_pong(&heartbeat);
    }
    assert_int_equal(lost, 0);
}

static void
gives_up_after_five_seconds_of_silence_and_says_so_once(void **state)
{
    (void)state;
    pass(1000);
    heartbeat_pong(&heartbeat);
    for (int i = 0; i < 5; i++) {
        pass(1000);
        assert_int_equal(lost, 0);
    }
    assert_int_equal(pings(), 6);
    for (int i = 0; i < 10; i++) {
        pass(1000);
        assert_int_equal(lost, 1);
    }
    assert_int_equal(pings(), 0);
}

static void
has_patience_with_one_that_begins(void **state)
{
    (void)state;
    for (int i = 0; i < HEARTBEAT_MISSED_FIRST; i++)
        pass(1000);
    assert_int_equal(lost, 0);
    pass(1000);
    assert_int_equal(lost, 1);
}

static void
goes_on_asking_one_that_has_a_reason_not_to_answer(void **state)
{
    (void)state;
    pass(1000);
    heartbeat_pong(&heartbeat);
    patience = 3;
    for (int i = 0; i < HEARTBEAT_MISSED + 3; i++)
        pass(1000);
    assert_int_equal(asked, 3);
    assert_int_equal(lost, 0);
    assert_int_equal(pings(), 1 + HEARTBEAT_MISSED + 3);
    heartbeat_pong(&heartbeat);
    patience = 0; /* it had */
    for (int i = 0; i < HEARTBEAT_MISSED + 1; i++)
        pass(1000);
    assert_int_equal(lost, 1);
}

static void
counts_no_time_in_which_it_did_not_ask(void **state)
{
    (void)state;
    pass(1000);
    heartbeat_pong(&heartbeat);
    pass(3600 * 1000); /* all of us were stopped */
    assert_int_equal(lost, 0);
    heartbeat_pong(&heartbeat);
    pass(1000);
    assert_int_equal(lost, 0);
}

static void
is_not_held_up_by_a_channel_that_is_full(void **state)
{
    struct channel_message message = {.kind = CHANNEL_LINK};
    (void)state;
    pass(1000);
    heartbeat_pong(&heartbeat);
    while (channel_send(ends[0], &message, -1) == 0)
        ;
    for (int i = 0; i < 6; i++)
        pass(1000);
    assert_int_equal(lost, 1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    static const struct CMUnitTest tests[] = {
        TEST(asks_every_second_for_as_long_as_it_is_answered),
        TEST(gives_up_after_five_seconds_of_silence_and_says_so_once),
        TEST(has_patience_with_one_that_begins),
        TEST(goes_on_asking_one_that_has_a_reason_not_to_answer),
        TEST(counts_no_time_in_which_it_did_not_ask),
        TEST(is_not_held_up_by_a_channel_that_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
