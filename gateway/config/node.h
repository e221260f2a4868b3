#ifndef GATEWAY_CONFIG_NODE_H
#define GATEWAY_CONFIG_NODE_H

#include <stddef.h>

/* A part of a document, with its place (tree.h). */
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

#endif
