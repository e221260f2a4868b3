#include "gateway/resolver/pending.h"

#include "tests/unit/unit.h"

/* --- queries that the test answers -------------------------------------- */

static struct loop loop;
static struct pending pending;
static struct hosts hosts; /* empty */
static struct query *last_started;
static size_t started, cancelled;

void
query_init(struct query *query, struct query_context *context)
{
    *query = (struct query){.context = context};
    list_init(&query->link);
}

void
query_start(struct query *query, uint64_t timeout_ms, query_fn *done)
{
    assert_true(timeout_ms > 0);
    query->done = done;
    query->answered = false;
    query->context->sockets++;
    last_started = query;
    started++;
}

void
query_cancel(struct query *query)
{
    assert_false(query->answered);
    query->answered = true;
    query->context->sockets--;
    cancelled++;
}

void
query_extend(struct query *query, uint64_t timeout_ms)
{
    (void)timeout_ms;
    assert_false(query->answered);
}

static void
answer_query(struct query *query, uint32_t address)
{
    query->answered = true;
    query->context->sockets--;
    query->answer = (struct answer){
        .outcome = LOOKUP_FOUND, .count = 1, .addresses = {addr_v4(address)}};
    query->done(query);
}

static void
answer_with(struct query *query, enum lookup_outcome outcome, size_t count,
            struct addr first, uint32_t ttl_s)
{
    query->answered = true;
    query->context->sockets--;
    query->answer = (struct answer){
        .outcome = outcome, .count = (uint32_t)count, .ttl_s = ttl_s};
    for (size_t i = 0; i < count; i++)
        query->answer.addresses[i] = (struct addr){first.hi, first.lo + i};
    query->done(query);
}

/* --- workers ------------------------------------------------------------ */

#define CLIENTS 3

static struct resolver_client clients[CLIENTS];
static struct list unread; /* answers that no worker reads */
static bool reads;         /* whether the workers do */
static struct lookup_answer last_answer;
static uint64_t last_id;
static uint32_t last_outcome;
static size_t answers, overloaded;

static void
answered(struct waiter *waiter)
{
    last_answer = *waiter->answer;
    last_id = waiter->answer->id;
    last_outcome = waiter->answer->outcome;
    answers++;
    overloaded += waiter->answer->outcome == LOOKUP_OVERLOADED;
    if (reads)
        pending_sent(&pending, waiter);
    else
        list_append(&unread, &waiter->link);
}

static int
setup(void **state)
{
    (void)state;
    memset(&pending, 0, sizeof(pending));
    started = cancelled = answers = overloaded = 0;
    reads = true;
    loop.now_us = 1000000;
    list_init(&unread);
    pending.context = (struct query_context){
        .loop = &loop, .sockets_max = 4 * PENDING_QUERIES};
    pending.hosts = &hosts;
    pending.answered = answered;
    pending_init(&pending);
    for (size_t i = 0; i < CLIENTS; i++)
        resolver_client_init(&clients[i]);
    return 0;
}

static size_t
count(const struct list *list)
{
    size_t many = 0;
    for (const struct list *at = list->next; at != list; at = at->next)
        many++;
    return many;
}

/* All that was taken is back. */
static int
teardown(void **state)
{
    (void)state;
    list_each_safe (at, after, &unread) {
        pending_sent(&pending, container_of(at, struct waiter, link));
    }
    for (size_t i = 0; i < CLIENTS; i++)
        pending_leave(&pending, &clients[i]);
    assert_int_equal(count(&pending.free_lookups), PENDING_QUERIES);
    assert_int_equal(count(&pending.free_waiters), PENDING_WAITERS);
    assert_int_equal(count(&pending.free_shares), PENDING_WAITERS);
    assert_true(list_empty(&pending.clients));
    assert_int_equal(pending.context.sockets, 0);
    return 0;
}

/* True: it waits. */
static bool
ask_families(struct resolver_client *client, uint64_t source, uint64_t id,
             const char *name, enum lookup_family families)
{
    struct lookup_answer answer;
    struct lookup_query query = {.kind = LOOKUP_ASK,
                                 .families = (uint16_t)families,
                                 .timeout_ms = 5000,
                                 .id = id,
                                 .source = source,
                                 .len = (uint8_t)strlen(name)};

    memcpy(query.name, name, query.len);
    if (!pending_ask(&pending, client, &query, &answer))
        return true;
    assert_int_equal(answer.id, id);
    last_answer = answer;
    last_outcome = answer.outcome;
    return false;
}

