#include <signal.h>
#include <unistd.h>

#include "base/standard.h"
#include "tools/socks4/options.h"

int
main(int argc, char **argv)
{
    struct options options;
    int status;

    standard_fill();
    if (!options_read(&options, argc, argv, &status))
        return status;
    if (options.command->run != run_run)
        signal(SIGPIPE, SIG_IGN); /* EPIPE is reported instead */
    return options.command->run(&options);
}
