#include <string.h>
#include <time.h>

#include "report.h"
#include "requirement.h"

static const char *const WORDS[OUTCOME_COUNT] = {
    "met", "**not met**", "not testable from outside",
    "not tested (timer longer than the wait)"};

static void
markdown_put_head(const struct run *run, const struct about *about, FILE *out)
{
    const struct setting *setting = about->setting;
    time_t now = time(NULL);
    struct tm tm;
    char date[32];

    strftime(date, sizeof date, "%Y-%m-%d", gmtime_r(&now, &tm));
    fprintf(out,
            "# SOCKS %s implementation report\n\n"
            "`%s`, tested on %s by socks4-conform " PROJECT_VERSION
            ", %s%s%s; timers waited for: %g s.\n\n",
            setting->socks5    ? "5"
            : setting->socks4a ? "4A"
                               : "4",
            about->target, date,
            setting->place.namespaces ? "several hosts" : "one host",
            setting->ident          ? ", with ident"
            : setting->user != NULL ? ", with a password"
                                    : "",
            setting->place.tls != NULL ? ", inside TLS" : "",
            setting->wait_ms / 1000.0);
    fputs("| level | met | not met | not testable | not tested |\n"
          "| --- | ---: | ---: | ---: | ---: |\n",
          out);
    for (unsigned level = 0; level < LEVEL_COUNT; level++) {
        fprintf(out, "| %s |", level_names[level]);
        for (unsigned outcome = 0; outcome < OUTCOME_COUNT; outcome++)
            fprintf(out, " %zu |",
                    run_count(run, (enum level)level, (enum outcome)outcome));
        fputs("\n", out);
    }
}

/* The cases that cite it, those that are met without a word. */
static void
markdown_put_cases(const struct requirement *requirement, const struct run *run,
                   FILE *out)
{
    const char *between = "";

    for (size_t i = 0; i < run->count; i++) {
        const struct finding *finding = &run->findings[i];
        if (!requirement_is_of(requirement, run->cases[i]))
            continue;
        fprintf(out, "%s%s", between, run->cases[i]->name);
        if (finding->outcome != OUTCOME_MET)
            fprintf(out, " (%s)", finding->why);
        between = ", ";
    }
}

static void
markdown_put_requirements(const struct run *run, const char *path, FILE *out)
{
    struct requirements all;

    if (requirements_read(&all, path) < 0)
        return;
    fputs("\n## By requirement\n\n"
          "| id | level | of | requirement | result | cases |\n"
          "| --- | --- | --- | --- | --- | --- |\n",
          out);
    for (size_t i = 0; i < all.count; i++) {
        const struct requirement *row = &all.each[i];
        size_t cases;
        enum outcome outcome = requirement_outcome(row, run, &cases);
        fprintf(out, "| %s | %s | %s | %s | %s | ", row->id, row->level,
                row->subject, row->text, WORDS[outcome]);
        markdown_put_cases(row, run, out);
        fputs(" |\n", out);
    }
    requirements_free(&all);
}

/* What was not met, with the octets seen. */
static void
markdown_put_unmet(const struct run *run, FILE *out)
{
    bool any = false;

    for (size_t i = 0; i < run->count; i++) {
        const struct conform_case *what = run->cases[i];
        const struct finding *finding = &run->findings[i];
        if (finding->outcome != OUTCOME_UNMET)
            continue;
        fputs(any ? "" : "\n## Not met\n", out);
        any = true;
        fprintf(out, "\n### %s (%s)\n\n%s\n\n`%s.case`, line %u: %s.\n\n",
                what->name, level_names[what->level], what->title, what->name,
                finding->line, finding->why);
        fprintf(out, "```\n%s```\n", finding->trace.text);
    }
}

void
report_markdown(const struct run *run, const struct about *about, FILE *out)
{
    markdown_put_head(run, about, out);
    if (run->death.happened)
        fputs("\n", out);
    report_death(run, out);
    markdown_put_requirements(run, about->requirements, out);
    markdown_put_unmet(run, out);
}
