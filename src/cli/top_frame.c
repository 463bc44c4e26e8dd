/* top_frame.c: see top.h. Pure but for the clock that says how old a look is: rows in, lines out.
 *
 * Where there is no room for three panes, the chosen one alone is shown. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/age.h"
#include "cli/chars.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/top.h"

enum {
    PANE_ROWS_MIN = 3, /* title, header, one row */
    FRAME_ROWS = 3,    /* two lines above the panes, one below */
};

#define REVERSE "\033[7m"
#define BOLD    "\033[1m"
#define RED     "\033[31m"
#define PLAIN   "\033[0m"

static const struct {
    const char *title, *nothing;
    struct table_column columns[TABLE_COLUMNS_MAX];
    size_t count;
} panes[PANES] = {
    [PANE_QUEUES] = {"Queues",
                     "none yet: one appears with its first job",
                     {{"QUEUE", "queue", CELL_TEXT},
                      {"PENDING", "pending", CELL_NUMBER},
                      {"OLDEST", "oldest_at", CELL_AGE},
                      {"IN/S", "in", CELL_RATE},
                      {"OUT/S", "out", CELL_RATE},
                      {"RUN", "in_flight", CELL_NUMBER},
                      {"LATER", "delayed", CELL_NUMBER},
                      {"WAIT", "deferred", CELL_NUMBER},
                      {"DEAD", "dead", CELL_NUMBER},
                      {"WORKERS", "workers", CELL_SERVED},
                      {"PAUSED", "paused", CELL_PAUSED}},
                     11},
    [PANE_WORKERS] = {"Workers",
                      "none (start one: moil worker)",
                      {{"NODE", "node", CELL_TEXT},
                       {"PID", "pid", CELL_NUMBER},
                       {"HEALTH", "health", CELL_HEALTH},
                       {"RUN", "running", CELL_NUMBER},
                       {"SLOTS", "slots", CELL_NUMBER},
                       {"HELD", "reserved", CELL_NUMBER},
                       {"DONE/S", "rate", CELL_RATE},
                       {"DONE", "finished", CELL_NUMBER},
                       {"LUA", "lua_bytes", CELL_BYTES},
                       {"TROUBLE", "trouble", CELL_TEXT}},
                      10},
    [PANE_JOBS] = {"Jobs that run",
                   "none",
                   {{"ID", "id", CELL_TEXT},
                    {"TASK", "task", CELL_TEXT},
                    {"QUEUE", "queue", CELL_TEXT},
                    {"STATE", "state", CELL_STATE},
                    {"RUNS", "started_at", CELL_AGE},
                    {"META", "meta", CELL_TEXT}},
                   6},
};

/* Appends a line of at most so many columns. */
static void add_line(struct buffer *out, const char *text, size_t columns, const char *style)
{
    size_t len = moil_chars_bytes(text, strlen(text), columns);
    style = moil_output_has_colours() ? style : "";
    moil_buffer_addf(out, "%s%.*s%s\n", style, (int)len, text, style[0] ? PLAIN : "");
}

/* --- panes ------------------------------------------------------------------------------------ */

static struct table_shape shape_of(const struct top *t, enum top_pane pane, size_t columns)
{
    return (struct table_shape){.columns = panes[pane].columns,
                                .count = panes[pane].count,
                                .width = columns,
                                .now = t->now,
                                .colours = moil_output_has_colours()};
}

/* Line n of a text; empty past its end. */
static struct slice line_at(const struct buffer *text, size_t n)
{
    const char *p = text->data ? text->data : "", *end = p + text->len;
    for (; p < end; n--) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        const char *stop = newline ? newline : end;
        if (n == 0) {
            return slice_of(p, (size_t)(stop - p));
        }
        p = stop + 1;
    }
    return slice_of("", 0);
}

static void add_selected(struct buffer *out, struct slice line, size_t columns)
{
    size_t used = moil_chars_count(line.p, line.n);
    moil_buffer_addf(out, REVERSE "%.*s%*s" PLAIN "\n", (int)line.n, line.p,
                     (int)(used < columns ? columns - used : 0), "");
}

