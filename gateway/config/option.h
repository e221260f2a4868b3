#ifndef GATEWAY_CONFIG_OPTION_H
#define GATEWAY_CONFIG_OPTION_H

#include <stddef.h>
#include <stdint.h>

/*
 * The option table: one row an option, in the order of the manual. The
 * parser (parse.c, value.c), the dump (dump.c) and the manual (manual.c)
 * are loops over it, so that they cannot disagree.
 */
enum option_kind {
    OPTION_SECTION, /* a mapping of further rows */
    OPTION_LISTENERS,
    OPTION_SETS,
    OPTION_RULES,

    OPTION_BOOL,      /* bool */
    OPTION_CHOICE,    /* an enum; its names are in `choices` */
    OPTION_COUNT,     /* uint64_t */
    OPTION_SIZE,      /* uint64_t, octets */
    OPTION_DURATION,  /* uint64_t, milliseconds */
    OPTION_NAME,      /* char *; unique in its list */
    OPTION_ENDPOINT,  /* struct endpoint */
    OPTION_USER,      /* char *; NULL: auto */
    OPTION_SOURCE,    /* uint32_t; the bool at `also` says auto */
    OPTION_ADVERTISE, /* uint32_t; the bool at `also` says there is one */
    OPTION_PORTS,     /* two uint16_t */
    OPTION_SERVERS,   /* resolver */
    OPTION_TARGET,    /* log */

    OPTION_ACTION, /* the terms of a rule, in terms.c */
    OPTION_FROM,
    OPTION_TO,
    OPTION_RULE_LISTENERS,
    OPTION_COMMANDS,
    OPTION_RULE_PORTS,
    OPTION_USERIDS,
    OPTION_PEER,
    OPTION_KINDS
};

struct option {
    const char *path; /* "timeouts.idle"; "rules[].to" is in each rule */
    enum option_kind kind;
    size_t at;            /* offset in its struct */
    size_t also;          /* offset of a second field, where the kind has one */
    const char *fallback; /* the default as written; NULL: must be given */
    uint64_t min, max;    /* of figures */
    const char *const *choices; /* by value; NULL ends */
    const char *help;           /* a sentence for the manual */
};

extern const struct option options[];
extern const size_t option_count;

#define OPTION_COUNT_MAX 64

/* The path without what only says in which list: "to", "timeouts.idle". */
const char *option_label(const struct option *option);
/* The key as it stands in the file: "to", "idle". */
const char *option_key(const struct option *option);

/*
 * Whether the row belongs directly to the section `prefix` ("", "limits.",
 * "rules[]."). 0 or 1.
 */
int option_within(const struct option *option, const char *prefix);

/* A figure that may also be `auto`. */
int option_may_be_auto(const struct option *option);

/*
 * What may be asked for but is not built yet: rows go as it is built.
 * value NULL: anything but the default.
 */
struct option_unbuilt {
    const char *path;
    const char *value;
};

/* The row that speaks of this value, or NULL. */
const struct option_unbuilt *option_unbuilt(const struct option *option,
                                            const char *value);

/* The first row that speaks of this option, or NULL: for the manual. */
const struct option_unbuilt *option_unbuilt_first(const struct option *option);

#endif
