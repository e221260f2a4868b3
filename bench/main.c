#include <stdio.h>
#include <string.h>

#include "bench/client.h"
#include "bench/pattern.h"
#include "bench/server.h"
#include "bench/socket.h"

static const struct job *const jobs[] = {
    &rate_job, &download_job, &upload_job, &both_job,    &pingpong_job,
    &udp_job,  &idle_job,     &bind_job,   &waiting_job, &connecting_job,
};

static const struct job *
job_named(const char *name)
{
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        if (strcmp(jobs[i]->name, name) == 0)
            return jobs[i];
    }
    return NULL;
}

static int
serve(const struct options *options)
{
    int error = server_run(&options->ports);

    if (error)
        fprintf(stderr, "socks4-bench: server: %s\n", strerror(-error));
    return error ? 1 : 0;
}

static int
usage(void)
{
    fputs(options_usage, stderr);
    return 2;
}

int
main(int argc, char **argv)
{
    struct options options;
    const struct job *job;

    if (!options_parse(&options, argc, argv))
        return usage();
    socket_raise_limit();
    pattern_init();
    if (strcmp(options.job, "serve") == 0)
        return serve(&options);
    job = job_named(options.job);
    if (!job)
        return usage();
    return client_run(&options, job) ? 0 : 1;
}
