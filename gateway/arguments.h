#ifndef GATEWAY_ARGUMENTS_H
#define GATEWAY_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/must_check.h"
#include "gateway/config/config.h"

/* The command line of socks4d, but for `explain' and the roles. */
enum { EXIT_USAGE = 2 };

struct arguments {
    const char *file; /* NULL: the built-in default */
    const char *listen[CONFIG_LISTENERS_MAX];
    size_t listen_count;
    bool socks4a;
    const char *to; /* of the stub; NULL: none. And its options */
    bool socks5, tls;
    const char *ca, *certificate, *key, *user, *password_file;
    bool strict;          /* with -t: a warning fails, too */
    const char *pid_file; /* NULL: none */
    char **argv;
    enum { RUN, TEST, DUMP, HELP, VERSION } task;
};

/* 0; 1: help or version is asked for, the rest was not read; -1 after a line
   on stderr. */
MUST_CHECK int arguments_read(struct arguments *arguments, int argc,
                              char **argv);

/* Where the configuration comes from; borrows from `arguments`. */
struct config_source arguments_source(const struct arguments *arguments);

#endif
