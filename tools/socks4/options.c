#include "tools/socks4/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Options without a letter of their own, in a command's list of letters. */
enum { EXEC = 'e', JSON = 'j', LENIENT = 'l', BYPASS = 'b', LOOPBACK = 'o' };

const struct command commands[] = {
    {"connect", 2, 2, connect_run, "putajle", "connect HOST PORT"},
    {"bind", 1, 2, bind_run, "putajle", "bind HOST [PORT]"},
    {"ident", 3, 3, ident_run, "utj", "ident HOST[:PORT] PORT-THERE PORT-HERE"},
    {"run", 0, 0, run_run, "putalbov", "run [--] COMMAND [ARGUMENT]..."},
    {0},
};

static const char help_text[] =
    "socks4 - a client of SOCKS 4 gateways\n"
    "\n"
    "socks4 connect HOST PORT\n"
    "    standard input and output become a connection to HOST\n"
    "socks4 bind HOST [PORT]\n"
    "    print an address, wait for HOST to connect to it, then the same\n"
    "socks4 run [--] COMMAND [ARGUMENT]...\n"
    "    run a program that knows nothing of SOCKS through the gateway\n"
    "socks4 ident HOST[:PORT] PORT-THERE PORT-HERE\n"
    "    ask HOST's identd whose a connection is\n"
    "\n"
    "  -p, --gateway [USERID@]HOST[:PORT]   the gateway; several, nearest\n"
    "                       first, with commas between them. Otherwise\n"
    "                       SOCKS4_SERVER, SOCKS_SERVER, or 127.0.0.1:1080\n"
    "  -u, --userid USERID  who asks; empty where not given\n"
    "  -a, --socks4a        let the gateway resolve names (SOCKS 4A)\n"
    "  -t, --timeout TIME   for the handshake: 500ms, 30s, 2m; 150s\n"
    "      --lenient        forgive replies that are not quite SOCKS 4\n"
    "      --json           say how it ended as a JSON object\n"
    "      --exec COMMAND   (connect, bind) give the connection to a shell's\n"
    "                       command as its standard input and output\n"
    "      --bypass WHERE   (run) go there directly: an address, a network,\n"
    "                       a name or .suffix; may be given again\n"
    "      --loopback       (run) this machine's loopback, too\n"
    "  -v, --verbose        (run) say where each connection goes\n"
    "  -h, --help, -V, --version\n"
    "\n"
    "Exit status: 0 granted, and ended in order; 91, 92, 93 as the gateway\n"
    "replied; 1 network, 2 usage, 3 not the protocol. See socks4(1).\n";

static const struct option longs[] = {
    {"gateway", required_argument, NULL, 'p'},
    {"userid", required_argument, NULL, 'u'},
    {"socks4a", no_argument, NULL, 'a'},
    {"timeout", required_argument, NULL, 't'},
    {"lenient", no_argument, NULL, LENIENT},
    {"json", no_argument, NULL, JSON},
    {"exec", required_argument, NULL, EXEC},
    {"bypass", required_argument, NULL, BYPASS},
    {"loopback", no_argument, NULL, LOOPBACK},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {0},
};

