#include "tools/socks4ctl/table.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define TABLE_COLUMNS_MAX 24

static void
table_octets(double octets, const char *unit, char *text)
{
    static const char scale[] = " kMGTP";
    size_t at = 0;

    while (octets >= 999.5 && at + 2 < sizeof(scale)) {
        octets /= 1000;
        at++;
    }
    if (at == 0)
        snprintf(text, TABLE_CELL_MAX, "%.0f%s", octets, unit);
    else
        snprintf(text, TABLE_CELL_MAX, "%.*f%c%s", octets < 9.95 ? 1 : 0,
                 octets, scale[at], unit);
}

/* The two largest units. */
static void
table_age(double seconds, char *text)
{
    unsigned long s = (unsigned long)seconds;

    if (s < 60)
        snprintf(text, TABLE_CELL_MAX, "%lus", s);
    else if (s < 3600)
        snprintf(text, TABLE_CELL_MAX, "%lum%02lus", s / 60, s % 60);
    else if (s < 86400)
        snprintf(text, TABLE_CELL_MAX, "%luh%02lum", s / 3600, s / 60 % 60);
    else
        snprintf(text, TABLE_CELL_MAX, "%lud%02luh", s / 86400, s / 3600 % 24);
}

/* As in a record: each character up to U+00FF stands for one octet of the
   client's, and an ellipsis for what was left out. */
static void
table_text(const char *value, char *text)
{
    char octets[TABLE_CELL_MAX + sizeof("\\u10ffff")];
    uint32_t character;
    size_t used = 0;

    while (*value != '\0' && used < TABLE_CELL_MAX) {
        value += text_utf8_char(value, &character);
        if (character <= 0xff)
            octets[used++] = (char)character;
        else
            used += (size_t)snprintf(octets + used, sizeof(octets) - used,
                                     "\\u%04x", character);
    }
    text_show(octets, used, text, TABLE_CELL_MAX);
}

char *
table_cell(const json_t *value, enum table_kind kind, char *text)
{
    double number = json_number_value(value);

    snprintf(text, TABLE_CELL_MAX, "-");
    if (value == NULL || json_is_null(value) || json_is_false(value))
        return text;
    switch (kind) {
    case TABLE_OCTETS:
        table_octets(number, "", text);
        break;
    case TABLE_RATE:
        if (number > 0)
            table_octets(number, "/s", text);
        break;
    case TABLE_AGE:
        table_age(number, text);
        break;
    case TABLE_YES:
        snprintf(text, TABLE_CELL_MAX, "yes");
        break;
    case TABLE_TEXT:
    case TABLE_NUMBER:
        if (json_is_string(value))
            table_text(json_string_value(value), text);
        else if (json_is_number(value))
            snprintf(text, TABLE_CELL_MAX, "%.15g", number);
        else if (json_is_true(value))
            snprintf(text, TABLE_CELL_MAX, "yes");
        break;
    }
    return text;
}

void
table_print_lines(const char *text, FILE *to)
{
    for (; *text != '\0'; text++)
        if (*text == '\n' || (*text >= ' ' && *text <= '~'))
            fputc(*text, to);
        else
            fprintf(to, "\\x%02x", (unsigned char)*text);
}

static bool
table_is_empty(const json_t *value)
{
    return value == NULL || json_is_null(value) || json_is_false(value) ||
           (json_is_string(value) && json_string_length(value) == 0);
}

/* Octets as characters: all that is printed is ASCII. */
static int
table_width(const json_t *rows, const struct table_column *column)
{
    char text[TABLE_CELL_MAX];
    size_t width = strlen(column->title);
    bool empty = true;
    size_t i;
    json_t *row;

    json_array_foreach(rows, i, row)
    {
        const json_t *value = json_object_get(row, column->key);
        size_t len = strlen(table_cell(value, column->kind, text));
        empty = empty && table_is_empty(value);
        if (len > width)
            width = len;
    }
    return empty ? 0 : (int)width;
}

static void
table_print_cell(const char *text, enum table_kind kind, int width, bool last)
{
    bool left = kind == TABLE_TEXT || kind == TABLE_YES;

    if (last && left)
        printf("%s\n", text);
    else if (left)
        printf("%-*s  ", width, text);
    else
        printf("%*s%s", width, text, last ? "\n" : "  ");
}

static void
table_print_row(const json_t *row, const struct table_column *columns,
                size_t count, const int *widths, size_t last)
{
    char text[TABLE_CELL_MAX];

    for (size_t i = 0; i < count; i++)
        if (widths[i] > 0)
            table_print_cell(
                row == NULL ? columns[i].title
                            : table_cell(json_object_get(row, columns[i].key),
                                         columns[i].kind, text),
                columns[i].kind, widths[i], i == last);
}

void
table_print(const json_t *rows, const struct table_column *columns,
            size_t count)
{
    int widths[TABLE_COLUMNS_MAX];
    size_t last = 0, i;
    json_t *row;

    for (size_t c = 0; c < count; c++) {
        widths[c] = table_width(rows, &columns[c]);
        if (c == 0 && widths[c] == 0)
            widths[c] = (int)strlen(columns[c].title);
        if (widths[c] > 0)
            last = c;
    }
    table_print_row(NULL, columns, count, widths, last);
    json_array_foreach(rows, i, row)
        table_print_row(row, columns, count, widths, last);
}
