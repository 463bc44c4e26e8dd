/* Workflows as trees. Owns the lines and columns; which members are shown is workflow_pick's.
 *
 * All rows are made first, so that the columns are as wide as they need to be: the tree with its
 * names, states, ids. A row that has no state is text alone: an error, or what was left out. */
#include "cli/workflow_text.h"

#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "cli/chars.h"
#include "cli/output.h"
#include "cli/workflow_pick.h"
#include "cli/workflow_state.h"

enum { GAP = 2, TREE_CHARS_MIN = 20, ID_CHARS_MIN = 8 };

/* The lines that the locale's characters can draw; the first four are of one width. */
struct strokes {
    const char *child, *last, *pass, *blank, *more;
};

static const struct strokes unicode = {"├─ ", "└─ ", "│  ", "   ", "…"};
static const struct strokes ascii = {"|- ", "`- ", "|  ", "   ", "..."};

/* Where in the buffer of texts its parts stand, each with a NUL behind it. */
struct row {
    size_t tree, state, id;
    bool is_plain; /* it has no state and no id */
};

struct drawing {
    const struct strokes *strokes;
    struct buffer text;
    struct buffer rows;   /* of struct row */
    struct buffer prefix; /* what stands before the children of the node at hand */
    json_t *ids;          /* of all nodes, as the keys of an object */
};

static const struct strokes *choose_strokes(void)
{
    locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    bool is_utf8 = locale && strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
    if (locale) {
        freelocale(locale);
    }
    return is_utf8 ? &unicode : &ascii;
}

static const char *text_of(const json_t *item, const char *key)
{
    const char *text = json_string_value(json_object_get(item, key));
    return text ? text : "";
}

/* --- rows ------------------------------------------------------------------------------------ */

static size_t keep(struct drawing *d, const char *s)
{
    size_t start = d->text.len;
    moil_output_clean(&d->text, s, strlen(s));
    moil_buffer_add_char(&d->text, '\0');
    return start;
}

/* Begins a row with the lines of the tree; its own text follows. */
static struct row begin_row(struct drawing *d, const char *branch)
{
    struct row row = {.tree = d->text.len, .is_plain = true};
    moil_buffer_add_slice(&d->text, moil_buffer_slice(&d->prefix));
    moil_buffer_add_str(&d->text, branch);
    return row;
}

static void end_row(struct drawing *d, const struct row *row)
{
    moil_buffer_add(&d->rows, row, sizeof *row);
}

static void add_plain(struct drawing *d, const char *branch, struct slice text)
{
    struct row row = begin_row(d, branch);
    moil_output_clean(&d->text, text.p, text.n);
    moil_buffer_add_char(&d->text, '\0');
    end_row(d, &row);
}

static void add_label(struct drawing *d, const json_t *node)
{
    const char *on = text_of(node, "on"), *kind = text_of(node, "kind");
    const json_t *states = json_object_get(node, "states");
    if (on[0]) {
        moil_buffer_addf(&d->text, "on %s: ", on);
    }
    if (states) {
        moil_buffer_addf(&d->text, "%s %" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT, kind,
                         moil_state_count_ended(states),
                         json_integer_value(json_object_get(node, "count")));
        moil_buffer_add_char(&d->text, '\0');
    } else {
        keep(d, text_of(node, "task")[0] ? text_of(node, "task") : "?");
    }
}

static void add_node(struct drawing *d, const char *branch, const json_t *node)
{
    struct row row = begin_row(d, branch);
    add_label(d, node);
    row.state = keep(d, text_of(node, "state"));
    row.id = keep(d, text_of(node, "id"));
    row.is_plain = false;
    end_row(d, &row);
}

/* That it was revoked, its state says; that another one failed is seen at that one, where it is in
 * the tree. */
static bool is_seen_anyway(const struct drawing *d, const json_t *error)
{
    const char *code = text_of(error, "code"), *dependency = text_of(error, "dependency");
    return strcmp(code, "Revoked") == 0 || (strcmp(code, "DependencyFailed") == 0 &&
                                            dependency[0] && json_object_get(d->ids, dependency));
}

