#include "base/bpf.h"
#include "tests/unit/unit.h"

/* The instructions that are written, and what the kernel makes of them: the
   verdict on a packet from there. */
static uint32_t
run(const struct sock_filter *program, size_t size, uint32_t source)
{
    uint32_t a = 0;
    size_t at = 0;

    for (size_t steps = 0; steps < size; steps++) {
        assert_true(at < size);
        const struct sock_filter *now = &program[at++];
        switch (now->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            assert_int_equal(now->k, (uint32_t)SKF_NET_OFF + 12);
            a = source;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            at += a >= now->k ? now->jt : now->jf;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            at += a > now->k ? now->jt : now->jf;
            break;
        case BPF_RET | BPF_K:
            return now->k;
        default:
            fail_msg("instruction %#x", now->code);
        }
    }
    fail_msg("no verdict");
    return 0;
}

static bool
passes(const struct sock_filter *program, size_t size, uint32_t source)
{
    uint32_t verdict = run(program, size, source);

    assert_true(verdict == 0 || verdict == UINT32_MAX);
    return verdict != 0;
}

/* A range around where it matters: IPv4, both its borders, beyond it. */
static void
any_range(struct random *random, struct addr *first, struct addr *last)
{
    static const uint64_t lows[] = {0, 0xfffeffffff00, 0xffff00000000,
                                    0xffff0a000000, 0xffffffffff00};
    uint64_t low = lows[random_below(random, COUNT(lows))];

    *first = (struct addr){0, low + random_below(random, 512)};
    *last = *first;
    if (random_below(random, 3) > 0)
        last->lo +=
            random_below(random, UINT64_C(1) << random_below(random, 34));
    if (random_below(random, 16) == 0)
        last->hi = 7;
}

static void
any_set(struct random *random, struct netset *set)
{
    netset_init(set);
    for (uint64_t i = random_below(random, 20); i > 0; i--) {
        struct addr first, last;
        any_range(random, &first, &last);
        if (addr_cmp(first, last) <= 0)
            assert_int_equal(netset_add(set, first, last), 0);
    }
    netset_seal(set);
}

/* Anywhere, or within one of a border of a range. */
static uint32_t
any_source(struct random *random, const struct netset *set)
{
    if (set->count == 0 || random_below(random, 4) == 0)
        return (uint32_t)random_next(random);
    const struct netset_range *range =
        &set->ranges[random_below(random, set->count)];
    uint64_t border =
        random_below(random, 2) > 0 ? range->first.lo : range->last.lo;
    return (uint32_t)(border + random_below(random, 3) - 1);
}

static void
lets_through_what_the_set_has(void **state)
{
    (void)state;
    struct random random;
    struct sock_filter program[BPF_SOURCES_SIZE(32)];
    int passed = 0, dropped = 0;

    random_init(&random, 31);
    for (int i = 0; i < 2000; i++) {
        struct netset set;
        any_set(&random, &set);
        size_t size = bpf_sources(&set, program, COUNT(program));
        assert_in_range(size, 1, BPF_SOURCES_SIZE(set.count));
        for (int j = 0; j < 200; j++) {
            uint32_t source = any_source(&random, &set);
            bool has = netset_has(&set, addr_v4(source));
            assert_int_equal(passes(program, size, source), has);
            *(has ? &passed : &dropped) += 1;
        }
        netset_fini(&set);
    }
    printf("# %d passed, %d dropped\n", passed, dropped);
    assert_true(passed > 80000 && dropped > 80000);
}

static void
one_address_is_exactly_one(void **state)
{
    (void)state;
    struct netset_range only = {addr_v4(0x0a020002), addr_v4(0x0a020002)};
    struct netset set = {.ranges = &only, .count = 1};
    struct sock_filter program[8];
    size_t size = bpf_sources(&set, program, COUNT(program));

    assert_true(passes(program, size, 0x0a020002));
    assert_false(passes(program, size, 0x0a020001));
    assert_false(passes(program, size, 0x0a020003));
    assert_false(passes(program, size, 0x0200020a));
    assert_false(passes(program, size, 0));
    assert_false(passes(program, size, UINT32_MAX));
}

static void
an_empty_set_and_one_of_ipv6_let_nobody_through(void **state)
{
    (void)state;
    struct netset_range six = {{0x20010db8ull << 32, 0},
                               {0x20010db8ull << 32, UINT64_MAX}};
    struct netset sets[] = {{.count = 0}, {.ranges = &six, .count = 1}};
    struct sock_filter program[8];

    for (size_t i = 0; i < COUNT(sets); i++) {
        size_t size = bpf_sources(&sets[i], program, COUNT(program));
        assert_true(size > 0);
        assert_false(passes(program, size, 0));
        assert_false(passes(program, size, 0x0a020002));
        assert_false(passes(program, size, UINT32_MAX));
    }
}

static void
all_addresses_are_all_sources(void **state)
{
    (void)state;
    struct netset_range all = {{0, 0}, {UINT64_MAX, UINT64_MAX}};
    struct netset set = {.ranges = &all, .count = 1};
    struct sock_filter program[8];
    size_t size = bpf_sources(&set, program, COUNT(program));

    assert_true(passes(program, size, 0));
    assert_true(passes(program, size, 0x0a020002));
    assert_true(passes(program, size, UINT32_MAX));
}

/* Octets behind the room stay as they were. */
static void
what_does_not_fit_is_not_written(void **state)
{
    (void)state;
    static struct netset_range ranges[BPF_MAXINSNS / 3 + 1];
    static struct sock_filter program[BPF_SOURCES_SIZE(COUNT(ranges))];
    struct netset set = {.ranges = ranges};

    for (size_t i = 0; i < COUNT(ranges); i++)
        ranges[i].first = ranges[i].last = addr_v4((uint32_t)(2 * i));
    for (set.count = 1; set.count < 20; set.count++) {
        size_t size = BPF_SOURCES_SIZE(set.count);
        program[size].k = 1234;
        assert_int_equal(bpf_sources(&set, program, size), size);
        assert_int_equal(bpf_sources(&set, program, size - 1), 0);
        assert_int_equal(program[size].k, 1234);
    }
    set.count = (BPF_MAXINSNS - 2) / 3;
    assert_in_range(bpf_sources(&set, program, COUNT(program)), 1,
                    BPF_MAXINSNS);
    set.count++;
    assert_int_equal(bpf_sources(&set, program, COUNT(program)), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lets_through_what_the_set_has),
        cmocka_unit_test(one_address_is_exactly_one),
        cmocka_unit_test(an_empty_set_and_one_of_ipv6_let_nobody_through),
        cmocka_unit_test(all_addresses_are_all_sources),
        cmocka_unit_test(what_does_not_fit_is_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
