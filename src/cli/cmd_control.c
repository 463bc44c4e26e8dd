/* `moil control COMMAND [ARG]...`: commands for nodes, and their answers as a table. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/output.h"
#include "cli/table.h"

static const struct table_column answer_columns[] = {
    {"NODE", "node", CELL_TEXT},
    {"WORKER", "worker", CELL_NUMBER},
    {"ANSWER", "answer", CELL_TEXT},
    {"", "text", CELL_TEXT},
};

static const struct table_column limit_columns[] = {
    {"TASK", "task", CELL_TEXT},
    {"TIME LIMIT", "hard", CELL_TEXT},
    {"SOFT", "soft", CELL_TEXT},
};

/* --- answers ---------------------------------------------------------------------------------- */

/* What a node says of itself, in a few words. */
static json_t *stats_text(const json_t *value)
{
    size_t i;
    json_t *worker;
    json_int_t running = 0, finished = 0;
    char text[200];
    const json_t *workers = json_object_get(value, "workers");
    json_array_foreach(workers, i, worker)
    {
        running += json_integer_value(json_object_get(worker, "running"));
        finished += json_integer_value(json_object_get(worker, "finished"));
    }
    snprintf(text, sizeof text, "generation %lld, %zu workers, %lld jobs running, %lld ended",
             (long long)json_integer_value(json_object_get(value, "generation")),
             json_array_size(workers), (long long)running, (long long)finished);
    return json_string(text);
}

static json_t *error_text(const json_t *error)
{
    const char *code = json_string_value(json_object_get(error, "code"));
    const char *message = json_string_value(json_object_get(error, "message"));
    return json_sprintf("%s: %s", code ? code : "Error", message ? message : "");
}

static json_t *text_of(const char *command, const json_t *answer)
{
    json_t *message = json_object_get(answer, "message"), *value = json_object_get(answer, "value");
    json_t *error = json_object_get(answer, "error");
    if (message) {
        return json_incref(message);
    }
    if (error) {
        return error_text(error);
    }
    if (value && strcmp(command, "stats") == 0) {
        return stats_text(value);
    }
    if (!value || json_is_string(value)) {
        return json_incref(value);
    }
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    json_t *string = text ? json_string(text) : NULL;
    free(text);
    return string;
}

static json_t *row_of(const char *command, json_t *answer)
{
    bool is_ok = json_is_true(json_object_get(answer, "ok"));
    const char *word = is_ok ? "ok" : json_object_get(answer, "silent") ? "silent" : "refused";
    return json_pack("{s:O, s:O?, s:s, s:o?}", "node", json_object_get(answer, "node"), "worker",
                     json_object_get(answer, "worker"), "answer", word, "text",
                     text_of(command, answer));
}

static json_t *limit_text(const json_t *limit)
{
    if (!limit) {
        return json_string("own");
    }
    return json_is_false(limit) ? json_string("none")
                                : json_sprintf("%.6g s", json_number_value(limit));
}

static json_t *row_of_limit(json_t *limit)
{
    return json_pack("{s:O, s:o, s:o}", "task", json_object_get(limit, "task"), "hard",
                     limit_text(json_object_get(limit, "time_limit")), "soft",
                     limit_text(json_object_get(limit, "soft_time_limit")));
}

static void print(const struct options *o, const char *text)
{
    size_t i;
    json_t *answer, *answers = json_loads(text, 0, NULL), *rows = json_array();
    bool are_limits = strcmp(o->operands[0], "time-limit") == 0 && o->operand_count == 1;
    json_array_foreach(answers, i, answer)
    {
        json_array_append_new(rows,
                              are_limits ? row_of_limit(answer) : row_of(o->operands[0], answer));
    }
    if (json_array_size(rows) > 0) {
        moil_table_print(are_limits ? limit_columns : answer_columns, are_limits ? 3 : 4, rows,
                         moil_output_width(), 0);
    } else {
        puts(are_limits ? "no time limits are set at run time" : "nobody is there to be told");
    }
    json_decref(rows);
    json_decref(answers);
}

