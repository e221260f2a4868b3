#ifndef GATEWAY_CONFIG_TREE_H
#define GATEWAY_CONFIG_TREE_H

#include <stddef.h>

#include "gateway/config/node.h"

struct parse;

/*
 * A YAML document as the configuration uses it: scalars, lists and
 * mappings, each with its place. Anchors, aliases, tags, several documents,
 * deep nesting and NULs are refused: nothing here needs them, and each is
 * a way to write a small file with a large meaning.
 */

#define TREE_DEPTH_MAX 8
#define TREE_NODES_MAX 1000000

/* The document's root, in parse->scratch; NULL with the error noted. */
struct node *tree_parse(struct parse *parse, const char *text, size_t len);

#endif
