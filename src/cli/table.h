/* Rows of JSON objects as an aligned table that fits the terminal. */
#ifndef MOIL_CLI_TABLE_H
#define MOIL_CLI_TABLE_H

#include <jansson.h>
#include <stddef.h>

#include "cli/cell.h"

struct table_column {
    const char *title;
    const char *key;
    enum cell_kind kind;
};

enum { TABLE_COLUMNS_MAX = 12 };

struct table_shape {
    const struct table_column *columns;
    size_t count;
    size_t width;         /* cells are cut to fit it; 0: no terminal */
    double now;           /* what CELL_RELATIVE and CELL_AGE are seen from */
    const json_t *totals; /* a last row, in bold; NULL: none */
    bool colours;
    bool keeps_columns; /* also those that no row has */
};

/* Appends the table, a line a row; a column that no row has is left out. 0, or MOIL_ENOMEM. */
int moil_table_add(struct buffer *out, const struct table_shape *shape, const json_t *rows);

/* Prints it to stdout, in colours where they are wanted. */
int moil_table_print(const struct table_column *columns, size_t count, const json_t *rows,
                     size_t width, double now);

/* The same with all that the shape says. */
int moil_table_show(const struct table_shape *shape, const json_t *rows);

#endif
