#ifndef GATEWAY_CONFIG_DIAG_H
#define GATEWAY_CONFIG_DIAG_H

#include "base/text.h"
#include "gateway/config/parse.h"

/*
 * What is wrong with a configuration: "FILE:LINE:COLUMN: sentence", where the
 * sentence says which value, what is the matter and what to write instead. A
 * node made of a default stands where its section does.
 *
 * All return -1, so that a parser can return what they return.
 */
int diag_error(struct parse *parse, const struct node *at, const char *format,
               ...) __attribute__((format(printf, 3, 4)));

/* The same about an option's value: the sentence begins with its label. */
int diag_value(struct parse *parse, const struct option *option,
               const struct node *at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same about the whole file, and where memory ran out. */
int diag_file(struct parse *parse, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int diag_no_memory(struct parse *parse);

/* Not an error, but probably not intended. `at` NULL: the whole file. */
void diag_warn(struct parse *parse, const struct node *at, const char *format,
               ...) __attribute__((format(printf, 3, 4)));

/* A scalar's text, fit for a message. */
#define DIAG_SHOW_MAX 48
#define SHOW(node) SHOW_FROM(node, 0)
/* The same without its first octets. */
#define SHOW_FROM(node, at)                                                    \
    text_show((node)->text + (at), (node)->len - (at),                         \
              (char[DIAG_SHOW_MAX]){0}, DIAG_SHOW_MAX)

/* Demands a path that fits into messages as it is: without control characters,
   which a terminal would obey. */
int diag_expect_path(struct parse *parse, const struct option *option,
                     const struct node *node);

/* Demands the kind of node; `wants` is what should stand there. */
int diag_expect_scalar(struct parse *parse, const struct option *option,
                       const struct node *node, const char *wants);
int diag_expect_list(struct parse *parse, const struct option *option,
                     const struct node *node, const char *example);
/* And that it has members. */
int diag_expect_members(struct parse *parse, const struct option *option,
                        const struct node *node, const char *example);

#endif
