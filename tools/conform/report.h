#ifndef CONFORM_REPORT_H
#define CONFORM_REPORT_H

#include <stdio.h>

#include "runner.h"

/* What a run was about, for its reports. */
struct about {
    const char *target; /* "127.0.0.1:1080", or the command that started it */
    const char *requirements; /* the file: requirements.tsv */
    const struct setting *setting;
};

/* One line a case, then a summary. */
void report_lines(const struct run *run, FILE *out);
/* Where the server died during the run: when, and at which cases. */
void report_death(const struct run *run, FILE *out);
/* Test Anything Protocol, version 13. */
void report_tap(const struct run *run, FILE *out);
/* One object, "cases" and "requirements" its parts. */
void report_json(const struct run *run, const struct about *about, FILE *out);
/* The implementation report, requirement by requirement. */
void report_markdown(const struct run *run, const struct about *about,
                     FILE *out);

#endif
