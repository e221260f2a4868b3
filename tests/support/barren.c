/* Preloaded: no worker begins while the file BARREN is there. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void __attribute__((constructor)) begin(int argc, char **argv)
{
    const char *flag = getenv("BARREN");
    if (argc > 1 && strcmp(argv[1], "--worker") == 0 && flag != NULL &&
        access(flag, F_OK) == 0)
        _exit(1);
}