/* --- arguments -------------------------------------------------------------------------------- */

static bool add_limit(json_t *limits, const char *key, const char *word)
{
    char *end;
    double s = strtod(word, &end);
    json_t *v = strcmp(word, "own") == 0                        ? json_null()
                : strcmp(word, "none") == 0                     ? json_false()
                : *word && *end == '\0' && s > 0 && isfinite(s) ? json_real(s)
                                                                : NULL;
    return v && json_object_set_new(limits, key, v) == 0;
}

/* TASK LIMIT [SOFT]. */
static enum exit_status limit_arguments(const struct options *o, struct buffer *out)
{
    enum exit_status status = moil_check_operands(
        o, 1, 4, "time-limit, and perhaps the task, its limit and its soft one");
    if (status != STATUS_DONE || o->operand_count == 1) {
        return status;
    }
    if (o->operand_count == 2) {
        return moil_complain_usage("time-limit takes a limit too: seconds, none, or own (for the "
                                   "task's own again)");
    }
    json_t *limits = json_object();
    for (size_t i = 2; i < o->operand_count && status == STATUS_DONE; i++) {
        if (!add_limit(limits, i == 2 ? "time_limit" : "soft_time_limit", o->operands[i])) {
            status =
                moil_complain_usage("a time limit is a number of seconds above 0, none, or own "
                                    "(the task's), not \"%s\"",
                                    o->operands[i]);
        }
    }
    json_t *args = json_pack("[s, O]", o->operands[1], limits);
    char *text = args ? json_dumps(args, JSON_COMPACT) : NULL;
    if (status == STATUS_DONE && !text) {
        status = moil_complain_usage("a task's name is valid UTF-8");
    } else if (status == STATUS_DONE) {
        moil_buffer_add_str(out, text);
    }
    free(text);
    json_decref(args);
    json_decref(limits);
    return status;
}

static enum exit_status arguments(const struct options *o, struct buffer *out)
{
    char errstr[256];
    const char *command = o->operands[0];
    bool ends = strcmp(command, "stop") == 0 || strcmp(command, "kill") == 0;
    if (ends && !o->node) {
        return moil_complain_usage(
            "control %s ends nodes: say which with --node NAME, or --node all", command);
    }
    if (strcmp(command, "time-limit") == 0) {
        return limit_arguments(o, out);
    }
    if (moil_arguments_add(out, o->operands + 1, o->operand_count - 1, errstr, sizeof errstr) !=
        0) {
        return moil_complain_usage("%s", errstr);
    }
    return STATUS_DONE;
}

/* --- the command ------------------------------------------------------------------------------ */

static enum exit_status ask(const struct options *o, moil_client *client, const char *args)
{
    char *json = NULL;
    double timeout = o->timeout > 0 ? o->timeout : 0;
    int rc = moil_control(client, o->node, o->operands[0], args, timeout, &json);
    if (json && o->json) {
        moil_output_json_text(json, true);
    } else if (json) {
        print(o, json);
    }
    moil_free(json);
    if (rc == 1) {
        return STATUS_JOB_FAILED;
    }
    return rc < 0 ? moil_connection_failed(client, rc, NULL) : STATUS_DONE;
}

enum exit_status moil_cmd_control(const struct options *o)
{
    moil_client *client;
    struct buffer args;
    enum exit_status status = moil_check_operands(o, 1, SIZE_MAX, "the command");
    if (status != STATUS_DONE) {
        return status;
    }
    moil_buffer_init(&args);
    status = arguments(o, &args);
    if (status == STATUS_DONE) {
        status = moil_connection_open(o, &client);
    }
    if (status == STATUS_DONE) {
        status = ask(o, client, moil_buffer_cstr(&args));
        moil_client_close(client);
    }
    moil_buffer_fini(&args);
    return status;
}
