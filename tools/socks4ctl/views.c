#include "tools/socks4ctl/views.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tools/socks4ctl/table.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- one value a line ---------------------------------------------------- */

static void
view_print_value(const char *title, const json_t *value, enum table_kind kind)
{
    char text[TABLE_CELL_MAX];

    printf("%-10s %s\n", title, table_cell(value, kind, text));
}

static void
view_print_text(const json_t *row, const char *key, int width)
{
    char text[TABLE_CELL_MAX];

    printf("%-*s ", width,
           table_cell(json_object_get(row, key), TABLE_TEXT, text));
}

static json_int_t
view_number(const json_t *answer, const char *key)
{
    return json_integer_value(json_object_get(answer, key));
}

void
view_status(json_t *answer)
{
    static const struct {
        const char *title, *key;
        enum table_kind kind;
    } figures[] = {
        {"version", "version", TABLE_TEXT},
        {"config", "config", TABLE_TEXT},
        {"uptime", "uptime", TABLE_AGE},
        {"workers", "workers", TABLE_NUMBER},
        {"live", "live", TABLE_NUMBER},
        {"granted", "granted", TABLE_NUMBER},
        {"refused", "refused", TABLE_NUMBER},
        {"early", "early", TABLE_NUMBER},
        {"limited", "limited", TABLE_NUMBER},
        {"lost", "lost", TABLE_NUMBER},
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
    json_t *value;
    const char *key;
    bool some = false;

    if (host != NULL)
        view_print_value("host", host, TABLE_TEXT);
    for (size_t i = 0; i < COUNT(figures); i++)
        view_print_value(figures[i].title,
                         json_object_get(answer, figures[i].key),
                         figures[i].kind);
    fputs("sessions  ", stdout);
    json_object_foreach(json_object_get(answer, "sessions"), key, value)
    {
        if (json_integer_value(value) == 0)
            continue;
        putchar(' ');
        table_print_lines(key, stdout);
        printf(" %" JSON_INTEGER_FORMAT, json_integer_value(value));
        some = true;
    }
    fputs(some ? "\n\n" : " -\n\n", stdout);
    table_print(json_object_get(answer, "processes"), columns, COUNT(columns));
}

/* --- tables -------------------------------------------------------------- */

/* "3 sessions", "200 of 19800 sessions are shown". */
static void
view_print_total(const json_t *answer, const char *what)
{
    json_int_t total = view_number(answer, "total");
    json_int_t more = view_number(answer, "more");

    if (more > 0)
        printf("%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
               " %ss are shown\n",
               total - more, total, what);
    else
        printf("%" JSON_INTEGER_FORMAT " %s%s\n", total, what,
               total == 1 ? "" : "s");
}

/* The rows, if there are any, and how many there are. */
static void
view_print_rows(json_t *answer, const struct table_column *columns,
                size_t count, const char *what)
{
    json_t *rows = json_object_get(answer, "rows");

    if (json_array_size(rows) > 0)
        table_print(rows, columns, count);
    view_print_total(answer, what);
}

/* The name that the client asked for, where there is one: "where". */
static void
view_add_where(json_t *row)
{
    const char *name = json_string_value(json_object_get(row, "name"));
    const char *dest = json_string_value(json_object_get(row, "dest"));
    const char *port = dest != NULL ? strrchr(dest, ':') : NULL;

    if (name != NULL && port != NULL)
        json_object_set_new(row, "where", json_sprintf("%s%s", name, port));
    else if (dest != NULL)
        json_object_set_new(row, "where", json_string(dest));
}

void
view_sessions(json_t *answer)
{
    static const struct table_column columns[] = {
        {"ID", "id", TABLE_NUMBER},
        {"HOST", "host", TABLE_TEXT},
        {"STATE", "state", TABLE_TEXT},
        {"AGE", "age", TABLE_AGE},
        {"CLIENT", "client", TABLE_TEXT},
        {"USERID", "userid", TABLE_TEXT},
        {"CERTIFICATE", "certificate", TABLE_TEXT},
        {"DESTINATION", "where", TABLE_TEXT},
        {"VIA", "via", TABLE_TEXT},
        {"RULE", "rule", TABLE_TEXT},
        {"UP", "up", TABLE_OCTETS},
        {"DOWN", "down", TABLE_OCTETS},
        {"UP/S", "rate_up", TABLE_RATE},
        {"DOWN/S", "rate_down", TABLE_RATE},
    };
    json_t *rows = json_object_get(answer, "rows"), *row;
    size_t i;

    json_array_foreach(rows, i, row) view_add_where(row);
    view_print_rows(answer, columns, COUNT(columns), "session");
}

void
view_top(json_t *answer)
{
    static const struct {
        const char *by, *title;
    } kinds[] = {{"client", "CLIENT"},
                 {"dest", "DEST"},
                 {"rule", "RULE"},
                 {"userid", "USERID"},
                 {"certificate", "CERTIFICATE"}};
    const char *by = json_string_value(json_object_get(answer, "by"));
    size_t kind = COUNT(kinds) - 1;

    while (kind > 0 && (by == NULL || strcmp(kinds[kind].by, by) != 0))
        kind--;
    const struct table_column columns[] = {
        {kinds[kind].title, kinds[kind].by, TABLE_TEXT},
        {"SESSIONS", "sessions", TABLE_NUMBER},
        {"UP", "up", TABLE_OCTETS},
        {"DOWN", "down", TABLE_OCTETS},
        {"UP/S", "rate_up", TABLE_RATE},
        {"DOWN/S", "rate_down", TABLE_RATE},
    };

    view_print_rows(answer, columns, COUNT(columns), kinds[kind].by);
}

void
view_listeners(json_t *answer)
{
    static const struct table_column columns[] = {
        {"LISTENER", "listener", TABLE_TEXT},
        {"HOST", "host", TABLE_TEXT},
        {"ADDRESS", "address", TABLE_TEXT},
        {"VERSIONS", "versions", TABLE_TEXT},
        {"TLS", "tls", TABLE_YES},
        {"CERTIFICATE-DAYS", "certificate_days", TABLE_NUMBER},
        {"PROXY", "proxy", TABLE_YES},
        {"SESSIONS", "sessions", TABLE_NUMBER},
    };

    table_print(json_object_get(answer, "rows"), columns, COUNT(columns));
}

void
view_limits(json_t *answer)
{
    static const struct table_column columns[] = {
        {"LIMIT", "limit", TABLE_TEXT}, {"HOST", "host", TABLE_TEXT},
        {"USED", "used", TABLE_OCTETS}, {"MOST", "most", TABLE_OCTETS},
        {"%", "percent", TABLE_NUMBER}, {"MET", "met", TABLE_NUMBER},
    };

    table_print(json_object_get(answer, "rows"), columns, COUNT(columns));
}

void
view_parents(json_t *answer)
{
    static const struct table_column columns[] = {
        {"PARENT", "parent", TABLE_TEXT},
        {"HOST", "host", TABLE_TEXT},
        {"ADDRESS", "address", TABLE_TEXT},
        {"TLS", "tls", TABLE_YES},
        {"UP", "up", TABLE_YES},
        {"ANSWERS", "answers", TABLE_NUMBER},
        {"MS", "ms", TABLE_NUMBER},
    };

    view_print_rows(answer, columns, COUNT(columns), "parent");
}

/* Of each version how long ago it was last seen, and how often, at the row. */
static void
view_add_versions(json_t *row)
{
    json_t *versions = json_object_get(row, "versions"), *seen;
    const char *version;
    char key[32];

    json_object_foreach(versions, version, seen)
    {
        snprintf(key, sizeof(key), "age%.8s", version);
        json_object_set(row, key, json_object_get(seen, "age"));
        snprintf(key, sizeof(key), "count%.8s", version);
        json_object_set(row, key, json_object_get(seen, "count"));
    }
    json_object_set_new(
        row, "refused",
        json_boolean(json_is_false(json_object_get(row, "granted"))));
}

static void
view_print_forgotten(const json_t *answer, const char *key, const char *what)
{
    json_int_t count = view_number(answer, key);

    if (count > 0)
        printf("%" JSON_INTEGER_FORMAT " %s had no room and are forgotten\n",
               count, what);
}

void
view_migration(json_t *answer)
{
    static const struct table_column columns[] = {
        {"CLIENT", "client", TABLE_TEXT},   {"HOST", "host", TABLE_TEXT},
        {"USERID", "userid", TABLE_TEXT},   {"RULE", "rule", TABLE_TEXT},
        {"REFUSED", "refused", TABLE_YES},  {"4-AGO", "age4", TABLE_AGE},
        {"TIMES", "count4", TABLE_NUMBER},  {"4A-AGO", "age4a", TABLE_AGE},
        {"TIMES", "count4a", TABLE_NUMBER}, {"5-AGO", "age5", TABLE_AGE},
        {"TIMES", "count5", TABLE_NUMBER},
    };
    json_t *rows = json_object_get(answer, "rows"), *row;
    size_t i;

    json_array_foreach(rows, i, row) view_add_versions(row);
    view_print_rows(answer, columns, COUNT(columns), "row");
    view_print_forgotten(answer, "forgotten", "rows that were granted");
    view_print_forgotten(answer, "forgotten_refused", "rows that were refused");
}

void
view_config(json_t *answer)
{
    const char *text = json_string_value(json_object_get(answer, "text"));

    if (json_object_get(answer, "host") != NULL) {
        printf("# %s: ", json_string_value(json_object_get(answer, "host")));
        view_print_text(answer, "config", 1);
        putchar('\n');
    }
    table_print_lines(text != NULL ? text : "", stdout);
}

void
view_configs(json_t *merged, size_t asked)
{
    json_t *configs = json_object_get(merged, "configs"), *hosts, *host;
    const char *id;
    size_t i, count = json_object_size(configs);

    if (count > 1)
        printf("# The configurations differ:\n");
    json_object_foreach(configs, id, hosts)
    {
        if (count == 1) {
            if (json_array_size(hosts) < asked)
                printf("# %zu of %zu answered, with configuration ",
                       json_array_size(hosts), asked);
            else
                printf("# All %zu have configuration ", asked);
            table_print_lines(id, stdout);
            break;
        }
        fputs("#   ", stdout);
        table_print_lines(id, stdout);
        putchar(' ');
        json_array_foreach(hosts, i, host)
        {
            printf(" %s", json_string_value(host));
        }
        putchar('\n');
    }
    fputs(count > 1 ? "\n" : count == 1 ? "\n\n" : "", stdout);
}

/* --- what follows -------------------------------------------------------- */

/* One line of a stream: its columns have a width of their own. */
void
view_event(json_t *row)
{
    char text[TABLE_CELL_MAX], clock[16];
    const char *event = json_string_value(json_object_get(row, "event"));
    bool ends = event != NULL && strcmp(event, "end") == 0;
    time_t now = time(NULL);

    if (event == NULL)
        return; /* that it has begun */
    if (view_number(row, "dropped") > 0)
        printf("(%" JSON_INTEGER_FORMAT " more could not be shown)\n",
               view_number(row, "dropped"));
    view_add_where(row);
    strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&now));
    printf("%s %-5s %8" JSON_INTEGER_FORMAT " ", clock, ends ? "end" : "begin",
           view_number(row, "id"));
    if (json_object_get(row, "host") != NULL)
        view_print_text(row, "host", 16);
    view_print_text(row, "client", 21);
    view_print_text(row, "where", 21);
    view_print_text(row, "rule", 12);
    if (ends) {
        view_print_text(row, "verdict", 10);
        view_print_text(row, "ended_by", 8);
        printf("%6s ",
               table_cell(json_object_get(row, "up"), TABLE_OCTETS, text));
        printf("%6s",
               table_cell(json_object_get(row, "down"), TABLE_OCTETS, text));
    }
    putchar('\n');
    fflush(stdout);
}

/* --- what was done ------------------------------------------------------- */

void
view_killed(json_t *answer)
{
    json_int_t killed = view_number(answer, "killed");

    printf("%" JSON_INTEGER_FORMAT " session%s killed\n", killed,
           killed == 1 ? "" : "s");
}

void
view_outcome(json_t *answer)
{
    const char *done = json_string_value(json_object_get(answer, "done"));

    if (json_object_get(answer, "host") != NULL)
        printf("%s: ", json_string_value(json_object_get(answer, "host")));
    table_print_lines(done != NULL ? done : "asked for; see the log", stdout);
    putchar('\n');
}

void
view_traced(json_t *answer)
{
    printf("tracing for %" JSON_INTEGER_FORMAT
           " s; the steps are in the log (event=trace)\n",
           view_number(answer, "tracing"));
}
