#ifndef TOOLS_SOCKS4_PROGRAM_H
#define TOOLS_SOCKS4_PROGRAM_H

#include <limits.h>

/*
 * Whether the wrapper library can take effect in a program: the dynamic
 * loader loads it only into dynamically linked programs of this architecture
 * that run with the privileges of the user who starts them.
 */

struct program_fault {
    char path[PATH_MAX]; /* the file that cannot be wrapped */
    char reason[200];    /* empty: the library takes effect */
};

/*
 * Finds the program as execvp does and checks it; for a script, its
 * interpreter. 0 and the fault, whose reason is empty where nothing is wrong;
 * -ENOENT: execvp will not find it.
 */
int program_check(const char *name, struct program_fault *fault);

#endif