static void add_error(struct drawing *d, const json_t *node)
{
    const json_t *error = json_object_get(node, "error");
    const char *message = text_of(error, "message");
    bool is_of_group = json_object_get(node, "states") != NULL;
    bool goes_on = json_array_size(json_object_get(node, "links")) > 0;
    if (!error || is_of_group || is_seen_anyway(d, error)) {
        return;
    }
    message = message[0] ? message : text_of(error, "code");
    add_plain(d, goes_on ? d->strokes->pass : d->strokes->blank, slice_str(message));
}

/* "… 9980 more: 9980 SUCCESS" */
static void add_left_out(struct drawing *d, const char *branch, struct pick *p)
{
    struct buffer line;
    moil_buffer_init(&line);
    moil_buffer_addf(&line, "%s %zu more: ", d->strokes->more, p->left_out_count);
    moil_state_add_counts(&line, p->left_out);
    add_plain(d, branch, moil_buffer_slice(&line));
    moil_buffer_fini(&line);
    moil_pick_forget(p);
}

/* --- the tree -------------------------------------------------------------------------------- */

static void draw(struct drawing *d, const json_t *item, const char *branch);

/* The items of a list that are shown; with `goes_on` the tree has more branches behind them. The
 * next one is looked up before an item is drawn, as the last branch looks different. */
static void draw_list(struct drawing *d, const json_t *list, bool is_chain, bool goes_on)
{
    const struct strokes *s = d->strokes;
    struct pick p = {.list = list, .is_chain = is_chain};
    const json_t *item = moil_pick_next(&p), *next;
    for (; item; item = next) {
        if (is_chain && p.left_out_count > 0) {
            add_left_out(d, s->child, &p);
        }
        next = moil_pick_next(&p);
        draw(d, item, next || p.left_out_count > 0 || goes_on ? s->child : s->last);
    }
    if (p.left_out_count > 0) {
        add_left_out(d, goes_on ? s->child : s->last, &p);
    }
    moil_pick_fini(&p);
}

static void draw_below(struct drawing *d, const json_t *node)
{
    const json_t *links = json_object_get(node, "links");
    add_error(d, node);
    draw_list(d, json_object_get(node, "members"), false, json_array_size(links) > 0);
    draw_list(d, links, false, false);
}

static bool is_chord(const json_t *steps)
{
    return json_array_size(steps) == 2 && json_object_get(json_array_get(steps, 0), "states") &&
           !json_object_get(json_array_get(steps, 1), "states");
}

static void draw(struct drawing *d, const json_t *item, const char *branch)
{
    const struct strokes *s = d->strokes;
    const json_t *steps = json_object_get(item, "steps");
    size_t kept = d->prefix.len;
    if (steps) {
        add_plain(d, branch, slice_str(is_chord(steps) ? "chord" : "chain"));
    } else {
        add_node(d, branch, item);
    }
    moil_buffer_add_str(&d->prefix, branch == s->child  ? s->pass
                                    : branch == s->last ? s->blank
                                                        : "");
    if (steps) {
        draw_list(d, steps, true, false);
    } else {
        draw_below(d, item);
    }
    d->prefix.len = kept;
}

/* --- printing -------------------------------------------------------------------------------- */

struct widths {
    size_t tree, state, id, line;
};

static size_t chars_of(const char *s)
{
    return moil_chars_count(s, strlen(s));
}

static void widen(size_t *width, const char *s)
{
    size_t chars = chars_of(s);
    *width = chars > *width ? chars : *width;
}

static const struct row *rows_of(const struct drawing *d, size_t *count)
{
    *count = d->rows.len / sizeof(struct row);
    return (const struct row *)(const void *)d->rows.data;
}

static size_t take(size_t width, size_t too_many, size_t least)
{
    size_t most = width > least ? width - least : 0;
    return width - (too_many < most ? too_many : most);
}

