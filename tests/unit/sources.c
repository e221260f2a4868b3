#include "gateway/worker/sources.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "base/siphash.h"
#include "tests/unit/unit.h"

#define SLOTS 4
#define SOURCES 24
#define MAX 5
#define SECOND UINT64_C(1000000000)
#define NOW (1000 * SECOND)

static struct segment *segment;
static int fd;

static int
setup(void **state)
{
    (void)state;
    fd = segment_create(&segment);
    if (fd < 0)
        return -1;
    atomic_store(&segment->slots, SLOTS);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    munmap(segment, sizeof(*segment));
    return close(fd);
}

static struct addr
host(uint32_t number)
{
    return addr_v4(0x0a000000 + number);
}

static int
enter(unsigned slot, struct addr source)
{
    return sources_enter(segment, slot, source, NOW);
}

static uint64_t
sessions(int source_index)
{
    return sources_sum(segment, source_index, SEGMENT_CHARGE_sessions);
}

/* ---- Charges ---- */

static int
take(unsigned slot, int source_index)
{
    return sources_take(segment, slot, source_index, SEGMENT_CHARGE_binds, MAX);
}

/* Takes all that is left; how much that was. */
static int
take_all(unsigned slot, int source_index)
{
    int count = 0;

    while (take(slot, source_index) == 0)
        count++;
    return count;
}

static void
charges_so_many_and_no_more(void **state)
{
    (void)state;
    int one = enter(0, host(1)), two = enter(0, host(2));

    assert_int_equal(take_all(0, one), MAX);
    assert_int_equal(take(0, one), -EDQUOT);
    assert_int_equal(take_all(0, two), MAX);
    assert_int_equal(sources_sum(segment, one, SEGMENT_CHARGE_binds), MAX);
    assert_int_equal(sources_sum(segment, one, SEGMENT_CHARGE_pending), 0);
}

static void
all_slots_share_one_limit(void **state)
{
    (void)state;
    int source_index = enter(0, host(1));

    for (unsigned slot = 0; slot < SLOTS; slot++) {
        assert_int_equal(enter(slot, host(1)), source_index);
        assert_int_equal(take(slot, source_index), 0);
    }
    assert_int_equal(sessions(source_index), SLOTS + 1);
    assert_int_equal(take_all(2, source_index), MAX - SLOTS);
    for (unsigned slot = 0; slot < SLOTS; slot++)
        assert_int_equal(take(slot, source_index), -EDQUOT);
    sources_give(segment, 3, source_index, SEGMENT_CHARGE_binds);
    assert_int_equal(take_all(0, source_index), 1);
}

static void
a_dead_slots_charges_are_given_back(void **state)
{
    (void)state;
    int source_index = -1;

    for (unsigned slot = 0; slot < SLOTS; slot++) {
        source_index = enter(slot, host(1));
        assert_int_equal(take(slot, source_index), 0);
    }
    assert_int_equal(take(1, source_index), 0);
    segment_retire(segment, 1);
    assert_int_equal(sessions(source_index), SLOTS - 1);
    assert_int_equal(take_all(0, source_index), 2);
}

static void
an_ipv6_source_is_a_slash_64(void **state)
{
    (void)state;
    struct addr one = {0x20010db800000001, 1};
    struct addr neighbour = {0x20010db800000001, UINT64_MAX};
    struct addr other = {0x20010db800000002, 1};
    struct addr unspecified = {0, 0};
    int source_index = enter(0, one);

    assert_int_equal(enter(0, neighbour), source_index);
    assert_int_not_equal(enter(0, other), source_index);
    assert_int_not_equal(enter(0, unspecified), source_index);
    assert_int_not_equal(enter(0, addr_v4(0)), enter(0, unspecified));
    assert_int_not_equal(enter(0, host(1)), enter(0, host(2)));
}

/* Random takes, gives and deaths against plain counting. */
struct model {
    int count[SOURCES][SLOTS];
    int source_index[SOURCES];
};

static int
sum(const int count[SLOTS])
{
    int all = 0;

    for (int i = 0; i < SLOTS; i++)
        all += count[i];
    return all;
}

static void
step(struct random *random, struct model *model, int answers[2])
{
    size_t source = random_below(random, SOURCES);
    unsigned slot = (unsigned)random_below(random, SLOTS - 1);
    int *count = model->count[source];

    if (random_below(random, 500) == 0) {
        segment_retire(segment, slot);
        for (size_t i = 0; i < SOURCES; i++)
            model->count[i][slot] = 0;
    } else if (random_below(random, 5) < 3) {
        int error = take(slot, model->source_index[source]);
        answers[error == 0]++;
        assert_int_equal(error == 0, sum(count) < MAX);
        count[slot] += error == 0;
    } else if (count[slot] > 0) {
        sources_give(segment, slot, model->source_index[source],
                     SEGMENT_CHARGE_binds);
        count[slot]--;
    }
}

