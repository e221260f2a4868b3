/* The command line: which gateways, and what they are asked. */

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/standard.h"
#include "base/text.h"
#include "tools/socks4ctl/gateway.h"
#include "tools/socks4ctl/merge.h"
#include "tools/socks4ctl/table.h"
#include "tools/socks4ctl/views.h"

enum { STATUS_DONE, STATUS_FAILED, STATUS_USAGE, STATUS_NO_GATEWAY };

#define GATEWAYS_MAX 64

struct command;

struct arguments {
    const char *sockets[GATEWAYS_MAX];
    size_t count;
    bool json, follow, wait;
    const char *by, *time;
    const struct command *command;
    json_t *request; /* owned */
};

/* What its words are. */
enum words { WORDS_NONE, WORDS_FILTER, WORDS_IDS, WORDS_SOME };

struct command {
    const char *name;
    enum words words;
    const char *options; /* letters of those that it takes */
    view_fn *view;
    const char *help;
};

enum { BY = 'b', FOLLOW = 'f', WAIT = 'w', TIME = 't' };

static const struct command commands[] = {
    {"status", WORDS_NONE, "", view_status,
     "  status               what it is and how it does\n"},
    {"sessions", WORDS_FILTER, "f", view_sessions,
     "  sessions [FILTER...] [--follow]\n"
     "                       the sessions that match, at most 200, the oldest\n"
     "                       first; --follow: those that begin and end, as\n"
     "                       it happens\n"},
    {"kill", WORDS_IDS, "", view_killed,
     "  kill ID... | FILTER...\n"
     "                       end these sessions: both ends see a reset\n"},
    {"top", WORDS_NONE, "b", view_top,
     "  top [--by client|dest|rule|userid|certificate]\n"
     "                       who moves most, and has most sessions\n"},
    {"reload", WORDS_NONE, "w", view_outcome,
     "  reload [--wait]      read the configuration again\n"},
    {"drain", WORDS_NONE, "", view_outcome,
     "  drain                accept no more, let sessions finish, end\n"},
    {"upgrade", WORDS_NONE, "w", view_outcome,
     "  upgrade [--wait]     go on with the program that is there now;\n"
     "                       --wait: until it is done, or has failed and "
     "why\n"},
    {"listeners", WORDS_NONE, "", view_listeners,
     "  listeners            where it listens, and for how many sessions\n"},
    {"limits", WORDS_NONE, "", view_limits,
     "  limits               the limits, what is used of them, and how often\n"
     "                       they were met\n"},
    {"parents", WORDS_NONE, "", view_parents,
     "  parents              the gateways behind this one, and whether they\n"
     "                       answer\n"},
    {"migration", WORDS_FILTER, "", view_migration,
     "  migration [FILTER...]\n"
     "                       who has spoken which version, and when last:\n"
     "                       clients of SOCKS 4 first; FILTER: client, "
     "userid,\n"
     "                       rule, version\n"},
    {"config", WORDS_NONE, "", view_config,
     "  config               the configuration in force\n"},
    {"trace", WORDS_SOME, "t", view_traced,
     "  trace FILTER... [--for TIME]\n"
     "                       log every step of the sessions that match, for\n"
     "                       a minute or that time (30s, 5m)\n"},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

/* --- usage --------------------------------------------------------------- */

static int
main_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return STATUS_DONE;
    fprintf(stderr, "socks4ctl: standard output: %s\n", strerror(errno));
    return STATUS_FAILED;
}

static int
main_print_help(void)
{
    fputs("socks4ctl - looks at a running socks4d, and steers it\n"
          "\n"
          "socks4ctl [-s SOCKET]... [--json] COMMAND\n"
          "\n",
          stdout);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fputs(commands[i].help, stdout);
    fputs(
        "\n"
        "FILTER: client=NET dest=NET port=N rule=NAME userid=S certificate=S\n"
        "        version=V[,V...] listener=NAME state=S older=TIME up>N "
        "down>N;\n"
        "        all must match\n"
        "\n"
        "  -s, --socket SOCKET  the gateway's control.socket; several times: "
        "all\n"
        "                       of these gateways. Default:\n"
        "                       $XDG_RUNTIME_DIR/socks4d/control, if there is "
        "one,\n"
        "                       else /run/socks4d/control\n"
        "      --json           print JSON, for programs\n"
        "  -h, --help           print this help\n"
        "  -V, --version        print the version\n"
        "\n"
        "Exit status: 0 done; 1 failed; 2 usage; 3 no gateway there. See\n"
        "socks4ctl(1).\n",
        stdout);
    return main_flush();
}

