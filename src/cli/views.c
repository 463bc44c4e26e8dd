/* Which columns each view shows. The keys are those of the JSON that the library answers; a column
 * that no row has is left out. */
#include "cli/views.h"

#include <jansson.h>
#include <stdio.h>

#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/job_text.h"
#include "cli/json_text.h"
#include "cli/output.h"
#include "cli/table.h"

struct view {
    struct table_column columns[TABLE_COLUMNS_MAX];
    const char *nothing; /* what is said of an empty answer */
};

static const struct view views[] = {
    [MOIL_VIEW_QUEUES] = {{{"QUEUE", "queue", CELL_TEXT},
                           {"PENDING", "pending", CELL_NUMBER},
                           {"PAUSED", "paused", CELL_PAUSED},
                           {"OLDEST", "oldest_at", CELL_AGE},
                           {"DELAYED", "delayed", CELL_NUMBER},
                           {"DEFERRED", "deferred", CELL_NUMBER},
                           {"IN FLIGHT", "in_flight", CELL_NUMBER},
                           {"DEAD", "dead", CELL_NUMBER},
                           {"WORKERS", "workers", CELL_SERVED}},
                          "no queues yet: one appears with its first job"},
    [MOIL_VIEW_ACTIVE] = {{{"ID", "id", CELL_TEXT},
                           {"TASK", "task", CELL_TEXT},
                           {"QUEUE", "queue", CELL_TEXT},
                           {"STATE", "state", CELL_STATE},
                           {"STARTED", "started_at", CELL_RELATIVE},
                           {"WORKER", "worker", CELL_TEXT},
                           {"ARGS", "args", CELL_TEXT},
                           {"META", "meta", CELL_TEXT}},
                          "no jobs are active"},
    [MOIL_VIEW_SCHEDULED] = {{{"ID", "id", CELL_TEXT},
                              {"TASK", "task", CELL_TEXT},
                              {"QUEUE", "queue", CELL_TEXT},
                              {"STATE", "state", CELL_STATE},
                              {"DUE", "due_at", CELL_RELATIVE},
                              {"RETRIES", "retries", CELL_NUMBER},
                              {"ARGS", "args", CELL_TEXT}},
                             "no jobs are scheduled"},
    [MOIL_VIEW_DEAD] = {{{"ID", "id", CELL_TEXT},
                         {"TASK", "task", CELL_TEXT},
                         {"QUEUE", "queue", CELL_TEXT},
                         {"DIED", "finished_at", CELL_RELATIVE},
                         {"RETRIES", "retries", CELL_NUMBER},
                         {"ERROR", "error", CELL_ERROR},
                         {"ARGS", "args", CELL_TEXT}},
                        "no dead jobs"},
    [MOIL_VIEW_NODES] = {{{"NODE", "node", CELL_TEXT},
                          {"ALIVE", "alive", CELL_ALIVE},
                          {"QUIET", "quiet", CELL_PAUSED},
                          {"SEEN", "age", CELL_SECONDS},
                          {"HOST", "host", CELL_TEXT},
                          {"PID", "pid", CELL_NUMBER},
                          {"WORKERS", "workers", CELL_COUNT},
                          {"GENERATION", "workers", CELL_GENERATIONS},
                          {"HEALTH", "health", CELL_HEALTH},
                          {"QUEUES", "queues", CELL_LIST},
                          {"VERSION", "version", CELL_TEXT},
                          {"TROUBLE", "trouble", CELL_TEXT}},
                         "no nodes are running (start one: moil worker)"},
    [MOIL_VIEW_REGISTERED] =
        {{{"TASK", "task", CELL_TEXT},
          {"TIME LIMIT", "time_limit", CELL_LIMIT},
          {"SOFT", "soft_time_limit", CELL_LIMIT},
          {"NODES", "nodes", CELL_LIST}},
         "no tasks are registered: no node is running (start one: moil worker)"},
    [MOIL_VIEW_PENDING] = {{{"ID", "id", CELL_TEXT},
                            {"TASK", "task", CELL_TEXT},
                            {"PRIORITY", "priority", CELL_NUMBER},
                            {"ENQUEUED", "enqueued_at", CELL_RELATIVE},
                            {"RETRIES", "retries", CELL_NUMBER},
                            {"ARGS", "args", CELL_TEXT}},
                           "no jobs are pending in this queue (--queue says which)"},
    [MOIL_VIEW_DEFERRED] = {{{"ID", "id", CELL_TEXT},
                             {"TASK", "task", CELL_TEXT},
                             {"QUEUE", "queue", CELL_TEXT},
                             {"WAITS FOR", "waits_for", CELL_NUMBER},
                             {"ENQUEUED", "enqueued_at", CELL_RELATIVE},
                             {"ARGS", "args", CELL_TEXT}},
                            "no jobs wait for others"},
};