/* The part of the rows that `height` lines show, with the selected one in it. */
static json_t *choose_rows(struct top *t, enum top_pane pane, json_t *rows, size_t height)
{
    size_t count = json_array_size(rows), *selected = &t->selected[pane], *first = &t->first[pane];
    json_t *some = json_array();
    moil_top_follow(t, pane, rows);
    if (*selected < *first) {
        *first = *selected;
    }
    if (*selected >= *first + height) {
        *first = *selected - height + 1;
    }
    if (*first + height > count) {
        *first = count > height ? count - height : 0;
    }
    for (size_t i = *first; i < count && i < *first + height; i++) {
        json_array_append(some, json_array_get(rows, i));
    }
    return some;
}

static void add_title(const struct top *t, enum top_pane pane, size_t count, size_t columns,
                      struct buffer *out)
{
    char title[200];
    bool chosen = t->pane == pane;
    snprintf(title, sizeof title, "%s %s (%zu%s)%s%s", chosen ? ">" : " ", panes[pane].title, count,
             pane == PANE_JOBS && count == 50 ? "+" : "", t->filter[0] ? "  /" : "", t->filter);
    add_line(out, title, columns, BOLD);
}

/* So many lines, filled up with empty ones. */
static void add_pane(struct top *t, enum top_pane pane, size_t lines, size_t columns,
                     struct buffer *out)
{
    json_t *all = moil_top_rows(t, pane);
    json_t *rows = choose_rows(t, pane, all, lines > 2 ? lines - 2 : 1);
    struct table_shape shape = shape_of(t, pane, columns), plain = shape;
    size_t count = json_array_size(rows), used = 1;
    size_t selected = t->selected[pane] - t->first[pane];
    struct buffer coloured, bare;
    plain.colours = false;
    moil_buffer_init(&coloured);
    moil_buffer_init(&bare);
    add_title(t, pane, json_array_size(all), columns, out);
    if (count > 0) {
        moil_table_add(&coloured, &shape, rows);
        moil_table_add(&bare, &plain, rows);
        for (size_t i = 0; i <= count && used < lines; i++, used++) {
            if (i > 0 && i - 1 == selected && t->pane == pane) {
                add_selected(out, line_at(&bare, i), columns);
            } else {
                moil_buffer_add_slice(out, line_at(&coloured, i));
                moil_buffer_add_char(out, '\n');
            }
        }
    } else if (used < lines) {
        char nothing[100];
        snprintf(nothing, sizeof nothing, "  %s", t->filter[0] ? "none" : panes[pane].nothing);
        add_line(out, nothing, columns, "");
        used++;
    }
    for (; used < lines; used++) {
        moil_buffer_add_char(out, '\n');
    }
    moil_buffer_fini(&coloured);
    moil_buffer_fini(&bare);
    json_decref(rows);
    json_decref(all);
}

/* How many lines each pane gets: what it needs where there is room; else in turns, the chosen one
 * twice as much. */
static void share(const struct top *t, size_t lines, size_t got[PANES])
{
    size_t need[PANES], left = lines;
    for (size_t i = 0; i < PANES; i++) {
        need[i] = 2 + json_array_size(t->rows[i]);
        need[i] = need[i] < PANE_ROWS_MIN ? PANE_ROWS_MIN : need[i];
        got[i] = lines < (size_t)PANES * PANE_ROWS_MIN ? 0 : PANE_ROWS_MIN;
        left -= got[i];
    }
    if (lines < (size_t)PANES * PANE_ROWS_MIN) {
        got[t->pane] = lines;
        return;
    }
    for (bool moved = true; left > 0 && moved;) {
        moved = false;
        for (size_t i = 0; i < PANES && left > 0; i++) {
            for (int k = 0; k < (i == (size_t)t->pane ? 2 : 1) && left > 0 && got[i] < need[i];
                 k++) {
                got[i]++;
                left--;
                moved = true;
            }
        }
    }
    got[PANES - 1] += left;
}

/* --- around them ------------------------------------------------------------------------------ */

static json_int_t total(const struct top *t, const char *key)
{
    return json_integer_value(json_object_get(t->totals, key));
}

