/* The command line: which configuration, and what to do with it. */

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "gateway/config/config.h"
#include "gateway/explain.h"
#include "gateway/logwriter/main.h"
#include "gateway/monitor/descriptors.h"
#include "gateway/monitor/monitor.h"
#include "gateway/resolver/resolver.h"
#include "gateway/upgrade_check/main.h"
#include "gateway/worker/footprint.h"
#include "gateway/worker/main.h"

enum { EXIT_USAGE = 2 };

struct arguments {
    const char *file; /* NULL: the built-in default */
    const char *listen[CONFIG_LISTENERS_MAX];
    size_t listen_count;
    bool socks4a;
    char **argv;
    enum { RUN, TEST, DUMP, HELP, VERSION } task;
};

static const char help_text[] =
    "socks4d - a SOCKS 4 gateway\n"
    "\n"
    "socks4d [-c FILE] [-l ADDR:PORT]... [--socks4a]\n"
    "    run in the foreground; without FILE: 127.0.0.1:1080, for clients on\n"
    "    this machine. -l replaces the listeners; --socks4a serves SOCKS 4A\n"
    "    too, on them or those of the built-in default.\n"
    "socks4d -t [-c FILE]\n"
    "    check the configuration: exit 0, or 1 and where it is wrong\n"
    "socks4d -T [-c FILE]\n"
    "    print the effective configuration\n"
    "socks4d explain [-c FILE] --from ADDR --to ADDR|NAME --port PORT\n"
    "        [--command connect|bind] [--user USERID] [--listener NAME] "
    "[--json]\n"
    "    say what would be answered, and by which rule: exit 0 granted,\n"
    "    1 refused or not certain, 2 usage\n"
    "socks4d -h, --help | -V, --version\n"
    "\n"
    "HUP reads the configuration again and opens the log file again, TERM and\n"
    "INT drain (a second one: now), USR2 goes on with the program that is "
    "there\n"
    "now.\n"
    "See socks4d(8) and socks4d.conf(5).\n";

