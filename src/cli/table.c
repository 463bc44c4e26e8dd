/* Aligned tables. Owns widths and cutting; knows no view and no key by name.
 *
 * Cells are made once, as text in one buffer, then measured, then written: a column is as wide as
 * its widest cell, and the widest columns give way until a line fits the terminal. */
#include "cli/table.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/chars.h"
#include "cli/output.h"

enum {
    CELL_CHARS_MAX = 120, /* also where there is no terminal: arguments may be a megabyte */
    COLUMN_CHARS_MIN = 8,
    GAP = 2,
};

#define BOLD  "\033[1m"
#define PLAIN "\033[0m"

struct cell {
    size_t start, len; /* in table.text */
    size_t chars;
};

struct table {
    const struct table_column *columns[TABLE_COLUMNS_MAX];
    size_t widths[TABLE_COLUMNS_MAX];
    size_t column_count;
    const struct table_shape *shape;
    const json_t *rows;
    struct buffer text;
    struct cell *cells; /* row by row */
    size_t row_count;   /* with that of the totals */
    struct buffer *out;
};

static const json_t *row_at(const struct table *t, size_t i)
{
    return i < json_array_size(t->rows) ? json_array_get(t->rows, i) : t->shape->totals;
}

/* --- cells ----------------------------------------------------------------------------------- */

static void make_cell(struct table *t, size_t column, const json_t *row, struct cell *cell)
{
    const struct table_column *c = t->columns[column];
    cell->start = t->text.len;
    moil_cell_add(&t->text, c->kind, json_object_get(row, c->key), t->shape->now);
    if (t->text.failed) {
        return;
    }
    const char *s = t->text.data ? t->text.data + cell->start : "";
    cell->len = t->text.len - cell->start;
    cell->chars = moil_chars_count(s, cell->len);
    if (cell->chars > CELL_CHARS_MAX) {
        t->text.len = cell->start + moil_chars_bytes(s, cell->len, CELL_CHARS_MAX - 1);
        moil_buffer_add_str(&t->text, "…");
        cell->len = t->text.len - cell->start;
        cell->chars = CELL_CHARS_MAX;
    }
    if (cell->chars > t->widths[column]) {
        t->widths[column] = cell->chars;
    }
}

static int make_cells(struct table *t)
{
    t->cells = calloc(t->row_count * t->column_count + 1, sizeof *t->cells);
    if (!t->cells) {
        return MOIL_ENOMEM;
    }
    for (size_t row = 0; row < t->row_count; row++) {
        for (size_t i = 0; i < t->column_count; i++) {
            make_cell(t, i, row_at(t, row), &t->cells[row * t->column_count + i]);
        }
    }
    return t->text.failed ? MOIL_ENOMEM : 0;
}

/* --- columns --------------------------------------------------------------------------------- */

static bool is_used(const struct table *t, const struct table_column *column)
{
    for (size_t i = 0; i < t->row_count; i++) {
        const json_t *v = json_object_get(row_at(t, i), column->key);
        if (v && !json_is_null(v)) {
            return true;
        }
    }
    return t->shape->keeps_columns;
}

static void choose_columns(struct table *t)
{
    for (size_t i = 0; i < t->shape->count && t->column_count < TABLE_COLUMNS_MAX; i++) {
        const struct table_column *column = &t->shape->columns[i];
        if (is_used(t, column)) {
            t->widths[t->column_count] = moil_chars_count(column->title, strlen(column->title));
            t->columns[t->column_count++] = column;
        }
    }
}

static size_t line_width(const struct table *t)
{
    size_t sum = 0;
    for (size_t i = 0; i < t->column_count; i++) {
        sum += t->widths[i] + (i > 0 ? GAP : 0);
    }
    return sum;
}

/* Takes from the widest column, one character at a time, until a line fits; where all are narrow
 * already, the last columns go. */