static int
main_usage(const char *format, ...)
{
    va_list list;

    fputs("socks4ctl: ", stderr);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputs("\nTry 'socks4ctl --help'.\n", stderr);
    return STATUS_USAGE;
}

static const char *
main_name_at(const void *rows, size_t i)
{
    return ((const struct command *)rows)[i].name;
}

static int
main_find_command(struct arguments *arguments, const char *name)
{
    char hint[TEXT_HINT_MAX];
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            arguments->command = &commands[i];
    if (arguments->command != NULL)
        return STATUS_DONE;
    const char *nearest =
        text_nearest(name, commands, COMMAND_COUNT, main_name_at);
    return main_usage("there is no command \"%s\"%s", name,
                      text_hint(nearest, hint));
}

/* --- the request --------------------------------------------------------- */

static bool
main_is_id(const char *word)
{
    size_t len = strspn(word, "0123456789");

    return len > 0 && len < 19 && word[len] == '\0';
}

/* Octets of the command line as characters: what is not UTF-8 is Latin-1, as in
   records. */
static json_t *
main_word(const char *word)
{
    json_t *text = json_string(word);
    char latin[2048];
    size_t len = 0;

    if (text != NULL || strlen(word) >= sizeof(latin) / 2)
        return text;
    for (; *word != '\0'; word++) {
        unsigned char octet = (unsigned char)*word;
        if (octet >= 0x80)
            latin[len++] = (char)(0xc0 | octet >> 6);
        latin[len++] = (char)(octet >= 0x80 ? 0x80 | (octet & 0x3f) : octet);
    }
    return json_stringn(latin, len);
}

static int
main_read_words(struct arguments *arguments, char **words, size_t count)
{
    const struct command *command = arguments->command;
    json_t *filter = json_array(), *ids = json_array();
    bool many = arguments->count > 1;

    json_object_set_new(arguments->request, "filter", filter);
    json_object_set_new(arguments->request, "ids", ids);
    if (command->words == WORDS_NONE && count > 0)
        return main_usage("%s takes no \"%s\"", command->name, words[0]);
    if (command->words >= WORDS_IDS && count == 0)
        return main_usage(command->words == WORDS_IDS
                              ? "%s takes the ids of sessions, or a FILTER"
                              : "%s takes a FILTER",
                          command->name);
    for (size_t i = 0; i < count; i++) {
        if (command->words == WORDS_IDS && main_is_id(words[i]))
            json_array_append_new(ids,
                                  json_integer(strtoll(words[i], NULL, 10)));
        else
            json_array_append_new(filter, main_word(words[i]));
    }
    if (json_array_size(ids) > 0 && json_array_size(filter) > 0)
        return main_usage("%s takes ids or a FILTER, not both", command->name);
    if (json_array_size(ids) > 0 && many)
        return main_usage("each gateway has ids of its own: name one with -s");
    return -1;
}

static int
main_read_request(struct arguments *arguments)
{
    json_t *request = arguments->request;
    uint64_t ms;

    json_object_set_new(request, "command",
                        json_string(arguments->command->name));
    if (arguments->follow)
        json_object_set_new(request, "follow", json_true());
    if (arguments->wait)
        json_object_set_new(request, "wait", json_true());
    if (arguments->by != NULL)
        json_object_set_new(request, "by", main_word(arguments->by));
    if (arguments->time == NULL)
        return -1;
    if (text_duration(arguments->time, &ms) != 0 || ms < 1000 || ms > 3600000)
        return main_usage("--for takes 1s to 1h, not \"%s\"", arguments->time);
    json_object_set_new(request, "seconds",
                        json_integer((json_int_t)(ms / 1000)));
    return -1;
}

/* --- arguments ----------------------------------------------------------- */

static int
main_take_option(struct arguments *arguments, int chosen, char *const *argv)
{
    switch (chosen) {
    case 's':
        if (arguments->count == GATEWAYS_MAX)
            return main_usage("at most %d gateways", GATEWAYS_MAX);
        arguments->sockets[arguments->count++] = optarg;
        return -1;
    case 'j':
        arguments->json = true;
        return -1;
    case FOLLOW:
        arguments->follow = true;
        return -1;
    case WAIT:
        arguments->wait = true;
        return -1;
    case BY:
        arguments->by = optarg;
        return -1;
    case TIME:
        arguments->time = optarg;
        return -1;
    case 'h':
        return main_print_help();
    case 'V':
        return printf("socks4ctl %s\n", PROJECT_VERSION) < 0;
    case ':':
        return main_usage("%s needs a value", argv[optind - 1]);
    default:
        return main_usage("there is no option %s", argv[optind - 1]);
    }
}

