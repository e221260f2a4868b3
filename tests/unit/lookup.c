#include "gateway/worker/lookup.h"

#include <errno.h>

#include "tests/unit/link/fake_link.h"
#include "tests/unit/unit.h"

#define MANY 4000

static struct lookup_query sent[MANY]; /* to the resolver */

static struct lookups lookups;

/* A session that looks a name up, and the answer it got. */
struct caller {
    struct lookup lookup;
    int answers;
    enum lookup_outcome outcome;
    struct addr addresses[LOOKUP_ADDRESSES_MAX];
    size_t count;
    struct caller *cancels; /* when it is answered */
    struct caller *starts;  /* likewise */
};

static void
answered(struct lookup *lookup, enum lookup_outcome outcome,
         const struct addr *addresses, size_t count)
{
    struct caller *caller = container_of(lookup, struct caller, lookup);

    caller->answers++;
    caller->outcome = outcome;
    caller->count = count;
    if (count > 0)
        memcpy(caller->addresses, addresses, count * sizeof(*addresses));
    if (caller->cancels != NULL)
        lookup_cancel(&lookups, &caller->cancels->lookup);
    if (caller->starts != NULL)
        lookup_start(&lookups, &caller->starts->lookup, 7, "next", 4, LOOKUP_V4,
                     1, answered);
}

static int
setup(void **state)
{
    (void)state;
    fake_link_init(sent, sizeof(sent[0]), MANY);
    lookups_init(&lookups, NULL);
    return 0;
}

static void
ask(struct caller *caller, const char *name)
{
    lookup_start(&lookups, &caller->lookup, 7, name, strlen(name), LOOKUP_V4,
                 5000, answered);
}

static void
receive(uint64_t id, uint32_t outcome, uint32_t count)
{
    struct lookup_answer answer = {
        .id = id, .outcome = outcome, .count = count};

    for (uint32_t i = 0; i < LOOKUP_ADDRESSES_MAX; i++)
        answer.addresses[i] = addr_v4(0x0a000000 + i);
    lookups.asked.link.ops->receive(&lookups.asked.link, &answer);
}

static void
assert_asked(size_t at, const struct caller *caller, const char *name)
{
    assert_true(at < fake_link.count);
    assert_int_equal(sent[at].kind, LOOKUP_ASK);
    assert_int_equal(sent[at].id, caller->lookup.asked.id);
    assert_int_equal(sent[at].len, strlen(name));
    assert_memory_equal(sent[at].name, name, strlen(name));
}

static void
asks_at_once_and_in_order(void **state)
{
    (void)state;
    struct caller first = {0}, second = {0};
    ask(&first, "one.example");
    ask(&second, "two.example");
    assert_int_equal(fake_link.count, 2);
    assert_asked(0, &first, "one.example");
    assert_asked(1, &second, "two.example");
    assert_int_equal(sent[0].timeout_ms, 5000);
    assert_int_equal(sent[0].source, 7);
    assert_int_equal(sent[0].families, LOOKUP_V4);
    assert_int_not_equal(sent[0].id, sent[1].id);
    assert_int_equal(first.answers + second.answers, 0);
}

/* Nothing of the stack is sent after the name. */
static void
the_octets_after_a_name_are_zero(void **state)
{
    (void)state;
    struct caller caller = {0};
    ask(&caller, "a");
    for (size_t i = 1; i < LOOKUP_NAME_MAX; i++)
        assert_int_equal(sent[0].name[i], 0);
}

/* [4A-A.2.3-1, 4A-B.6-2] */
static void
a_name_goes_as_opaque_octets(void **state)
{
    (void)state;
    struct caller caller = {0};
    char name[LOOKUP_NAME_MAX];
    struct guard guard;
    for (size_t i = 0; i < sizeof(name); i++)
        name[i] = (char)(i + 1);
    guard_init(&guard, sizeof(name));
    char *at = (char *)guard.end - sizeof(name);
    memcpy(at, name, sizeof(name));
    lookup_start(&lookups, &caller.lookup, 7, at, sizeof(name), LOOKUP_V4, 1,
                 answered);
    assert_int_equal(sent[0].len, sizeof(name));
    assert_memory_equal(sent[0].name, name, sizeof(name));
    guard_fini(&guard);
}

