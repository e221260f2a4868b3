#include <errno.h>
#include <stdio.h>

#include "base/sys.h"
#include "tests/scenario/kernel_stage.h"
#include "tests/scenario/sim.h"

static struct sim_sock *client;

void
stage_start(void)
{
    struct sim_options options = {.seed = 1};

    sim_start(&options);
    sim_add_local(addr_v4(0x0a000001));
}

int
stage_stop(void)
{
    const char *misuse = sim_misuse();

    if (misuse != NULL)
        fprintf(stderr, "misuse: %s\n", misuse);
    sim_stop();
    return misuse != NULL;
}

void
stage_pair(int fds[2])
{
    sim_pair(fds);
}

int
stage_refused_connect(int fd)
{
    struct endpoint to = {.addr = addr_v4(0x0a000002), .port = 1};
    struct sim_dial dial;
    int error = sys_connect(fd, &to);

    if (sim_take_dial(&dial))
        sim_answer(dial.id, ECONNREFUSED);
    return error;
}

int
stage_listener_with_client(int *far)
{
    struct endpoint at = {.addr = addr_v4(0x0a000001), .port = 1080};
    struct endpoint from = {.addr = addr_v4(0x0a000009), .port = 40000};
    int listener = sim_listen(&at);

    client = sim_connect(&from, &at);
    *far = 0;
    return listener;
}

void
stage_close_client(int far)
{
    (void)far;
    sim_sock_close(client);
}

void
stage_settle(void)
{
}

int
stage_patience_ms(void)
{
    return 0;
}
