#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/standard.h"
#include "options.h"
#include "probe.h"
#include "protocol.h"
#include "report.h"
#include "stall.h"
#include "tools/route/password.h"
#include "wrong/wrong.h"

#define NOTHING_TESTED 3
#define REACH_MS 10000

/*
 * A file or folder of the tester: beside the program in the build folder, in
 * ../share/socks4-conform once installed. Returns `path`.
 */
static const char *
main_find_file(const char *name, char path[PATH_MAX])
{
    static const char *const places[] = {"", "../share/socks4-conform/"};
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    self[len > 0 ? len : 0] = '\0';
    slash = strrchr(self, '/');
    if (slash != NULL)
        *slash = '\0';
    for (unsigned i = 0; i < 2; i++) {
        snprintf(path, PATH_MAX, "%.3000s/%s%s", self, places[i], name);
        if (access(path, R_OK) == 0)
            break;
    }
    return path;
}

static bool
main_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    fprintf(stderr, "socks4-conform: standard output: %s\n", strerror(errno));
    return false;
}

static bool
main_write_report(const char *path, const struct run *run,
                  const struct about *about,
                  void (*report)(const struct run *, const struct about *,
                                 FILE *))
{
    FILE *out = path != NULL ? fopen(path, "we") : NULL;

    if (path == NULL)
        return true;
    if (out != NULL)
        report(run, about, out);
    if (out == NULL || fclose(out) != 0) {
        fprintf(stderr, "socks4-conform: %s: %s\n", path, strerror(errno));
        return false;
    }
    return true;
}

static void
main_write_tap(const struct run *run, const struct about *about, FILE *out)
{
    (void)about;
    report_tap(run, out);
}

static bool
main_write_reports(const struct options *options, const struct run *run,
                   const struct about *about)
{
    bool written = main_write_report(options->json, run, about, report_json);

    report_lines(run, stdout);
    written &= main_write_report(options->tap, run, about, main_write_tap);
    return main_write_report(options->report, run, about, report_markdown) &&
           main_flush() && written;
}

/* The tester's identd and name server, if their ports are available. */
static void
main_start_helpers(struct setting *setting)
{
    static struct identd identd;
    static struct dns dns;

    if (identd_start(&identd, &setting->place) == 0)
        setting->identd = &identd;
    if (dns_start(&dns, &setting->place) == 0)
        setting->dns = &dns;
}

static bool
main_set_stage(const struct options *options, struct setting *setting)
{
    char text[ENDPOINT_TEXT_MAX], met[PROTOCOL_TEXT_MAX];
    struct tls_fault fault = {""};

    place_init(&setting->place, &options->target);
    if (options->tls.on &&
        tls_context_open(&setting->place.tls, &options->tls, &fault) != 0) {
        fprintf(stderr, "socks4-conform: %s\n", fault.text);
        return false;
    }
    if (options->namespaces && place_make_namespaces(&setting->place) < 0)
        return false;
    if (options->namespaces &&
        place_start_server(&setting->place, options->server) < 0)
        return false;
    main_start_helpers(setting);
    endpoint_format(&options->target, text);
    if (!probe_reach(&setting->place, options->namespaces ? REACH_MS : 0,
                     &fault)) {
        if (fault.text[0] != '\0')
            fprintf(stderr, "socks4-conform: %s: %s; ", text, fault.text);
        else
            fprintf(stderr, "socks4-conform: nobody answers at %s%s; ", text,
                    options->namespaces
                        ? ": the server has to listen there or on 0.0.0.0"
                    : addr_is_loopback(options->target.addr)
                        ? ""
                        : " that a client at 127.0.0.2 can reach: run the "
                          "tester on the server's own machine, or start the "
                          "server with --namespaces");
        fputs("nothing was tested\n", stderr);
        return false;
    }
    if (!protocol_is_socks(setting, met)) {
        fprintf(stderr,
                "socks4-conform: %s does not speak SOCKS %u. %s Nothing was "
                "tested\n",
                text, setting->socks5 ? 5 : 4, met);
        if (options->mode == NULL && strstr(met, "a SOCKS 5 server") != NULL)
            fputs("socks4-conform: test it with --mode 5\n", stderr);
        return false;
    }
    return true;
}