static int
main_check_options(const struct arguments *arguments)
{
    const struct {
        bool given;
        char letter;
        const char *name;
    } options[] = {{arguments->follow, FOLLOW, "--follow"},
                   {arguments->wait, WAIT, "--wait"},
                   {arguments->by != NULL, BY, "--by"},
                   {arguments->time != NULL, TIME, "--for"}};

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (options[i].given &&
            strchr(arguments->command->options, options[i].letter) == NULL)
            return main_usage("%s is not for %s", options[i].name,
                              arguments->command->name);
    return -1;
}

/* -1: go on; else the exit status. */
static int
main_read(struct arguments *arguments, int argc, char **argv)
{
    static const struct option longs[] = {
        {"socket", required_argument, NULL, 's'},
        {"json", no_argument, NULL, 'j'},
        {"follow", no_argument, NULL, FOLLOW},
        {"wait", no_argument, NULL, WAIT},
        {"by", required_argument, NULL, BY},
        {"for", required_argument, NULL, TIME},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
    };
    int chosen, status;

    opterr = 0;
    while ((chosen = getopt_long(argc, argv, ":s:hV", longs, NULL)) != -1)
        if ((status = main_take_option(arguments, chosen, argv)) != -1)
            return status;
    if (optind == argc)
        return main_usage("a command is missing");
    status = main_find_command(arguments, argv[optind]);
    if (status != STATUS_DONE)
        return status;
    status = main_check_options(arguments);
    if (status == -1)
        status = main_read_words(arguments, argv + optind + 1,
                                 (size_t)(argc - optind - 1));
    return status == -1 ? main_read_request(arguments) : status;
}

/* --- the gateways -------------------------------------------------------- */

