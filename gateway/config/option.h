#ifndef GATEWAY_CONFIG_OPTION_H
#define GATEWAY_CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct parse;
struct dump;
struct node;
struct option;

/*
 * What kind of value an option has: one row says how it is read, how it is
 * written and what the manual calls it.
 */
struct option_type {
    /* One value by its row into the struct at `base`. 0, or -1 with the error
       noted. */
    int (*parse)(struct parse *parse, const struct option *option,
                 const struct node *node, void *base);
    /* The value as YAML, so that `parse` reads the same. */
    void (*dump)(const struct dump *dump, const struct option *option,
                 const void *base);
    const char *manual; /* NULL: the row's choices */
    /* The type holds rows of its own: `parse` gets NULL where the file says
       nothing, and the node of the mapping above in parse->above; `dump`
       writes what follows the colon. */
    bool nested;
    bool empty_is_any; /* a list that is left out matches everything */
    bool first; /* it is parsed before the rows above it, which refer to it */
    /* Of figures: from and to text. */
    int (*read)(const char *text, uint64_t *value);
    char *(*show)(uint64_t value, char text[TEXT_FIGURE_MAX]);
};

struct option {
    const char *path; /* "timeouts.idle"; "rules[].to" is in each rule */
    const struct option_type *type;
    size_t at;            /* offset in its struct */
    size_t also;          /* offset of a second field, where the type has one */
    const char *fallback; /* the default as written; NULL: must be given */
    uint64_t min, max;    /* of figures */
    const char *const *choices; /* by value; NULL ends */
    const char *help;           /* a sentence for the manual */
};

/* The table (options.c): one row an option, in the order of the manual. The
   parser, the dump and the manual are loops over it, so that they cannot
   disagree. */
extern const struct option options[];
extern const size_t option_count;

#define OPTION_COUNT_MAX 128

/* The path without what only says in which list: "to", "timeouts.idle". */
const char *option_label(const struct option *option);
/* The key as it stands in the file: "to", "idle". */
const char *option_key(const struct option *option);

/* Whether the row belongs directly to the section `prefix` ("", "limits.",
   "rules[]."). */
bool option_within(const struct option *option, const char *prefix);

/* A figure that may also be `auto`. */
bool option_may_be_auto(const struct option *option);

/* The field at an offset of the struct at `base`. */
static inline void *
option_field(void *base, size_t at)
{
    return (char *)base + at;
}

static inline const void *
option_field_of(const void *base, size_t at)
{
    return (const char *)base + at;
}

#endif
