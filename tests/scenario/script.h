#ifndef SCENARIO_SCRIPT_H
#define SCENARIO_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A scenario file, cut into scenarios, statements and words; what they mean
 * is for step.c. README.md is the language's page.
 */

struct script_statement {
    char *text; /* owned; its words are separated by single blanks */
    unsigned line;
    bool joined; /* by 'and' to the next: the gateway does not run between */
};

struct script_scenario {
    char *title;
    unsigned line;
    char *config;     /* owned; NULL: the player's own */
    bool config_adds; /* behind the player's own, not instead of it */
    bool plain;       /* 'played once': only as it is written */
    bool swept;       /* fit for sweeps, with a configuration of its own */
    bool never_flaky;
    bool version_5;   /* every listener serves it */
    bool any_version; /* all its sessions are `relayed': it names no request,
                         reply or code */
    struct script_statement *statements;
    size_t count;
};

struct script {
    const char *file; /* borrowed */
    struct script_scenario *scenarios;
    size_t count;
};

/* Reads a file; prints what is wrong with it and returns false. */
bool script_load(struct script *script, const char *file);
void script_free(struct script *script);

#endif