static void
charges_as_a_naive_count_does(void **state)
{
    (void)state;
    struct random random;
    struct model model = {0};
    int answers[2] = {0};

    random_init(&random, 7);
    for (uint32_t i = 0; i < SOURCES; i++) /* by a slot that never dies */
        model.source_index[i] = enter(SLOTS - 1, host(i));
    for (int i = 0; i < 100000; i++)
        step(&random, &model, answers);
    printf("# %d granted, %d refused\n", answers[1], answers[0]);
    assert_true(answers[1] > 12000 && answers[0] > 12000);
}

/* ---- Places ---- */

/* Many times more sources than places. */
static void
a_place_that_is_held_is_never_given_away(void **state)
{
    (void)state;
    enum { MANY = 4 * SEGMENT_SOURCES };
    static int source_index[MANY];
    static bool used[SEGMENT_SOURCES];
    size_t placed = 0;

    for (uint32_t i = 0; i < MANY; i++) {
        source_index[i] = enter(i % SLOTS, host(i));
        if (source_index[i] == -ENOSPC)
            continue;
        assert_in_range(source_index[i], 0, SEGMENT_SOURCES - 1);
        assert_false(used[source_index[i]]);
        used[source_index[i]] = true;
        placed++;
    }
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(enter(0, host(i)), source_index[i]);
    printf("# %zu of %d places are taken\n", placed, SEGMENT_SOURCES);
    assert_true(placed > SEGMENT_SOURCES * 9 / 10);
}

static void
a_place_that_nobody_needs_goes_to_the_next(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 16 * SEGMENT_SOURCES; i++) {
        int source_index = enter(0, host(i));
        assert_in_range(source_index, 0, SEGMENT_SOURCES - 1);
        assert_int_equal(sessions(source_index), 1);
        sources_leave(segment, 0, source_index);
    }
}

/* Pages of the segment that are there. */
static size_t
resident(void)
{
    size_t pages = 0;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    static unsigned char seen[1 << 18];

    assert_true(sizeof(*segment) / page < sizeof(seen));
    assert_int_equal(mincore(segment, sizeof(*segment), seen), 0);
    for (size_t i = 0; i < (sizeof(*segment) + page - 1) / page; i++)
        pages += seen[i] & 1;
    return pages * page;
}

static void
a_million_sources_take_no_more_than_the_table(void **state)
{
    (void)state;
    size_t columns = SLOTS * sizeof(segment->charges[0]);
    size_t most = sizeof(segment->sources) + sizeof(segment->columns) + columns;

    for (uint32_t i = 0; i < 1000000; i++) {
        uint64_t now = NOW + i * UINT64_C(10000);
        int source_index = sources_enter(segment, i % SLOTS, host(i), now);
        assert_true(source_index >= 0);
        assert_true(sources_on_time(segment, source_index, 200, now));
        sources_leave(segment, i % SLOTS, source_index);
    }
    printf("# %zu KiB are there, of %zu KiB at most\n", resident() >> 10,
           most >> 10);
    assert_in_range(resident(), 1, most + (1 << 16));
}

/* As long as it is ahead of its time it cannot begin anew. */
static void
a_source_that_comes_too_often_is_not_forgotten(void **state)
{
    (void)state;
    int source_index = enter(0, host(0));

    for (int i = 0; i < 10; i++)
        assert_true(sources_on_time(segment, source_index, 10, NOW));
    sources_leave(segment, 0, source_index);
    for (uint32_t i = 1; i < 16 * SEGMENT_SOURCES; i++) {
        int other = sources_enter(segment, 0, host(i), NOW + SECOND - 1);
        assert_int_not_equal(other, source_index);
        if (other >= 0)
            sources_leave(segment, 0, other);
    }
    assert_int_equal(enter(0, host(0)), source_index);
    assert_false(sources_on_time(segment, source_index, 10, NOW));
}

/* ---- Rate ---- */

/* Connections that pass, of one each `each` ns. */
static unsigned
passing(int source_index, uint64_t rate, uint64_t from, uint64_t to,
        uint64_t each)
{
    unsigned count = 0;

    for (uint64_t now = from; now < to; now += each)
        count += sources_on_time(segment, source_index, rate, now);
    return count;
}

