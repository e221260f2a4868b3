#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "tools/socks4/options.h"

/* What is opened later must not become standard input or output. */
static void
descriptors_fill(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int
main(int argc, char **argv)
{
    struct options options;
    int status;

    descriptors_fill();
    if (!options_read(&options, argc, argv, &status))
        return status;
    if (options.command->run != run_run)
        signal(SIGPIPE, SIG_IGN); /* a reader that is gone is an error */
    return options.command->run(&options);
}