static bool
ask_name(struct resolver_client *client, uint64_t source, uint64_t id,
         const char *name)
{
    return ask_families(client, source, id, name, LOOKUP_V4);
}

/* Each under a name of its own. */
static bool
ask(struct resolver_client *client, uint64_t source, uint64_t id)
{
    char name[32];

    snprintf(name, sizeof(name), "n%lu-%td", (unsigned long)id,
             client - clients);
    return ask_name(client, source, id, name);
}

/* --- tests -------------------------------------------------------------- */

static void
the_oldest_of_the_source_that_holds_most_makes_room(void **state)
{
    (void)state;
    assert_true(ask(&clients[0], 2, 5000));
    for (uint64_t i = 0; i < PENDING_QUERIES - 1; i++)
        assert_true(ask(&clients[0], 1, i));
    assert_int_equal(answers, 0);
    assert_true(ask(&clients[0], 2, 5001));
    assert_int_equal(answers, 1);
    assert_int_equal(last_id, 0);
    assert_int_equal(last_outcome, LOOKUP_OVERLOADED);
    assert_true(ask(&clients[0], 3, 6000));
    assert_int_equal(last_id, 1);
    assert_int_equal(answers, 2);
}

static void
a_source_that_floods_drops_its_own(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 10; i++)
        assert_true(ask(&clients[0], 2, 5000 + i));
    for (uint64_t i = 0; i < 3 * PENDING_QUERIES; i++) {
        assert_true(ask(&clients[0], 1, 10000 + i));
        assert_true(answers == 0 || last_id >= 10000);
    }
    assert_int_equal(clients[0].held[POOL_QUERIES], PENDING_QUERIES);
    assert_int_equal(answers, 2 * PENDING_QUERIES + 10);
}

/* It names its sources itself: one for each query. */
static void
a_worker_that_lies_takes_no_more_than_an_equal_part(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 100; i++)
        assert_true(ask(&clients[0], 1, i));
    for (uint64_t i = 0; i < 3 * PENDING_QUERIES; i++)
        assert_true(ask(&clients[1], 1000 + i, i));
    assert_int_equal(clients[0].held[POOL_QUERIES], 100);
    assert_int_equal(clients[1].held[POOL_QUERIES], PENDING_QUERIES - 100);
    for (uint64_t i = 100; i < 2000; i++)
        assert_true(ask(&clients[0], 1, i));
    assert_int_equal(clients[0].held[POOL_QUERIES], PENDING_QUERIES / 2);
    assert_int_equal(clients[1].held[POOL_QUERIES], PENDING_QUERIES / 2);
}

/* Nor does it help to name another worker's source. */
static void
a_source_counts_for_each_worker_alone(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 100; i++)
        assert_true(ask(&clients[0], 7, i));
    for (uint64_t i = 0; i < 2 * PENDING_QUERIES; i++)
        assert_true(ask(&clients[1], 7, i));
    assert_int_equal(clients[0].held[POOL_QUERIES], 100);
}

static void
a_shared_query_stays_for_the_waiters_that_are_left(void **state)
{
    (void)state;
    assert_true(ask_name(&clients[0], 1, 1, "shared"));
    struct query *shared = last_started;
    assert_true(ask_name(&clients[0], 2, 2, "shared"));
    assert_int_equal(started, 1);
    for (uint64_t i = 0; i < PENDING_QUERIES - 1; i++)
        assert_true(ask(&clients[0], 1, 100 + i));
    assert_int_equal(answers, 0);
    /* The waiter of source 1 goes, but its query does not: one more goes. */
    assert_true(ask(&clients[0], 3, 9));
    assert_int_equal(answers, 2);
    assert_int_equal(last_id, 100);
    assert_int_equal(cancelled, 1);
    answer_query(shared, 42);
    assert_int_equal(last_id, 2);
    assert_int_equal(last_outcome, LOOKUP_FOUND);
}