static void
main_print_json(const json_t *json)
{
    json_dumpf(json, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
    putchar('\n');
    fflush(stdout);
}

/* STATUS_DONE, unless the answer says that it failed. */
static int
main_judge(const json_t *answer, const char *host)
{
    const char *error = json_string_value(json_object_get(answer, "error"));
    json_int_t unanswered =
        json_integer_value(json_object_get(answer, "unanswered"));

    if (answer == NULL)
        return STATUS_FAILED;
    if (error != NULL) {
        fprintf(stderr, "socks4ctl: %s%s", host != NULL ? host : "",
                host != NULL ? ": " : "");
        table_print_lines(error, stderr);
        fputc('\n', stderr);
        return json_is_true(json_object_get(answer, "usage")) ? STATUS_USAGE
                                                              : STATUS_FAILED;
    }
    if (unanswered > 0)
        fprintf(stderr,
                "socks4ctl: %s%s%" JSON_INTEGER_FORMAT
                " worker%s did not answer in time; its sessions are missing\n",
                host != NULL ? host : "", host != NULL ? ": " : "", unanswered,
                unanswered == 1 ? "" : "s");
    return STATUS_DONE;
}

static int
main_worse(int a, int b)
{
    return a > b ? a : b;
}

/* What is answered when it is done, however long that takes; and a stream,
   which main_follow polls. */
static bool
main_may_last(const struct arguments *arguments)
{
    return arguments->wait || arguments->follow ||
           strcmp(arguments->command->name, "drain") == 0;
}

/* Those that are there are asked all at once. */
static int
main_ask(const struct arguments *arguments, struct gateway *gateways)
{
    int worst = STATUS_DONE;

    for (size_t i = 0; i < arguments->count; i++) {
        if (gateway_open(&gateways[i], arguments->sockets[i],
                         GATEWAY_PATIENCE_MS) != 0) {
            worst = STATUS_NO_GATEWAY;
            continue;
        }
        bool lasts = main_may_last(arguments);
        if (lasts && gateway_be_patient(&gateways[i]) != 0) {
            worst = main_worse(worst, STATUS_FAILED);
            gateway_close(&gateways[i]);
        } else if (gateway_ask(&gateways[i], arguments->request) != 0) {
            worst = main_worse(worst, STATUS_FAILED);
        }
    }
    return worst;
}

/* Of those with the same configuration one is enough. */
static bool
main_is_printed(const json_t *merged, const json_t *answer)
{
    const char *id = json_string_value(json_object_get(answer, "config"));
    json_t *hosts = json_object_get(json_object_get(merged, "configs"), id);

    return json_equal(json_array_get(hosts, 0),
                      json_object_get(answer, "host")) == 1;
}

static void
main_view(const struct arguments *arguments, json_t *merged)
{
    json_t *gateways = json_object_get(merged, "gateways"), *answer;
    view_fn *view = arguments->command->view;
    size_t i;

    if (arguments->json) {
        main_print_json(merged);
        return;
    }
    if (gateways == NULL) {
        view(merged);
        return;
    }
    view_configs(merged, arguments->count);
    json_array_foreach(gateways, i, answer)
    {
        if (view == view_config && !main_is_printed(merged, answer))
            continue;
        if (i > 0 && view == view_status)
            putchar('\n');
        view(answer);
    }
}

/* Of those that were named by their ids, all must have been there. */
static int
main_check_killed(const struct arguments *arguments, const json_t *merged)
{
    size_t asked = json_array_size(json_object_get(arguments->request, "ids"));
    const json_t *answer = json_object_get(merged, "killed");
    size_t killed = (size_t)json_integer_value(answer);

    if (answer == NULL || killed >= asked)
        return STATUS_DONE;
    fprintf(stderr,
            "socks4ctl: %zu of %zu ids are of no session; `socks4ctl sessions' "
            "lists those that live\n",
            asked - killed, asked);
    return STATUS_FAILED;
}

static int
main_collect(const struct arguments *arguments, struct gateway *gateways)
{
    bool many = arguments->count > 1;
    json_t *merged = NULL;
    int worst = STATUS_DONE;

    for (size_t i = 0; i < arguments->count; i++) {
        const char *host = many ? arguments->sockets[i] : NULL;
        if (gateways[i].fd == -1)
            continue;
        json_t *answer = gateway_answer(&gateways[i]);
        int status = main_judge(answer, host);
        if (status == STATUS_DONE)
            merged = merge_answer(merged, answer, host);
        else
            json_decref(answer);
        worst = main_worse(worst, status);
    }
    if (merged != NULL) {
        merge_finish(merged);
        main_view(arguments, merged);
        worst = main_worse(worst, main_check_killed(arguments, merged));
    }
    json_decref(merged);
    return worst;
}

/* --- what goes on -------------------------------------------------------- */

/* All lines that were read. */
static int
main_show_lines(const struct arguments *arguments, struct gateway *gateway)
{
    const char *host = arguments->count > 1 ? gateway->socket : NULL;
    int worst = STATUS_DONE;
    json_t *line;

    while ((line = gateway_take(gateway)) != NULL) {
        int status = main_judge(line, host);
        if (host != NULL)
            json_object_set_new(line, "host", json_string(host));
        if (status == STATUS_DONE && !arguments->json)
            view_event(line);
        else if (status == STATUS_DONE && json_object_get(line, "event"))
            main_print_json(line);
        json_decref(line);
        worst = main_worse(worst, status);
    }
    return worst;
}

/* Until the last of them is gone, or we are interrupted. */
static int
main_follow(const struct arguments *arguments, struct gateway *gateways)
{
    struct pollfd polled[GATEWAYS_MAX];
    size_t left = 0;
    int worst = STATUS_DONE;

    for (size_t i = 0; i < arguments->count; i++) {
        polled[i] = (struct pollfd){.fd = gateways[i].fd, .events = POLLIN};
        left += gateways[i].fd != -1;
    }
    while (left > 0 && !ferror(stdout)) {
        if (poll(polled, arguments->count, -1) < 0 && errno != EINTR)
            return STATUS_FAILED;
        for (size_t i = 0; i < arguments->count; i++) {
            if (polled[i].fd == -1 || polled[i].revents == 0)
                continue;
            int got = gateway_read(&gateways[i]);
            int status = main_show_lines(arguments, &gateways[i]);
            worst = main_worse(worst, status);
            if (got == 1)
                continue;
            if (status == STATUS_DONE)
                fprintf(stderr, "socks4ctl: %s: the gateway has ended\n",
                        gateways[i].socket);
            worst = main_worse(worst, STATUS_FAILED);
            polled[i].fd = -1;
            left--;
        }
    }
    return worst;
}

int
main(int argc, char **argv)
{
    struct arguments arguments = {.request = json_object()};
    struct gateway gateways[GATEWAYS_MAX];
    char path[GATEWAY_PATH_MAX];
    int status;

    standard_fill();
    status = main_read(&arguments, argc, argv);
    if (status != -1) {
        json_decref(arguments.request);
        return status;
    }
    if (arguments.count == 0) {
        gateway_find(path);
        arguments.sockets[arguments.count++] = path;
    }
    status = main_ask(&arguments, gateways);
    status = main_worse(status, arguments.follow
                                    ? main_follow(&arguments, gateways)
                                    : main_collect(&arguments, gateways));
    for (size_t i = 0; i < arguments.count; i++)
        gateway_close(&gateways[i]);
    json_decref(arguments.request);
    return main_worse(status, main_flush());
}
