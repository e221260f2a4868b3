#include "base/netset.h"
#include "tests/unit/unit.h"

/*
 * The naive model: one truth an address, of 256 addresses. They lie where
 * carries happen: in the middle, at the bottom and at the top of all.
 */
#define SPACE 256

struct model {
    struct addr base;
    bool has[SPACE];
};

static const struct addr bases[] = {
    {0, 0},
    {0, 0xffff0a000000},             /* 10.0.0.0 */
    {7, UINT64_MAX - SPACE / 2},     /* over a border of 64 bits */
    {UINT64_MAX, UINT64_MAX - 255u}, /* to the last address there is */
};

static struct addr
model_addr(const struct model *model, size_t i)
{
    uint64_t lo = model->base.lo + i;

    return (struct addr){model->base.hi + (lo < model->base.lo), lo};
}

static void
model_set(struct model *model, size_t first, size_t last, bool has)
{
    for (size_t i = first; i <= last; i++)
        model->has[i] = has;
}

static void
any_range(struct random *random, size_t *first, size_t *last)
{
    *first = random_below(random, SPACE);
    *last = *first + random_below(random, 24);
    if (*last >= SPACE)
        *last = SPACE - 1;
}

static void
assert_set_is_the_model(const struct netset *set, const struct model *model)
{
    for (size_t i = 0; i < SPACE; i++)
        assert_int_equal(netset_has(set, model_addr(model, i)), model->has[i]);
}

/* In order, disjoint, and not even touching each other. */
static void
assert_sealed(const struct netset *set)
{
    for (size_t i = 0; i < set->count; i++) {
        struct addr first = set->ranges[i].first;
        struct addr last = set->ranges[i].last;

        assert_true(addr_cmp(first, last) <= 0);
        if (i + 1 == set->count)
            break;
        last.hi += last.lo == UINT64_MAX;
        last.lo++;
        assert_true(addr_cmp(last, set->ranges[i + 1].first) < 0);
    }
}

static void
fill(struct random *random, struct netset *set, struct model *model)
{
    for (uint64_t n = random_below(random, 16); n > 0; n--) {
        size_t first, last;

        any_range(random, &first, &last);
        model_set(model, first, last, true);
        assert_int_equal(
            netset_add(set, model_addr(model, first), model_addr(model, last)),
            0);
    }
    netset_seal(set);
}

static void
has_what_a_naive_model_has(void **state)
{
    struct random random;

    (void)state;
    random_init(&random, 8);
    for (unsigned round = 0; round < 4000; round++) {
        struct model model = {.base = bases[round % COUNT(bases)]};
        struct netset set;

        netset_init(&set);
        fill(&random, &set, &model);
        assert_sealed(&set);
        assert_set_is_the_model(&set, &model);
        netset_fini(&set);
    }
}

static void
loses_what_a_naive_model_loses(void **state)
{
    struct random random;

    (void)state;
    random_init(&random, 9);
    for (unsigned round = 0; round < 4000; round++) {
        struct model model = {.base = bases[round % COUNT(bases)]};
        struct netset set;
        size_t first, last;

        netset_init(&set);
        fill(&random, &set, &model);
        for (uint64_t n = random_below(&random, 8); n > 0; n--) {
            any_range(&random, &first, &last);
            model_set(&model, first, last, false);
            assert_int_equal(netset_remove(&set, model_addr(&model, first),
                                           model_addr(&model, last)),
                             0);
            assert_sealed(&set);
            assert_set_is_the_model(&set, &model);
        }
        netset_fini(&set);
    }
}

static void
adds_another_set(void **state)
{
    struct random random;

    (void)state;
    random_init(&random, 10);
    for (unsigned round = 0; round < 1000; round++) {
        struct model model = {.base = bases[round % COUNT(bases)]};
        struct netset set, other;

        netset_init(&set);
        netset_init(&other);
        fill(&random, &set, &model);
        fill(&random, &other, &model);
        assert_int_equal(netset_add_set(&set, &other), 0);
        netset_seal(&set);
        assert_sealed(&set);
        assert_set_is_the_model(&set, &model);
        netset_fini(&other);
        netset_fini(&set);
    }
}

static void
covers_and_meets_what_a_naive_model_does(void **state)
{
    struct random random;
    unsigned covered = 0, met = 0, apart = 0;

    (void)state;
    random_init(&random, 11);
    for (unsigned round = 0; round < 4000; round++) {
        struct model model = {.base = bases[round % COUNT(bases)]};
        struct model other_model = {.base = model.base};
        struct netset set, other;
        bool covers = true, meets = false;

        netset_init(&set);
        netset_init(&other);
        fill(&random, &set, &model);
        fill(&random, &other, &other_model);
        if (random_below(&random, 3) == 0) /* one that is covered */
            for (size_t i = 0; i < other.count; i++) {
                size_t first =
                    (size_t)(other.ranges[i].first.lo - model.base.lo);
                size_t last = (size_t)(other.ranges[i].last.lo - model.base.lo);
                model_set(&model, first, last, true);
                assert_int_equal(netset_add(&set, other.ranges[i].first,
                                            other.ranges[i].last),
                                 0);
            }
        netset_seal(&set);
        for (size_t i = 0; i < SPACE; i++) {
            covers = covers && (model.has[i] || !other_model.has[i]);
            meets = meets || (model.has[i] && other_model.has[i]);
        }
        assert_int_equal(netset_covers(&set, &other), covers);
        assert_int_equal(netset_meets(&set, &other), meets);
        covered += covers;
        met += meets && !covers;
        apart += !meets && !covers;
        netset_fini(&other);
        netset_fini(&set);
    }
    assert_true(covered > 400 && met > 400 && apart > 40);
}

static void
an_empty_set_has_nothing(void **state)
{
    struct netset set, other;

    (void)state;
    netset_init(&set);
    netset_init(&other);
    netset_seal(&set);
    assert_int_equal(netset_add_set(&set, &other), 0);
    assert_int_equal(netset_remove(&set, addr_v4(0), addr_v4(UINT32_MAX)), 0);
    assert_false(netset_has(&set, addr_v4(0)));
    assert_int_equal(set.count, 0);
    netset_fini(&set);
    netset_fini(&set);
}

static void
the_set_of_all_addresses_loses_its_middle_and_its_ends(void **state)
{
    const struct addr bottom = {0, 0}, top = {UINT64_MAX, UINT64_MAX};
    struct netset set;

    (void)state;
    netset_init(&set);
    assert_int_equal(netset_add(&set, bottom, top), 0);
    netset_seal(&set);
    assert_int_equal(netset_remove(&set, addr_v4(0), addr_v4(UINT32_MAX)), 0);
    assert_int_equal(set.count, 2);
    assert_false(netset_has(&set, addr_v4(0x0a000001)));
    assert_true(netset_has(&set, (struct addr){0, 1}));
    assert_int_equal(netset_remove(&set, bottom, bottom), 0);
    assert_int_equal(netset_remove(&set, top, top), 0);
    assert_false(netset_has(&set, bottom));
    assert_false(netset_has(&set, top));
    assert_true(netset_has(&set, (struct addr){0, 1}));
    assert_int_equal(netset_remove(&set, bottom, top), 0);
    assert_int_equal(set.count, 0);
    netset_fini(&set);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_what_a_naive_model_has),
        cmocka_unit_test(loses_what_a_naive_model_loses),
        cmocka_unit_test(adds_another_set),
        cmocka_unit_test(covers_and_meets_what_a_naive_model_does),
        cmocka_unit_test(an_empty_set_has_nothing),
        cmocka_unit_test(
            the_set_of_all_addresses_loses_its_middle_and_its_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