static void
waiters_are_shared_as_queries_are(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < PENDING_WAITERS; i++)
        assert_true(ask_name(&clients[0], 1, i, "shared"));
    assert_int_equal(started, 1);
    assert_true(ask_name(&clients[0], 2, 90000, "shared"));
    assert_true(ask_name(&clients[1], 1, 90001, "shared"));
    assert_int_equal(answers, 2);
    assert_int_equal(overloaded, 2);
    assert_int_equal(last_id, 1);
    answer_query(last_started, 42);
    assert_int_equal(answers, 2 + PENDING_WAITERS);
    assert_int_equal(overloaded, 2);
}

static void
answers_that_a_worker_does_not_read_make_room_for_others(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < PENDING_WAITERS; i++)
        assert_true(ask_name(&clients[0], 1, i, "shared"));
    reads = false;
    answer_query(last_started, 42);
    assert_int_equal(clients[0].held[POOL_WAITERS], PENDING_WAITERS);
    for (uint64_t i = 0; i < 10; i++)
        assert_true(ask(&clients[1], 1, i));
    assert_int_equal(clients[0].held[POOL_WAITERS], PENDING_WAITERS - 10);
    assert_int_equal(overloaded, 0);
}

/* Few descriptors: some are kept for the queries that run. */
static void
sockets_that_run_short_are_shared_likewise(void **state)
{
    (void)state;
    pending.context.sockets_max = 64;
    for (uint64_t i = 0; i < 200; i++)
        assert_true(ask(&clients[0], 1, i));
    assert_int_equal(clients[0].held[POOL_QUERIES], 64 - 8);
    assert_true(ask(&clients[0], 2, 5000));
    assert_true(last_id < 200);
    assert_int_equal(last_outcome, LOOKUP_OVERLOADED);
}

static void
a_query_is_charged_to_the_oldest_waiter_left(void **state)
{
    (void)state;
    assert_true(ask_name(&clients[0], 1, 1, "shared"));
    assert_true(ask_name(&clients[1], 2, 2, "shared"));
    assert_int_equal(clients[0].held[POOL_QUERIES], 1);
    pending_cancel(&pending, &clients[0], 1);
    assert_int_equal(clients[0].held[POOL_QUERIES], 0);
    assert_int_equal(clients[1].held[POOL_QUERIES], 1);
    assert_int_equal(cancelled, 0);
    pending_leave(&pending, &clients[1]);
    assert_int_equal(cancelled, 1);
}

/* --- both families ------------------------------------------------------ */

#define SIX(last) ((struct addr){UINT64_C(0xfd00) << 48, (last)})
#define FOUR(last) addr_v4(0x0a000000u + (last))

/* The query of a family that runs. */
static struct query *
query_of(enum lookup_family family)
{
    list_each_safe (at, after, &pending.open) {
        struct pending_lookup *lookup =
            container_of(at, struct pending_lookup, query.link);
        if (lookup->query.family == family)
            return &lookup->query;
    }
    return NULL;
}

static void
pass_ms(uint64_t ms)
{
    loop.now_us += 1000 * ms;
    timer_fire(&loop.timers, loop_now_ms(&loop));
}

static bool
ask_both(const char *name)
{
    return ask_families(&clients[0], 1, 7, name, LOOKUP_BOTH);
}

static void
assert_answered(size_t count, struct addr first, struct addr last)
{
    assert_int_equal(answers, 1);
    assert_int_equal(last_answer.id, 7);
    assert_int_equal(last_answer.outcome, LOOKUP_FOUND);
    assert_int_equal(last_answer.count, count);
    assert_true(addr_equal(last_answer.addresses[0], first));
    assert_true(addr_equal(last_answer.addresses[count - 1], last));
}

static void
families_take_turns_and_ipv6_is_first(void **state)
{
    static const uint64_t lows[] = {1, 0xffff0a000001, 2, 0xffff0a000002, 3};

    (void)state;
    for (int v6_first = 0; v6_first < 2; v6_first++) {
        answers = 0;
        assert_true(ask_both(v6_first ? "a.example" : "b.example"));
        for (int i = 0; i < 2; i++) {
            assert_int_equal(answers, 0);
            if (i == v6_first)
                answer_with(query_of(LOOKUP_V4), LOOKUP_FOUND, 2, FOUR(1), 0);
            else
                answer_with(query_of(LOOKUP_V6), LOOKUP_FOUND, 3, SIX(1), 0);
        }
        assert_answered(5, SIX(1), SIX(3));
        for (size_t i = 0; i < COUNT(lows); i++)
            assert_int_equal(last_answer.addresses[i].lo, lows[i]);
    }
    pass_ms(10000);
    assert_int_equal(answers, 1);
}

