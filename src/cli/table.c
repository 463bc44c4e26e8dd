/* Aligned tables. Owns widths and cutting; knows no view and no key by name.
 *
 * Cells are made once, as text in one buffer, then measured, then printed: a column is as wide as
 * its widest cell, and the widest columns give way until a line fits the terminal. */
#include "cli/table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "cli/age.h"
#include "cli/chars.h"
#include "cli/output.h"

enum {
    CELL_CHARS_MAX = 120, /* also where there is no terminal: arguments may be a megabyte */
    COLUMN_CHARS_MIN = 8,
    GAP = 2,
};

struct cell {
    size_t start, len; /* in table.text */
    size_t chars;
};

struct table {
    const struct table_column *columns[TABLE_COLUMNS_MAX];
    size_t widths[TABLE_COLUMNS_MAX];
    size_t column_count;
    struct buffer text;
    struct cell *cells; /* row by row */
    size_t row_count;
    double now; /* what CELL_RELATIVE is seen from */
};

/* --- cells ----------------------------------------------------------------------------------- */

static void add_text(struct buffer *out, const json_t *v)
{
    if (json_is_string(v)) {
        moil_output_clean(out, json_string_value(v), json_string_length(v));
    } else if (json_is_real(v)) {
        moil_buffer_addf(out, "%.15g", json_real_value(v));
    } else if (v && !json_is_null(v)) {
        char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        moil_output_clean(out, text ? text : "?", text ? strlen(text) : 1);
        free(text);
    }
}

static void add_list(struct buffer *out, const json_t *list)
{
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v)
    {
        moil_buffer_add_str(out, i > 0 ? ", " : "");
        add_text(out, v);
    }
}

static void add_error(struct buffer *out, const json_t *v)
{
    const json_t *message = json_object_get(v, "message");
    bool empty = !json_is_string(message) || json_string_length(message) == 0;
    add_text(out, !json_is_object(v) ? v : empty ? json_object_get(v, "code") : message);
}

/* Of the generations below `below`, the highest that a worker has, and how many have it; 0: none.
 */
static json_int_t next_generation(const json_t *workers, json_int_t below, int *count)
{
    json_int_t found = 0;
    size_t i;
    json_t *worker;
    *count = 0;
    json_array_foreach(workers, i, worker)
    {
        json_int_t g = json_integer_value(json_object_get(worker, "generation"));
        if (g >= below || g < found || g == 0) {
            continue;
        }
        *count = g > found ? 1 : *count + 1;
        found = g;
    }
    return found;
}

static void add_generations(struct buffer *out, const json_t *workers)
{
    int count;
    json_int_t first = next_generation(workers, INT64_MAX, &count), g = first;
    bool several = first > 0 && (size_t)count < json_array_size(workers);
    for (; g > 0; g = next_generation(workers, g, &count)) {
        moil_buffer_addf(out, "%s%" JSON_INTEGER_FORMAT, g < first ? ", " : "", g);
        if (several) {
            moil_buffer_addf(out, " (%d)", count);
        }
    }
}

static void add_value(struct buffer *out, enum cell_kind kind, const json_t *v, double now)
{
    switch (kind) {
    case CELL_TEXT:
    case CELL_NUMBER:
        add_text(out, v);
        break;
    case CELL_RELATIVE:
        if (json_is_number(v)) {
            moil_age_add_relative(out, json_number_value(v), now);
        }
        break;
    case CELL_SECONDS:
        if (json_is_number(v)) {
            moil_age_add(out, json_number_value(v));
        }
        break;
    case CELL_LIST:
        add_list(out, v);
        break;
    case CELL_COUNT:
        moil_buffer_addf(out, "%zu", json_array_size(v));
        break;
    case CELL_GENERATIONS:
        add_generations(out, v);
        break;
    case CELL_YES:
        moil_buffer_add_str(out, json_is_true(v) ? "yes" : "no");
        break;
    case CELL_ERROR:
        add_error(out, v);
        break;
    }
}

