/* Preloaded: no worker begins while the file NO_WORKERS is there. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void __attribute__((constructor)) begin(int argc, char **argv)
{
    const char *flag = getenv("NO_WORKERS");
    if (argc > 1 && strcmp(argv[1], "--worker") == 0 && flag != NULL &&
        access(flag, F_OK) == 0)
        _exit(1);
}