/* However many the other has; and a mapped address is no second one. */
static void
neither_family_fills_the_answer_alone(void **state)
{
    (void)state;
    assert_true(ask_both("a.example"));
    answer_with(query_of(LOOKUP_V6), LOOKUP_FOUND, 64, SIX(1), 0);
    answer_with(query_of(LOOKUP_V4), LOOKUP_FOUND, 64, FOUR(1), 0);
    assert_answered(64, SIX(1), FOUR(32));
    answers = 0;
    assert_true(ask_both("b.example"));
    answer_with(query_of(LOOKUP_V6), LOOKUP_FOUND, 1, FOUR(2), 0);
    answer_with(query_of(LOOKUP_V4), LOOKUP_FOUND, 2, FOUR(1), 0);
    assert_answered(2, FOUR(2), FOUR(1));
}

/* RFC 8305, 3: 50 ms. What comes then is for those who ask later. */
static void
a_silent_aaaa_delays_a_for_a_moment_and_goes_on(void **state)
{
    (void)state;
    assert_true(ask_both("a.example"));
    answer_with(query_of(LOOKUP_V4), LOOKUP_FOUND, 1, FOUR(1), 60);
    pass_ms(PENDING_V6_MS - 1);
    assert_int_equal(answers, 0);
    pass_ms(1);
    assert_answered(1, FOUR(1), FOUR(1));
    assert_int_equal(cancelled, 0);
    assert_int_equal(clients[0].held[POOL_QUERIES], 1);
    pending_cancel(&pending, &clients[0], 7); /* it has its answer */
    assert_int_equal(cancelled, 0);
    answer_with(query_of(LOOKUP_V6), LOOKUP_FOUND, 1, SIX(1), 60);
    assert_int_equal(answers, 1);
    assert_int_equal(clients[0].held[POOL_WAITERS], 0);
    assert_false(ask_both("a.example"));
    assert_answered(2, SIX(1), FOUR(1));
}

/* A connection by IPv6 alone may fail: A has the time for a lost datagram. */
static void
a_silent_a_is_waited_for_longer(void **state)
{
    (void)state;
    assert_true(ask_both("a.example"));
    answer_with(query_of(LOOKUP_V6), LOOKUP_FOUND, 1, SIX(1), 0);
    pass_ms(PENDING_V4_MS - 1);
    assert_int_equal(answers, 0);
    pass_ms(1);
    assert_answered(1, SIX(1), SIX(1));
}

/* Servers that know no AAAA may say that there is no such name, or fail. */
static void
what_one_family_lacks_does_not_spoil_the_other(void **state)
{
    static const enum lookup_outcome none[] = {LOOKUP_NO_SUCH_NAME,
                                               LOOKUP_FAILED};

    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (size_t v6_lacks = 0; v6_lacks < 2; v6_lacks++)
            for (size_t first = 0; first < 2; first++) {
                enum lookup_family lacks = v6_lacks ? LOOKUP_V6 : LOOKUP_V4;
                struct addr has = v6_lacks ? FOUR(1) : SIX(1);
                answers = 0;
                assert_true(ask_both("a.example"));
                if (first)
                    answer_with(query_of(lacks), none[i], 0, FOUR(0), 0);
                assert_int_equal(answers, 0);
                answer_with(query_of(LOOKUP_BOTH - lacks), LOOKUP_FOUND, 1, has,
                            0);
                if (!first)
                    answer_with(query_of(lacks), none[i], 0, FOUR(0), 0);
                assert_answered(1, has, has);
                pending_forget(&pending);
            }
}