static void fit(struct table *t, size_t width)
{
    while (line_width(t) > width && t->column_count > 1) {
        size_t widest = 0;
        for (size_t i = 1; i < t->column_count; i++) {
            if (t->widths[i] > t->widths[widest]) {
                widest = i;
            }
        }
        if (t->widths[widest] > COLUMN_CHARS_MIN) {
            t->widths[widest]--;
        } else {
            t->column_count--;
        }
    }
    if (t->widths[0] > width) {
        t->widths[0] = width;
    }
}

/* --- writing --------------------------------------------------------------------------------- */

/* In its colour; "" leaves that of the line. */
static void add_cell(struct table *t, size_t column, struct slice s, const char *colour)
{
    size_t width = t->widths[column];
    size_t chars = moil_chars_count(s.p, s.n);
    bool right = moil_cell_is_right(t->columns[column]->kind);
    bool last = column + 1 == t->column_count;
    const char *cut = "";
    if (chars > width) {
        s.n = moil_chars_bytes(s.p, s.n, width - 1);
        chars = moil_chars_count(s.p, s.n) + 1;
        cut = "…";
    }
    int pad = (int)(width - chars);
    moil_buffer_addf(t->out, "%*s%s%.*s%s%s%*s", right ? pad : 0, "", colour, (int)s.n, s.p, cut,
                     colour[0] ? PLAIN : "", right || last ? 0 : pad, "");
    moil_buffer_add_str(t->out, last ? "" : "  ");
}

static void add_header(struct table *t)
{
    moil_buffer_add_str(t->out, t->shape->colours ? BOLD : "");
    for (size_t i = 0; i < t->column_count; i++) {
        add_cell(t, i, slice_str(t->columns[i]->title), "");
    }
    moil_buffer_add_str(t->out, t->shape->colours ? PLAIN "\n" : "\n");
}

static void add_row(struct table *t, const struct cell *cells, bool bold)
{
    moil_buffer_add_str(t->out, bold ? BOLD : "");
    for (size_t i = 0; i < t->column_count; i++) {
        const struct cell *cell = &cells[i];
        struct slice s = slice_of(t->text.data ? t->text.data + cell->start : "", cell->len);
        bool plain = !t->shape->colours || bold;
        add_cell(t, i, s, plain ? "" : moil_cell_colour(t->columns[i]->kind, s));
    }
    moil_buffer_add_str(t->out, bold ? PLAIN "\n" : "\n");
}

int moil_table_add(struct buffer *out, const struct table_shape *shape, const json_t *rows)
{
    struct table t = {.shape = shape, .rows = rows, .out = out};
    int rc = 0;
    t.row_count = json_array_size(rows) + (shape->totals ? 1 : 0);
    moil_buffer_init(&t.text);
    choose_columns(&t);
    if (t.column_count > 0 && (rc = make_cells(&t)) == 0) {
        size_t all = t.column_count;
        fit(&t, shape->width ? shape->width : SIZE_MAX);
        add_header(&t);
        for (size_t row = 0; row < t.row_count; row++) {
            add_row(&t, &t.cells[row * all], shape->colours && row == json_array_size(rows));
        }
    }
    free(t.cells);
    moil_buffer_fini(&t.text);
    return rc ? rc : out->failed ? MOIL_ENOMEM : 0;
}

int moil_table_show(const struct table_shape *shape, const json_t *rows)
{
    struct buffer out;
    moil_buffer_init(&out);
    int rc = moil_table_add(&out, shape, rows);
    if (rc == 0) {
        fwrite(moil_buffer_cstr(&out), 1, out.len, stdout);
    }
    moil_buffer_fini(&out);
    return rc;
}

int moil_table_print(const struct table_column *columns, size_t count, const json_t *rows,
                     size_t width, double now)
{
    struct table_shape shape = {.columns = columns,
                                .count = count,
                                .width = width,
                                .now = now,
                                .colours = moil_output_has_colours()};
    return moil_table_show(&shape, rows);
}
