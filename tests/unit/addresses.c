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

static void
a_reader_sees_what_is_published(void **state)
{
    struct addr list[] = {addr_v4(9), {.lo = 1}, addr_v4(3), addr_v4(3)};
    const struct addresses *read = mapped();

    (void)state;
    assert_int_equal(addresses_has(read, addr_v4(3)), -EAGAIN);
    addresses_publish(map, list, COUNT(list));
    assert_int_equal(addresses_has(read, addr_v4(3)), 1);
    assert_int_equal(addresses_has(read, addr_v4(9)), 1);
    assert_int_equal(addresses_has(read, (struct addr){.lo = 1}), 1);
    assert_int_equal(addresses_has(read, addr_v4(4)), 0);
    list[0] = addr_v4(4);
    addresses_publish(map, list, 1);
    assert_int_equal(addresses_has(read, addr_v4(4)), 1);
    assert_int_equal(addresses_has(read, addr_v4(9)), 0);
    addresses_publish(map, list, 0);
    assert_int_equal(addresses_has(read, addr_v4(4)), 0);
    addresses_unmap(read);
}

static void
a_list_that_is_not_there_or_too_long_knows_nothing(void **state)
{
    struct addr *list = calloc(ADDRESSES_MAX + 1, sizeof(*list));
    const struct addresses *read = mapped();

    (void)state;
    assert_non_null(list);
    for (uint32_t i = 0; i <= ADDRESSES_MAX; i++)
        list[i] = addr_v4(i);
    addresses_publish(map, list, ADDRESSES_MAX);
    assert_int_equal(addresses_has(read, addr_v4(ADDRESSES_MAX - 1)), 1);
    addresses_publish(map, list, ADDRESSES_MAX + 1);
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
        struct addr list[64];
        for (uint32_t i = 0; i < COUNT(list); i++)
            list[i] = addr_v4((round % 2 ? 1000 : 2000) + i);
        list[round % 64] = addr_v4(1500);
        addresses_publish(map, list, COUNT(list));
    }
    atomic_store(&over, 1);
    return NULL;
}

static void
a_list_that_changes_is_read_whole_or_not_at_all(void **state)
{
    struct addr first[] = {addr_v4(1500)};
    const struct addresses *read = mapped();
    unsigned long known = 0;
    pthread_t writer;

    (void)state;
    addresses_publish(map, first, 1);
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
        TEST(a_list_that_is_not_there_or_too_long_knows_nothing),
        TEST(a_reader_can_never_write),
        TEST(no_other_file_is_taken_for_one),
        TEST(a_list_that_changes_is_read_whole_or_not_at_all),
#undef TEST
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
