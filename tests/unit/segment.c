#include "gateway/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct segment *segment;
static int fd;

static int
setup(void **state)
{
    (void)state;
    fd = segment_create(&segment);
    return fd < 0 ? -1 : 0;
}

static int
teardown(void **state)
{
    (void)state;
    munmap(segment, sizeof(*segment));
    return close(fd);
}

static void
starts_with_every_figure_at_zero(void **state)
{
    (void)state;
    for (enum segment_counter i = 0; i < SEGMENT_COUNTER_COUNT; i++)
        assert_int_equal(segment_counter_sum(segment, i), 0);
    for (enum segment_gauge i = 0; i < SEGMENT_GAUGE_COUNT; i++)
        assert_int_equal(segment_gauge_sum(segment, i), 0);
    assert_int_equal(atomic_load(&segment->next_session), 0);
}

static void
sums_all_columns_the_monitors_own_included(void **state)
{
    (void)state;
    struct segment_column *columns = segment->columns;
    segment_count(&columns[0], SEGMENT_COUNTER_dropped, 3);
    segment_count(&columns[SEGMENT_SLOTS - 1], SEGMENT_COUNTER_dropped, 4);
    segment_count(&columns[SEGMENT_MONITOR], SEGMENT_COUNTER_dropped, 5);
    segment_charge(&columns[0], SEGMENT_GAUGE_live, 2);
    segment_charge(&columns[1], SEGMENT_GAUGE_live, 7);
    segment_charge(&columns[1], SEGMENT_GAUGE_live, -6);
    assert_int_equal(segment_counter_sum(segment, SEGMENT_COUNTER_dropped), 12);
    assert_int_equal(segment_gauge_sum(segment, SEGMENT_GAUGE_live), 3);
}

static void
retires_a_dead_workers_gauges_and_keeps_its_counters(void **state)
{
    (void)state;
    struct segment_column *column = &segment->columns[3];
    segment_charge(column, SEGMENT_GAUGE_live, 9);
    segment_charge(column, SEGMENT_GAUGE_pending, 4);
    segment_count(column, SEGMENT_COUNTER_accepted, 20);
    atomic_store(&column->serving, 1);
    assert_int_equal(segment_retire(segment, 3), 9);
    for (enum segment_gauge i = 0; i < SEGMENT_GAUGE_COUNT; i++)
        assert_int_equal(segment_gauge_sum(segment, i), 0);
    assert_int_equal(segment_counter_sum(segment, SEGMENT_COUNTER_lost), 9);
    assert_int_equal(segment_counter_sum(segment, SEGMENT_COUNTER_accepted),
                     20);
    assert_int_equal(atomic_load(&column->serving), 0);
}

static void
retires_a_dead_workers_charges_and_no_others(void **state)
{
    (void)state;
    const int places[] = {0, 7, SEGMENT_SOURCES - 1};
    for (int i = 0; i < 3; i++)
        for (int which = 0; which < SEGMENT_CHARGE_COUNT; which++) {
            segment->charges[3][places[i]].count[which] = 2;
            segment->charges[4][places[i]].count[which] = 1;
        }
    segment_retire(segment, 3);
    for (int i = 0; i < 3; i++)
        for (int which = 0; which < SEGMENT_CHARGE_COUNT; which++) {
            assert_int_equal(segment->charges[3][places[i]].count[which], 0);
            assert_int_equal(segment->charges[4][places[i]].count[which], 1);
        }
}

static void
retires_a_dead_workers_sessions_and_keeps_its_series(void **state)
{
    (void)state;
    segment_serve(segment, 3, 1);
    for (unsigned slot = 3; slot < 6; slot++) {
        series_live_add(&segment->lives[slot].count[2][SESSION_RELAY], 7);
        series_count(&segment->series[slot], series_key(2, 1, 90, 1));
    }
    segment_retire(segment, 3);
    segment_clear(segment, fd, 4, 5);
    assert_int_equal(segment->lives[3].count[2][SESSION_RELAY], 0);
    assert_int_equal(segment->lives[4].count[2][SESSION_RELAY], 0);
    assert_int_equal(segment->lives[5].count[2][SESSION_RELAY], 7);
    for (unsigned slot = 3; slot < 6; slot++)
        assert_int_equal(segment->series[slot].outcomes[0], 1);
    /* Fewer slots in use later: what was counted in them is still read. */
    atomic_store(&segment->slots, 0);
    assert_int_equal(atomic_load(&segment->counted), 4);
}