/* A failure may hide an address. */
static void
a_name_is_unknown_where_both_families_say_so(void **state)
{
    static const enum lookup_outcome cases[][3] = {
        {LOOKUP_NO_SUCH_NAME, LOOKUP_NO_SUCH_NAME, LOOKUP_NO_SUCH_NAME},
        {LOOKUP_NO_SUCH_NAME, LOOKUP_FAILED, LOOKUP_FAILED},
        {LOOKUP_FAILED, LOOKUP_NO_SUCH_NAME, LOOKUP_FAILED},
        {LOOKUP_FAILED, LOOKUP_FAILED, LOOKUP_FAILED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(ask_both("a.example"));
        answer_with(query_of(LOOKUP_V4), cases[i][0], 0, FOUR(0), 0);
        pass_ms(3000); /* nothing is known: no hurry */
        assert_int_equal(answers, i);
        answer_with(query_of(LOOKUP_V6), cases[i][1], 0, FOUR(0), 0);
        assert_int_equal(answers, i + 1);
        assert_int_equal(last_outcome, cases[i][2]);
        assert_int_equal(last_answer.count, 0);
        pending_forget(&pending);
    }
}

static void
answer_no_name(struct query *query)
{
    query->answered = true;
    query->context->sockets--;
    query->answer =
        (struct answer){.outcome = LOOKUP_NO_SUCH_NAME, .no_name = true};
    query->done(query);
}

/* NXDOMAIN is of all families (RFC 8020), but not all servers that say so of
   AAAA mean it. */
static void
a_silent_aaaa_of_no_name_is_waited_for_a_little(void **state)
{
    (void)state;
    assert_true(ask_both("a.example"));
    answer_no_name(query_of(LOOKUP_V4));
    pass_ms(PENDING_V4_MS - 1);
    assert_int_equal(answers, 0);
    pass_ms(1);
    assert_int_equal(answers, 1);
    assert_int_equal(last_outcome, LOOKUP_NO_SUCH_NAME);
    assert_false(ask_both("a.example")); /* as the cache has it */
    assert_int_equal(last_outcome, LOOKUP_NO_SUCH_NAME);
    assert_int_equal(cancelled, 0);
    answer_with(query_of(LOOKUP_V6), LOOKUP_FOUND, 1, SIX(1), 60);
    assert_false(ask_both("a.example"));
    assert_int_equal(last_outcome, LOOKUP_FOUND);
    assert_true(ask_both("b.example"));
    answer_no_name(query_of(LOOKUP_V6));
    pass_ms(3000);
    assert_int_equal(answers, 1);
    answer_with(query_of(LOOKUP_V4), LOOKUP_FOUND, 1, FOUR(1), 0);
    assert_int_equal(answers, 2);
}

static void
queries_are_shared_with_those_who_want_one_family(void **state)
{
    (void)state;
    assert_true(ask_families(&clients[1], 9, 1, "a.example", LOOKUP_V4));
    assert_true(ask_both("a.example"));
    assert_int_equal(started, 2);
    assert_true(ask_families(&clients[2], 9, 3, "a.example", LOOKUP_V6));
    assert_int_equal(started, 2);
    answer_with(query_of(LOOKUP_V4), LOOKUP_FOUND, 1, FOUR(1), 60);
    assert_int_equal(answers, 1);
    assert_int_equal(last_id, 1);
    assert_int_equal(last_answer.count, 1);
    pending_cancel(&pending, &clients[0], 7);
    assert_int_equal(cancelled, 0); /* another one waits for AAAA */
    assert_false(ask_families(&clients[1], 9, 1, "a.example", LOOKUP_V4));
    assert_int_equal(last_answer.count, 1);
    assert_int_equal(started, 2);
}

static void
a_newcomer_that_holds_most_drops_nobody(void **state)
{
    (void)state;
    /* There is room for four queries, and each source has one. */
    pending.context.sockets_max = 4;
    for (uint64_t i = 0; i < 3; i++)
        assert_true(ask(&clients[0], 100 + i, i));
    assert_true(ask_both("a.example"));
    assert_int_equal(answers, 0);
    assert_int_equal(pending.context.sockets, 5); /* it drops nobody's */
    assert_int_equal(cancelled, 0);
    pending_cancel(&pending, &clients[0], 7);
    assert_int_equal(pending.context.sockets, 3);
}

/* What waits for a late AAAA makes room like others, without a second answer.
 */
static void
late_queries_make_room(void **state)
{
    char name[16];

    (void)state;
    for (unsigned i = 0; i < PENDING_QUERIES; i++) {
        snprintf(name, sizeof(name), "l%u", i);
        assert_true(ask_families(&clients[0], 1, i, name, LOOKUP_BOTH));
        answer_with(query_of(LOOKUP_V4), LOOKUP_FOUND, 1, FOUR(1), 0);
        pass_ms(PENDING_V6_MS);
    }
    assert_int_equal(answers, PENDING_QUERIES);
    assert_int_equal(overloaded, 0);
    assert_true(list_empty(&pending.free_lookups) ||
                clients[0].held[POOL_QUERIES] >= PENDING_QUERIES - 1);
    assert_true(ask(&clients[1], 2, 1));
    assert_true(ask(&clients[1], 2, 2));
    assert_int_equal(answers, PENDING_QUERIES);
    assert_true(cancelled >= 1);
}

static void
answers_wait_for_room_while_a_query_goes_on(void **state)
{
    (void)state;
    reads = false;
    assert_true(ask_both("a.example"));
    answer_with(query_of(LOOKUP_V4), LOOKUP_FOUND, 1, FOUR(1), 0);
    pass_ms(PENDING_V6_MS);
    assert_int_equal(answers, 1);
    answer_with(query_of(LOOKUP_V6), LOOKUP_FOUND, 1, SIX(1), 0);
    assert_int_equal(clients[0].held[POOL_WAITERS], 1);
    pending_sent(&pending, container_of(unread.next, struct waiter, link));
    assert_int_equal(clients[0].held[POOL_WAITERS], 0);
    assert_int_equal(answers, 1);
}

/* Each lookup counts once, as its oldest waiter's. */
static void
check_charges(void)
{
    size_t queries = 0;

    list_each_safe (at, after, &pending.open) {
        const struct pending_lookup *lookup =
            container_of(at, struct pending_lookup, query.link);
        const struct waiter_leg *oldest =
            container_of(lookup->waiters.next, struct waiter_leg, link);
        assert_ptr_equal(lookup->charged, oldest->waiter->share);
        queries++;
    }
    assert_int_equal(queries, pending.context.sockets);
    for (size_t i = 0; i < CLIENTS; i++)
        queries -= clients[i].held[POOL_QUERIES];
    assert_int_equal(queries, 0);
}

/* An age of everything at once; the laws are looked at on the way. */
static void
accounts_are_right_whatever_happens(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 200000; i++) {
        struct resolver_client *client = &clients[rand() % CLIENTS];
        uint64_t source = (uint64_t)rand() % (rand() % 2 ? 3 : 1000);
        char name[16];
        int turn = rand() % 100;
        snprintf(name, sizeof(name), "r%d", rand() % 3000);
        if (turn < 80)
            ask_families(client, source, i, name,
                         1 + (enum lookup_family)(rand() % 3));
        else if (turn < 90)
            pending_cancel(&pending, client, i - (uint64_t)(rand() % 500));
        else if (turn < 97 && !list_empty(&pending.open))
            answer_query(container_of(pending.open.next, struct query, link),
                         1);
        else if (turn < 98)
            reads = !reads;
        else if (rand() % 50 == 0 && reads && list_empty(&unread))
            pending_leave(&pending, client);
        for (; reads && !list_empty(&unread);)
            pending_sent(&pending,
                         container_of(unread.next, struct waiter, link));
        loop.now_us += (uint64_t)rand() % 10000;
        timer_fire(&loop.timers, loop_now_ms(&loop));
        if (i % 100 == 0)
            check_charges();
    }
    assert_true(overloaded > 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_oldest_of_the_source_that_holds_most_makes_room),
        TEST(a_source_that_floods_drops_its_own),
        TEST(a_worker_that_lies_takes_no_more_than_an_equal_part),
        TEST(a_source_counts_for_each_worker_alone),
        TEST(a_shared_query_stays_for_the_waiters_that_are_left),
        TEST(waiters_are_shared_as_queries_are),
        TEST(answers_that_a_worker_does_not_read_make_room_for_others),
        TEST(sockets_that_run_short_are_shared_likewise),
        TEST(a_query_is_charged_to_the_oldest_waiter_left),
        TEST(families_take_turns_and_ipv6_is_first),
        TEST(neither_family_fills_the_answer_alone),
        TEST(a_silent_aaaa_delays_a_for_a_moment_and_goes_on),
        TEST(a_silent_a_is_waited_for_longer),
        TEST(what_one_family_lacks_does_not_spoil_the_other),
        TEST(a_name_is_unknown_where_both_families_say_so),
        TEST(a_silent_aaaa_of_no_name_is_waited_for_a_little),
        TEST(queries_are_shared_with_those_who_want_one_family),
        TEST(a_newcomer_that_holds_most_drops_nobody),
        TEST(late_queries_make_room),
        TEST(answers_wait_for_room_while_a_query_goes_on),
        TEST(accounts_are_right_whatever_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
