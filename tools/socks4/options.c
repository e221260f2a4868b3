#include "tools/socks4/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Long options that have no short form, as letters of a command's list. */
enum {
    EXEC = 'e',
    JSON = 'j',
    LENIENT = 'l',
    BYPASS = 'b',
    LOOPBACK = 'o',
    NO_SHUTDOWN = 'n',
    FORCE = 'f',
    TLS = 's',
    CA = 'c',
    CERTIFICATE = 'i',
    KEY = 'k',
    SERVER_NAME = 'm',
    SOCKS5 = '5',
    USER = 'w',
    PASSWORD_FILE = 'x',
};

const struct command commands[] = {
    {"connect", 2, 2, connect_run, "putajlenscikmv5wx", "connect HOST PORT"},
    {"bind", 1, 2, bind_run, "putajlenscikmv5wx", "bind HOST [PORT]"},
    {"ident", 3, 3, ident_run, "utj", "ident HOST[:PORT] PORT-THERE PORT-HERE"},
    {"run", 0, 0, run_run, "putalbovfscikm5wx",
     "run [--] COMMAND [ARGUMENT]..."},
    {"probe", 1, OPTIONS_WORDS_MAX, probe_run, "tscikmv",
     "probe GATEWAY [ADDRESS:PORT]..."},
    {0},
};

static const char help_text[] =
    "socks4 - a client of SOCKS 4 and SOCKS5 gateways\n"
    "\n"
    "socks4 connect HOST PORT\n"
    "    connect to HOST, then relay standard input and output\n"
    "socks4 bind HOST [PORT]\n"
    "    print an address, wait for HOST to connect to it, then relay\n"
    "socks4 run [--] COMMAND [ARGUMENT]...\n"
    "    run a program with its TCP connections through the gateway\n"
    "socks4 ident HOST[:PORT] PORT-THERE PORT-HERE\n"
    "    ask HOST's identd for the user of a connection\n"
    "socks4 probe GATEWAY [ADDRESS:PORT]...\n"
    "    try from outside what scanners try, and say what they would find\n"
    "\n"
    "  -p, --gateway [USER@]HOST[:PORT], socks4://..., socks4a://...,\n"
    "                socks5://... or socks5h://...\n"
    "                       the gateway, or a chain, nearest first, with\n"
    "                       commas between. Default: SOCKS4_SERVER,\n"
    "                       SOCKS_SERVER, 127.0.0.1:1080\n"
    "  -u, --userid USERID  your name for the gateway; default: empty\n"
    "  -a, --socks4a        let the gateways resolve names (SOCKS 4A,\n"
    "                       SOCKS5)\n"
    "      --socks5         speak SOCKS5 with gateways that are no URLs\n"
    "      --user NAME      (SOCKS5) your user name\n"
    "      --password-file FILE\n"
    "                       (SOCKS5) the file whose first line is your\n"
    "                       password\n"
    "      --tls            speak TLS with the (first) gateway; the next four\n"
    "                       imply it\n"
    "      --ca FILE        the authorities that its certificate may be of;\n"
    "                       default: the system's\n"
    "      --certificate FILE, --key FILE\n"
    "                       your own certificate and its key\n"
    "      --server-name NAME\n"
    "                       the name in its certificate; default: that of -p\n"
    "  -t, --timeout TIME   of the handshake: 500ms, 30s, 2m; default 150s;\n"
    "                       of each try of probe: 10s\n"
    "      --lenient        accept replies that deviate from SOCKS 4\n"
    "      --json           print the outcome as a JSON object\n"
    "      --no-shutdown    (connect, bind) keep the sending side open when\n"
    "                       standard input ends, until the server closes\n"
    "      --exec COMMAND   (connect, bind) run a shell command with the\n"
    "                       connection as its standard input and output\n"
    "      --bypass WHERE   (run) connect there directly: an address, a\n"
    "                       network, a name or .suffix; repeatable\n"
    "      --loopback       (run) connect to 127.0.0.1, too, by the gateway\n"
    "      --force          (run) run the program even if it will connect\n"
    "                       directly\n"
    "  -v, --verbose        (connect, bind, run, probe) print what was\n"
    "                       granted, or what failed\n"
    "  -h, --help           print this help\n"
    "  -V, --version        print the version\n"
    "\n"
    "Exit status: 0 granted and ended in order; 91, 92, 93: the gateway's\n"
    "refusal, of SOCKS5 101 to 108; 1 network; 2 usage; 3 not SOCKS; 4 TLS;\n"
    "5 user name or password. Of probe: 0 nothing is open; 1 something is;\n"
    "3 there is no gateway. See socks4(1).\n";

