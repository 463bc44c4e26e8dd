/* top_look.c: see top.h. Three reading scripts a look, all of them bounded; rates are differences
 * of counters that are kept anyway. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/top.h"

enum { JOBS_MAX = 50 }; /* a look reads their records, arguments and all */

static json_t *view(struct top *t, moil_view what, size_t limit, int *rc)
{
    char *text = NULL;
    if (*rc < 0) {
        return NULL;
    }
    *rc = moil_inspect(t->client, what, 0, limit, &text);
    json_t *rows = *rc < 0 ? NULL : json_loads(text, JSON_ALLOW_NUL, NULL);
    moil_free(text);
    if (*rc >= 0 && !json_is_array(rows)) {
        json_decref(rows);
        rows = json_array();
    }
    return rows;
}

static double number(const json_t *row, const char *key)
{
    return json_number_value(json_object_get(row, key));
}

static const char *string(const json_t *row, const char *key)
{
    const char *s = json_string_value(json_object_get(row, key));
    return s ? s : "";
}

/* How fast a counter moves; nothing where it was not seen before, or went back. */
static void add_rate(struct top *t, json_t *counters, json_t *row, const char *key, double value)
{
    char name[320];
    snprintf(name, sizeof name, "%s %s", key,
             string(row, "queue")[0] ? string(row, "queue") : string(row, "incarnation"));
    const json_t *last = json_object_get(t->before, name);
    double seconds = number(counters, "at") - number(t->before, "at");
    json_object_set_new(counters, name, json_real(value));
    if (last && seconds > 0 && value >= json_number_value(last)) {
        json_object_set_new(row, key, json_real((value - json_number_value(last)) / seconds));
    }
}

/* Takes the totals off the queues. */
static void rate_queues(struct top *t, json_t *counters, json_t *queues)
{
    size_t i = json_array_size(queues);
    json_t *row, *last = i > 0 ? json_array_get(queues, i - 1) : NULL;
    json_decref(t->totals);
    t->totals = NULL;
    if (last && !json_object_get(last, "queue")) {
        t->totals = json_incref(last);
        json_array_remove(queues, i - 1);
    }
    double in = 0, out = 0;
    json_array_foreach(queues, i, row)
    {
        add_rate(t, counters, row, "in", number(row, "enqueued") + number(row, "replayed"));
        add_rate(t, counters, row, "out", number(row, "ended") + number(row, "dead"));
        in += number(row, "in");
        out += number(row, "out");
    }
    if (t->totals && t->before) {
        json_object_set_new(t->totals, "in", json_real(in));
        json_object_set_new(t->totals, "out", json_real(out));
    }
}

/* A row for each worker, and one for each node that has none or is gone. */
static json_t *list_workers(struct top *t, json_t *counters, const json_t *nodes)
{
    json_t *rows = json_array(), *node, *worker;
    size_t i, k;
    json_array_foreach(nodes, i, node)
    {
        bool alive = json_is_true(json_object_get(node, "alive"));
        json_t *workers = alive ? json_object_get(node, "workers") : NULL;
        json_array_foreach(workers, k, worker)
        {
            json_t *row = json_copy(worker);
            json_object_set(row, "node", json_object_get(node, "node"));
            json_object_set(row, "slots", json_object_get(node, "concurrency"));
            add_rate(t, counters, row, "rate", number(row, "finished"));
            json_array_append_new(rows, row);
        }
        if (json_array_size(workers) == 0) {
            json_t *row = json_object();
            json_object_set(row, "node", json_object_get(node, "node"));
            json_object_set_new(row, "health", json_string(alive ? "no workers" : "silent"));
            json_object_set(row, "age", json_object_get(node, "age"));
            json_array_append_new(rows, row);
        }
    }
    return rows;
}

static int by_start(const void *a, const void *b)
{
    double x = number(*(json_t *const *)a, "started_at");
    double y = number(*(json_t *const *)b, "started_at");
    if ((x > 0) != (y > 0)) {
        return x > 0 ? -1 : 1;
    }
    return x < y ? -1 : x > y;
}