static void
a_seconds_worth_may_come_at_once_then_one_at_a_time(void **state)
{
    (void)state;
    const uint64_t rates[] = {1, 3, 200, 1000};

    for (uint32_t i = 0; i < COUNT(rates); i++) {
        uint64_t rate = rates[i], each = SECOND / rate;
        int source_index = enter(0, host(i));
        for (uint64_t n = 0; n < rate; n++)
            assert_true(sources_on_time(segment, source_index, rate, NOW));
        assert_false(sources_on_time(segment, source_index, rate, NOW));
        assert_false(
            sources_on_time(segment, source_index, rate, NOW + each - 1));
        assert_true(sources_on_time(segment, source_index, rate, NOW + each));
        assert_false(sources_on_time(segment, source_index, rate, NOW + each));
    }
}

/* Only a worker that was taken over writes such a time. */
static void
a_time_that_cannot_be_bans_nobody(void **state)
{
    (void)state;
    int place = enter(0, host(1));

    atomic_store(&segment->sources[place].due_ns, UINT64_MAX);
    assert_true(sources_on_time(segment, place, 1, NOW));
    assert_false(sources_on_time(segment, place, 1, NOW));
    atomic_store(&segment->sources[place].due_ns, NOW + 3600 * SECOND);
    assert_true(sources_on_time(segment, place, 1, NOW));
    atomic_store(&segment->sources[place].due_ns, NOW + SECOND);
    assert_false(sources_on_time(segment, place, 1, NOW));
}

static void
a_flood_gets_its_rate_and_no_more(void **state)
{
    (void)state;
    int source_index = enter(0, host(1));
    unsigned first =
        passing(source_index, 200, NOW, NOW + SECOND, SECOND / 10000);
    unsigned later = passing(source_index, 200, NOW + SECOND, NOW + 11 * SECOND,
                             SECOND / 10000);

    printf("# %u in the first second, then %u in ten\n", first, later);
    assert_int_equal(first, 2 * 200 - 1);
    assert_in_range(later, 1999, 2001);
}

static void
who_keeps_to_the_rate_is_never_refused(void **state)
{
    (void)state;
    int source_index = enter(0, host(1));

    assert_int_equal(
        passing(source_index, 200, NOW, NOW + 100 * SECOND, SECOND / 200),
        20000);
}

static void
a_rest_gives_a_seconds_worth_again(void **state)
{
    (void)state;
    int source_index = enter(0, host(1));

    assert_int_equal(passing(source_index, 50, NOW, NOW + 100, 1), 50);
    assert_int_equal(
        passing(source_index, 50, NOW + 5 * SECOND, NOW + 5 * SECOND + 100, 1),
        50);
}

/* ---- Several at once ---- */

static pthread_barrier_t start;

struct racer {
    pthread_t thread;
    void (*run)(struct racer *racer);
    unsigned slot;
    unsigned passed;
    int errors;
};

static void *
run_racer(void *with)
{
    struct racer *racer = with;

    pthread_barrier_wait(&start);
    racer->run(racer);
    return NULL;
}

/* All begin at once; returns how often they passed together. */
static unsigned
race(unsigned count, void (*run)(struct racer *racer))
{
    struct racer racers[SLOTS];
    unsigned passed = 0;

    pthread_barrier_init(&start, NULL, count);
    for (unsigned i = 0; i < count; i++) {
        racers[i] = (struct racer){.slot = i, .run = run};
        assert_int_equal(
            pthread_create(&racers[i].thread, NULL, run_racer, &racers[i]), 0);
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(racers[i].thread, NULL);
        assert_int_equal(racers[i].errors, 0);
        passed += racers[i].passed;
    }
    pthread_barrier_destroy(&start);
    return passed;
}

static uint64_t
clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Long enough for both to be at it, however busy the machine is. */
static void
run_at_the_rate(struct racer *racer)
{
    int source_index = enter(racer->slot, host(1));
    uint64_t end_ms = clock_ms() + 300;

    while (clock_ms() < end_ms)
        for (int i = 0; i < 1000; i++)
            racer->passed +=
                sources_on_time(segment, source_index, 100000000, NOW);
}

static void
two_at_once_share_one_rate_exactly(void **state)
{
    (void)state;
    uint64_t passed = race(2, run_at_the_rate);
    int source_index = enter(0, host(1));

    assert_true(passed > 1000 && passed <= 100000000);
    assert_int_equal(segment->sources[source_index].due_ns, NOW + 10 * passed);
}

/* What a process writes first lets another one, in another slot, do all of it
   meanwhile. */