static const struct option longs[] = {
    {"gateway", required_argument, NULL, 'p'},
    {"userid", required_argument, NULL, 'u'},
    {"socks4a", no_argument, NULL, 'a'},
    {"socks5", no_argument, NULL, SOCKS5},
    {"user", required_argument, NULL, USER},
    {"password-file", required_argument, NULL, PASSWORD_FILE},
    {"timeout", required_argument, NULL, 't'},
    {"lenient", no_argument, NULL, LENIENT},
    {"json", no_argument, NULL, JSON},
    {"exec", required_argument, NULL, EXEC},
    {"bypass", required_argument, NULL, BYPASS},
    {"loopback", no_argument, NULL, LOOPBACK},
    {"no-shutdown", no_argument, NULL, NO_SHUTDOWN},
    {"force", no_argument, NULL, FORCE},
    {"tls", no_argument, NULL, TLS},
    {"ca", required_argument, NULL, CA},
    {"certificate", required_argument, NULL, CERTIFICATE},
    {"key", required_argument, NULL, KEY},
    {"server-name", required_argument, NULL, SERVER_NAME},
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

/* --tls, and what implies it. */
static int
options_take_tls(struct tls_options *tls, int chosen)
{
    tls->on = true;
    if (chosen == CA)
        tls->ca = optarg;
    else if (chosen == CERTIFICATE)
        tls->certificate = optarg;
    else if (chosen == KEY)
        tls->key = optarg;
    else if (chosen == SERVER_NAME)
        tls->server_name = optarg;
    return 0;
}

static int
options_take(struct options *options, int chosen)
{
    switch (chosen) {
    case TLS:
    case CA:
    case CERTIFICATE:
    case KEY:
    case SERVER_NAME:
        return options_take_tls(&options->tls, chosen);
    case 'p':
        options->gateway = optarg;
        options->gateway_source = "-p";
        return 0;
    case 'u':
        options->userid = optarg;
        return 0;
    case SOCKS5:
        options->socks5 = true;
        return 0;
    case USER:
        options->user = optarg;
        return 0;
    case PASSWORD_FILE:
        options->password_file = optarg;
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
    case NO_SHUTDOWN:
        options->no_shutdown = true;
        return 0;
    case FORCE:
        options->force = true;
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
               ? options_usage("unknown command \"%s\" (did you mean \"%s\"?)",
                               word, near)
               : options_usage("unknown command \"%s\"; the commands are "
                               "connect, bind, run, ident and probe",
                               word);
}

/* A word that is not an option: the command, then its arguments. */
static int
options_take_word(struct options *options, const char *word)
{
    if (options->command == NULL)
        return options_take_command(options, word);
    if (options->word_count == options->command->words_max)
        return options_usage("unexpected \"%s\"; usage: socks4 %s", word,
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

/* Reads all arguments; `seen` gets the letters of the options. 0, a status,
   or 'h' or 'V' where that is asked for. */
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
            optind--; /* the program: what follows are its arguments */
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

/* The first word that is not there, of a usage like "connect HOST PORT". */
static const char *
options_missing(const struct options *options)
{
    static char word[32];
    const char *at = options->command->usage;

    if (options_is_run(options))
        return "COMMAND";
    for (unsigned i = 0; i <= options->word_count; i++)
        at = strchr(at, ' ') + 1;
    snprintf(word, sizeof(word), "%.*s", (int)strcspn(at, " "), at);
    return word;
}

static int
options_check(const struct options *options, const char *seen)
{
    if (options->command == NULL)
        return options_usage("a command is missing: connect, bind, run, "
                             "ident or probe");
    for (; *seen != '\0'; seen++)
        if (strchr(options->command->options, *seen) == NULL)
            return options_usage("--%s is not for %s", options_name(*seen),
                                 options->command->name);
    if (options->word_count < options->command->words_min ||
        (options_is_run(options) && options->program[0] == NULL))
        return options_usage("%s is missing; usage: socks4 %s",
                             options_missing(options), options->command->usage);
    if ((options->tls.certificate != NULL) != (options->tls.key != NULL))
        return options_usage("--certificate and --key go together");
    if (options->no_shutdown && options->exec != NULL)
        return options_usage("--no-shutdown has no effect with --exec: the "
                             "command closes the connection");
    return 0;
}

static void
options_default_gateway(struct options *options)
{
    static const char *const names[] = {"SOCKS4_SERVER", "SOCKS_SERVER"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0') {
            options->gateway = value;
            options->gateway_source = names[i];
            return;
        }
    }
    options->gateway = "127.0.0.1:1080";
    options->gateway_source = "the default";
}

int
options_route(const struct options *options, struct route *route,
              struct route_fault *fault)
{
    struct route_defaults defaults = {
        .userid = options->userid != NULL ? options->userid : "",
        .user = options->user != NULL ? options->user : "",
        .socks5 = options->socks5,
        .resolves = options->socks4a};
    const char *source = options->gateway_source;
    struct route_fault found;
    int error = route_parse(route, options->gateway, &defaults, &found);

    if (strlen(defaults.userid) > ROUTE_USERID_MAX)
        source = "-u";
    else if (strlen(defaults.user) > SOCKS4_V5_TEXT_MAX)
        source = "--user";
    if (error != 0)
        snprintf(fault->text, sizeof(fault->text), "%s: %.480s", source,
                 found.text);
    return error;
}

/* There is one password, so it must be clear whose it is. */
int
options_password(const struct options *options, const struct route *route,
                 struct password *password)
{
    size_t gateways = 0, users = 0;
    struct route_fault fault;

    password->text[0] = '\0';
    for (size_t i = 0; i < route->count; i++) {
        gateways += route->hops[i].socks5;
        users += route->hops[i].socks5 && route->hops[i].user[0] != '\0';
    }
    if (gateways == 0 &&
        (options->user != NULL || options->password_file != NULL))
        return options_usage("%s is for SOCKS5: add --socks5, or write the "
                             "gateway as socks5://HOST",
                             options->user != NULL ? "--user"
                                                   : "--password-file");
    if (users > 1)
        return options_usage("one password is for one gateway: write the user "
                             "name into the URL of that one, and leave out "
                             "--user");
    if (users == 0 && options->password_file != NULL)
        return options_usage("--password-file wants a user name: add --user");
    if (users > 0 && options->password_file == NULL)
        return options_usage("a user name of SOCKS5 wants a password: add "
                             "--password-file");
    if (users == 0 ||
        password_read(password, options->password_file, &fault) == 0)
        return 0;
    return options_usage("--password-file %s", fault.text);
}

int
options_tls(const struct options *options, struct tls_context **tls)
{
    struct tls_fault fault;

    if (!options->tls.on || tls_context_open(tls, &options->tls, &fault) == 0)
        return 0;
    return options_usage("%s", fault.text);
}

bool
options_read(struct options *options, int argc, char **argv, int *status)
{
    char seen[32] = "";

    memset(options, 0, sizeof(*options));
    options->timeout_ms = 150000; /* a gateway itself waits two minutes */
    *status = options_read_all(options, argc, argv, seen);
    if (options->command != NULL && options->command->run == probe_run &&
        strchr(seen, 't') == NULL)
        options->timeout_ms = 10000; /* of many tries */
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
        options_default_gateway(options);
    return *status == 0;
}
