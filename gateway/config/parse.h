#ifndef GATEWAY_CONFIG_PARSE_H
#define GATEWAY_CONFIG_PARSE_H

#include "base/arena.h"
#include "gateway/config/config.h"
#include "gateway/config/node.h"
#include "gateway/config/option.h"

/*
 * One run of the parser. Everything is borrowed but `scratch`.
 *
 *   text ─► tree ─► section ─► type of the row ─► a field of the snapshot
 *                      ▲              │
 *                      └──────────────┘  a list of mappings, a section
 *
 * The recursion goes through the table: section.c knows no type, and a type
 * knows no other row than the one it is called with.
 */
struct parse {
    const char *file;
    struct config_error *error; /* gets the first one */
    unsigned errors;            /* so many */
    FILE *warnings;             /* may be NULL */
    size_t warned;              /* so many of them */
    const struct option *options;
    size_t option_count;
    const struct node *above; /* the mapping whose row is being parsed */
    struct config *config;    /* being made */
    struct arena *scratch;    /* owned; the tree, gone when parsing ends */
    size_t ranges;            /* address ranges compiled so far */
    struct set_work *sets;    /* while sets are compiled; in scratch */
};

/* What a file may hold; one more is an error. */
#define PARSE_SETS_MAX 1024
#define PARSE_RULES_MAX 10000
#define PARSE_MEMBERS_MAX 1048576 /* in any one list */
#define PARSE_RANGES_MAX 4194304  /* in all sets and rules together */

#endif