static void add_head(const struct top *t, size_t columns, struct buffer *out)
{
    char line[700];
    struct buffer age;
    snprintf(line, sizeof line, "moil top  namespace %s", t->options->ns);
    add_line(out, line, columns, BOLD);
    if (t->trouble[0]) {
        moil_buffer_init(&age);
        if (t->seen_us) {
            moil_buffer_add_str(&age, " (this is ");
            moil_age_add(&age, (double)(moil_clock_monotonic_us() - t->seen_us) / 1e6);
            moil_buffer_add_str(&age, " old)");
        }
        snprintf(line, sizeof line, "trying again%s: %s", moil_buffer_cstr(&age), t->trouble);
        moil_buffer_fini(&age);
        add_line(out, line, columns, RED);
        return;
    }
    struct buffer rates;
    moil_buffer_init(&rates);
    if (json_object_get(t->totals, "in")) {
        moil_cell_add(&rates, CELL_RATE, json_object_get(t->totals, "in"), 0);
        moil_buffer_add_str(&rates, " in/s, ");
        moil_cell_add(&rates, CELL_RATE, json_object_get(t->totals, "out"), 0);
        moil_buffer_add_str(&rates, " out/s, ");
    }
    snprintf(line, sizeof line,
             "%lld pending, %lld in flight, %s%lld delayed, %lld deferred, %lld dead",
             (long long)total(t, "pending"), (long long)total(t, "in_flight"),
             moil_buffer_cstr(&rates), (long long)total(t, "delayed"),
             (long long)total(t, "deferred"), (long long)total(t, "dead"));
    moil_buffer_fini(&rates);
    add_line(out, line, columns, "");
}

static void add_foot(const struct top *t, size_t columns, struct buffer *out)
{
    static const char *const keys[PANES] = {
        [PANE_QUEUES] = "q quit  tab pane  j/k select  p pause  u resume  / filter  ? help",
        [PANE_WORKERS] = "q quit  tab pane  j/k select  / filter  ? help",
        [PANE_JOBS] = "q quit  tab pane  j/k select  r revoke  / filter  ? help",
    };
    char line[400];
    if (t->mode == MODE_CONFIRM) {
        snprintf(line, sizeof line,
                 "revoke %s? y yes (if it has not started)  t terminate it  n no", t->target);
    } else if (t->mode == MODE_FILTER) {
        snprintf(line, sizeof line, "/%s_  (enter: done, escape: no filter)", t->filter);
    } else {
        snprintf(line, sizeof line, "%s", t->message[0] ? t->message : keys[t->pane]);
    }
    add_line(out, line, columns, t->mode == MODE_LOOK && !t->message[0] ? "" : BOLD);
}

static void add_help(size_t lines, size_t columns, struct buffer *out)
{
    static const char *const help[] = {
        "tab, shift-tab   the next pane, the one before",
        "up, down, k, j   select a row; page up and down, g and G: further",
        "p                pause the selected queue, or resume it",
        "u                resume the selected queue",
        "r                revoke the selected job, after a question",
        "/                show only rows with a text: a queue, task, id, node or state",
        "escape           no filter",
        "q                quit",
        "",
        "RUN in flight, LATER delayed, WAIT deferred, HELD fetched and not started,",
        "IN/S and OUT/S: jobs enqueued and ended a second.",
        "",
        "any key goes back",
    };
    size_t count = sizeof help / sizeof *help;
    for (size_t i = 0; i < lines; i++) {
        add_line(out, i < count ? help[i] : "", columns, "");
    }
}

void moil_top_frame(struct top *t, size_t rows, size_t columns, struct buffer *out)
{
    size_t lines = rows > FRAME_ROWS ? rows - FRAME_ROWS : 1, got[PANES];
    add_head(t, columns, out);
    if (t->mode == MODE_HELP) {
        add_help(lines, columns, out);
    } else {
        share(t, lines, got);
        for (enum top_pane pane = 0; pane < PANES; pane++) {
            if (got[pane] > 0) {
                add_pane(t, pane, got[pane], columns, out);
            }
        }
    }
    add_foot(t, columns, out);
    if (out->len > 0 && !out->failed) {
        out->len--; /* a newline at the end would scroll */
    }
}

void moil_top_print(struct top *t, struct buffer *out)
{
    add_head(t, SIZE_MAX, out);
    for (enum top_pane pane = 0; pane < PANES; pane++) {
        json_t *rows = moil_top_rows(t, pane);
        struct table_shape shape = shape_of(t, pane, moil_output_width());
        moil_buffer_addf(out, "\n%s (%zu)\n", panes[pane].title, json_array_size(rows));
        if (json_array_size(rows) > 0) {
            moil_table_add(out, &shape, rows);
        } else {
            moil_buffer_addf(out, "%s\n", panes[pane].nothing);
        }
        json_decref(rows);
    }
}
