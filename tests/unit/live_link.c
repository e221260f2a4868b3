#include "gateway/worker/live_link.h"

#include <errno.h>

#include "tests/unit/link/fake_link.h"
#include "tests/unit/unit.h"

#define MANY 4000

static struct channel_message sent[MANY]; /* to the monitor */

static int
send_message(struct live_link *link, const struct channel_message *message)
{
    (void)link;
    return fake_link_take(message, sizeof(*message));
}

/* A BIND that asks, and what it heard. */
struct asker {
    struct live_link_query query;
    int answers;
    bool lives;
    struct asker *cancels; /* when it is answered */
};

static void
answered(struct live_link_query *query, bool lives)
{
    struct asker *asker = container_of(query, struct asker, query);

    asker->answers++;
    asker->lives = lives;
    if (asker->cancels != NULL)
        live_link_cancel(&asker->cancels->query);
}

static struct live_link registry;

static int
setup(void **state)
{
    (void)state;
    fake_link_init(sent, sizeof(sent[0]), MANY);
    live_link_init(&registry, send_message);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    live_link_fini(&registry);
    return 0;
}

static void
begin(uint64_t id)
{
    assert_int_equal(live_link_register(&registry, id, addr_v4(1), addr_v4(2)),
                     0);
}

static void
end(uint64_t id)
{
    live_link_unregister(&registry, id, addr_v4(1), addr_v4(2));
}

static void
ask(struct asker *asker, uint64_t id)
{
    assert_int_equal(live_link_ask(&registry, &asker->query, id, addr_v4(1),
                                   addr_v4(2), answered),
                     0);
}

static void
hear(uint64_t id, bool lives)
{
    struct channel_message message = {
        .kind = CHANNEL_ANSWER, .id = id, .arg = lives};
    live_link_receive(&registry, &message);
}

static void
assert_sent(size_t at, enum channel_kind kind, uint64_t id)
{
    assert_true(at < fake_link.count);
    assert_int_equal(sent[at].kind, kind);
    assert_int_equal(sent[at].id, id);
    assert_true(addr_equal(sent[at].client, addr_v4(1)));
    assert_true(addr_equal(sent[at].to, addr_v4(2)));
}

static void
tells_at_once_and_in_order(void **state)
{
    (void)state;
    struct asker asker = {.answers = 0};
    begin(10);
    ask(&asker, 11);
    end(10);
    assert_int_equal(fake_link.count, 3);
    assert_sent(0, CHANNEL_REGISTER, 10);
    assert_sent(1, CHANNEL_ASK_CONNECT, 11);
    assert_sent(2, CHANNEL_UNREGISTER, 10);
    live_link_cancel(&asker.query);
}

static void
the_answer_finds_who_asked(void **state)
{
    (void)state;
    struct asker askers[3] = {{.answers = 0}};
    for (size_t i = 0; i < COUNT(askers); i++)
        ask(&askers[i], 10 + i);
    hear(11, true);
    assert_int_equal(askers[1].answers, 1);
    assert_true(askers[1].lives);
    hear(10, false);
    assert_int_equal(askers[0].answers, 1);
    assert_false(askers[0].lives);
    assert_int_equal(askers[2].answers, 0);
    hear(12, true);
    assert_int_equal(askers[2].answers, 1);
}

static void
an_answer_comes_once(void **state)
{
    (void)state;
    struct asker asker = {.answers = 0};
    ask(&asker, 10);
    hear(10, true);
    hear(10, true);
    hear(99, true);
    assert_int_equal(asker.answers, 1);
}

static void
who_cancelled_is_not_called(void **state)
{
    (void)state;
    struct asker asker = {.answers = 0};
    ask(&asker, 10);
    live_link_cancel(&asker.query);
    live_link_cancel(&asker.query);
    hear(10, true);
    assert_int_equal(asker.answers, 0);
}

/* From inside an answer a session may end another's. */
static void
a_neighbour_may_be_cancelled_meanwhile(void **state)
{
    (void)state;
    struct asker askers[3] = {{.answers = 0}};
    for (size_t i = 0; i < COUNT(askers); i++)
        ask(&askers[i], 10 + i);
    askers[0].cancels = &askers[1];
    hear(10, true);
    hear(11, true);
    hear(12, true);
    assert_int_equal(askers[1].answers, 0);
    assert_int_equal(askers[2].answers, 1);
}

static void
what_the_channel_does_not_take_waits_in_order(void **state)
{
    (void)state;
    fake_link.room = 1;
    for (uint64_t id = 0; id < 100; id++)
        begin(id);
    for (uint64_t id = 0; id < 100; id++)
        end(id);
    assert_int_equal(fake_link.count, 1);
    for (int i = 0; i < 67; i++) {
        fake_link.room = 3;
        live_link_flush(&registry);
    }
    assert_int_equal(fake_link.count, 200);
    for (size_t i = 0; i < 100; i++) {
        assert_sent(i, CHANNEL_REGISTER, i);
        assert_sent(100 + i, CHANNEL_UNREGISTER, i);
    }
    assert_int_equal(registry.queued, 0);
}

/* What comes later does not overtake what waits. */
static void
nothing_overtakes(void **state)
{
    (void)state;
    struct asker asker = {.answers = 0};
    fake_link.room = 0;
    begin(10);
    fake_link.room = 1;
    ask(&asker, 11);
    assert_sent(0, CHANNEL_REGISTER, 10);
    assert_int_equal(fake_link.count, 1);
    fake_link.room = 9;
    live_link_flush(&registry);
    assert_sent(1, CHANNEL_ASK_CONNECT, 11);
    live_link_cancel(&asker.query);
}

/* The monitor is gone: nothing is kept for it. */
static void
a_broken_channel_swallows(void **state)
{
    (void)state;
    fake_link.error = -EPIPE;
    for (uint64_t id = 0; id < 1000; id++)
        begin(id);
    for (uint64_t id = 0; id < 1000; id++)
        end(id);
    assert_int_equal(registry.queued, 0);
    assert_int_equal(registry.registered, 0);
}

/* Room is made when a CONNECT is told: its end never asks for memory. */
static void
there_is_room_for_every_end(void **state)
{
    (void)state;
    struct random random;
    uint64_t next = 0, first = 0;

    random_init(&random, 5);
    fake_link.room = 0;
    for (int i = 0; i < 3000; i++) {
        if (random_below(&random, 5) < 3)
            begin(next++);
        else if (first < next)
            end(first++);
        assert_true(registry.queued + registry.registered <= registry.room);
        if (random_below(&random, 50) == 0)
            fake_link.room = random_below(&random, 40);
        live_link_flush(&registry);
    }
    size_t keeps = registry.room;
    while (first < next)
        end(first++);
    assert_int_equal(registry.room, keeps);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tells_at_once_and_in_order),
        TEST(the_answer_finds_who_asked),
        TEST(an_answer_comes_once),
        TEST(who_cancelled_is_not_called),
        TEST(a_neighbour_may_be_cancelled_meanwhile),
        TEST(what_the_channel_does_not_take_waits_in_order),
        TEST(nothing_overtakes),
        TEST(a_broken_channel_swallows),
        TEST(there_is_room_for_every_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
