#include "gateway/worker/limits.h"

#include <errno.h>
#include <sys/wait.h>

#include "tests/unit/unit.h"

#define SLOTS 4
#define SOURCES 24
#define MAX 5

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
take(unsigned slot, struct addr source)
{
    return limits_take_bind(segment, slot, source, MAX);
}

/* Takes all that is left; how much that was. */
static int
take_all(unsigned slot, struct addr source)
{
    int count = 0;

    while (take(slot, source) >= 0)
        count++;
    assert_int_equal(take(slot, source), -EDQUOT);
    return count;
}

static void
charges_so_many_and_no_more(void **state)
{
    (void)state;
    assert_int_equal(take_all(0, host(1)), MAX);
    assert_int_equal(take_all(0, host(2)), MAX);
}

static void
all_slots_share_one_limit(void **state)
{
    (void)state;
    int where[SLOTS];

    for (unsigned slot = 0; slot < SLOTS; slot++) {
        where[slot] = take(slot, host(1));
        assert_int_equal(where[slot], where[0]);
    }
    assert_int_equal(take_all(2, host(1)), MAX - SLOTS);
    for (unsigned slot = 0; slot < SLOTS; slot++)
        assert_int_equal(take(slot, host(1)), -EDQUOT);
    limits_give_bind(segment, 3, where[3]);
    assert_int_equal(take_all(0, host(1)), 1);
}

static void
a_dead_slots_charges_are_given_back(void **state)
{
    (void)state;
    for (unsigned slot = 0; slot < SLOTS; slot++)
        assert_true(take(slot, host(1)) >= 0);
    assert_true(take(1, host(1)) >= 0);
    segment_retire(segment, 1);
    assert_int_equal(take_all(0, host(1)), 2);
}

static void
an_ipv6_source_is_a_slash_64(void **state)
{
    (void)state;
    struct addr one = {0x20010db800000001, 1};
    struct addr neighbour = {0x20010db800000001, UINT64_MAX};
    struct addr other = {0x20010db800000002, 1};
    struct addr unspecified = {0, 0};

    assert_true(take(0, one) >= 0);
    assert_int_equal(take_all(0, neighbour), MAX - 1);
    assert_int_equal(take_all(0, other), MAX);
    assert_int_equal(take_all(0, unspecified), MAX);
    assert_int_equal(take_all(0, addr_v4(0)), MAX);
}

static void
the_widest_limit_is_one_too(void **state)
{
    (void)state;
    for (int i = 0; i < UINT16_MAX; i++)
        assert_true(limits_take_bind(segment, 0, host(1), UINT16_MAX) >= 0);
    assert_int_equal(limits_take_bind(segment, 0, host(1), UINT16_MAX),
                     -EDQUOT);
    assert_int_equal(limits_take_bind(segment, 1, host(1), UINT16_MAX),
                     -EDQUOT);
}

/* Random takes, gives and deaths against plain counting. */
struct model {
    int count[SOURCES][SLOTS];
    int where[SOURCES];
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
    unsigned slot = (unsigned)random_below(random, SLOTS);
    int *count = model->count[source];

    if (random_below(random, 500) == 0) {
        segment_retire(segment, slot);
        for (size_t i = 0; i < SOURCES; i++)
            model->count[i][slot] = 0;
    } else if (random_below(random, 5) < 3) {
        int where = take(slot, host((uint32_t)source));
        answers[where >= 0]++;
        assert_int_equal(where >= 0, sum(count) < MAX);
        if (where < 0)
            return;
        model->where[source] = where;
        count[slot]++;
    } else if (count[slot] > 0) {
        limits_give_bind(segment, slot, model->where[source]);
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
    for (int i = 0; i < 100000; i++)
        step(&random, &model, answers);
    printf("# %d granted, %d refused\n", answers[1], answers[0]);
    assert_true(answers[1] > 12000 && answers[0] > 12000);
}

/* Many times more sources than places. */
static void
a_charged_place_is_never_given_away(void **state)
{
    (void)state;
    enum { MANY = 4 * SEGMENT_SOURCES };
    static int where[MANY];
    static bool used[SEGMENT_SOURCES];
    size_t placed = 0;

    for (uint32_t i = 0; i < MANY; i++) {
        where[i] = limits_take_bind(segment, i % SLOTS, host(i), 1);
        if (where[i] == -ENOSPC)
            continue;
        assert_in_range(where[i], 0, SEGMENT_SOURCES - 1);
        assert_false(used[where[i]]);
        used[where[i]] = true;
        placed++;
    }
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(limits_take_bind(segment, 0, host(i), 1),
                         where[i] < 0 ? -ENOSPC : -EDQUOT);
    printf("# %zu of %d places are taken\n", placed, SEGMENT_SOURCES);
    assert_true(placed > SEGMENT_SOURCES * 9 / 10);
}

static void
a_place_that_nobody_uses_goes_to_the_next(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 16 * SEGMENT_SOURCES; i++) {
        int where = limits_take_bind(segment, 0, host(i), 1);
        assert_in_range(where, 0, SEGMENT_SOURCES - 1);
        limits_give_bind(segment, 0, where);
    }
}

/* Several processes at once, as workers are. */
static void
hold_and_release(unsigned slot, _Atomic int *held)
{
    for (int i = 0; i < 20000; i++) {
        int where = take(slot, host(1));
        if (where < 0)
            continue;
        if (atomic_fetch_add(held, 1) >= MAX)
            _exit(1);
        if (i % 64 == 0)
            usleep(1);
        atomic_fetch_sub(held, 1);
        limits_give_bind(segment, slot, where);
    }
    _exit(0);
}

static void
no_two_processes_get_past_it_together(void **state)
{
    (void)state;
    _Atomic int *held = mmap(NULL, sizeof(*held), PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    enum { PROCESSES = 2 * MAX };
    pid_t pids[PROCESSES];

    atomic_store(&segment->slots, PROCESSES);
    for (unsigned i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            hold_and_release(i, held);
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        int status = -1;
        waitpid(pids[i], &status, 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(take_all(0, host(1)), MAX);
    munmap(held, sizeof(*held));
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
        TEST(the_widest_limit_is_one_too),
        TEST(charges_as_a_naive_count_does),
        TEST(a_charged_place_is_never_given_away),
        TEST(a_place_that_nobody_uses_goes_to_the_next),
        TEST(no_two_processes_get_past_it_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
