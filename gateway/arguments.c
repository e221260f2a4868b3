#include "gateway/arguments.h"

#include <getopt.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static int __attribute__((format(printf, 1, 2)))
arguments_refuse(const char *format, ...)
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
arguments_add_listener(struct arguments *arguments, const char *at)
{
    if (arguments->listen_count == CONFIG_LISTENERS_MAX)
        return arguments_refuse("-l: at most %d listeners",
                                CONFIG_LISTENERS_MAX);
    arguments->listen[arguments->listen_count++] = at;
    return 0;
}

static int
arguments_set_task(struct arguments *arguments, int task)
{
    if (arguments->task != RUN && (int)arguments->task != task)
        return arguments_refuse("-t and -T exclude each other");
    arguments->task = (unsigned)task;
    return 0;
}

/* The option getopt stumbled over: optopt where it stands in a cluster. */
static const char *
arguments_stumbled(const char *word)
{
    static char letter[] = "-?";

    if (strncmp(word, "--", 2) == 0 || optopt == 0)
        return word;
    letter[1] = (char)optopt;
    return letter;
}

/* Options with a value that may be given once. */
static const struct {
    char letter;
    const char *name;
    size_t at;
    const char *remedy; /* of one that is given twice */
} single[] = {
    {'c', "-c", offsetof(struct arguments, file), "give one FILE"},
    {'p', "--pid-file", offsetof(struct arguments, pid_file), "give one"},
    {'o', "--to", offsetof(struct arguments, to),
     "give one, or write parents into a file"},
    {'a', "--ca", offsetof(struct arguments, ca), "give one FILE"},
    {'e', "--certificate", offsetof(struct arguments, certificate),
     "give one FILE"},
    {'k', "--key", offsetof(struct arguments, key), "give one FILE"},
    {'u', "--user", offsetof(struct arguments, user), "give one"},
    {'w', "--password-file", offsetof(struct arguments, password_file),
     "give one FILE"},
};

#define SINGLES (sizeof(single) / sizeof(single[0]))

static int
arguments_empty(const char *name)
{
    return arguments_refuse("%s has an empty value; give one, or leave it out",
                            name);
}

/* -1 after a line on stderr; 1: it is none of these. */
static int
arguments_take_single(struct arguments *arguments, int chosen)
{
    size_t i = 0;

    while (i < SINGLES && single[i].letter != chosen)
        i++;
    if (i == SINGLES)
        return 1;
    if (optarg[0] == '\0')
        return arguments_empty(single[i].name);
    const char **value =
        (const char **)(void *)((char *)arguments + single[i].at);
    if (*value)
        return arguments_refuse("%s is given twice; %s", single[i].name,
                                single[i].remedy);
    *value = optarg;
    return 0;
}

static int
arguments_take(struct arguments *arguments, int chosen, const char *word)
{
    int rc = arguments_take_single(arguments, chosen);

    if (rc <= 0)
        return rc;
    switch (chosen) {
    case 'l':
        return optarg[0] == '\0' ? arguments_empty("-l")
                                 : arguments_add_listener(arguments, optarg);
    case 'S':
        arguments->tls = true;
        return 0;
    case '5':
        arguments->socks5 = true;
        return 0;
    case 't':
        return arguments_set_task(arguments, TEST);
    case 'T':
        return arguments_set_task(arguments, DUMP);
    case '4':
        arguments->socks4a = true;
        return 0;
    case 's':
        arguments->strict = true;
        return 0;
    case 'h':
    case 'V':
        arguments->task = chosen == 'h' ? HELP : VERSION;
        return 1;
    case ':':
        return arguments_refuse("%s wants a value", arguments_stumbled(word));
    default:
        return arguments_refuse("unknown option %s", arguments_stumbled(word));
    }
}

/* --ca and --certificate imply --tls, and --user --socks5. */
static int
arguments_check_to(struct arguments *arguments)
{
    const char *given = arguments->socks5          ? "--socks5"
                        : arguments->tls           ? "--tls"
                        : arguments->ca            ? "--ca"
                        : arguments->certificate   ? "--certificate"
                        : arguments->key           ? "--key"
                        : arguments->user          ? "--user"
                        : arguments->password_file ? "--password-file"
                                                   : NULL;

    if (given && !arguments->to)
        return arguments_refuse("%s is for --to", given);
    if (!arguments->certificate != !arguments->key)
        return arguments_refuse("--certificate and --key belong together; give "
                                "both, or none");
    if (!arguments->user != !arguments->password_file)
        return arguments_refuse("--user and --password-file belong together; "
                                "give both, or none");
    arguments->tls |= arguments->ca || arguments->certificate;
    arguments->socks5 |= arguments->user != NULL;
    return 0;
}

int
arguments_read(struct arguments *arguments, int argc, char **argv)
{
    static const struct option longs[] = {
        {"socks4a", no_argument, NULL, '4'},
        {"to", required_argument, NULL, 'o'},
        {"socks5", no_argument, NULL, '5'},
        {"tls", no_argument, NULL, 'S'},
        {"ca", required_argument, NULL, 'a'},
        {"certificate", required_argument, NULL, 'e'},
        {"key", required_argument, NULL, 'k'},
        {"user", required_argument, NULL, 'u'},
        {"password-file", required_argument, NULL, 'w'},
        {"strict", no_argument, NULL, 's'},
        {"pid-file", required_argument, NULL, 'p'},
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
        return arguments_refuse(
            "unexpected \"%s\"; a file is named with -c, and "
            "`explain' and `passwd' come first",
            argv[optind]);
    if (rc == 0)
        rc = arguments_check_to(arguments);
    if (rc == 0 && arguments->strict && arguments->task != TEST)
        return arguments_refuse("--strict is for -t");
    return rc;
}

struct config_source
arguments_source(const struct arguments *arguments)
{
    return (struct config_source){
        .file = arguments->file,
        .listen = arguments->listen,
        .listen_count = arguments->listen_count,
        .socks4a = arguments->socks4a,
        .to = arguments->to,
        .socks5 = arguments->socks5,
        .tls = arguments->tls,
        .ca = arguments->ca,
        .certificate = arguments->certificate,
        .key = arguments->key,
        .user = arguments->user,
        .password_file = arguments->password_file,
    };
}
