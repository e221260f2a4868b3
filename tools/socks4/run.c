/* run: a program with the wrapper library in front of its C library. */

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/addr.h"
#include "tools/route/bypass.h"
#include "tools/route/route.h"
#include "tools/socks4/options.h"
#include "tools/socks4/program.h"
#include "tools/socks4/tunnel.h"

/* RUN_TEXT_MAX is below the kernel's limit for one variable. */
#define TUNNEL_VARIABLE "SOCKS4_RUN_TLS"

enum { STATUS_CANNOT_RUN = 126, STATUS_NO_PROGRAM = 127, RUN_TEXT_MAX = 65536 };

/* A variable of the program's environment. Nothing is ever cut: what has no
   room makes it `full`, and the program is not run. */
struct run_text {
    char text[RUN_TEXT_MAX];
    size_t len;
    bool full;
};

/* Whether LD_PRELOAD can name the path: these octets would end or change it. */
static bool
run_is_plain(const char *path)
{
    return strpbrk(path, " \t\n:$") == NULL;
}

/* The library lies where it was installed, or beside us in a build. */
static const char *
run_library(char path[static PATH_MAX])
{
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (len > 0) {
        self[len] = '\0';
        *strrchr(self, '/') = '\0';
        if (snprintf(path, PATH_MAX, "%s/%s", self, RUN_LIBRARY) < PATH_MAX &&
            access(path, R_OK) == 0)
            return path;
    }
    snprintf(path, PATH_MAX, "%s/%s", RUN_LIBRARY_FOLDER, RUN_LIBRARY);
    return access(path, R_OK) == 0 ? path : NULL;
}

static void __attribute__((format(printf, 2, 3)))
run_add(struct run_text *text, const char *format, ...)
{
    size_t room = sizeof(text->text) - text->len;
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(text->text + text->len, room, format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= room)
        text->full = true;
    else
        text->len += (size_t)size;
}

/* As a URL has it, so that no octet of it ends the user or the list. */
static void
run_add_user(struct run_text *text, const char *user)
{
    for (const char *at = user; *at != '\0'; at++)
        if (isalnum((unsigned char)*at))
            run_add(text, "%c", *at);
        else
            run_add(text, "%%%02X", (unsigned char)*at);
}

/* The route with addresses for names, so that the program need not resolve
   them. */
static void
run_add_route(struct run_text *text, const struct route *route)
{
    struct endpoint at;
    char address[ENDPOINT_TEXT_MAX];

    for (size_t i = 0; i < route->count; i++) {
        const struct route_hop *hop = &route->hops[i];

        if (i == 0)
            endpoint_from_sockaddr(&at, &route->first[0]);
        else
            at = (struct endpoint){route->addrs[i], hop->port};
        run_add(text, "%s%s://", i > 0 ? "," : "", route_scheme(hop));
        run_add_user(text, hop->user);
        if (route->named[i])
            run_add(text, "@%s:%u", hop->host, hop->port);
        else
            run_add(text, "@%s", endpoint_format(&at, address));
    }
}

/* Exports the text and empties it. False: it does not fit, or no memory. */
static bool
run_export(const char *name, struct run_text *text)
{
    bool done = !text->full && setenv(name, text->text, 1) == 0;

    if (!done)
        fprintf(stderr, "socks4: %s: %s; the program was not run\n", name,
                text->full ? "it would be too long" : strerror(errno));
    *text = (struct run_text){.len = 0};
    return done;
}

static bool
run_export_all(const struct options *options, const struct route *route,
               const char *password_file, const char *tunnel,
               const char *library)
{
    static struct run_text text;
    const char *others = getenv("LD_PRELOAD");

    run_add_route(&text, route);
    if (!run_export("SOCKS4_RUN_ROUTE", &text))
        return false;
    run_add(&text, "%s%s%s", options->lenient ? "l" : "",
            options->loopback ? "o" : "", options->verbose ? "v" : "");
    if (!run_export("SOCKS4_RUN_FLAGS", &text))
        return false;
    run_add(&text, "%llu", (unsigned long long)options->timeout_ms);
    if (!run_export("SOCKS4_RUN_TIMEOUT", &text))
        return false;
    for (size_t i = 0; i < options->bypass_count; i++)
        run_add(&text, "%s%s", i > 0 ? "," : "", options->bypass[i]);
    if (!run_export("SOCKS4_RUN_BYPASS", &text))
        return false;
    run_add(&text, "%s", password_file);
    if (!run_export("SOCKS4_RUN_PASSWORD_FILE", &text))
        return false;
    run_add(&text, "%s", tunnel);
    if (!run_export(TUNNEL_VARIABLE, &text))
        return false;
    run_add(&text, "%s", library); /* before what is preloaded already */
    if (others != NULL && others[0] != '\0')
        run_add(&text, ":%s", others);
    return run_export("LD_PRELOAD", &text);
}

/* The program reads the file for each connection, so that the password is in
   no environment, and only for a moment in its memory. */
