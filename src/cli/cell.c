/* cell.c: see cell.h. Pure. */
#include "cli/cell.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/age.h"
#include "cli/output.h"

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

static void add_rate(struct buffer *out, double rate)
{
    moil_buffer_addf(out, rate > 0 && rate < 9.95 ? "%.1f" : "%.0f", rate);
}

static void add_bytes(struct buffer *out, double bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    size_t i = 0;
    while (bytes >= 999.5 && i + 1 < sizeof units / sizeof *units) {
        bytes /= 1000;
        i++;
    }
    moil_buffer_addf(out, i > 0 && bytes < 9.95 ? "%.1f %s" : "%.0f %s", bytes, units[i]);
}

/* Of a number alone. */
static void add_measure(struct buffer *out, enum cell_kind kind, double v, double now)
{
    if (kind == CELL_RELATIVE) {
        moil_age_add_relative(out, v, now);
    } else if (kind == CELL_AGE) {
        moil_age_add(out, now - v);
    } else if (kind == CELL_SECONDS) {
        moil_age_add(out, v);
    } else if (kind == CELL_RATE) {
        add_rate(out, v);
    } else {
        add_bytes(out, v);
    }
}

void moil_cell_add(struct buffer *out, enum cell_kind kind, const json_t *v, double now)
{
    switch (kind) {
    case CELL_TEXT:
    case CELL_NUMBER:
    case CELL_SERVED:
    case CELL_STATE:
    case CELL_HEALTH:
        add_text(out, v);
        break;
    case CELL_RATE:
    case CELL_BYTES:
    case CELL_RELATIVE:
    case CELL_AGE:
    case CELL_SECONDS:
        if (json_is_number(v)) {
            add_measure(out, kind, json_number_value(v), now);
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
    case CELL_ALIVE:
    case CELL_PAUSED:
        moil_buffer_add_str(out, json_is_true(v) ? "yes" : json_is_false(v) ? "no" : "");
        break;
    case CELL_LIMIT:
        if (json_is_number(v)) {
            moil_buffer_addf(out, "%.6g s", json_number_value(v));
        } else if (v) {
            moil_buffer_add_str(out, "none");
        }
        break;
    case CELL_ERROR:
        add_error(out, v);
        break;
    }
}

bool moil_cell_is_right(enum cell_kind kind)
{
    return kind == CELL_NUMBER || kind == CELL_COUNT || kind == CELL_RATE || kind == CELL_BYTES ||
           kind == CELL_SERVED;
}

#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define RED    "\033[31m"

/* What is good needs no colour where it is the rule. */
static const struct {
    enum cell_kind kind;
    const char *text, *colour;
} colours[] = {
    {CELL_ALIVE, "no", RED},           {CELL_PAUSED, "yes", YELLOW},
    {CELL_SERVED, "0", YELLOW},        {CELL_HEALTH, "ok", GREEN},
    {CELL_HEALTH, "warn", YELLOW},     {CELL_HEALTH, "bad", RED},
    {CELL_HEALTH, "degraded", YELLOW}, {CELL_HEALTH, "stuck", RED},
    {CELL_STATE, "SUCCESS", GREEN},    {CELL_STATE, "FAILURE", RED},
    {CELL_STATE, "REVOKED", RED},      {CELL_STATE, "RETRY", YELLOW},
};

const char *moil_cell_colour(enum cell_kind kind, struct slice text)
{
    for (size_t i = 0; i < sizeof colours / sizeof *colours; i++) {
        if (colours[i].kind == kind && slice_is(text, colours[i].text)) {
            return colours[i].colour;
        }
    }
    return "";
}
