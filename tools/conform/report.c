#include "report.h"

#include <string.h>

static void
report_put_ids(const struct conform_case *what, FILE *out)
{
    for (unsigned i = 0; i < what->id_count; i++)
        fprintf(out, "%s%s", i > 0 ? " " : "", what->ids[i]);
}

/* "not tested (timer longer than the wait of 20 s: ...)" */
static void
report_put_outcome(const struct finding *finding, FILE *out)
{
    fputs(outcome_names[finding->outcome], out);
    if (finding->outcome == OUTCOME_UNTESTED)
        fputs(" (timer longer than the wait)", out);
}

void
report_lines(const struct run *run, FILE *out)
{
    for (size_t i = 0; i < run->count; i++) {
        const struct conform_case *what = run->cases[i];
        const struct finding *finding = &run->findings[i];
        fprintf(out, "%-12s  %-8s  %s: %s [", outcome_names[finding->outcome],
                level_names[what->level], what->name, what->title);
        report_put_ids(what, out);
        fputs("]", out);
        if (finding->outcome == OUTCOME_UNTESTED)
            fputs(" - not tested (timer longer than the wait)", out);
        else if (finding->outcome != OUTCOME_MET)
            fprintf(out, " - %s", finding->why);
        fputs("\n", out);
    }
    report_death(run, out);
    for (unsigned level = 0; level < LEVEL_COUNT; level++) {
        fprintf(out, "%s:", level_names[level]);
        for (unsigned outcome = 0; outcome < OUTCOME_COUNT; outcome++)
            fprintf(out, "%s %zu %s", outcome > 0 ? "," : "",
                    run_count(run, (enum level)level, (enum outcome)outcome),
                    outcome_names[outcome]);
        fputs("\n", out);
    }
}

static void
report_put_diagnosis(const struct finding *finding, FILE *out)
{
    const char *at = finding->trace.text;

    fprintf(out, "# line %u: %s\n", finding->line, finding->why);
    while (*at != '\0') {
        int len = (int)strcspn(at, "\n");
        fprintf(out, "#   %.*s\n", len, at);
        at += len + (at[len] == '\n');
    }
}

void
report_death(const struct run *run, FILE *out)
{
    const struct run_death *death = &run->death;
    const char *between = "";

    if (!death->happened)
        return;
    fprintf(out,
            "The server died %.1f s after the first case began, while %s "
            "played: ",
            death->ms / 1000.0,
            death->under_way == 1 ? "this case was" : "these cases were");
    for (size_t i = 0; i < run->count; i++) {
        if (!run->lost[i])
            continue;
        fprintf(out, "%s%s", between, run->cases[i]->name);
        between = ", ";
    }
    fputs(death->under_way == 1 ? ".\n" : "; --serial shows which it was.\n",
          out);
}

void
report_tap(const struct run *run, FILE *out)
{
    fprintf(out, "TAP version 13\n1..%zu\n", run->count);
    for (size_t i = 0; i < run->count; i++) {
        const struct conform_case *what = run->cases[i];
        const struct finding *finding = &run->findings[i];
        bool unmet = finding->outcome == OUTCOME_UNMET;
        fprintf(out, "%s %zu - %s (%s)", unmet ? "not ok" : "ok", i + 1,
                what->name, level_names[what->level]);
        if (!unmet && finding->outcome != OUTCOME_MET) {
            fputs(" # SKIP ", out);
            report_put_outcome(finding, out);
            fprintf(out, ": %s", finding->why);
        }
        fputs("\n", out);
        if (unmet)
            report_put_diagnosis(finding, out);
    }
    if (run->death.happened)
        fputs("# ", out);
    report_death(run, out);
}
