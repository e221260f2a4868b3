#ifndef TOOLS_SOCKS4_OPTIONS_H
#define TOOLS_SOCKS4_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/route/password.h"
#include "tools/route/route.h"
#include "tools/stream/tls.h"

/*
 * The command line. Options stand before or after the words; those of `run`
 * before its command.
 */

enum { OPTIONS_WORDS_MAX = 9, OPTIONS_BYPASS_MAX = 64 };

/* Exit statuses other than 91, 92 and 93, which are those of SOCKS 4. */
enum status {
    STATUS_OK = 0,
    STATUS_NETWORK = 1,
    STATUS_USAGE = 2,
    STATUS_PROTOCOL = 3,
    STATUS_TLS = 4,
    STATUS_LOGIN = 5, /* SOCKS5: user name or password */
};

/* A refusal of SOCKS5 is this and its REP, 1 to 8. */
#define STATUS_V5 100

struct options {
    const struct command *command;
    const char *words[OPTIONS_WORDS_MAX]; /* after the command */
    size_t word_count;
    char **program;             /* run: the program and its arguments */
    const char *gateway;        /* the list of gateways */
    const char *gateway_source; /* -p, or the variable that has it */
    const char *userid;         /* NULL: none was given */
    const char *user;           /* of SOCKS5; NULL: none was given */
    const char *password_file;
    const char *exec;
    const char *bypass[OPTIONS_BYPASS_MAX];
    size_t bypass_count;
    uint64_t timeout_ms;
    struct tls_options tls;
    bool socks4a; /* the gateways resolve names, of SOCKS5 too */
    bool socks5;
    bool json;
    bool lenient;
    bool loopback;
    bool no_shutdown;
    bool force;
    bool verbose;
};

struct command {
    const char *name;
    size_t words_min, words_max;
    int (*run)(const struct options *options); /* its exit status */
    const char *options;                       /* letters of its options */
    const char *usage;
};

/*
 * Reads argv. True: there is a command with its words, and a gateway from the
 * environment where -p was not given. False: exit with *status; the help or
 * what is wrong has been printed.
 */
bool options_read(struct options *options, int argc, char **argv, int *status);

/* Parses the gateways. 0, or -EINVAL and a fault that names their source. */
int options_route(const struct options *options, struct route *route,
                  struct route_fault *fault);

/* Reads the password for that route; it stays empty if none is wanted. 0, or
   STATUS_USAGE: what is wrong has been printed. */
int options_password(const struct options *options, const struct route *route,
                     struct password *password);

/* Opens the files of --ca and the others; *tls stays NULL without --tls. 0, or
   STATUS_USAGE: what is wrong has been printed. */
int options_tls(const struct options *options, struct tls_context **tls);

/* Prints what is wrong on standard error; returns STATUS_USAGE. */
int __attribute__((format(printf, 1, 2)))
options_usage(const char *format, ...);

extern const struct command commands[];

int connect_run(const struct options *options);
int bind_run(const struct options *options);
int ident_run(const struct options *options);
int run_run(const struct options *options);
int probe_run(const struct options *options);

#endif
