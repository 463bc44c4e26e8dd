/* beat_verbs.c: see beat_verbs.h. */
#include "cli/beat_verbs.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/age.h"
#include "cli/beat_entry.h"
#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/output.h"
#include "cli/table.h"

enum { WHY_BYTES = 512 };

/* --- add -------------------------------------------------------------------------------------- */

static const char *const catch_ups[] = {"one", "all", "none"};

static void add_text(json_t *entry, const char *key, const char *text)
{
    if (text) {
        json_object_set_new(entry, key, json_string(text));
    }
}

static void add_number(json_t *entry, const char *key, double v)
{
    if (v >= 0) {
        json_object_set_new(entry, key, moil_beat_entry_number(v));
    }
}

/* A time: digits are seconds since the epoch. */
static void add_time(json_t *entry, const char *key, const char *text)
{
    char *end = NULL;
    double v = text ? strtod(text, &end) : 0;
    if (text && *text && *end == '\0') {
        json_object_set_new(entry, key, moil_beat_entry_number(v));
    } else {
        add_text(entry, key, text);
    }
}

/* EVENT,LAT,LON; what is wrong with them the entry's check says. */
static enum exit_status add_solar(json_t *entry, const char *text)
{
    char event[64], rest;
    double latitude, longitude;
    if (!text) {
        return STATUS_DONE;
    }
    if (sscanf(text, "%63[^,],%lf,%lf%c", event, &latitude, &longitude, &rest) != 3) {
        return moil_complain_usage(
            "--solar takes an event, a latitude and a longitude: sunset,31.23,121.47");
    }
    json_object_set_new(entry, "solar", json_pack("[s, f, f]", event, latitude, longitude));
    return STATUS_DONE;
}

static enum exit_status fill(json_t *entry, const struct options *o)
{
    add_text(entry, "task", o->task);
    add_number(entry, "every", o->every);
    add_text(entry, "cron", o->cron);
    add_time(entry, "at", o->at);
    add_text(entry, "timezone", o->timezone);
    add_time(entry, "start", o->start);
    add_time(entry, "stop", o->stop);
    add_number(entry, "expires", o->entry_expires);
    add_number(entry, "max_runs", (double)o->max_runs);
    add_number(entry, "jitter", o->jitter);
    if (o->overlap == 1) {
        json_object_set_new(entry, "overlap", json_false());
    }
    if (o->catch_up > 0) {
        add_text(entry, "catch_up", catch_ups[o->catch_up]);
    }
    if (o->paused) {
        json_object_set_new(entry, "paused", json_true());
    }
    moil_beat_entry_add_call(entry, o, o->task);
    enum exit_status status = add_solar(entry, o->solar);
    if (status == STATUS_DONE) {
        status = moil_beat_entry_add_json(entry, "args", o->args, '[');
    }
    return status == STATUS_DONE ? moil_beat_entry_add_json(entry, "kwargs", o->kwargs, '{')
                                 : status;
}

/* When it is due next; < 0: no more. */
static double next_of(const char *name, json_t *entry, double now)
{
    char why[WHY_BYTES], *text = NULL;
    json_t *schedule = json_pack("{s:{s:O}}", "schedule", name, entry);
    char *config = json_dumps(schedule, JSON_COMPACT);
    double due = -1;
    if (config && moil_beat_next(config, now, 1, &text, why, sizeof why) >= 0) {
        json_t *runs = json_loads(text, 0, NULL);
        const json_t *at = json_object_get(json_array_get(runs, 0), "due");
        due = at ? json_number_value(at) : -1;
        json_decref(runs);
    }
    moil_free(text);
    free(config);
    json_decref(schedule);
    return due;
}

static void print_added(const struct options *o, json_t *entry, double now, int rc)
{
    static const char *const outcomes[] = {"unchanged", "added", "changed"};
    const char *name = o->operands[1];
    double due = o->paused ? -1 : next_of(name, entry, now);
    if (o->json) {
        json_t *row = json_pack("{s:s, s:s}", "name", name, "outcome", outcomes[rc]);
        add_number(row, "next_at", due);
        moil_output_json(row);
        json_decref(row);
        return;
    }
    struct buffer when;
    moil_buffer_init(&when);
    if (due >= 0) {
        moil_buffer_add_str(&when, ", next at ");
        moil_age_add_instant(&when, due, now);
    }
    printf("%s %s%s%s\n", outcomes[rc], name, o->paused ? ", paused" : "", moil_buffer_cstr(&when));
    moil_buffer_fini(&when);
}

static enum exit_status put(const struct options *o, json_t *entry)
{
    int rc = 0;
    double now = 0;
    moil_client *client;
    enum exit_status status = moil_connection_open(o, &client);
    if (status != STATUS_DONE) {
        return status;
    }
    status = moil_beat_entry_put(client, o->operands[1], entry, 0, &rc);
    if (status == STATUS_DONE) {
        int told = moil_now(client, &now);
        status = told < 0 ? moil_connection_failed(client, told, NULL) : STATUS_DONE;
    }
    if (status == STATUS_DONE) {
        print_added(o, entry, now, rc);
    }
    moil_client_close(client);
    return status;
}

enum exit_status moil_beat_verb_add(const struct options *o)
{
    enum exit_status status = moil_check_operands(o, 2, 2, "the entry's name");
    if (status != STATUS_DONE) {
        return status;
    }
    if (!o->task) {
        return moil_complain_usage("--task is missing: the task that the entry enqueues");
    }
    json_t *entry = json_object();
    status = fill(entry, o);
    if (status == STATUS_DONE) {
        status = put(o, entry);
    }
    json_decref(entry);
    return status;
}

/* --- options that say what an entry is -------------------------------------------------------- */

