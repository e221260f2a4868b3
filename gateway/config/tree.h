#ifndef GATEWAY_CONFIG_TREE_H
#define GATEWAY_CONFIG_TREE_H

#include <stddef.h>

/*
 * A YAML document as the configuration uses it: scalars, lists and
 * mappings, each with its place. Anchors, aliases, tags, several documents,
 * deep nesting and NULs are refused: nothing here needs them, and each is
 * a way to write a small file with a large meaning.
 */
enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    unsigned line, column; /* from 1 */
    const char *file;      /* whose; NULL: the configuration's */
    const char *text;      /* a scalar's, NUL-terminated */
    size_t len;
    unsigned indent;    /* of a block (|), its lines are in the next ones */
    struct node *first; /* a list's members; of a mapping key, value, … */
    struct node *next;  /* the next one in the same list or mapping */
    size_t count;       /* members, or pairs */
};

struct parse;

#define TREE_DEPTH_MAX 8
#define TREE_NODES_MAX 1000000

/* The document's root, in parse->scratch; NULL with the error noted. */
struct node *tree_parse(struct parse *parse, const char *text, size_t len);

#endif
