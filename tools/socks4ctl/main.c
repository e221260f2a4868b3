/* The command line: which gateways, and what they are asked. */

#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "tools/socks4ctl/gateway.h"
#include "tools/socks4ctl/views.h"

enum { STATUS_DONE, STATUS_FAILED, STATUS_USAGE, STATUS_NO_GATEWAY };

#define GATEWAYS_MAX 64

struct arguments {
    const char *sockets[GATEWAYS_MAX];
    size_t count;
    bool json;
    const struct command *command;
};

struct command {
    const char *name;
    view_fn *view;
};

static const struct command commands[] = {
    {"status", view_status},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const char help_text[] =
    "socks4ctl - looks at a running socks4d, and steers it\n"
    "\n"
    "socks4ctl [-s SOCKET]... [--json] COMMAND\n"
    "\n"
    "  status               what it is and how it does\n"
    "\n"
    "  -s, --socket SOCKET  the gateway's control.socket; several times: all\n"
    "                       of these gateways. Default:\n"
    "                       $XDG_RUNTIME_DIR/socks4d/control, if there is "
    "one,\n"
    "                       else /run/socks4d/control\n"
    "      --json           print JSON, for programs\n"
    "  -h, --help           print this help\n"
    "  -V, --version        print the version\n"
    "\n"
    "Exit status: 0 done; 1 failed; 2 usage; 3 no gateway there. See\n"
    "socks4ctl(1).\n";

static int
main_usage(const char *format, ...)
{
    va_list arguments;

    fputs("socks4ctl: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
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
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            arguments->command = &commands[i];
    if (arguments->command != NULL)
        return STATUS_DONE;
    const char *nearest =
        text_nearest(name, commands, COMMAND_COUNT, main_name_at);
    return nearest != NULL
               ? main_usage("there is no command `%s' (did you mean `%s'?)",
                            name, nearest)
               : main_usage("there is no command `%s'", name);
}

/* -1: go on; else the exit status. */
static int
main_read(struct arguments *arguments, int argc, char **argv)
{
    static const struct option longs[] = {
        {"socket", required_argument, NULL, 's'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
    };
    int chosen;

    opterr = 0;
    while ((chosen = getopt_long(argc, argv, ":s:hV", longs, NULL)) != -1) {
        switch (chosen) {
        case 's':
            if (arguments->count == GATEWAYS_MAX)
                return main_usage("at most %d gateways", GATEWAYS_MAX);
            arguments->sockets[arguments->count++] = optarg;
            break;
        case 'j':
            arguments->json = true;
            break;
        case 'h':
            return fputs(help_text, stdout) == EOF;
        case 'V':
            return printf("socks4ctl %s\n", PROJECT_VERSION) < 0;
        case ':':
            return main_usage("%s needs a value", argv[optind - 1]);
        default:
            return main_usage("there is no option %s", argv[optind - 1]);
        }
    }
    if (optind == argc)
        return main_usage("a command is missing");
    int status = main_find_command(arguments, argv[optind]);
    if (status != STATUS_DONE)
        return status;
    if (optind + 1 < argc)
        return main_usage("%s takes no arguments", arguments->command->name);
    return -1;
}

static int
main_ask(const struct arguments *arguments, const char *socket, bool many)
{
    struct gateway gateway;
    json_t *request = json_pack("{s:s}", "command", arguments->command->name);
    int status = STATUS_NO_GATEWAY;

    if (gateway_open(&gateway, socket) != 0) {
        json_decref(request);
        return status;
    }
    gateway_ask(&gateway, request);
    json_t *answer = gateway_answer(&gateway, false);
    const char *error = json_string_value(json_object_get(answer, "error"));
    status = STATUS_FAILED;
    if (error != NULL) {
        fprintf(stderr, "socks4ctl: %s\n", error);
        if (json_is_true(json_object_get(answer, "usage")))
            status = STATUS_USAGE;
    } else if (answer != NULL) {
        if (many)
            json_object_set_new(answer, "host", json_string(socket));
        if (arguments->json) {
            json_dumpf(answer, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
            putchar('\n');
        } else {
            arguments->command->view(answer);
        }
        status = STATUS_DONE;
    }
    json_decref(answer);
    json_decref(request);
    gateway_close(&gateway);
    return status;
}

int
main(int argc, char **argv)
{
    struct arguments arguments = {0};
    char path[GATEWAY_PATH_MAX];
    int worst = STATUS_DONE;
    int status = main_read(&arguments, argc, argv);

    if (status != -1)
        return status;
    if (arguments.count == 0) {
        gateway_find(path);
        arguments.sockets[arguments.count++] = path;
    }
    for (size_t i = 0; i < arguments.count; i++) {
        status =
            main_ask(&arguments, arguments.sockets[i], arguments.count > 1);
        if (status > worst)
            worst = status;
    }
    return fflush(stdout) != 0 ? STATUS_FAILED : worst;
}
