#ifndef GATEWAY_CONFIG_PARSE_H
#define GATEWAY_CONFIG_PARSE_H

#include "base/arena.h"
#include "gateway/config/config.h"
#include "gateway/config/option.h"
#include "gateway/config/tree.h"

/* One run of the parser. Everything is borrowed but `scratch`. */
struct parse {
    const char *file;
    struct config_error *error;
    FILE *warnings;        /* may be NULL */
    struct config *config; /* being made */
    struct arena *scratch; /* owned; the tree, gone when parsing ends */
    size_t ranges;         /* address ranges compiled so far */
    struct set_work *sets; /* while sets are compiled; in scratch */
};

/* What a file may hold; one more is an error. */
#define PARSE_SETS_MAX 1024
#define PARSE_RULES_MAX 10000
#define PARSE_MEMBERS_MAX 65536  /* in any one list */
#define PARSE_RANGES_MAX 1048576 /* in all sets and rules together */

/*
 * Notes "FILE:LINE:COLUMN: sentence" and returns -1. A node made of a
 * default stands where its section does.
 */
int parse_fail(struct parse *parse, const struct node *at, const char *format,
               ...) __attribute__((format(printf, 3, 4)));
/* The same without a place, and for memory. */
int parse_fail_file(struct parse *parse, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int parse_no_memory(struct parse *parse);

/* A scalar's text, fit for a message. */
#define PARSE_SHOW_MAX 48
#define SHOW(node)                                                             \
    text_show((node)->text, (node)->len, (char[PARSE_SHOW_MAX]){0},            \
              PARSE_SHOW_MAX)

/* ` (did you mean "NAME"?)`, or nothing, in `text`. */
#define PARSE_HINT_MAX 96
char *parse_hint(const char *nearest, char text[PARSE_HINT_MAX]);

/* Below: 0, or -1 with the error noted. */

/* Demands the kind of node; `wants` is what should stand there. */
int parse_scalar(struct parse *parse, const struct option *option,
                 const struct node *node, const char *wants);
int parse_list(struct parse *parse, const struct option *option,
               const struct node *node, const char *example);

/*
 * The members of the mapping `map` (NULL: nothing there) by the rows of the
 * option table whose path is `prefix` and one more name; `base` is the
 * struct that those rows' offsets are counted in.
 */
int parse_section(struct parse *parse, const struct node *map,
                  const struct node *at, const char *prefix, void *base);

/* One value by its row: value.c for scalars, and each of the others. */
int value_parse(struct parse *parse, const struct option *option,
                const struct node *node, void *base);
int listeners_parse(struct parse *parse, const struct option *option,
                    const struct node *node, void *base);
int sets_parse(struct parse *parse, const struct option *option,
               const struct node *node, void *base);
int rules_parse(struct parse *parse, const struct option *option,
                const struct node *node, void *base);
int servers_parse(struct parse *parse, const struct option *option,
                  const struct node *node, void *base);
int terms_parse(struct parse *parse, const struct option *option,
                const struct node *node, void *base);

/* Tells the policy which endpoints are the gateway's own. 0 or -ENOMEM. */
int listeners_publish(struct config *config);

/* "80" or "8000-8100". */
int parse_ports(struct parse *parse, const struct option *option,
                const struct node *node, uint16_t *first, uint16_t *last);

/* Which of option->choices; off, no and false are one, and so are the
   others. */
int parse_choice(struct parse *parse, const struct option *option,
                 const struct node *node, unsigned *chosen);

/* A name for a rule or listener: printable, neither " nor \, at most 64. */
int parse_name(struct parse *parse, const struct option *option,
               const struct node *node, char **name);

#endif