static int source_at_its_limit, taken_meanwhile;

static void
take_meanwhile(int number)
{
    (void)number;
    assert(mprotect(segment, sizeof(*segment), PROT_READ | PROT_WRITE) == 0);
    taken_meanwhile = take(1, source_at_its_limit);
}

static void
whoever_writes_first_two_never_get_the_last_place_both(void **state)
{
    struct sigaction on_fault = {.sa_handler = take_meanwhile}, before;
    (void)state;

    source_at_its_limit = enter(0, host(1));
    assert_int_equal(enter(1, host(1)), source_at_its_limit);
    for (int i = 0; i < MAX - 1; i++)
        assert_int_equal(take(0, source_at_its_limit), 0);
    taken_meanwhile = 1;
    assert_int_equal(sigaction(SIGSEGV, &on_fault, &before), 0);
    assert_int_equal(mprotect(segment, sizeof(*segment), PROT_READ), 0);
    int own = take(0, source_at_its_limit);
    assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
    assert_int_equal(taken_meanwhile, 0);
    assert_int_equal(own, -EDQUOT);
    assert_int_equal(
        sources_sum(segment, source_at_its_limit, SEGMENT_CHARGE_binds), MAX);
}

/* All but one are taken: who gets that one is alone. */
static _Atomic int held;

static void
run_to_the_limit(struct racer *racer)
{
    int source_index = enter(racer->slot, host(1));

    for (int i = 0; i < 200000; i++) {
        if (take(racer->slot, source_index) < 0)
            continue;
        racer->errors += atomic_fetch_add(&held, 1) >= 1;
        for (volatile int spin = 0; spin < 100; spin++)
            ;
        atomic_fetch_sub(&held, 1);
        sources_give(segment, racer->slot, source_index, SEGMENT_CHARGE_binds);
    }
}

static void
no_two_get_past_a_limit_together(void **state)
{
    (void)state;
    int source_index = enter(0, host(1));

    for (int i = 0; i < MAX - 1; i++)
        assert_int_equal(take(0, source_index), 0);
    race(SLOTS, run_to_the_limit);
    assert_int_equal(take_all(0, source_index), 1);
}

/* Sources that all begin to look at the same place. */
static struct addr crowd[32];

static void
gather_crowd(void)
{
    size_t count = 0;

    for (uint32_t i = 0; count < COUNT(crowd); i++)
        if (siphash(segment->secret, 0xffff00000000 | addr_to_v4(host(i))) %
                SEGMENT_SOURCES ==
            0)
            crowd[count++] = host(i);
}

/* In place of a key while a worker changes it: this and more. */
#define MARKS (UINT64_MAX - SEGMENT_SLOTS)

/* Each holds what it entered for as long as it says, whoever else wants one
   of those few places. */
static void
run_for_a_place(struct racer *racer)
{
    struct random random = {.state = racer->slot};

    for (int i = 0; i < 200000; i++) {
        struct addr source = crowd[random_below(&random, COUNT(crowd))];
        int source_index = enter(racer->slot, source);
        if (source_index < 0)
            continue;
        uint64_t key = atomic_load(&segment->sources[source_index].key);
        racer->errors += key < MARKS && /* a worker looks whether it rests */
                         key != (0xffff00000000 | addr_to_v4(source));
        racer->passed++;
        sources_leave(segment, racer->slot, source_index);
    }
}

static void
places_change_hands_only_when_they_are_left(void **state)
{
    (void)state;
    uint64_t left = 0;

    gather_crowd();
    assert_true(race(SLOTS, run_for_a_place) > SLOTS * 100000);
    for (int i = 0; i < SEGMENT_SOURCES; i++)
        left += sessions(i);
    assert_int_equal(left, 0);
}

/* All enter the same source, which is new each time. */
#define ROUNDS 1000
static int places[SLOTS][ROUNDS];
static pthread_barrier_t next_round;

static void
run_to_the_same_place(struct racer *racer)
{
    for (uint32_t i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&next_round);
        places[racer->slot][i] = enter(racer->slot, host(i));
    }
}

static void
a_source_has_one_place_however_many_bring_it_at_once(void **state)
{
    (void)state;

    pthread_barrier_init(&next_round, NULL, SLOTS);
    race(SLOTS, run_to_the_same_place);
    pthread_barrier_destroy(&next_round);
    for (int i = 0; i < ROUNDS; i++)
        for (int slot = 0; slot < SLOTS; slot++) {
            assert_true(places[slot][i] >= 0);
            assert_int_equal(places[slot][i], places[0][i]);
        }
}

