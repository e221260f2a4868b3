/*
 * Prints the option table as socks4d.conf(5) includes it: man(7) macros,
 * one paragraph an option.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "gateway/config/option.h"

/* A minus sign is not a hyphen, and no line begins with a macro. */
static void
manual_print(const char *text)
{
    for (; *text; text++) {
        if (*text == '-' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
}

static void
manual_print_kind(const struct option *option)
{
    if (option->type->manual) {
        manual_print(option->type->manual);
        return;
    }
    for (size_t i = 0; option->choices[i]; i++) {
        fputs(i ? " | " : "", stdout);
        manual_print(option->choices[i]);
    }
}

static void
manual_print_range(const struct option *option)
{
    char low[TEXT_FIGURE_MAX], high[TEXT_FIGURE_MAX];

    if (option->type->show)
        printf(", %s to %s", option->type->show(option->min, low),
               option->type->show(option->max, high));
}

int
main(void)
{
    puts(".\\\" made from the option table by option-manual");
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &options[i];
        fputs(".TP\n.B ", stdout);
        manual_print(option->path);
        fputs("\n(", stdout);
        manual_print_kind(option);
        manual_print_range(option);
        if (!option->fallback)
            fputs("; must be given", stdout);
        else if (option->fallback[0]) {
            fputs("; default ", stdout);
            manual_print(option->fallback);
        }
        fputs(")\n.br\n", stdout);
        manual_print(option->help);
        putchar('\n');
    }
    return ferror(stdout) != 0;
}
