/* Where BINDs listen by default, from files as the kernel has them. */

#include "gateway/config/local_ports.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static char folder[64];

static int
setup(void **state)
{
    char path[128];
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/local-ports-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    static const char *const below[] = {"/proc", "/proc/sys", "/proc/sys/net",
                                        "/proc/sys/net/ipv4"};
    for (size_t i = 0; i < COUNT(below); i++) {
        snprintf(path, sizeof(path), "%s%s", folder, below[i]);
        if (mkdir(path, 0700) < 0)
            return -1;
    }
    return 0;
}

static int
teardown(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

/* NULL: there is no such file. */
static void
put(const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/proc/sys/net/ipv4/%s", folder, name);
    unlink(path);
    if (text == NULL)
        return;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static const struct {
    const char *range, *reserved;
    uint16_t first, last;
    unsigned count;
} cases[] = {
    {"32768\t60999\n", "\n", 52808, 60999, 28232},
    {"1024\t65535\n", "\n", 57344, 65535, 64512},
    {"40000\t40099\n", "\n", 40000, 40099, 100},
    {"30000\t30000\n", "\n", 30000, 30000, 1},
    {"1\t65535\n", NULL, 57344, 65535, 65535},
    {NULL, NULL, 52808, 60999, 28232},
    {"nonsense\n", NULL, 52808, 60999, 28232},
    {"5000\t70000\n", NULL, 52808, 60999, 28232},
    /* a service that starts later has its port */
    {"32768\t60999\n", "60000\n", 51808, 59999, 28231},
    {"32768\t60999\n", "32768,60999\n", 52807, 60998, 28230},
    {"32768\t60999\n", "1080,60990-60999\n", 52798, 60989, 28222},
    {"40000\t40009\n", "40004-40006,40008\n", 40000, 40003, 6},
    /* of equals the highest */
    {"40000\t40008\n", "40004\n", 40005, 40008, 8},
    /* the longest is short */
    {"40000\t40099\n", "40001-40097\n", 40098, 40099, 3},
    {"40000\t40009\n", "40000-40009\n", 0, 0, 0},
    {"40000\t40009\n", "1-65535\n", 0, 0, 0},
};

static void
are_the_upper_ones_of_the_range_that_are_not_reserved(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        put("ip_local_port_range", cases[i].range);
        put("ip_local_reserved_ports", cases[i].reserved);
        unsigned count;
        struct local_ports got = local_ports_read(folder, &count);
        if (got.first != cases[i].first || got.last != cases[i].last ||
            count != cases[i].count)
            fail_msg("case %zu: %d-%d of %u", i, got.first, got.last, count);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            are_the_upper_ones_of_the_range_that_are_not_reserved, setup,
            teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
