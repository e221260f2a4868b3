#include <stdio.h>
#include <string.h>

#include "bench/pattern.h"
#include "bench/socket.h"
#include "tests/fault/load/client.h"
#include "tests/fault/load/server.h"

static const struct {
    const char *name;
    int (*run)(const struct orders *orders);
    bool plans;
} jobs[] = {
    {"serve", server_run, true},
    {"sessions", client_run, true},
    {"drip", drip_run, false},
};

static int
usage(void)
{
    fputs(orders_usage, stderr);
    return 2;
}

static int
run(size_t job, const struct orders *orders)
{
    int error = jobs[job].run(orders);

    if (error)
        fprintf(stderr, "fault-load: %s\n", strerror(-error));
    return error ? 1 : 0;
}

int
main(int argc, char **argv)
{
    static struct orders orders;

    if (argc < 2 || !orders_parse(&orders, argc - 1, argv + 1))
        return usage();
    socket_raise_limit();
    pattern_init();
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        if (strcmp(argv[1], jobs[i].name) == 0)
            return jobs[i].plans && orders.plan_count == 0 ? usage()
                                                           : run(i, &orders);
    }
    return usage();
}