static int __attribute__((format(printf, 1, 2))) usage(const char *format, ...)
{
    va_list args;

    fputs("socks4d: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("\nTry 'socks4d --help'.\n", stderr);
    return -1;
}

static int
listen_add(struct arguments *arguments, const char *at)
{
    if (arguments->listen_count == CONFIG_LISTENERS_MAX)
        return usage("-l: at most %d listeners", CONFIG_LISTENERS_MAX);
    arguments->listen[arguments->listen_count++] = at;
    return 0;
}

static int
task_set(struct arguments *arguments, int task)
{
    if (arguments->task != RUN && (int)arguments->task != task)
        return usage("-t and -T exclude each other");
    arguments->task = (unsigned)task;
    return 0;
}

/* The option getopt stumbled over: optopt where it stands in a cluster. */
static const char *
stumbled(const char *word)
{
    static char letter[] = "-?";

    if (strncmp(word, "--", 2) == 0 || optopt == 0)
        return word;
    letter[1] = (char)optopt;
    return letter;
}

static int
arguments_take(struct arguments *arguments, int chosen, const char *word)
{
    switch (chosen) {
    case 'c':
        if (arguments->file)
            return usage("-c is given twice; give one FILE");
        arguments->file = optarg;
        return 0;
    case 'l':
        return listen_add(arguments, optarg);
    case 't':
        return task_set(arguments, TEST);
    case 'T':
        return task_set(arguments, DUMP);
    case '4':
        arguments->socks4a = true;
        return 0;
    case 'h':
    case 'V':
        arguments->task = chosen == 'h' ? HELP : VERSION;
        return 1;
    case ':':
        return usage("%s wants a value", stumbled(word));
    default:
        return usage("unknown option %s", stumbled(word));
    }
}

/* 0; 1: look no further; -1: usage. */
static int
arguments_read(struct arguments *arguments, int argc, char **argv)
{
    static const struct option longs[] = {
        {"socks4a", no_argument, NULL, '4'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
    };
    int chosen, rc = 0;

    opterr = 0;
    while (rc == 0 &&
           (chosen = getopt_long(argc, argv, ":c:l:tThV", longs, NULL)) != -1)
        rc = arguments_take(arguments, chosen, argv[optind - 1]);
    if (rc == 0 && optind < argc)
        return usage("unexpected \"%s\"", argv[optind]);
    return rc;
}

static int
config_print(const struct config *config)
{
    int error = descriptors_raise(); /* figures are of the limit */
    if (error != 0)
        fprintf(stderr, "socks4d: RLIMIT_NOFILE: %s\n", strerror(-error));
    puts("# What socks4d runs on, every key; computed figures are comments.");
    error = config_dump(config, stdout);
    footprint_print(config, stdout);
    if (error == 0 && fflush(stdout) == 0)
        return EXIT_SUCCESS;
    perror("socks4d: standard output");
    return EXIT_FAILURE;
}

static int
config_use(struct config *config, const struct config_source *source,
           const struct arguments *arguments)
{
    switch (arguments->task) {
    case TEST:
        printf("%s: ok\n", config->file ? config->file : "built-in default");
        return EXIT_SUCCESS;
    case DUMP:
        return config_print(config);
    default:
        return monitor_run(config, source, arguments->argv);
    }
}

static struct config_source
source_of(const struct arguments *arguments)
{
    return (struct config_source){
        .file = arguments->file,
        .listen = arguments->listen,
        .listen_count = arguments->listen_count,
        .socks4a = arguments->socks4a,
    };
}

static int
gateway_main(const struct arguments *arguments)
{
    struct config_source source = source_of(arguments);
    struct config_error error;

    if (arguments->task == RUN && monitor_is_successor())
        return monitor_run(NULL, &source, arguments->argv);
    struct config *config = config_open(&source, &error, stderr);

    if (!config) {
        fprintf(stderr, "%s\n", error.text);
        return EXIT_FAILURE;
    }
    int status = config_use(config, &source, arguments);
    config_unref(config);
    return status;
}

/* What the monitor executes: "--worker" SLOT UID GID; UID -1: as we are. */
static int
worker_role(int argc, char **argv)
{
    if (argc != 5)
        return EXIT_USAGE;
    return worker_main((unsigned)strtoul(argv[2], NULL, 10),
                       (uid_t)strtoll(argv[3], NULL, 10),
                       (gid_t)strtoll(argv[4], NULL, 10));
}

/* "--upgrade-check", and then as the monitor was called. */
static int
upgrade_check_role(int argc, char **argv)
{
    struct arguments arguments = {0};

    if (arguments_read(&arguments, argc - 1, argv + 1) != 0)
        return EXIT_USAGE;
    struct config_source source = source_of(&arguments);
    return upgrade_check_main(&source);
}

int
main(int argc, char **argv)
{
    struct arguments arguments = {.argv = argv};

    if (argc > 1 && strcmp(argv[1], "--worker") == 0)
        return worker_role(argc, argv);
    if (argc > 1 && strcmp(argv[1], "--logwriter") == 0)
        return argc == 5 ? logwriter_main(argc, argv) : EXIT_USAGE;
    if (argc > 1 && strcmp(argv[1], "--resolver") == 0)
        return resolver_main(argc, argv);
    if (argc > 1 && strcmp(argv[1], "--upgrade-check") == 0)
        return upgrade_check_role(argc, argv);
    if (argc > 1 && strcmp(argv[1], "explain") == 0)
        return explain_main(argc - 1, argv + 1);
    if (arguments_read(&arguments, argc, argv) < 0)
        return EXIT_USAGE;
    if (arguments.task == HELP)
        return fputs(help_text, stdout) == EOF;
    if (arguments.task == VERSION)
        return printf("socks4d %s\n", PROJECT_VERSION) < 0;
    return gateway_main(&arguments);
}