static void
a_timeout_is_cut_to_what_fits(void **state)
{
    (void)state;
    struct caller caller = {0};
    lookup_start(&lookups, &caller.lookup, 7, "a", 1, LOOKUP_BOTH, UINT64_MAX,
                 answered);
    assert_int_equal(sent[0].timeout_ms, UINT32_MAX);
    assert_int_equal(sent[0].families, LOOKUP_BOTH);
}

static void
the_answer_finds_its_lookup(void **state)
{
    (void)state;
    struct caller callers[3 * PEER_QUESTION_BUCKETS];
    memset(callers, 0, sizeof(callers));
    for (size_t i = 0; i < COUNT(callers); i++)
        ask(&callers[i], "x");
    for (size_t i = 0; i < COUNT(callers); i++) {
        struct caller *caller = &callers[(i * 7) % COUNT(callers)];
        assert_int_equal(caller->answers, 0);
        receive(caller->lookup.asked.id, LOOKUP_FOUND, 1 + (uint32_t)i % 64);
        assert_int_equal(caller->answers, 1);
        assert_int_equal(caller->outcome, LOOKUP_FOUND);
        assert_int_equal(caller->count, 1 + i % 64);
        assert_int_equal(addr_to_v4(caller->addresses[caller->count - 1]),
                         0x0a000000 + i % 64);
    }
}

static void
an_answer_comes_once(void **state)
{
    (void)state;
    struct caller caller = {0};
    ask(&caller, "x");
    receive(caller.lookup.asked.id, LOOKUP_NO_SUCH_NAME, 0);
    receive(caller.lookup.asked.id, LOOKUP_FOUND, 1);
    receive(caller.lookup.asked.id + 1, LOOKUP_FOUND, 1);
    receive(0, LOOKUP_FOUND, 1);
    assert_int_equal(caller.answers, 1);
    assert_int_equal(caller.outcome, LOOKUP_NO_SUCH_NAME);
}

static void
an_answer_that_cannot_be_is_a_failure(void **state)
{
    (void)state;
    static const uint32_t impossible[][2] = {
        {LOOKUP_FOUND, 0},          {LOOKUP_FOUND, 65},
        {LOOKUP_FOUND, UINT32_MAX}, {LOOKUP_FAILED, 3},
        {LOOKUP_OVERLOADED + 1, 1}, {UINT32_MAX, UINT32_MAX},
    };
    for (size_t i = 0; i < COUNT(impossible); i++) {
        struct caller caller = {0};
        lookup_start(&lookups, &caller.lookup, 7, "x", 1, LOOKUP_BOTH, 1,
                     answered);
        receive(caller.lookup.asked.id, impossible[i][0], impossible[i][1]);
        assert_int_equal(caller.answers, 1);
        assert_int_equal(caller.outcome, LOOKUP_FAILED);
        assert_int_equal(caller.count, 0);
    }
}

/* A client of SOCKS 4 has no word for them. */
static void
no_address_of_a_family_that_was_not_asked_for_comes(void **state)
{
    struct lookup_answer answer = {.outcome = LOOKUP_FOUND, .count = 2};
    struct caller four = {0}, both = {0};

    (void)state;
    answer.addresses[0] = addr_v4(0x0a000001);
    answer.addresses[1] = (struct addr){1, 1};
    ask(&four, "x");
    answer.id = four.lookup.asked.id;
    lookups.asked.link.ops->receive(&lookups.asked.link, &answer);
    assert_int_equal(four.outcome, LOOKUP_FAILED);
    assert_int_equal(four.count, 0);
    lookup_start(&lookups, &both.lookup, 7, "x", 1, LOOKUP_BOTH, 1, answered);
    answer.id = both.lookup.asked.id;
    lookups.asked.link.ops->receive(&lookups.asked.link, &answer);
    assert_int_equal(both.outcome, LOOKUP_FOUND);
    assert_int_equal(both.count, 2);
    assert_true(addr_equal(both.addresses[1], answer.addresses[1]));
}

