#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 20000
#define WAIT_MAX_S 3600

const char options_usage[] =
    "socks4-conform HOST:PORT [--mode 4|4a|5] [--ident] [--only IDS]\n"
    "    [--wait SECONDS] [--timers SECONDS] [--json FILE] [--tap FILE]\n"
    "    [--report FILE] [--serial]  tests the server that listens there\n"
    "    [--user NAME --password-file FILE]  tests one of version 5 that asks\n"
    "                                for a password\n"
    "    [--tls] [--ca FILE] [--certificate FILE --key FILE]\n"
    "    [--server-name NAME]        tests it inside TLS\n"
    "socks4-conform [10.1.0.1:PORT] --namespaces --server 'COMMAND' ...\n"
    "                                starts one between several hosts\n"
    "socks4-conform [HOST:PORT] --serve-wrong DEFECT [--mode 4|4a|5] "
    "[--ident]\n"
    "    [--user NAME --password-file FILE]\n"
    "    [--tls --certificate FILE --key FILE]\n"
    "                                runs a server with that defect; `right' "
    "has\n"
    "                                none, `list' names them\n"
    "socks4-conform --list [--mode 5]  names the cases\n"
    "socks4-conform -h | -V          prints this, or the version\n"
    "Exit status: 0 nothing unmet, 1 a MUST, 2 only SHOULD or good practice,\n"
    "3 nothing could be tested, or the server died.\n";

enum {
    OPTION_MODE = 256,
    OPTION_IDENT,
    OPTION_ONLY,
    OPTION_WAIT,
    OPTION_TIMERS,
    OPTION_JSON,
    OPTION_TAP,
    OPTION_REPORT,
    OPTION_CASES,
    OPTION_SERIAL,
    OPTION_NAMESPACES,
    OPTION_SERVER,
    OPTION_SERVE_WRONG,
    OPTION_LIST,
    OPTION_USER,
    OPTION_PASSWORD_FILE,
    OPTION_TLS,
    OPTION_CA,
    OPTION_CERTIFICATE,
    OPTION_KEY,
    OPTION_SERVER_NAME,
};

static const struct option LONG[] = {
    {"mode", required_argument, NULL, OPTION_MODE},
    {"ident", no_argument, NULL, OPTION_IDENT},
    {"only", required_argument, NULL, OPTION_ONLY},
    {"wait", required_argument, NULL, OPTION_WAIT},
    {"timers", required_argument, NULL, OPTION_TIMERS},
    {"json", required_argument, NULL, OPTION_JSON},
    {"tap", required_argument, NULL, OPTION_TAP},
    {"report", required_argument, NULL, OPTION_REPORT},
    {"cases", required_argument, NULL, OPTION_CASES},
    {"serial", no_argument, NULL, OPTION_SERIAL},
    {"namespaces", no_argument, NULL, OPTION_NAMESPACES},
    {"server", required_argument, NULL, OPTION_SERVER},
    {"serve-wrong", required_argument, NULL, OPTION_SERVE_WRONG},
    {"list", no_argument, NULL, OPTION_LIST},
    {"user", required_argument, NULL, OPTION_USER},
    {"password-file", required_argument, NULL, OPTION_PASSWORD_FILE},
    {"tls", no_argument, NULL, OPTION_TLS},
    {"ca", required_argument, NULL, OPTION_CA},
    {"certificate", required_argument, NULL, OPTION_CERTIFICATE},
    {"key", required_argument, NULL, OPTION_KEY},
    {"server-name", required_argument, NULL, OPTION_SERVER_NAME},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static bool
options_complain(const char *what, const char *remedy)
{
    fprintf(stderr, "socks4-conform: %s: %s\n", what, remedy);
    return false;
}

static bool
options_read_seconds(const char *text, unsigned *ms)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end != '\0' || !(seconds > 0) || seconds > WAIT_MAX_S)
        return options_complain(text, "seconds, more than 0 and at most 3600");
    *ms = (unsigned)(seconds * 1000);
    return true;
}

static bool
options_read_mode(struct options *options, const char *text)
{
    options->mode = text;
    options->socks5 = strcmp(text, "5") == 0;
    return options->socks5 || strcmp(text, "4") == 0 ||
           strcmp(text, "4a") == 0 ||
           options_complain(text, "--mode is 4, 4a or 5");
}

