#ifndef CONFORM_OPTIONS_H
#define CONFORM_OPTIONS_H

#include <stdbool.h>

#include "base/addr.h"
#include "tools/route/password.h"
#include "tools/stream/tls.h"

/* The command line; strings are those of argv. */
struct options {
    struct endpoint target;
    const char *target_text; /* as given; NULL: not given */
    const char *mode;        /* "4", "4a" or "5"; NULL: not given */
    bool socks5;             /* "5" */
    const char *user;        /* NULL: the server asks for no password */
    const char *password_file;
    struct password password; /* what the file has */
    bool ident;
    const char *only;
    unsigned wait_ms;
    unsigned timers_ms;
    struct tls_options tls;
    const char *json;
    const char *tap;
    const char *report;
    const char *cases; /* a folder; NULL: the one that belongs to us */
    bool serial;       /* one case at a time */
    bool namespaces;
    const char *server;      /* a command */
    const char *serve_wrong; /* a defect */
    bool list;
    bool help;
    bool version;
};

/* Whether the command line is valid; if not, prints the reason on stderr. */
bool options_read(struct options *options, int argc, char **argv);

extern const char options_usage[];

#endif