static size_t count_columns(const struct view *view)
{
    size_t n = 0;
    while (n < TABLE_COLUMNS_MAX && view->columns[n].title) {
        n++;
    }
    return n;
}

/* Behind the queues stands one object without "queue": the totals of the namespace. Taken off the
 * rows; the caller drops the reference. NULL: there is none. */
static json_t *take_totals(json_t *rows)
{
    size_t count = json_array_size(rows);
    json_t *last = count > 0 ? json_array_get(rows, count - 1) : NULL;
    if (!last || json_object_get(last, "queue")) {
        return NULL;
    }
    json_incref(last);
    json_array_remove(rows, count - 1);
    return last;
}

static bool is_filtered(const struct options *o)
{
    return o->task || o->queue || o->state;
}

static void print_table(const struct options *o, const struct view *view, json_t *rows, double now)
{
    json_t *totals = view == &views[MOIL_VIEW_QUEUES] ? take_totals(rows) : NULL;
    size_t count = json_array_size(rows);
    struct table_shape shape = {.columns = view->columns,
                                .count = count_columns(view),
                                .width = moil_output_width(),
                                .now = now,
                                .totals = totals,
                                .colours = moil_output_has_colours()};
    json_object_set_new(totals, "queue", json_string("all"));
    if (count == 0) {
        puts(is_filtered(o) && view != &views[MOIL_VIEW_PENDING] ? "no such jobs" : view->nothing);
    } else {
        moil_table_show(&shape, rows);
    }
    if (!totals && count >= (size_t)o->limit) {
        fprintf(stderr, "(%zu shown; --limit and --offset show others)\n", count);
    }
    json_decref(totals);
}

enum exit_status moil_view_print(const struct options *o, moil_client *client, moil_view view)
{
    char *text = NULL;
    double now = 0;
    moil_filter filter = {.task = o->task, .queue = o->queue, .state = o->state};
    int rc =
        moil_inspect_matching(client, view, &filter, (size_t)o->offset, (size_t)o->limit, &text);
    if (rc >= 0 && !o->json) {
        rc = moil_now(client, &now);
    }
    if (rc < 0) {
        moil_free(text);
        return moil_connection_failed(client, rc, NULL);
    }
    enum exit_status status = STATUS_DONE;
    json_t *rows = json_loads(text, JSON_ALLOW_NUL, NULL);
    if (!json_is_array(rows)) {
        moil_complain("the answer is no JSON array");
        status = STATUS_JOB_FAILED;
    } else if (o->json) {
        moil_output_json_text(text, true);
    } else {
        print_table(o, &views[view], rows, now);
    }
    json_decref(rows);
    moil_free(text);
    return status;
}

enum exit_status moil_view_print_job(const struct options *o, moil_client *client, const char *id,
                                     bool dead)
{
    char *text = NULL;
    double now = 0;
    int rc = moil_inspect_job(client, id, &text);
    if (rc >= 0 && dead && !slice_is(moil_json_member(slice_str(text), "dead"), "true")) {
        moil_free(text);
        moil_complain("no job in the dead set has the id %s (`moil dead list` shows them)", id);
        return STATUS_UNKNOWN;
    }
    if (rc >= 0 && !o->json) {
        rc = moil_now(client, &now);
    }
    if (rc < 0) {
        moil_free(text);
        return moil_connection_failed(client, rc, id);
    }
    if (o->json) {
        moil_output_json_text(text, false);
    } else {
        moil_job_text_print(slice_str(text), now);
    }
    moil_free(text);
    return STATUS_DONE;
}
