/*
 * Prints the option table as socks4d.conf(5) includes it: man(7) macros,
 * one paragraph an option.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "gateway/config/option.h"

static const char *const kinds[OPTION_KINDS] = {
    [OPTION_SECTION] = "mapping",
    [OPTION_LISTENERS] = "list of mappings",
    [OPTION_SETS] = "name: [network or set, ...]",
    [OPTION_RULES] = "list of mappings",
    [OPTION_BOOL] = "true or false",
    [OPTION_COUNT] = "count",
    [OPTION_SIZE] = "size",
    [OPTION_DURATION] = "duration",
    [OPTION_NAME] = "name",
    [OPTION_ENDPOINT] = "ADDRESS:PORT",
    [OPTION_USER] = "auto or user",
    [OPTION_SOURCE] = "auto or IPv4 address",
    [OPTION_ADVERTISE] = "none or IPv4 address",
    [OPTION_PORTS] = "0, PORT or PORT-PORT",
    [OPTION_SERVERS] = "list of addresses",
    [OPTION_FROM] = "list of networks and sets",
    [OPTION_TO] = "list of networks and sets",
    [OPTION_RULE_LISTENERS] = "list of names",
    [OPTION_COMMANDS] = "list of connect, bind",
    [OPTION_RULE_PORTS] = "list of ports and ranges",
    [OPTION_USERIDS] = "list of USERIDs",
    [OPTION_PEER] = "exact, any or list of networks and sets",
};

/* A minus sign is not a hyphen, and no line begins with a macro. */
static void
print_text(const char *text)
{
    for (; *text; text++) {
        if (*text == '-' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
}

static void
print_kind(const struct option *option)
{
    if (kinds[option->kind]) {
        print_text(kinds[option->kind]);
        return;
    }
    for (size_t i = 0; option->choices[i]; i++) {
        fputs(i ? " | " : "", stdout);
        print_text(option->choices[i]);
    }
}

static void
print_range(const struct option *option)
{
    char low[TEXT_FIGURE_MAX], high[TEXT_FIGURE_MAX];

    if (option->kind == OPTION_DURATION)
        printf(", %s to %s", text_format_duration(option->min, low),
               text_format_duration(option->max, high));
    else if (option->kind == OPTION_SIZE)
        printf(", %s to %s", text_format_size(option->min, low),
               text_format_size(option->max, high));
    else if (option->kind == OPTION_COUNT)
        printf(", %" PRIu64 " to %" PRIu64, option->min, option->max);
}

/* Read and printed, but nothing obeys them yet: a row goes as it is built. */
static const char *const unheeded[] = {
    "timeouts.ident",
    "timeouts.resolve",
};

static void
print_unheeded(const struct option *option)
{
    for (size_t i = 0; i < sizeof(unheeded) / sizeof(unheeded[0]); i++)
        if (strcmp(unheeded[i], option->path) == 0)
            puts("Not built yet: accepted, without effect.");
}

/* Whichever of an option's choices ask for what is not there. */
static void
print_unbuilt_choices(const struct option *option)
{
    const char *between = "Not built yet: ";

    for (size_t i = 0; option->choices[i]; i++) {
        if (!option_unbuilt(option, option->choices[i]))
            continue;
        fputs(between, stdout);
        print_text(option->choices[i]);
        between = ", ";
    }
    puts(".");
}

static void
print_unbuilt(const struct option *option)
{
    const struct option_unbuilt *first = option_unbuilt_first(option);

    if (first && option->choices)
        print_unbuilt_choices(option);
    else if (first && first->value && strcmp(first->value, "name") == 0)
        puts("Names are not built yet.");
    else if (first)
        printf("Not built yet: leave it at %s.\n", option->fallback);
    print_unheeded(option);
}

int
main(void)
{
    puts(".\\\" made from the option table by option-manual");
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &options[i];
        fputs(".TP\n.B ", stdout);
        print_text(option->path);
        fputs("\n(", stdout);
        print_kind(option);
        print_range(option);
        if (!option->fallback)
            fputs("; must be given", stdout);
        else if (option->fallback[0]) {
            fputs("; default ", stdout);
            print_text(option->fallback);
        }
        fputs(")\n.br\n", stdout);
        print_text(option->help);
        putchar('\n');
        print_unbuilt(option);
    }
    return ferror(stdout) != 0;
}
