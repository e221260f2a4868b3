#include "gateway/addresses.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static struct addresses *map;
static int fd;

static int
setup(void **state)
{
    (void)state;
    fd = addresses_create(&map);
    return fd < 0 || map == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
    (void)state;
    addresses_unmap(map);
    return close(fd);
}

static const struct addresses *
mapped(void)
{
    const struct addresses *read;

    assert_int_equal(addresses_map(fd, &read), 0);
    return read;
}

/* A sealed set of ranges. */
static void
publish(struct netset_range *ranges, size_t count)
{
    const struct netset set = {.ranges = ranges, .count = count};

    addresses_publish(map, &set);
}

#define V4(first, last)                                                        \
    {                                                                          \
        addr_v4(first), addr_v4(last)                                          \
    }

static void
a_reader_sees_what_is_published(void **state)
{
    struct netset_range list[] = {{{.lo = 1}, {.lo = 1}}, V4(3, 3), V4(9, 9)};
    const struct addresses *read = mapped();

    (void)state;
    assert_int_equal(addresses_has(read, addr_v4(3)), -EAGAIN);
    publish(list, COUNT(list));
    assert_int_equal(addresses_has(read, addr_v4(3)), 1);
    assert_int_equal(addresses_has(read, addr_v4(9)), 1);
    assert_int_equal(addresses_has(read, (struct addr){.lo = 1}), 1);
    assert_int_equal(addresses_has(read, addr_v4(4)), 0);
    publish(list, 1);
    assert_int_equal(addresses_has(read, addr_v4(3)), 0);
    publish(list, 0);
    assert_int_equal(addresses_has(read, (struct addr){.lo = 1}), 0);
    addresses_publish(map, NULL);
    assert_int_equal(addresses_has(read, addr_v4(3)), -EAGAIN);
    addresses_unmap(read);
}

static void
a_network_has_its_addresses_and_no_others(void **state)
{
    struct netset_range list[] = {
        V4(10, 19), V4(21, 21), {{.hi = 1}, {.hi = 1, .lo = UINT64_MAX}}};
    const struct addresses *read = mapped();

    (void)state;
    publish(list, COUNT(list));
    for (uint32_t i = 0; i < 30; i++)
        assert_int_equal(addresses_has(read, addr_v4(i)),
                         (i >= 10 && i <= 19) || i == 21);
    assert_int_equal(addresses_has(read, (struct addr){.hi = 1, .lo = 7}), 1);
    assert_int_equal(
        addresses_has(read, (struct addr){.hi = 1, .lo = UINT64_MAX}), 1);
    assert_int_equal(addresses_has(read, (struct addr){.hi = 2}), 0);
    assert_int_equal(addresses_has(read, (struct addr){.lo = UINT64_MAX}), 0);
    addresses_unmap(read);
}

static void
a_list_that_is_not_there_or_too_long_knows_nothing(void **state)
{
    struct netset_range *list = calloc(ADDRESSES_MAX + 1, sizeof(*list));
    const struct addresses *read = mapped();

    (void)state;
    assert_non_null(list);
    for (uint32_t i = 0; i <= ADDRESSES_MAX; i++)
        list[i] = (struct netset_range)V4(2 * i, 2 * i);
    publish(list, ADDRESSES_MAX);
    assert_int_equal(addresses_has(read, addr_v4(2 * ADDRESSES_MAX - 2)), 1);
    publish(list, ADDRESSES_MAX + 1);
    assert_int_equal(addresses_has(read, addr_v4(0)), -EAGAIN);
    assert_int_equal(addresses_has(NULL, addr_v4(0)), -EAGAIN);
    addresses_unmap(read);
    free(list);
}

/* A worker has the descriptor, and may have been taken over. */
static void
a_reader_can_never_write(void **state)
{
    char path[32];
    char octet = 1;

    (void)state;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    assert_int_equal(pwrite(fd, &octet, 1, 0), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_ptr_equal(
        mmap(NULL, sizeof(*map), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
        MAP_FAILED);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    const struct addresses *read = mapped();
    assert_int_equal(mprotect((void *)(uintptr_t)read, sizeof(*read),
                              PROT_READ | PROT_WRITE),
                     -1);
    addresses_unmap(read);
    int again = open(path, O_RDWR | O_CLOEXEC);
    assert_true(again < 0 || pwrite(again, &octet, 1, 0) == -1);
    if (again >= 0)
        close(again);
}

static void
no_other_file_is_taken_for_one(void **state)
{
    const struct addresses *read;
    int other = memfd_create("other", MFD_CLOEXEC);

    (void)state;
    assert_int_equal(addresses_map(other, &read), -EBADMSG);
    assert_int_equal(ftruncate(other, sizeof(*map) - 1), 0);
    assert_int_equal(addresses_map(other, &read), -EBADMSG);
    close(other);
    assert_int_equal(addresses_map(-1, &read), -EBADF);
}

static _Atomic int over;

/* Two lists in turn, with one address in common. */
static void *
publish_again_and_again(void *argument)
{
    (void)argument;
    for (uint32_t round = 0; round < 20000; round++) {
        struct netset_range list[64];
        uint32_t other = round % 2 ? 1000 : 2000;
        for (uint32_t i = 0; i < COUNT(list); i++)
            list[i] = (struct netset_range)V4(other + 2 * i, other + 2 * i);
        list[round % 2 ? 63 : 0] = (struct netset_range)V4(1500, 1510);
        publish(list, COUNT(list));
    }
    atomic_store(&over, 1);
    return NULL;
}

static void
a_list_that_changes_is_read_whole_or_not_at_all(void **state)
{
    struct netset_range first[] = {V4(1500, 1500)};
    const struct addresses *read = mapped();
    unsigned long known = 0;
    pthread_t writer;

    (void)state;
    publish(first, 1);
    assert_int_equal(
        pthread_create(&writer, NULL, publish_again_and_again, NULL), 0);
    while (!atomic_load(&over)) {
        int has = addresses_has(read, addr_v4(1500));
        assert_true(has == 1 || has == -EAGAIN);
        assert_true(addresses_has(read, addr_v4(3000)) <= 0);
        known += has == 1;
    }
    pthread_join(writer, NULL);
    assert_true(known > 0);
    addresses_unmap(read);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(a_reader_sees_what_is_published),
        TEST(a_network_has_its_addresses_and_no_others),
        TEST(a_list_that_is_not_there_or_too_long_knows_nothing),
        TEST(a_reader_can_never_write),
        TEST(no_other_file_is_taken_for_one),
        TEST(a_list_that_changes_is_read_whole_or_not_at_all),
#undef TEST
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
