/* Rows of JSON objects as an aligned table that fits the terminal. */
#ifndef MOIL_CLI_TABLE_H
#define MOIL_CLI_TABLE_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

enum cell_kind {
    CELL_TEXT,        /* strings as they are, other values as JSON */
    CELL_NUMBER,      /* to the right */
    CELL_RELATIVE,    /* seconds since the epoch: "42s ago" */
    CELL_SECONDS,     /* a duration: "5m 03s" */
    CELL_LIST,        /* strings with commas */
    CELL_COUNT,       /* how many elements a list has */
    CELL_GENERATIONS, /* of a list of workers, the newest first: "4", or "4 (2), 3 (1)", where there
                         are several, with how many workers each has */
    CELL_YES,         /* "yes" for true, else "no" */
    CELL_ERROR,       /* an error object: its message, or its code */
};

struct table_column {
    const char *title;
    const char *key;
    enum cell_kind kind;
};

enum { TABLE_COLUMNS_MAX = 12 };

/* Prints the rows to stdout; a column that no row has is left out, cells are cut to fit `width` (0:
 * no terminal). `now`: what CELL_RELATIVE is seen from. Returns 0, or MOIL_ENOMEM. */
int moil_table_print(const struct table_column *columns, size_t count, const json_t *rows,
                     size_t width, double now);

#endif