static void
restores_what_no_worker_may_change(void **state)
{
    (void)state;
    struct segment_head head, before;
    atomic_store(&segment->next_session, 500);
    segment_keep(segment, &head);
    before = head;
    atomic_fetch_add(&segment->next_session, 100000);
    assert_false(segment_restore(segment, &head));
    assert_int_equal(atomic_load(&segment->next_session), 100500);
    for (int which = 0; which < 5; which++) {
        segment->secret[0] ^= which == 0;
        segment->began_ms += which == 1;
        if (which == 2) /* back: ids of the last moments are left out */
            atomic_store(&segment->next_session, 100499);
        if (which == 3)
            atomic_store(&segment->next_session, UINT64_MAX);
        if (which == 4) /* where the numbers of JSON would soon be at an end */
            atomic_fetch_add(&segment->next_session, UINT64_C(1) << 33);
        uint64_t known = head.next_session;
        assert_true(segment_restore(segment, &head));
        assert_false(segment_restore(segment, &head));
        assert_memory_equal(segment->secret, before.secret,
                            sizeof(before.secret));
        assert_int_equal(segment->began_ms, before.began_ms);
        uint64_t next = atomic_load(&segment->next_session);
        assert_true(next >= known && next < 1u << 30);
        assert_int_equal(next > known, which >= 2);
    }
}

/* One that was taken over has filled all that there is. */
static void
forgets_what_was_counted_in_slots_that_never_were(void **state)
{
    (void)state;
    struct stat before, after;
    segment_serve(segment, 1, 1);
    for (unsigned slot = 0; slot < SEGMENT_SLOTS; slot++) {
        memset(&segment->series[slot], 1, sizeof(segment->series[slot]));
        memset(&segment->speakers[slot], 1, sizeof(segment->speakers[slot]));
        segment_count(&segment->columns[slot], SEGMENT_COUNTER_granted, 1);
    }
    atomic_store(&segment->counted, SEGMENT_SLOTS);
    assert_int_equal(fstat(fd, &before), 0);
    segment_forget(segment, fd, 2);
    assert_int_equal(fstat(fd, &after), 0);
    assert_int_equal(segment_counter_sum(segment, SEGMENT_COUNTER_granted), 2);
    assert_int_equal(atomic_load(&segment->counted), 2);
    assert_int_equal(segment->series[1].keys[0], 0x01010101);
    assert_int_equal(segment->series[2].keys[0], 0);
    assert_int_equal(segment->speakers[1].sets[0].tags[0], 0x0101);
    assert_int_equal(segment->speakers[2].sets[0].tags[0], 0);
    assert_true(after.st_blocks < before.st_blocks / 32);
    atomic_store(&segment->counted, 0); /* so that nothing is shown */
    segment_forget(segment, fd, 2);
    assert_int_equal(atomic_load(&segment->counted), 2);
}

static void
sums_the_slots_that_served_and_no_more(void **state)
{
    (void)state;
    segment_serve(segment, 1, 1);
    segment_serve(segment, 1, 0);
    for (int i = 0; i < 3; i++)
        segment_charge(&segment->columns[i], SEGMENT_GAUGE_live, 1 << i);
    assert_int_equal(segment_served_sum(segment, SEGMENT_GAUGE_live), 3);
}

static void
shows_one_process_what_another_counts(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct segment *theirs;
        if (segment_map(fd, &theirs) != 0)
            _exit(1);
        segment_count(&theirs->columns[1], SEGMENT_COUNTER_granted, 42);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(segment_counter_sum(segment, SEGMENT_COUNTER_granted), 42);
}

static void
cannot_be_resized_by_whoever_holds_it(void **state)
{
    (void)state;
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(ftruncate(fd, 2 * sizeof(*segment)), -1);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
}

static void
refuses_a_file_of_another_size(void **state)
{
    (void)state;
    struct segment *none;
    int other = memfd_create("other", MFD_CLOEXEC);
    assert_true(other >= 0);
    assert_int_equal(segment_map(other, &none), -EINVAL);
    close(other);
    assert_int_equal(segment_map(other, &none), -EBADF);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(starts_with_every_figure_at_zero),
        T(sums_all_columns_the_monitors_own_included),
        T(retires_a_dead_workers_gauges_and_keeps_its_counters),
        T(retires_a_dead_workers_charges_and_no_others),
        T(retires_a_dead_workers_sessions_and_keeps_its_series),
        T(restores_what_no_worker_may_change),
        T(forgets_what_was_counted_in_slots_that_never_were),
        T(sums_the_slots_that_served_and_no_more),
        T(shows_one_process_what_another_counts),
        T(cannot_be_resized_by_whoever_holds_it),
        T(refuses_a_file_of_another_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
