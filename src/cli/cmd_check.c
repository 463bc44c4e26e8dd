/* `moil check [FILE|DIR]...`: loads tasks as a worker would, and lists them. */
#include <jansson.h>
#include <stdio.h>

#include "cli/complaint.h"
#include "cli/output.h"
#include "cli/runtime.h"
#include "cli/table.h"

static const struct table_column columns[] = {
    {"TASK", "name", CELL_TEXT},
    {"QUEUE", "queue", CELL_TEXT},
    {"WHERE", "where", CELL_TEXT},
};

static void print_tasks(const json_t *tasks, bool json)
{
    size_t i;
    json_t *row;
    if (!json) {
        moil_table_print(columns, sizeof columns / sizeof *columns, tasks, moil_output_width(), 0);
        return;
    }
    json_array_foreach(tasks, i, row)
    {
        moil_output_json(row);
    }
}

static void print_warnings(const json_t *warnings)
{
    size_t i;
    json_t *line;
    json_array_foreach(warnings, i, line)
    {
        moil_complain("%s", json_string_value(line));
    }
}

static enum exit_status check(const struct runtime *r, bool json)
{
    char errstr[1024] = "";
    char *text = NULL;
    int rc = moil_runtime_check(&r->options, &text, errstr, sizeof errstr);
    if (rc < 0) {
        moil_complain("%s", errstr[0] ? errstr : moil_status_text(rc));
        return STATUS_CHECK_FAILED;
    }
    json_t *found = text ? json_loads(text, JSON_ALLOW_NUL, NULL) : NULL;
    const json_t *tasks = json_object_get(found, "tasks");
    print_warnings(json_object_get(found, "warnings"));
    enum exit_status status = STATUS_DONE;
    if (json_array_size(tasks) == 0) {
        moil_complain("no task is registered there (a task is registered by moil.task(name, fn))");
        status = STATUS_CHECK_FAILED;
    } else {
        print_tasks(tasks, json);
    }
    json_decref(found);
    moil_free(text);
    return status;
}

enum exit_status moil_cmd_check(const struct options *o)
{
    struct runtime r;
    enum exit_status status = moil_runtime_init(&r, o);
    if (status == STATUS_DONE) {
        status = check(&r, o->json);
    }
    moil_runtime_fini(&r);
    return status;
}
