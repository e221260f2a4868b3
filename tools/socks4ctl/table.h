#ifndef TOOLS_SOCKS4CTL_TABLE_H
#define TOOLS_SOCKS4CTL_TABLE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Rows as a table for people: columns as wide as what stands in them, figures
 * to the right. A value of a client's has every octet escaped that is not
 * printable ASCII, so that none reaches the terminal.
 */
enum table_kind {
    TABLE_TEXT,
    TABLE_NUMBER,
    TABLE_OCTETS, /* 1.2M */
    TABLE_RATE,   /* 1.2M/s; - for none */
    TABLE_AGE,    /* seconds: 3h12m */
    TABLE_YES,    /* true: yes; else - */
};

struct table_column {
    const char *title;
    const char *key; /* of the row */
    enum table_kind kind;
};

/* Columns that no row has a value for are left out, but for the first. */
void table_print(const json_t *rows, const struct table_column *columns,
                 size_t count);

#define TABLE_CELL_MAX 64

/* One value as such a cell; `text` has TABLE_CELL_MAX octets. */
char *table_cell(const json_t *value, enum table_kind kind, char *text);

/* What a gateway says in lines, escaped likewise: its observer may have been
   taken over, and the terminal may be root's. */
void table_print_lines(const char *text, FILE *to);

#endif
