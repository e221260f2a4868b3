/* Quotas of control groups, read from files as each version has them. */

#include "gateway/config/cgroup.h"

#include <errno.h>
#include <sys/stat.h>

#include "tests/unit/unit.h"

#define NONE UINT64_MAX

static char folder[64];

static int
setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/cgroup-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

/* Writes a file below the folder, and makes the folders on its way. */
static void
put(const char *path, const char *text)
{
    char whole[512];
    snprintf(whole, sizeof(whole), "%s%s", folder, path);
    for (char *slash = whole + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        assert_true(mkdir(whole, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    FILE *file = fopen(whole, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void
expect(uint64_t processors, uint64_t memory)
{
    struct cgroup_quotas quotas = cgroup_read_quotas(folder);
    assert_int_equal(quotas.processors, processors);
    assert_int_equal(quotas.memory, memory);
}

/* ---- Version 2 ---- */

static void
mount_2(const char *own, const char *seen)
{
    char text[256];
    snprintf(text, sizeof(text), "0::%s\n", own);
    put("/proc/self/cgroup", text);
    snprintf(text, sizeof(text),
             "22 1 0:21 / / rw - ext4 /dev/root rw\n"
             "30 22 0:26 %s /cg rw,nosuid shared:4 - cgroup2 cgroup2 rw\n",
             seen);
    put("/proc/self/mountinfo", text);
}

static void
reads_version_2(void **state)
{
    (void)state;
    mount_2("/a", "/");
    put("/cg/a/cpu.max", "250000 100000\n");
    put("/cg/a/memory.max", "1048576\n");
    expect(3, 1048576);
}

static void
a_quota_below_one_processor_is_one(void **state)
{
    (void)state;
    mount_2("/a", "/");
    put("/cg/a/cpu.max", "1000 100000\n");
    expect(1, NONE);
}

static void
max_is_no_limit(void **state)
{
    (void)state;
    mount_2("/a", "/");
    put("/cg/a/cpu.max", "max 100000\n");
    put("/cg/a/memory.max", "max\n");
    expect(NONE, NONE);
}

static void
a_group_above_may_allow_less(void **state)
{
    (void)state;
    mount_2("/a/b/c", "/");
    put("/cg/a/memory.max", "3000\n");
    put("/cg/a/b/memory.max", "2000\n");
    put("/cg/a/b/c/memory.max", "4000\n");
    put("/cg/memory.max", "5000\n");
    put("/memory.max", "1\n"); /* not below the mount point */
    expect(NONE, 2000);
}

/* As a container with a namespace of its own for groups sees it. */
static void
the_group_at_the_mount_point_counts(void **state)
{
    (void)state;
    mount_2("/", "/");
    put("/cg/memory.max", "5000\n");
    expect(NONE, 5000);
}

/* ---- Version 1 ---- */

static void
mount_1(const char *own, const char *seen)
{
    char text[512];
    snprintf(text, sizeof(text),
             "5:memory:%s\n4:cpuset:/elsewhere\n3:cpu,cpuacct:%s\n"
             "1:name=systemd:/x\n0::/\n",
             own, own);
    put("/proc/self/cgroup", text);
    snprintf(text, sizeof(text),
             "31 22 0:27 %s /cg/memory rw - cgroup cgroup rw,memory\n"
             "32 22 0:28 / /cg/cpuset rw - cgroup cgroup rw,cpuset\n"
             "33 22 0:29 %s /cg/cpu,cpuacct rw - cgroup cgroup "
             "rw,cpu,cpuacct\n"
             "34 22 0:30 / /cg/unified rw - cgroup2 cgroup2 rw,nsdelegate\n",
             seen, seen);
    put("/proc/self/mountinfo", text);
}

static void
reads_version_1(void **state)
{
    (void)state;
    mount_1("/a", "/");
    put("/cg/cpu,cpuacct/a/cpu.cfs_quota_us", "150000\n");
    put("/cg/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    put("/cg/memory/a/memory.limit_in_bytes", "2097152\n");
    expect(2, 2097152);
}

static void
a_negative_quota_is_no_limit(void **state)
{
    (void)state;
    mount_1("/a", "/");
    put("/cg/cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n");
    put("/cg/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    put("/cg/memory/a/memory.limit_in_bytes", "9223372036854771712\n");
    expect(NONE, UINT64_C(9223372036854771712));
}

/* As a container sees it that has no namespace for groups: what is mounted is
   its own group, and /proc says the path on the host. */
static void
a_container_sees_its_own_group_at_the_mount_point(void **state)
{
    (void)state;
    mount_1("/docker/17/a", "/docker/17");
    put("/cg/memory/memory.limit_in_bytes", "7000\n");
    put("/cg/memory/a/memory.limit_in_bytes", "8000\n");
    put("/cg/memory/docker/17/memory.limit_in_bytes", "1\n");
    expect(NONE, 7000);
}

static void
a_group_that_is_not_below_what_is_mounted_is_taken_for_it(void **state)
{
    (void)state;
    mount_1("/docker/170", "/docker/17");
    put("/cg/memory/memory.limit_in_bytes", "7000\n");
    expect(NONE, 7000);
}

static void
of_both_versions_the_lesser_counts(void **state)
{
    (void)state;
    mount_1("/a", "/");
    put("/cg/memory/a/memory.limit_in_bytes", "7000\n");
    put("/cg/unified/memory.max", "6000\n");
    expect(NONE, 6000);
}

/* ---- What cannot be read ---- */

static void
without_proc_there_is_no_limit(void **state)
{
    (void)state;
    expect(NONE, NONE);
}

static void
lines_that_are_none_are_skipped(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0\n0:\n\nmemory\n0::/a\n");
    put("/proc/self/mountinfo", "\n - \n1 2 - cgroup2\n1 2 3 / /cg - cgroup2\n"
                                "1 2 3 / /cg rw - cgroup2 none rw\n");
    put("/cg/a/memory.max", "word\n");
    put("/cg/a/cpu.max", "100000 0\n");
    put("/cg/memory.max", "9000");
    expect(NONE, 9000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_version_2),
        TEST(a_quota_below_one_processor_is_one),
        TEST(max_is_no_limit),
        TEST(a_group_above_may_allow_less),
        TEST(the_group_at_the_mount_point_counts),
        TEST(reads_version_1),
        TEST(a_negative_quota_is_no_limit),
        TEST(a_container_sees_its_own_group_at_the_mount_point),
        TEST(a_group_that_is_not_below_what_is_mounted_is_taken_for_it),
        TEST(of_both_versions_the_lesser_counts),
        TEST(without_proc_there_is_no_limit),
        TEST(lines_that_are_none_are_skipped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
