/* run: a program with the preload library in front of its C library. */

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "tools/route/route.h"
#include "tools/socks4/options.h"

enum { STATUS_CANNOT_RUN = 126, STATUS_NO_PROGRAM = 127, TEXT_ROOM = 16384 };

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
run_add(char text[static TEXT_ROOM], const char *format, ...)
{
    size_t len = strlen(text);
    va_list args;

    va_start(args, format);
    vsnprintf(text + len, TEXT_ROOM - len, format, args);
    va_end(args);
}

/* The route with addresses for names, so that the program need not ask. */
static void
run_print_route(const struct route *route, const char *userid,
                char text[static TEXT_ROOM])
{
    struct endpoint at;
    char address[ENDPOINT_TEXT_MAX];

    text[0] = '\0';
    for (size_t i = 0; i < route->count; i++) {
        const struct route_hop *hop = &route->hops[i];

        if (i == 0)
            endpoint_from_sockaddr(&at, &route->first[0]);
        else
            at = (struct endpoint){addr_v4(route->ips[i]), hop->port};
        if (strcmp(hop->userid, userid) != 0)
            run_add(text, "%s@", hop->userid);
        if (route->named[i])
            run_add(text, "%s:%u", hop->host, hop->port);
        else
            run_add(text, "%s", endpoint_format(&at, address));
        if (i + 1 < route->count)
            run_add(text, ",");
    }
}

static void
run_export_bypass(const struct options *options)
{
    char text[TEXT_ROOM] = "";

    for (size_t i = 0; i < options->bypass_count; i++)
        run_add(text, "%s%s", i > 0 ? "," : "", options->bypass[i]);
    setenv("SOCKS4_RUN_BYPASS", text, 1);
}

/* Before what is preloaded already. */
static void
run_export_preload(const char *library)
{
    const char *others = getenv("LD_PRELOAD");
    char text[TEXT_ROOM] = "";

    run_add(text, "%s", library);
    if (others != NULL && others[0] != '\0')
        run_add(text, ":%s", others);
    setenv("LD_PRELOAD", text, 1);
}

static void
run_export(const struct options *options, const struct route *route,
           const char *library)
{
    const char *userid = options->userid != NULL ? options->userid : "";
    char text[TEXT_ROOM];

    run_print_route(route, userid, text);
    setenv("SOCKS4_RUN_ROUTE", text, 1);
    setenv("SOCKS4_RUN_USERID", userid, 1);
    snprintf(text, sizeof(text), "%s%s%s%s", options->socks4a ? "a" : "",
             options->lenient ? "l" : "", options->loopback ? "o" : "",
             options->verbose ? "v" : "");
    setenv("SOCKS4_RUN_FLAGS", text, 1);
    snprintf(text, sizeof(text), "%llu",
             (unsigned long long)options->timeout_ms);
    setenv("SOCKS4_RUN_TIMEOUT", text, 1);
    run_export_bypass(options);
    run_export_preload(library);
}

static int
run_find_route(const struct options *options, struct route *route)
{
    struct route_fault fault;
    const char *userid = options->userid != NULL ? options->userid : "";

    if (route_parse(route, options->gateway, userid, &fault) != 0)
        return options_usage("%s", fault.text);
    if (route_resolve(route, options->socks4a, &fault) == 0)
        return 0;
    fprintf(stderr, "socks4: %s\n", fault.text);
    return STATUS_NETWORK;
}

int
run_run(const struct options *options)
{
    static struct route route;
    char path[PATH_MAX];
    const char *library = run_library(path);
    int status = run_find_route(options, &route);

    if (status != 0)
        return status;
    if (library == NULL) {
        fprintf(stderr, "socks4: there is no %s/%s; install it\n",
                RUN_LIBRARY_FOLDER, RUN_LIBRARY);
        return STATUS_CANNOT_RUN;
    }
    run_export(options, &route, library);
    execvp(options->program[0], options->program);
    status = errno == ENOENT ? STATUS_NO_PROGRAM : STATUS_CANNOT_RUN;
    fprintf(stderr, "socks4: %s: %s\n", options->program[0], strerror(errno));
    return status;
}
