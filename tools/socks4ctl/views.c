#include "tools/socks4ctl/views.h"

#include <stdio.h>

#include "tools/socks4ctl/table.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
view_print_value(const char *title, const json_t *value, enum table_kind kind)
{
    char text[TABLE_CELL_MAX];

    printf("%-10s %s\n", title, table_cell(value, kind, text));
}

void
view_status(const json_t *answer)
{
    static const struct {
        const char *title, *key;
        enum table_kind kind;
    } figures[] = {
        {"version", "version", TABLE_TEXT},
        {"config", "config", TABLE_TEXT},
        {"uptime", "uptime", TABLE_AGE},
        {"workers", "workers", TABLE_NUMBER},
        {"granted", "granted", TABLE_NUMBER},
        {"refused", "refused", TABLE_NUMBER},
        {"up", "up", TABLE_OCTETS},
        {"down", "down", TABLE_OCTETS},
    };
    static const struct table_column columns[] = {
        {"WORKER", "worker", TABLE_NUMBER},
        {"PID", "pid", TABLE_NUMBER},
        {"STATE", "state", TABLE_TEXT},
        {"SESSIONS", "sessions", TABLE_NUMBER},
        {"STARTED", "started", TABLE_NUMBER},
    };
    const json_t *host = json_object_get(answer, "host");
    const json_t *value;
    const char *key;

    if (host != NULL)
        view_print_value("host", host, TABLE_TEXT);
    for (size_t i = 0; i < COUNT(figures); i++)
        view_print_value(figures[i].title,
                         json_object_get(answer, figures[i].key),
                         figures[i].kind);
    fputs("sessions  ", stdout);
    json_object_foreach((json_t *)json_object_get(answer, "sessions"), key,
                        value)
        printf(" %s %" JSON_INTEGER_FORMAT, key, json_integer_value(value));
    fputs("\n\n", stdout);
    table_print(json_object_get(answer, "processes"), columns, COUNT(columns));
}
