/*
 * player FILE...: plays scenarios with the whole monitor, in TAP. The script
 * goes on whenever nothing is left to be done but to let time pass; two
 * statements stand for the monitor's own end: "it ends with STATUS", and "it
 * executes the binary", behind which the next one may go on.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/config/config.h"
#include "gateway/monitor/monitor.h"
#include "tests/monitor/fake_children.h"
#include "tests/monitor/steps.h"
#include "tests/scenario/form.h"
#include "tests/scenario/script.h"

static const char usual[] = "workers: 2";

static const char *file;
static const struct script_scenario *scenario;
static size_t at; /* the statement that is next */

void
player_fail(const char *format, ...)
{
    unsigned line = at > 0 ? scenario->statements[at - 1].line : scenario->line;
    va_list args;

    printf("# %s:%u: ", file, line);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
    _exit(1);
}

/* Whether the next statement is that, and the last. */
static bool
ends_with(const char *text)
{
    return at + 1 == scenario->count &&
           strcmp(scenario->statements[at].text, text) == 0;
}

static _Noreturn void run_monitor(struct config *config);

/* The next binary is this one, and goes on with the script. */
void
player_executed(void)
{
    static const char text[] = "it executes the binary";

    if (ends_with(text))
        _exit(0);
    if (at == scenario->count ||
        strcmp(scenario->statements[at].text, text) != 0)
        player_fail("it executes another binary");
    at++;
    run_monitor(NULL);
}

static void
run(const char *text)
{
    for (const struct monitor_step *step = steps; step->form; step++) {
        char *args[FORM_ARGS_MAX] = {NULL};
        bool matches = form_match(step->form, text, args);
        if (matches)
            step->run(args);
        form_free(args);
        if (matches)
            return;
    }
    player_fail("not understood, or not yet: %s", text);
}

void
player_next(void)
{
    if (at == scenario->count)
        _exit(0);
    at++;
    run(scenario->statements[at - 1].text);
}

/* ---- One scenario, in a process and a folder of its own ---- */

static _Noreturn void
run_monitor(struct config *config)
{
    char *argv[] = {"socks4d", "-c", "gw.yaml", NULL};
    const struct config_source source = {.file = steps_file};
    char ending[32];

    int status = monitor_run(config, &source, NULL, argv);
    config_unref(config);
    snprintf(ending, sizeof(ending), "it ends with %d", status);
    if (!ends_with(ending))
        player_fail("%s", ending);
    exit(0);
}

static _Noreturn void
play(void)
{
    const struct config_source source = {.file = steps_file};
    struct config_error error;

    steps_write_file(scenario->config != NULL ? scenario->config : usual);
    steps_write_users("ann:*");
    struct config *config = config_open(&source, false, &error, stdout);
    if (config == NULL)
        player_fail("%s", error.text);
    run_monitor(config);
}

static bool
play_apart(void)
{
    char folder[] = "/tmp/socks4-monitor-XXXXXX";
    char config[64], log[64], users[64];
    siginfo_t ended;

    if (mkdtemp(folder) == NULL)
        return false;
    snprintf(config, sizeof(config), "%s/gw.yaml", folder);
    snprintf(log, sizeof(log), "%s/log", folder);
    snprintf(users, sizeof(users), "%s/users", folder);
    steps_file = config;
    steps_log = log;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        play();
    /* waitpid is the fake children's. */
    bool good = waitid(P_PID, (id_t)pid, &ended, WEXITED) == 0 &&
                ended.si_code == CLD_EXITED && ended.si_status == 0;
    unlink(config);
    unlink(log);
    unlink(users);
    rmdir(folder);
    return good;
}

static bool
play_file(unsigned *number)
{
    struct script script;
    bool good = true;

    if (!script_load(&script, file))
        return false;
    for (size_t i = 0; i < script.count; i++) {
        scenario = &script.scenarios[i];
        bool one = play_apart();
        printf("%s %u - %s\n", one ? "ok" : "not ok", ++*number,
               scenario->title);
        good = good && one;
    }
    script_free(&script);
    return good;
}

int
main(int argc, char **argv)
{
    unsigned number = 0;
    bool good = true;

    for (int i = 1; i < argc; i++) {
        file = argv[i];
        good = play_file(&number) && good;
    }
    printf("1..%u\n", number);
    return good ? 0 : 1;
}