/* The tree gives way first, then the ids. */
static struct widths fit(const struct drawing *d, size_t line)
{
    struct widths w = {.line = line ? line : SIZE_MAX};
    size_t count;
    const struct row *rows = rows_of(d, &count);
    for (size_t i = 0; i < count; i++) {
        if (!rows[i].is_plain) {
            widen(&w.tree, d->text.data + rows[i].tree);
            widen(&w.state, d->text.data + rows[i].state);
            widen(&w.id, d->text.data + rows[i].id);
        }
    }
    size_t sum = w.tree + w.state + w.id + 2 * GAP;
    if (sum > w.line) {
        size_t tree = take(w.tree, sum - w.line, TREE_CHARS_MIN);
        sum -= w.tree - tree;
        w.tree = tree;
    }
    if (sum > w.line) {
        w.id = take(w.id, sum - w.line, ID_CHARS_MIN);
    }
    return w;
}

/* A text in a column, cut or filled up to its width. */
static void print_cell(const struct drawing *d, const char *s, size_t width, bool is_last)
{
    size_t len = strlen(s), chars = moil_chars_count(s, len), dots = chars_of(d->strokes->more);
    const char *cut = "";
    if (chars > width) {
        len = moil_chars_bytes(s, len, width > dots ? width - dots : 0);
        chars = width;
        cut = d->strokes->more;
    }
    printf("%.*s%s%*s", (int)len, s, cut, is_last ? 0 : (int)(width - chars + GAP), "");
}

static void print_rows(const struct drawing *d, size_t width)
{
    bool is_coloured = moil_output_has_colours();
    struct widths w = fit(d, width);
    size_t count;
    const struct row *rows = rows_of(d, &count);
    for (size_t i = 0; i < count; i++) {
        print_cell(d, d->text.data + rows[i].tree, rows[i].is_plain ? w.line : w.tree,
                   rows[i].is_plain);
        if (!rows[i].is_plain) {
            const char *state = d->text.data + rows[i].state;
            const char *colour = is_coloured ? moil_state_look(state)->escape : "";
            fputs(colour, stdout);
            print_cell(d, state, w.state, false);
            fputs(colour[0] ? "\033[0m" : "", stdout);
            print_cell(d, d->text.data + rows[i].id, w.id, true);
        }
        putchar('\n');
    }
}

/* "7 jobs: 4 SUCCESS, 3 DEFERRED" */
static void draw_summary(struct drawing *d, const json_t *workflow)
{
    struct buffer line;
    json_int_t jobs = json_integer_value(json_object_get(workflow, "jobs"));
    moil_buffer_init(&line);
    moil_buffer_addf(&line, "%" JSON_INTEGER_FORMAT " job%s%s", jobs, jobs == 1 ? "" : "s",
                     jobs > 0 ? ": " : "");
    moil_state_add_counts(&line, json_object_get(workflow, "states"));
    add_plain(d, "", moil_buffer_slice(&line));
    moil_buffer_fini(&line);
}

static void collect_ids(json_t *ids, const json_t *list)
{
    static const char *const lists[] = {"steps", "members", "links"};
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item)
    {
        const char *id = text_of(item, "id");
        if (id[0]) {
            json_object_set_new(ids, id, json_true());
        }
        for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) {
            collect_ids(ids, json_object_get(item, lists[k]));
        }
    }
}

int moil_workflow_text_print(const json_t *workflow, size_t width)
{
    struct drawing d = {.strokes = choose_strokes(), .ids = json_object()};
    const json_t *tree = json_object_get(workflow, "tree"), *item;
    size_t i;
    moil_buffer_init(&d.text);
    moil_buffer_init(&d.rows);
    moil_buffer_init(&d.prefix);
    collect_ids(d.ids, tree);
    draw_summary(&d, workflow);
    json_array_foreach(tree, i, item)
    {
        draw(&d, item, "");
    }
    bool failed = d.text.failed || d.rows.failed || d.prefix.failed;
    if (!failed) {
        print_rows(&d, width);
    }
    moil_buffer_fini(&d.text);
    moil_buffer_fini(&d.rows);
    moil_buffer_fini(&d.prefix);
    json_decref(d.ids);
    return failed ? MOIL_ENOMEM : 0;
}