static void make_cell(struct table *t, size_t column, const json_t *row, struct cell *cell)
{
    const struct table_column *c = t->columns[column];
    cell->start = t->text.len;
    add_value(&t->text, c->kind, json_object_get(row, c->key), t->now);
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

/* --- columns --------------------------------------------------------------------------------- */

static bool is_used(const struct table_column *column, const json_t *rows)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        const json_t *v = json_object_get(row, column->key);
        if (v && !json_is_null(v)) {
            return true;
        }
    }
    return false;
}

static void choose_columns(struct table *t, const struct table_column *columns, size_t count,
                           const json_t *rows)
{
    for (size_t i = 0; i < count && t->column_count < TABLE_COLUMNS_MAX; i++) {
        if (is_used(&columns[i], rows)) {
            t->widths[t->column_count] =
                moil_chars_count(columns[i].title, strlen(columns[i].title));
            t->columns[t->column_count++] = &columns[i];
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

/* Takes from the widest column, one character at a time, until a line fits. */
static void fit(struct table *t, size_t width)
{
    while (line_width(t) > width) {
        size_t widest = 0;
        for (size_t i = 1; i < t->column_count; i++) {
            if (t->widths[i] > t->widths[widest]) {
                widest = i;
            }
        }
        if (t->widths[widest] <= COLUMN_CHARS_MIN) {
            return;
        }
        t->widths[widest]--;
    }
}

/* --- printing -------------------------------------------------------------------------------- */

static bool is_right_aligned(enum cell_kind kind)
{
    return kind == CELL_NUMBER || kind == CELL_COUNT;
}

static void print_cell(const struct table *t, size_t column, const char *s, size_t len)
{
    size_t width = t->widths[column];
    size_t chars = moil_chars_count(s, len);
    bool right = is_right_aligned(t->columns[column]->kind);
    bool last = column + 1 == t->column_count;
    const char *cut = "";
    if (chars > width) {
        len = moil_chars_bytes(s, len, width - 1);
        chars = width;
        cut = "…";
    }
    int pad = (int)(width - chars);
    printf("%*s%.*s%s%*s", right ? pad : 0, "", (int)len, s, cut, right || last ? 0 : pad, "");
    fputs(last ? "\n" : "  ", stdout);
}

static void print_header(const struct table *t)
{
    bool bold = moil_output_has_colours();
    fputs(bold ? "\033[1m" : "", stdout);
    for (size_t i = 0; i < t->column_count; i++) {
        print_cell(t, i, t->columns[i]->title, strlen(t->columns[i]->title));
    }
    fputs(bold ? "\033[0m" : "", stdout);
}

static void print_rows(const struct table *t)
{
    for (size_t row = 0; row < t->row_count; row++) {
        for (size_t i = 0; i < t->column_count; i++) {
            const struct cell *cell = &t->cells[row * t->column_count + i];
            print_cell(t, i, t->text.data ? t->text.data + cell->start : "", cell->len);
        }
    }
}

int moil_table_print(const struct table_column *columns, size_t count, const json_t *rows,
                     size_t width, double now)
{
    struct table t = {.row_count = json_array_size(rows), .now = now};
    int rc = 0;
    moil_buffer_init(&t.text);
    choose_columns(&t, columns, count, rows);
    if (t.column_count == 0) {
        goto out;
    }
    t.cells = calloc(t.row_count * t.column_count, sizeof *t.cells);
    if (!t.cells) {
        rc = MOIL_ENOMEM;
        goto out;
    }
    for (size_t row = 0; row < t.row_count; row++) {
        for (size_t i = 0; i < t.column_count; i++) {
            make_cell(&t, i, json_array_get(rows, row), &t.cells[row * t.column_count + i]);
        }
    }
    if (t.text.failed) {
        rc = MOIL_ENOMEM;
        goto out;
    }
    fit(&t, width ? width : SIZE_MAX);
    print_header(&t);
    print_rows(&t);
out:
    free(t.cells);
    moil_buffer_fini(&t.text);
    return rc;
}