static bool
options_read_option(struct options *options, int option, const char *value,
                    const char *word)
{
    if (option >= OPTION_TLS)
        options->tls.on = true;
    switch (option) {
    case OPTION_TLS:
        return true;
    case OPTION_CA:
        options->tls.ca = value;
        return true;
    case OPTION_CERTIFICATE:
        options->tls.certificate = value;
        return true;
    case OPTION_KEY:
        options->tls.key = value;
        return true;
    case OPTION_SERVER_NAME:
        options->tls.server_name = value;
        return true;
    case OPTION_MODE:
        return options_read_mode(options, value);
    case OPTION_WAIT:
        return options_read_seconds(value, &options->wait_ms);
    case OPTION_TIMERS:
        return options_read_seconds(value, &options->timers_ms);
    case OPTION_USER:
        options->user = value;
        return true;
    case OPTION_PASSWORD_FILE:
        options->password_file = value;
        return true;
    case OPTION_IDENT:
        options->ident = true;
        return true;
    case OPTION_SERIAL:
        options->serial = true;
        return true;
    case OPTION_NAMESPACES:
        options->namespaces = true;
        return true;
    case OPTION_LIST:
        options->list = true;
        return true;
    case 'h':
        options->help = true;
        return true;
    case 'V':
        options->version = true;
        return true;
    case OPTION_ONLY:
        options->only = value;
        return true;
    case OPTION_JSON:
        options->json = value;
        return true;
    case OPTION_TAP:
        options->tap = value;
        return true;
    case OPTION_REPORT:
        options->report = value;
        return true;
    case OPTION_CASES:
        options->cases = value;
        return true;
    case OPTION_SERVER:
        options->server = value;
        return true;
    case OPTION_SERVE_WRONG:
        options->serve_wrong = value;
        return true;
    default: /* ':' or '?' */
        return options_complain(word, option == ':' ? "wants a value"
                                                    : "unknown option");
    }
}

static bool
options_read_target(struct options *options, const char *text)
{
    char local[32];

    options->target_text = text;
    if (strncmp(text, "localhost:", 10) == 0) {
        snprintf(local, sizeof local, "127.0.0.1:%.5s", text + 10);
        text = local;
    }
    if (endpoint_parse(text, &options->target) == 0 &&
        addr_is_v4(options->target.addr) && options->target.port != 0)
        return true;
    return options_complain(text,
                            "HOST:PORT is an IPv4 address and a port, as in "
                            "127.0.0.1:1080");
}

/* --user and --password-file, and the password itself. */
static bool
options_read_password(struct options *options)
{
    struct route_fault fault;

    if ((options->user != NULL) != (options->password_file != NULL))
        return options_complain("--user", "goes with --password-file");
    if (options->user == NULL)
        return true;
    if (!options->socks5 || options->ident)
        return options_complain("--user",
                                "goes with --mode 5, without --ident");
    if (options->user[0] == '\0' || strlen(options->user) > SOCKS4_V5_TEXT_MAX)
        return options_complain("--user", "a name of 1 to 255 octets");
    if (password_read(&options->password, options->password_file, &fault) < 0)
        return options_complain("--password-file", fault.text);
    return true;
}

/* What belongs together. */
static bool
options_agree(const struct options *options)
{
    if (options->help || options->version || options->list)
        return true;
    if (options->namespaces != (options->server != NULL))
        return options_complain("--namespaces", "goes with --server 'COMMAND'");
    if (options->socks5 && options->ident)
        return options_complain("--ident", "goes with --mode 4 or 4a");
    if ((options->tls.certificate != NULL) != (options->tls.key != NULL))
        return options_complain("--certificate", "goes with --key");
    if (options->serve_wrong != NULL && options->tls.on &&
        (options->tls.key == NULL || options->ident))
        return options_complain("--serve-wrong with --tls",
                                "wants --certificate and --key, and has no "
                                "--ident");
    if (options->target_text == NULL && !options->namespaces &&
        options->serve_wrong == NULL)
        return options_complain("HOST:PORT is missing",
                                "which server is to be tested?");
    return true;
}

bool
options_read(struct options *options, int argc, char **argv)
{
    int option;

    *options = (struct options){.wait_ms = WAIT_MS};
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":hV", LONG, NULL)) != -1)
        if (!options_read_option(options, option, optarg, argv[optind - 1]))
            return false;
    if (optind + 1 < argc)
        return options_complain(argv[optind + 1],
                                "unexpected; one HOST:PORT is "
                                "enough");
    if (optind < argc && !options_read_target(options, argv[optind]))
        return false;
    if (optind == argc)
        endpoint_parse(options->namespaces ? "10.1.0.1:1080" : "127.0.0.1:1080",
                       &options->target);
    if (options->timers_ms > 0)
        options->wait_ms = options->timers_ms + 2000;
    return options_agree(options) && options_read_password(options);
}
