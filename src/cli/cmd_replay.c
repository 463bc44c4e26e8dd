/* `moil replay ID [FILE|DIR]...`: runs a job's function once more, here, with its inputs; Redis is
 * asked for its record and changed in nothing. */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/output.h"
#include "cli/runtime.h"

static void print_line(FILE *to, char *text)
{
    struct buffer clean;
    moil_utf8_mend(text); /* it may have been cut */
    moil_buffer_init(&clean);
    moil_output_clean(&clean, text, strlen(text));
    fprintf(to, "%s\n", moil_buffer_cstr(&clean));
    moil_buffer_fini(&clean);
}

/* A traceback has lines of its own. */
static void print_lines(const char *text)
{
    const char *end;
    for (; text && *text; text = *end ? end + 1 : end) {
        char line[2048];
        end = text + strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)(end - text), text);
        for (char *tab = line; (tab = strchr(tab, '\t')); tab++) {
            *tab = ' ';
        }
        print_line(stderr, line);
    }
}

/* What it has enqueued, and was not sent. */
static void print_enqueued(const json_t *list)
{
    size_t i;
    json_t *job;
    json_array_foreach(list, i, job)
    {
        char *args = json_dumps(json_object_get(job, "args"), JSON_COMPACT | JSON_ENCODE_ANY);
        char line[1024];
        const char *state = json_string_value(json_object_get(job, "state"));
        bool ran = json_object_get(job, "finished_at") != NULL;
        snprintf(line, sizeof line, "not sent: %s %s to %s%s%s",
                 json_string_value(json_object_get(job, "task")), args ? args : "[]",
                 json_string_value(json_object_get(job, "queue")), ran ? "; it ran here: " : "",
                 ran && state ? state : "");
        print_line(stderr, line);
        free(args);
    }
}

static void print_error(const char *outcome, const json_t *answer)
{
    const json_t *error = json_object_get(answer, "error");
    const char *code = json_string_value(json_object_get(error, "code"));
    const char *message = json_string_value(json_object_get(error, "message"));
    char line[2048];
    snprintf(line, sizeof line, "%s: %s: %s", outcome, code ? code : "Error",
             message ? message : "");
    print_line(stderr, line);
    print_lines(json_string_value(json_object_get(error, "traceback")));
    if (json_is_number(json_object_get(answer, "delay"))) {
        fprintf(stderr, "it would be tried again in %g s\n",
                json_number_value(json_object_get(answer, "delay")));
    }
}

static void print_result(const json_t *answer)
{
    const json_t *result = json_object_get(answer, "result");
    moil_output_json(result ? result : json_null());
}

static enum exit_status tell(const char *text, bool json)
{
    json_t *answer = json_loads(text, JSON_ALLOW_NUL, NULL);
    const char *outcome = json_string_value(json_object_get(answer, "outcome"));
    bool good = outcome && (strcmp(outcome, "success") == 0 || strcmp(outcome, "ignore") == 0 ||
                            strcmp(outcome, "replace") == 0);
    if (json) {
        moil_output_json_text(text, false);
    } else {
        print_enqueued(json_object_get(answer, "enqueued"));
        if (!good) {
            print_error(outcome ? outcome : "lost", answer);
        } else if (strcmp(outcome, "success") == 0) {
            print_result(answer);
        } else {
            fprintf(stderr, "%s\n",
                    strcmp(outcome, "ignore") == 0 ? "it ended itself by self:ignore"
                                                   : "other jobs take its place");
        }
    }
    json_decref(answer);
    return good ? STATUS_DONE : STATUS_JOB_FAILED;
}

/* With the results of the group that it takes, which are kept with the group's members. */
static enum exit_status gather(moil_client *client, char **job)
{
    json_t *record = json_loads(*job, JSON_ALLOW_NUL, NULL);
    const char *group =
        json_string_value(json_object_get(json_object_get(record, "options"), "gather"));
    char *results = NULL;
    enum exit_status status = STATUS_DONE;
    int rc = group ? moil_gather(client, group, &results) : 0;
    if (rc < 0) {
        status = moil_connection_failed(client, rc, NULL);
    } else if (group) {
        struct buffer text;
        moil_buffer_init(&text);
        moil_buffer_addf(&text, "{\"gathered\":%s,%s", results, *job + 1);
        moil_free(*job);
        *job = moil_buffer_take(&text, NULL);
        status = *job ? STATUS_DONE : moil_exit_status(MOIL_STATUS_NOMEM);
    }
    moil_free(results);
    json_decref(record);
    return status;
}

/* The record as `moil inspect job` has it. */
static enum exit_status fetch(const struct options *o, char **job)
{
    moil_client *client;
    enum exit_status status = moil_connection_open(o, &client);
    if (status != STATUS_DONE) {
        return status;
    }
    int rc = moil_inspect_job(client, o->operands[0], job);
    if (rc < 0) {
        status = moil_connection_failed(client, rc, o->operands[0]);
    } else {
        status = gather(client, job);
    }
    moil_client_close(client);
    return status;
}

static enum exit_status replay(const struct options *o, const char *job)
{
    struct options paths = *o;
    struct runtime r;
    char errstr[1024] = "", *outcome = NULL;
    paths.operands++;
    paths.operand_count--;
    enum exit_status status = moil_runtime_init(&r, &paths);
    if (status == STATUS_DONE) {
        int rc = moil_runtime_replay(&r.options, job, &outcome, errstr, sizeof errstr);
        if (rc < 0) {
            moil_complain("%s", errstr[0] ? errstr : moil_status_text(rc));
            status = moil_exit_status(rc);
        } else {
            status = tell(outcome, o->json);
        }
    }
    moil_free(outcome);
    moil_runtime_fini(&r);
    return status;
}

enum exit_status moil_cmd_replay(const struct options *o)
{
    char *job = NULL;
    enum exit_status status =
        moil_check_operands(o, 1, (size_t)-1, "the job's id, then the files of its tasks");
    if (status == STATUS_DONE) {
        status = fetch(o, &job);
    }
    if (status == STATUS_DONE) {
        status = replay(o, job);
    }
    moil_free(job);
    return status;
}