int
options_usage(const char *format, ...)
{
    va_list args;

    fputs("socks4: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("\nTry 'socks4 --help'.\n", stderr);
    return STATUS_USAGE;
}

static const char *
options_name(int chosen)
{
    for (const struct option *one = longs; one->name != NULL; one++)
        if (one->val == chosen)
            return one->name;
    return "?";
}

static int
options_take_timeout(struct options *options)
{
    if (text_duration(optarg, &options->timeout_ms) == 0 &&
        options->timeout_ms > 0)
        return 0;
    return options_usage("--timeout %s: wants a time like 500ms, 30s or 2m",
                         optarg);
}

static int
options_take_bypass(struct options *options)
{
    if (options->bypass_count == OPTIONS_BYPASS_MAX)
        return options_usage("--bypass: at most %d times", OPTIONS_BYPASS_MAX);
    options->bypass[options->bypass_count++] = optarg;
    return 0;
}

static int
options_take(struct options *options, int chosen)
{
    switch (chosen) {
    case 'p':
        options->gateway = optarg;
        return 0;
    case 'u':
        options->userid = optarg;
        return 0;
    case EXEC:
        options->exec = optarg;
        return 0;
    case 't':
        return options_take_timeout(options);
    case BYPASS:
        return options_take_bypass(options);
    case 'a':
        options->socks4a = true;
        return 0;
    case JSON:
        options->json = true;
        return 0;
    case LENIENT:
        options->lenient = true;
        return 0;
    case LOOPBACK:
        options->loopback = true;
        return 0;
    default:
        options->verbose = true;
        return 0;
    }
}

static const char *
options_command_name(const void *names, size_t i)
{
    return ((const struct command *)names)[i].name;
}

static int
options_take_command(struct options *options, const char *word)
{
    size_t count = 0;

    for (; commands[count].name != NULL; count++)
        if (strcmp(commands[count].name, word) == 0)
            options->command = &commands[count];
    if (options->command != NULL)
        return 0;
    const char *near =
        text_nearest(word, commands, count, options_command_name);
    return near != NULL
               ? options_usage("\"%s\" is no command; \"%s\" is", word, near)
               : options_usage("\"%s\" is no command", word);
}

/* A word that is no option: the command, then what it is about. */
static int
options_take_word(struct options *options, const char *word)
{
    if (options->command == NULL)
        return options_take_command(options, word);
    if (options->word_count == options->command->words_max)
        return options_usage("unexpected \"%s\": socks4 %s", word,
                             options->command->usage);
    options->words[options->word_count++] = word;
    return 0;
}

static bool
options_is_run(const struct options *options)
{
    return options->command != NULL && options->command->run == run_run;
}

static int
options_stumble(int chosen, char **argv)
{
    const char *word = argv[optind - 1];
    char letter[] = "-?";

    if (optopt > ' ' && optopt < 0x7f && strncmp(word, "--", 2) != 0) {
        letter[1] = (char)optopt;
        word = letter;
    }
    return chosen == ':' ? options_usage("%s wants a value", word)
                         : options_usage("unknown option %s", word);
}

/* Which options were given, as letters; NULL: it is said what is wrong. */
static int
options_read_all(struct options *options, int argc, char **argv,
                 char seen[static 32])
{
    size_t count = 0;
    int chosen, status = 0;

    opterr = 0;
    while (status == 0 && (chosen = getopt_long(argc, argv, "-:p:u:at:vhV",
                                                longs, NULL)) != -1) {
        if (chosen == 1 && options_is_run(options)) {
            optind--; /* the program: what follows is its own */
            break;
        }
        if (chosen == 1)
            status = options_take_word(options, optarg);
        else if (chosen == ':' || chosen == '?')
            status = options_stumble(chosen, argv);
        else if (chosen == 'h' || chosen == 'V')
            return chosen;
        else
            status = options_take(options, chosen);
        if (chosen != 1 && count < 31 && strchr(seen, chosen) == NULL)
            seen[count++] = (char)chosen;
    }
    while (status == 0 && optind < argc && !options_is_run(options))
        status = options_take_word(options, argv[optind++]);
    options->program = argv + optind;
    return status;
}

static int
options_check(const struct options *options, const char *seen)
{
    if (options->command == NULL)
        return options_usage("wants a command: connect, bind, run or ident");
    for (; *seen != '\0'; seen++)
        if (strchr(options->command->options, *seen) == NULL)
            return options_usage("--%s is not for %s", options_name(*seen),
                                 options->command->name);
    if (options->word_count < options->command->words_min ||
        (options_is_run(options) && options->program[0] == NULL))
        return options_usage("socks4 %s", options->command->usage);
    return 0;
}

static const char *
options_gateway(void)
{
    static const char *const names[] = {"SOCKS4_SERVER", "SOCKS_SERVER"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0')
            return value;
    }
    return "127.0.0.1:1080";
}

bool
options_read(struct options *options, int argc, char **argv, int *status)
{
    char seen[32] = "";

    memset(options, 0, sizeof(*options));
    options->timeout_ms = 150000; /* more than a gateway's own two minutes */
    *status = options_read_all(options, argc, argv, seen);
    if (*status == 'h') {
        *status = fputs(help_text, stdout) == EOF;
        return false;
    }
    if (*status == 'V') {
        *status = printf("socks4 %s\n", PROJECT_VERSION) < 0;
        return false;
    }
    if (*status == 0)
        *status = options_check(options, seen);
    if (options->gateway == NULL)
        options->gateway = options_gateway();
    return *status == 0;
}
