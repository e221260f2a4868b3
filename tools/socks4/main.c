#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "tools/socks4/options.h"

/* Opens standard input, output and error where they are closed, so that no
   socket gets their numbers. */
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
        signal(SIGPIPE, SIG_IGN); /* EPIPE is reported instead */
    return options.command->run(&options);
}