static int
run_find_password(const struct options *options, const struct route *route,
                  char path[PATH_MAX])
{
    struct password password;
    struct stat file;
    int status;

    path[0] = '\0';
    if (options->password_file != NULL &&
        stat(options->password_file, &file) == 0 && !S_ISREG(file.st_mode))
        return options_usage("--password-file %s: run reads it for each "
                             "connection, so it must be a regular file",
                             options->password_file);
    status = options_password(options, route, &password);
    password_wipe(&password);
    if (status == 0 && options->password_file != NULL &&
        realpath(options->password_file, path) == NULL)
        return options_usage("--password-file %s: %s", options->password_file,
                             strerror(errno));
    return status;
}

static int
run_find_route(const struct options *options, struct route *route,
               char password_file[PATH_MAX])
{
    struct route_fault fault;
    int status;

    if (options_route(options, route, &fault) != 0)
        return options_usage("%s", fault.text);
    status = run_find_password(options, route, password_file);
    if (status != 0)
        return status;
    if (route_resolve(route, &fault) == 0)
        return 0;
    fprintf(stderr, "socks4: %s\n", fault.text);
    return STATUS_NETWORK;
}

/* The words of all --bypass together, as the library reads them. */
static int
run_check_bypass(const struct options *options, const struct route *route)
{
    size_t size = 0;

    for (size_t i = 0; i < options->bypass_count; i++) {
        struct route_fault fault;

        if (bypass_check(options->bypass[i], &fault) != 0)
            return options_usage("--bypass: %s", fault.text);
        if (options->bypass[i][0] == '\0')
            return options_usage("--bypass: wants an address, a network, a "
                                 "name or a .suffix");
        if (bypass_has_names(options->bypass[i]) &&
            !route_resolves_names(route))
            return options_usage("--bypass %s: a name is known only where the "
                                 "gateway resolves it: add -a, or write "
                                 "addresses",
                                 options->bypass[i]);
        size += strlen(options->bypass[i]) + 1;
    }
    if (size > BYPASS_LIST_MAX)
        return options_usage("--bypass: %zu octets in all, at most %d are "
                             "allowed; write networks instead of addresses",
                             size - 1, BYPASS_LIST_MAX - 1);
    return 0;
}

/* Whether the library will be loaded into the program. */
static int
run_check_program(const struct options *options)
{
    static struct program_fault fault;
    const char *name = options->program[0];

    if (program_check(name, &fault) != 0 || fault.reason[0] == '\0')
        return 0;
    fprintf(stderr, "socks4: %s cannot be run through the gateway: %s%s%s%s\n",
            name, strcmp(name, fault.path) != 0 ? fault.path : "",
            strcmp(name, fault.path) != 0 ? ": " : "", fault.reason,
            options->force ? "; it connects directly"
                           : ". It would connect directly; --force runs it "
                             "all the same");
    return options->force ? 0 : STATUS_CANNOT_RUN;
}

/* The dynamic loader goes on without a library that it cannot load: tries
   it here first. */
static int
run_load(const char *library)
{
    void *loaded = dlopen(library, RTLD_NOW | RTLD_LOCAL);

    if (loaded != NULL && dlsym(loaded, "connect") != NULL)
        return 0;
    fprintf(stderr, "socks4: %s; install it again\n",
            loaded == NULL ? dlerror() : "the library is not ours");
    return STATUS_CANNOT_RUN;
}

static int
run_check_library(const char *library)
{
    if (library == NULL)
        fprintf(stderr, "socks4: there is no %s/%s; install it\n",
                RUN_LIBRARY_FOLDER, RUN_LIBRARY);
    else if (!run_is_plain(library))
        fprintf(stderr,
                "socks4: %s: LD_PRELOAD cannot name a path with a blank, a "
                "colon or $; install it elsewhere\n",
                library);
    else
        return run_load(library);
    return STATUS_CANNOT_RUN;
}

/* With --tls: the process that speaks it. `name` stays empty without. */
static int
run_start_tunnel(const struct options *options, const struct route *route,
                 struct tls_context *tls, char name[TUNNEL_NAME_MAX])
{
    int error = tls == NULL ? 0
                            : tunnel_start(route, tls, options->timeout_ms,
                                           TUNNEL_VARIABLE, name);

    if (error == 0)
        return 0;
    fprintf(stderr, "socks4: the process that speaks TLS: %s\n",
            strerror(-error));
    return STATUS_CANNOT_RUN;
}

int
run_run(const struct options *options)
{
    static struct route route;
    char path[PATH_MAX], password[PATH_MAX], tunnel[TUNNEL_NAME_MAX] = "";
    const char *library = run_library(path);
    struct tls_context *tls = NULL;
    int status = options_tls(options, &tls);

    if (status == 0)
        status = run_find_route(options, &route, password);
    if (status == 0)
        status = run_check_bypass(options, &route);
    if (status == 0)
        status = run_check_library(library);
    if (status == 0)
        status = run_check_program(options);
    if (status != 0)
        return status;
    status = run_start_tunnel(options, &route, tls, tunnel);
    if (status != 0)
        return status;
    if (!run_export_all(options, &route, password, tunnel, library))
        return STATUS_CANNOT_RUN;
    execvp(options->program[0], options->program);
    status = errno == ENOENT ? STATUS_NO_PROGRAM : STATUS_CANNOT_RUN;
    fprintf(stderr, "socks4: %s: %s\n", options->program[0], strerror(errno));
    return status;
}