/* Each place has the mark of a worker that has died. */
static void
a_place_that_a_dead_worker_was_changing_goes_to_the_next(void **state)
{
    (void)state;

    for (unsigned dead = 0; dead < SEGMENT_SLOTS; dead += SEGMENT_SLOTS - 1) {
        for (int i = 0; i < SEGMENT_SOURCES; i++)
            atomic_store(&segment->sources[i].key, MARKS + dead);
        int place = enter(0, host(1));
        assert_true(place >= 0);
        assert_int_equal(enter(1, host(1)), place);
        sources_leave(segment, 0, place);
        sources_leave(segment, 1, place);
    }
}

/* ---- Refusals ---- */

static void
refusals_are_counted_anew_each_second(void **state)
{
    (void)state;
    int place = enter(0, host(1)), other = enter(1, host(2));

    for (uint32_t i = 1; i <= 200; i++)
        assert_int_equal(
            sources_refused(segment, place, NOW + i * (SECOND / 1000)), i);
    assert_int_equal(sources_refused(segment, other, NOW), 1);
    assert_int_equal(sources_refused(segment, place, NOW + SECOND - 1), 201);
    assert_int_equal(sources_refused(segment, place, NOW + SECOND), 1);
    assert_int_equal(sources_refused(segment, place, NOW + 5 * SECOND), 1);
}

/* Only a worker that was taken over writes such a count. */
static void
a_count_that_cannot_be_lasts_a_second(void **state)
{
    (void)state;
    int place = enter(0, host(1));

    atomic_store(&segment->sources[place].refused, UINT64_MAX);
    assert_int_equal(sources_refused(segment, place, NOW), 1);
    atomic_store(&segment->sources[place].refused, 1000ull << 32 | UINT32_MAX);
    assert_int_equal(sources_refused(segment, place, NOW), 1);
    atomic_store(&segment->sources[place].refused, 1000ull << 32 | 500);
    assert_int_equal(sources_refused(segment, place, NOW), 501);
    assert_int_equal(sources_refused(segment, place, NOW + SECOND), 1);
}

/* Whoever gets the place of a source that rests does not get its refusals. */
static void
the_next_source_of_a_place_begins_with_none(void **state)
{
    (void)state;
    int place = enter(0, host(1));
    uint32_t number = 2;

    for (int i = 0; i < 200; i++)
        sources_refused(segment, place, NOW);
    sources_leave(segment, 0, place);
    int next = enter(0, host(number));
    for (; next != place && number < 1000000; number++) {
        sources_leave(segment, 0, next);
        next = enter(0, host(number));
        assert_true(next >= 0);
    }
    assert_int_equal(next, place);
    assert_int_equal(sources_refused(segment, place, NOW), 1);
}

static void
a_block_is_an_address_or_a_64(void **state)
{
    (void)state;
    struct addr v6 = {.hi = 0xfd00000000000001, .lo = 7};

    assert_true(addr_equal(source_block(host(1)), host(1)));
    assert_int_equal(source_block(v6).hi, v6.hi);
    assert_int_equal(source_block(v6).lo, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(charges_so_many_and_no_more),
        TEST(all_slots_share_one_limit),
        TEST(a_dead_slots_charges_are_given_back),
        TEST(an_ipv6_source_is_a_slash_64),
        TEST(charges_as_a_naive_count_does),
        TEST(a_place_that_is_held_is_never_given_away),
        TEST(a_place_that_nobody_needs_goes_to_the_next),
        TEST(a_million_sources_take_no_more_than_the_table),
        TEST(a_source_that_comes_too_often_is_not_forgotten),
        TEST(a_seconds_worth_may_come_at_once_then_one_at_a_time),
        TEST(a_time_that_cannot_be_bans_nobody),
        TEST(a_flood_gets_its_rate_and_no_more),
        TEST(who_keeps_to_the_rate_is_never_refused),
        TEST(a_rest_gives_a_seconds_worth_again),
        TEST(two_at_once_share_one_rate_exactly),
        TEST(whoever_writes_first_two_never_get_the_last_place_both),
        TEST(no_two_get_past_a_limit_together),
        TEST(places_change_hands_only_when_they_are_left),
        TEST(a_source_has_one_place_however_many_bring_it_at_once),
        TEST(a_place_that_a_dead_worker_was_changing_goes_to_the_next),
        TEST(refusals_are_counted_anew_each_second),
        TEST(a_count_that_cannot_be_lasts_a_second),
        TEST(the_next_source_of_a_place_begins_with_none),
        TEST(a_block_is_an_address_or_a_64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
