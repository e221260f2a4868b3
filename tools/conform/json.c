#include <string.h>
#include <time.h>

#include "base/line.h"
#include "report.h"
#include "requirement.h"

static void
json_put_string(const char *text, FILE *out)
{
    char escaped[LINE_OCTET_MAX];

    putc('"', out);
    for (; *text != '\0'; text++) {
        char *end = line_escape(escaped, (unsigned char)*text, true);
        fwrite(escaped, 1, (size_t)(end - escaped), out);
    }
    putc('"', out);
}

static void
json_put_key(const char *key, const char *value, FILE *out)
{
    fprintf(out, "\"%s\": ", key);
    json_put_string(value, out);
}

static void
json_put_ids(const struct conform_case *what, FILE *out)
{
    fputs("\"ids\": [", out);
    for (unsigned i = 0; i < what->id_count; i++) {
        fputs(i > 0 ? ", " : "", out);
        json_put_string(what->ids[i], out);
    }
    fputs("]", out);
}

/* What was seen, a string a line. */
static void
json_put_seen(const struct trace *trace, FILE *out)
{
    char line[TRACE_MAX];
    const char *at = trace->text;

    fputs("\"seen\": [", out);
    while (*at != '\0') {
        size_t len = strcspn(at, "\n");
        memcpy(line, at, len);
        line[len] = '\0';
        fputs(at > trace->text ? ", " : "", out);
        json_put_string(line, out);
        at += len + (at[len] == '\n');
    }
    fputs("]", out);
}

static void
json_put_case(const struct conform_case *what, const struct finding *finding,
              FILE *out)
{
    fputs("  {", out);
    json_put_key("name", what->name, out);
    fputs(", ", out);
    json_put_key("title", what->title, out);
    fputs(", ", out);
    json_put_key("level", level_names[what->level], out);
    fputs(", ", out);
    json_put_ids(what, out);
    fputs(",\n   ", out);
    json_put_key("result", outcome_names[finding->outcome], out);
    fputs(", ", out);
    json_put_key("why", finding->why, out);
    fprintf(out, ", \"line\": %u, \"ms\": %u,\n   ", finding->line,
            finding->ms);
    json_put_seen(&finding->trace, out);
    fputs("}", out);
}

static void
json_put_requirements(const struct run *run, const char *path, FILE *out)
{
    struct requirements all;

    if (requirements_read(&all, path) < 0)
        return;
    for (size_t i = 0; i < all.count; i++) {
        size_t cases;
        enum outcome outcome = requirement_outcome(&all.each[i], run, &cases);
        fputs(i > 0 ? ",\n  {" : "  {", out);
        json_put_key("id", all.each[i].id, out);
        fputs(", ", out);
        json_put_key("result", outcome_names[outcome], out);
        fprintf(out, ", \"cases\": %zu}", cases);
    }
    requirements_free(&all);
}

/* "stalls": what it serves nobody else at; "death": null, or when and what was
   being played. */
static void
json_put_troubles(const struct run *run, unsigned stalls, FILE *out)
{
    static const char *const names[] = {"client", "connect", "name", "ident"};
    const char *between = "";

    fputs("\"stalls\": [", out);
    for (unsigned i = 0; i < 4; i++) {
        if (!(stalls & 1U << i))
            continue;
        fputs(between, out);
        json_put_string(names[i], out);
        between = ", ";
    }
    if (!run->death.happened) {
        fputs("], \"death\": null,\n ", out);
        return;
    }
    fprintf(out, "], \"death\": {\"ms\": %u, ", run->death.ms);
    fputs("\"cases\": [", out);
    between = "";
    for (size_t i = 0; i < run->count; i++) {
        if (!run->lost[i])
            continue;
        fputs(between, out);
        json_put_string(run->cases[i]->name, out);
        between = ", ";
    }
    fputs("]},\n ", out);
}

void
report_json(const struct run *run, const struct about *about, FILE *out)
{
    const struct setting *setting = about->setting;
    time_t now = time(NULL);
    struct tm tm;
    char date[32];

    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    fputs("{", out);
    json_put_key("tool", "socks4-conform " PROJECT_VERSION, out);
    fputs(", ", out);
    json_put_key("date", date, out);
    fputs(",\n ", out);
    json_put_key("target", about->target, out);
    fputs(", ", out);
    json_put_key("place",
                 setting->place.namespaces ? "several hosts" : "one host", out);
    fprintf(out,
            ",\n \"mode\": \"%s\", \"ident\": %s, \"tls\": %s,"
            "\n \"wait\": %g, \"timers\": %g,"
            "\n \"status\": %d,\n ",
            setting->socks5    ? "5"
            : setting->socks4a ? "4a"
                               : "4",
            setting->ident ? "true" : "false",
            setting->place.tls != NULL ? "true" : "false",
            setting->wait_ms / 1000.0, setting->timers_ms / 1000.0,
            run_status(run));
    if (setting->socks5)
        fprintf(out, "\"password\": %s,\n ",
                setting->user != NULL ? "true" : "false");
    json_put_troubles(run, setting->stalls, out);
    fputs("\"cases\": [\n", out);
    for (size_t i = 0; i < run->count; i++) {
        json_put_case(run->cases[i], &run->findings[i], out);
        fputs(i + 1 < run->count ? ",\n" : "\n", out);
    }
    fputs(" ],\n \"requirements\": [\n", out);
    json_put_requirements(run, about->requirements, out);
    fputs("\n ]}\n", out);
}