static void
addresses_come_with_found_alone(void **state)
{
    (void)state;
    struct caller caller = {0};
    ask(&caller, "x");
    receive(caller.lookup.asked.id, LOOKUP_NO_SUCH_NAME, 5);
    assert_int_equal(caller.count, 0);
}

static void
a_cancelled_lookup_is_not_called(void **state)
{
    (void)state;
    struct caller caller = {0};
    ask(&caller, "x");
    lookup_cancel(&lookups, &caller.lookup);
    assert_int_equal(fake_link.count, 2);
    assert_int_equal(sent[1].kind, LOOKUP_CANCEL);
    assert_int_equal(sent[1].id, caller.lookup.asked.id);
    lookup_cancel(&lookups, &caller.lookup);
    assert_int_equal(fake_link.count, 2);
    receive(caller.lookup.asked.id, LOOKUP_FOUND, 1);
    assert_int_equal(caller.answers, 0);
}

static void
what_was_not_sent_is_cancelled_without_a_word(void **state)
{
    (void)state;
    struct caller caller = {0};
    fake_link.room = 0;
    ask(&caller, "x");
    fake_link.room = 9;
    lookup_cancel(&lookups, &caller.lookup);
    lookups.asked.link.ops->flush(&lookups.asked.link);
    lookups.asked.link.ops->resend(&lookups.asked.link);
    assert_int_equal(fake_link.count, 0);
}

static void
cancelling_what_is_answered_says_nothing(void **state)
{
    (void)state;
    struct caller caller = {0};
    ask(&caller, "x");
    receive(caller.lookup.asked.id, LOOKUP_FAILED, 0);
    lookup_cancel(&lookups, &caller.lookup);
    assert_int_equal(fake_link.count, 1);
}

/* A full channel does not keep anybody from leaving. */
static void
a_cancel_that_does_not_fit_is_let_go(void **state)
{
    (void)state;
    struct caller caller = {0};
    ask(&caller, "x");
    fake_link.room = 0;
    lookup_cancel(&lookups, &caller.lookup);
    fake_link.room = 9;
    lookups.asked.link.ops->flush(&lookups.asked.link);
    receive(caller.lookup.asked.id, LOOKUP_FOUND, 1);
    assert_int_equal(caller.answers, 0);
    assert_int_equal(fake_link.count, 1);
}

/* From inside an answer a session may end another's, or ask again. */
static void
an_answer_may_cancel_and_ask(void **state)
{
    (void)state;
    struct caller callers[2] = {{.answers = 0}}, next = {0};
    ask(&callers[0], "x");
    ask(&callers[1], "y");
    callers[0].cancels = &callers[1];
    callers[0].starts = &next;
    receive(callers[0].lookup.asked.id, LOOKUP_FOUND, 2);
    receive(callers[1].lookup.asked.id, LOOKUP_FOUND, 2);
    assert_int_equal(callers[1].answers, 0);
    receive(next.lookup.asked.id, LOOKUP_FOUND, 2);
    assert_int_equal(next.answers, 1);
}

static void
what_the_link_does_not_take_waits_in_order(void **state)
{
    (void)state;
    struct caller callers[100];
    memset(callers, 0, sizeof(callers));
    fake_link.room = 1;
    for (size_t i = 0; i < COUNT(callers); i++)
        ask(&callers[i], "x");
    assert_int_equal(fake_link.count, 1);
    for (int i = 0; i < 33; i++) {
        fake_link.room = 3;
        lookups.asked.link.ops->flush(&lookups.asked.link);
    }
    assert_int_equal(fake_link.count, 100);
    for (size_t i = 0; i < COUNT(callers); i++)
        assert_asked(i, &callers[i], "x");
    lookups.asked.link.ops->flush(&lookups.asked.link);
    assert_int_equal(fake_link.count, 100);
}