/* The one that has run longest first. */
static json_t *sort_jobs(json_t *jobs)
{
    size_t i, count = json_array_size(jobs);
    json_t *sorted = json_array(), *job, **list = calloc(count + 1, sizeof *list);
    json_array_foreach(jobs, i, job)
    {
        if (list) {
            list[i] = job;
        }
    }
    if (list) {
        qsort(list, count, sizeof *list, by_start);
    }
    for (i = 0; list && i < count; i++) {
        json_array_append(sorted, list[i]);
    }
    free(list);
    json_decref(jobs);
    return sorted;
}

static void keep(struct top *t, enum top_pane pane, json_t *rows)
{
    json_decref(t->rows[pane]);
    t->rows[pane] = rows;
}

void moil_top_look(struct top *t)
{
    int rc = moil_now(t->client, &t->now);
    json_t *queues = view(t, MOIL_VIEW_QUEUES, 0, &rc);
    json_t *nodes = view(t, MOIL_VIEW_NODES, 0, &rc);
    json_t *jobs = view(t, MOIL_VIEW_ACTIVE, JOBS_MAX, &rc);
    if (rc < 0) {
        const char *why = moil_client_error(t->client);
        snprintf(t->trouble, sizeof t->trouble, "%s", why[0] ? why : moil_status_text(rc));
        json_decref(queues);
        json_decref(nodes);
        json_decref(jobs);
        return;
    }
    json_t *counters = json_object();
    t->trouble[0] = '\0';
    t->seen_us = moil_clock_monotonic_us();
    json_object_set_new(counters, "at", json_real((double)t->seen_us / 1e6));
    rate_queues(t, counters, queues);
    keep(t, PANE_QUEUES, queues);
    keep(t, PANE_WORKERS, list_workers(t, counters, nodes));
    keep(t, PANE_JOBS, sort_jobs(jobs));
    json_decref(nodes);
    json_decref(t->before);
    t->before = counters;
}

static bool is_left(const struct top *t, const json_t *row)
{
    static const char *const keys[] = {"queue", "task", "id", "node", "state"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcasestr(string(row, keys[i]), t->filter)) {
            return true;
        }
    }
    return false;
}

json_t *moil_top_rows(const struct top *t, enum top_pane pane)
{
    json_t *rows = json_array(), *row;
    size_t i;
    json_array_foreach(t->rows[pane], i, row)
    {
        if (!t->filter[0] || is_left(t, row)) {
            json_array_append(rows, row);
        }
    }
    return rows;
}

/* Who a row is about. */
static void name_row(const json_t *row, char out[TOP_NAME_LEN])
{
    const char *id = string(row, "id"), *queue = string(row, "queue");
    if (id[0] || queue[0]) {
        snprintf(out, TOP_NAME_LEN, "%s", id[0] ? id : queue);
    } else {
        snprintf(out, TOP_NAME_LEN, "%s %.0f", string(row, "node"), number(row, "pid"));
    }
}

void moil_top_select(struct top *t, enum top_pane pane, const json_t *rows, size_t row)
{
    size_t count = json_array_size(rows);
    t->selected[pane] = row < count ? row : count > 0 ? count - 1 : 0;
    if (count > 0) {
        name_row(json_array_get(rows, t->selected[pane]), t->chosen[pane]);
    }
}

void moil_top_follow(struct top *t, enum top_pane pane, const json_t *rows)
{
    size_t i;
    const json_t *row;
    char name[TOP_NAME_LEN];
    json_array_foreach(rows, i, row)
    {
        name_row(row, name);
        if (strcmp(name, t->chosen[pane]) == 0) {
            t->selected[pane] = i;
            return;
        }
    }
    moil_top_select(t, pane, rows, t->selected[pane]);
}

json_t *moil_top_json(const struct top *t)
{
    json_t *frame = json_object();
    json_object_set_new(frame, "at", json_real(t->now));
    json_object_set_new(frame, "queues", moil_top_rows(t, PANE_QUEUES));
    json_object_set(frame, "totals", t->totals);
    json_object_set_new(frame, "workers", moil_top_rows(t, PANE_WORKERS));
    json_object_set_new(frame, "jobs", moil_top_rows(t, PANE_JOBS));
    return frame;
}