/* If the server grants nothing, most cases are not testable: says why. */
static void
main_hint_refused(const struct run *run)
{
    for (size_t i = 0; i < run->count; i++)
        if (strcmp(run->cases[i]->name, "connect-relays") == 0 &&
            run->findings[i].outcome == OUTCOME_UNTESTABLE)
            fprintf(stderr,
                    "socks4-conform: the server granted nothing that was asked "
                    "of it (%s): let 127.0.0.2 and 127.0.0.5 connect to "
                    "127.0.0.0/8, or nothing but refusals can be tested\n",
                    run->findings[i].why);
}

static int
main_test(const struct options *options, struct setting *setting,
          const struct cases *cases)
{
    char path[PATH_MAX];
    struct about about = {
        .target =
            options->server != NULL ? options->server : options->target_text,
        .requirements = main_find_file(
            setting->socks5 ? "requirements-socks5.tsv" : "requirements.tsv",
            path),
        .setting = setting,
    };
    struct run run;

    setting->socks4a = options->mode == NULL ? probe_socks4a(setting)
                                             : strcmp(options->mode, "4a") == 0;
    if (options->mode == NULL)
        printf("The server speaks SOCKS %s.\n", setting->socks4a ? "4A" : "4");
    unsigned stalls = stall_find(setting);
    setting->serves_one = (stalls & STALL_CLIENT) != 0;
    setting->stalls = options->serial ? stalls | STALL_CLIENT : stalls;
    stall_say(stalls);
    fflush(stdout);
    if (run_cases(&run, setting, cases, options->only) < 0)
        return NOTHING_TESTED;
    int status = run_status(&run);
    if (!setting->place.namespaces && !run.death.happened)
        main_hint_refused(&run);
    if (run.count == 0)
        fprintf(stderr, "socks4-conform: --only matches no case\n");
    if (!main_write_reports(options, &run, &about))
        status = NOTHING_TESTED;
    run_free(&run);
    return status;
}

static int
main_list(const struct cases *cases)
{
    for (size_t i = 0; i < cases->count; i++) {
        const struct conform_case *what = &cases->each[i];
        printf("%-32s %-8s %s [", what->name, level_names[what->level],
               what->title);
        for (unsigned j = 0; j < what->id_count; j++)
            printf("%s%s", j > 0 ? " " : "", what->ids[j]);
        printf("]\n");
    }
    return main_flush() ? 0 : NOTHING_TESTED;
}

/* The cases are read first, so that an error in one is reported at once. */
static int
main_test_or_list(const struct options *options)
{
    struct setting setting = {.ident = options->ident,
                              .wait_ms = options->wait_ms,
                              .timers_ms = options->timers_ms,
                              .socks5 = options->socks5,
                              .user = options->user,
                              .password = options->password.text};
    char path[PATH_MAX];
    struct cases cases;
    int status = NOTHING_TESTED;

    if (cases_read(&cases,
                   options->cases != NULL ? options->cases
                                          : main_find_file("cases", path),
                   options->socks5) < 0) {
        fprintf(stderr, "socks4-conform: the cases cannot be read\n");
        return NOTHING_TESTED;
    }
    if (options->list)
        status = main_list(&cases);
    else if (main_set_stage(options, &setting))
        status = main_test(options, &setting, &cases);
    place_fini(&setting.place);
    cases_free(&cases);
    return status;
}

static int
main_serve_wrong(const struct options *options)
{
    struct wrong_manner manner = {
        .socks4a = options->mode == NULL || strcmp(options->mode, "4a") == 0,
        .socks5 = options->socks5,
        .ident = options->ident,
        .user = options->user,
        .password = options->password.text,
        .tls = &options->tls,
    };

    int status = wrong_serve(options->serve_wrong, &options->target, &manner);
    return main_flush() ? status : NOTHING_TESTED;
}

int
main(int argc, char **argv)
{
    struct options options;

    standard_fill();
    if (!options_read(&options, argc, argv)) {
        fputs("Try 'socks4-conform --help'.\n", stderr);
        return NOTHING_TESTED;
    }
    if (options.help || options.version) {
        fputs(options.help ? options_usage
                           : "socks4-conform " PROJECT_VERSION "\n",
              stdout);
        return 0;
    }
    signal(SIGPIPE, SIG_IGN); /* TLS writes with write(2) */
    if (options.serve_wrong != NULL)
        return main_serve_wrong(&options);
    return main_test_or_list(&options);
}