/* What comes later does not overtake what waits, even where there is room
   that nobody has told of yet. */
static void
nothing_overtakes(void **state)
{
    (void)state;
    struct caller first = {0}, second = {0};
    fake_link.room = 0;
    ask(&first, "first");
    fake_link.room = 9;
    ask(&second, "second");
    assert_int_equal(fake_link.count, 0);
    lookups.asked.link.ops->flush(&lookups.asked.link);
    assert_asked(0, &first, "first");
    assert_asked(1, &second, "second");
}

static void
without_a_resolver_queries_wait_for_one(void **state)
{
    (void)state;
    struct caller first = {0}, second = {0};
    fake_link.error = -ENOTCONN;
    ask(&first, "first");
    ask(&second, "second");
    fake_link.error = 0;
    lookups.asked.link.ops->resend(&lookups.asked.link);
    assert_asked(0, &first, "first");
    assert_asked(1, &second, "second");
    assert_int_equal(fake_link.count, 2);
}

/* Each query once, but for those that are answered or cancelled. */
static void
a_new_resolver_is_asked_what_is_not_answered(void **state)
{
    (void)state;
    struct caller callers[600];
    bool again[COUNT(callers)] = {false};
    memset(callers, 0, sizeof(callers));
    fake_link.room = 500;
    for (size_t i = 0; i < COUNT(callers); i++)
        ask(&callers[i], "x");
    for (size_t i = 0; i < COUNT(callers); i += 3)
        receive(callers[i].lookup.asked.id, LOOKUP_FOUND, 1);
    lookup_cancel(&lookups, &callers[1].lookup);
    fake_link.count = 0;
    fake_link.room = MANY;
    lookups.asked.link.ops->resend(&lookups.asked.link);
    for (size_t i = 0; i < fake_link.count; i++) {
        size_t at = (size_t)sent[i].id - 1;
        assert_true(at < COUNT(callers) && !again[at]);
        again[at] = true;
    }
    for (size_t i = 0; i < COUNT(callers); i++) {
        assert_int_equal(again[i], callers[i].answers == 0 && i != 1);
        receive(callers[i].lookup.asked.id, LOOKUP_FOUND, 1);
        assert_int_equal(callers[i].answers, i == 1 ? 0 : 1);
    }
}

/* What had been sent is not held to be with the new one while it waits. */
static void
a_new_resolver_hears_no_cancel_before_the_query(void **state)
{
    (void)state;
    struct caller caller = {0};
    ask(&caller, "x");
    fake_link.room = 0;
    lookups.asked.link.ops->resend(&lookups.asked.link);
    fake_link.room = 9;
    lookup_cancel(&lookups, &caller.lookup);
    assert_int_equal(fake_link.count, 1);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(asks_at_once_and_in_order),
        TEST(the_octets_after_a_name_are_zero),
        TEST(a_name_goes_as_opaque_octets),
        TEST(a_timeout_is_cut_to_what_fits),
        TEST(the_answer_finds_its_lookup),
        TEST(an_answer_comes_once),
        TEST(an_answer_that_cannot_be_is_a_failure),
        TEST(no_address_of_a_family_that_was_not_asked_for_comes),
        TEST(addresses_come_with_found_alone),
        TEST(a_cancelled_lookup_is_not_called),
        TEST(what_was_not_sent_is_cancelled_without_a_word),
        TEST(cancelling_what_is_answered_says_nothing),
        TEST(a_cancel_that_does_not_fit_is_let_go),
        TEST(an_answer_may_cancel_and_ask),
        TEST(what_the_link_does_not_take_waits_in_order),
        TEST(nothing_overtakes),
        TEST(without_a_resolver_queries_wait_for_one),
        TEST(a_new_resolver_is_asked_what_is_not_answered),
        TEST(a_new_resolver_hears_no_cancel_before_the_query),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