enum exit_status moil_beat_refuse_fields(const struct options *o)
{
    const struct {
        const char *name;
        bool said;
    } fields[] = {
        {"task", o->task != NULL},      {"args", o->args != NULL},
        {"kwargs", o->kwargs != NULL},  {"every", o->every >= 0},
        {"cron", o->cron != NULL},      {"solar", o->solar != NULL},
        {"at", o->at != NULL},          {"timezone", o->timezone != NULL},
        {"start", o->start != NULL},    {"stop", o->stop != NULL},
        {"queue", o->queue != NULL},    {"expires", o->entry_expires >= 0},
        {"priority", o->priority >= 0}, {"max-runs", o->max_runs >= 0},
        {"jitter", o->jitter >= 0},     {"overlap", o->overlap != 0},
        {"catch-up", o->catch_up != 0}, {"paused", o->paused},
        {"at-front", o->at_front},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (fields[i].said) {
            return moil_complain_usage("--%s goes with `moil beat add`", fields[i].name);
        }
    }
    return STATUS_DONE;
}

/* --- remove, pause, resume -------------------------------------------------------------------- */

static int pause_entry(moil_client *client, const char *name)
{
    return moil_beat_pause(client, name, 1);
}

static int resume_entry(moil_client *client, const char *name)
{
    return moil_beat_pause(client, name, 0);
}

static void print_state(const struct options *o, const char *name, const char *state,
                        const char *more)
{
    if (!o->json) {
        printf("%s %s%s\n", state, name, more);
        return;
    }
    json_t *row = json_pack("{s:s, s:s}", "name", name, "state", state);
    moil_output_json(row);
    json_decref(row);
}

static enum exit_status steer(const struct options *o, int (*call)(moil_client *, const char *),
                              const char *done)
{
    moil_client *client;
    enum exit_status status = moil_check_operands(o, 2, 2, "the entry's name");
    if (status == STATUS_DONE) {
        status = moil_connection_open(o, &client);
    }
    if (status != STATUS_DONE) {
        return status;
    }
    const char *name = o->operands[1];
    int rc = call(client, name);
    if (rc < 0) {
        status = moil_connection_failed(client, rc, NULL);
    } else if (call == moil_beat_remove && rc == 2) {
        print_state(o, name, "forgotten",
                    ": it is of a beat file, and begins anew where a scheduler has it");
    } else {
        print_state(o, name, done, "");
    }
    moil_client_close(client);
    return status;
}

enum exit_status moil_beat_verb_remove(const struct options *o)
{
    return steer(o, moil_beat_remove, "removed");
}

enum exit_status moil_beat_verb_pause(const struct options *o)
{
    return steer(o, pause_entry, "paused");
}

enum exit_status moil_beat_verb_resume(const struct options *o)
{
    return steer(o, resume_entry, "resumed");
}

/* --- list, history ---------------------------------------------------------------------------- */

struct view {
    const struct table_column *columns;
    size_t count;
    const char *nothing;
};

static void print_rows(const struct options *o, const char *text, const struct view *view,
                       double now)
{
    if (o->json) {
        moil_output_json_text(text, true);
        return;
    }
    json_t *rows = json_loads(text, JSON_ALLOW_NUL, NULL);
    if (json_array_size(rows) == 0) {
        printf("%s\n", view->nothing);
    } else {
        moil_table_print(view->columns, view->count, rows, moil_output_width(), now);
    }
    json_decref(rows);
}

static enum exit_status show(const struct options *o, const char *name, bool history,
                             const struct view *view)
{
    moil_client *client;
    char *text = NULL;
    double now = 0;
    enum exit_status status = moil_connection_open(o, &client);
    if (status != STATUS_DONE) {
        return status;
    }
    int rc = history ? moil_beat_history(client, name, (size_t)o->count, &text)
                     : moil_beat_list(client, &text);
    if (rc >= 0 && !o->json) {
        rc = moil_now(client, &now);
    }
    if (rc < 0) {
        status = moil_connection_failed(client, rc, NULL);
    } else {
        print_rows(o, text, view, now);
    }
    moil_free(text);
    moil_client_close(client);
    return status;
}

enum exit_status moil_beat_verb_list(const struct options *o)
{
    static const struct table_column columns[] = {
        {"ENTRY", "name", CELL_TEXT},
        {"TASK", "task", CELL_TEXT},
        {"WHEN", "when", CELL_TEXT},
        {"NEXT", "next_at", CELL_RELATIVE},
        {"LAST", "last_due_at", CELL_RELATIVE},
        {"RUNS", "runs", CELL_NUMBER},
        {"PAUSED", "paused", CELL_YES},
        {"SOURCE", "source", CELL_TEXT},
        {"PROBLEM", "problem", CELL_TEXT},
    };
    static const struct view view = {columns, sizeof columns / sizeof *columns,
                                     "no entries: none was added, and no scheduler has seen one of "
                                     "a file"};
    enum exit_status status = moil_check_operands(o, 1, 1, "no operand");
    return status == STATUS_DONE ? show(o, NULL, false, &view) : status;
}

enum exit_status moil_beat_verb_history(const struct options *o)
{
    static const struct table_column columns[] = {
        {"ENTRY", "name", CELL_TEXT},
        {"DUE", "due_at", CELL_RELATIVE},
        {"FIRED", "fired_at", CELL_RELATIVE},
        {"OUTCOME", "outcome", CELL_TEXT},
        {"ID", "id", CELL_TEXT},
    };
    static const struct view view = {columns, sizeof columns / sizeof *columns, "no ticks yet"};
    enum exit_status status = moil_check_operands(o, 1, 2, "the entry's name");
    return status == STATUS_DONE
               ? show(o, o->operand_count > 1 ? o->operands[1] : NULL, true, &view)
               : status;
}
