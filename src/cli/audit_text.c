/* audit_text.c: see audit_text.h. The library's JSON becomes rows with what a table can show: how
 * jobs ended and were discarded stands in one cell each. */
#include "cli/audit_text.h"

#include <stdio.h>

#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/output.h"
#include "cli/table.h"

static const struct table_column columns[] = {
    {"QUEUE", "queue", CELL_TEXT},         {"ENQUEUED", "enqueued", CELL_NUMBER},
    {"PENDING", "pending", CELL_NUMBER},   {"DELAYED", "delayed", CELL_NUMBER},
    {"DEFERRED", "deferred", CELL_NUMBER}, {"IN FLIGHT", "in_flight", CELL_NUMBER},
    {"DEAD", "dead", CELL_NUMBER},         {"ENDED", "ended", CELL_TEXT},
    {"DISCARDED", "discarded", CELL_TEXT}, {"OK", "ok", CELL_YES},
};

/* {"SUCCESS": 3, "FAILURE": 0} -> "SUCCESS 3" in the place of the object; "0" where all are 0. */
static void flatten(json_t *row, const char *key)
{
    struct buffer text;
    const char *name;
    json_t *v;
    moil_buffer_init(&text);
    json_object_foreach(json_object_get(row, key), name, v)
    {
        if (json_integer_value(v) != 0) {
            moil_buffer_addf(&text, "%s%s %" JSON_INTEGER_FORMAT, text.len ? ", " : "", name,
                             json_integer_value(v));
        }
    }
    if (text.len == 0) {
        moil_buffer_add_char(&text, '0');
    }
    json_object_set_new(row, key, json_stringn(text.data, text.len));
    moil_buffer_fini(&text);
}

static void print_fences(const json_t *fenced)
{
    const char *name, *comma = "refused as too late:";
    json_t *v;
    json_object_foreach((json_t *)fenced, name, v)
    {
        printf("%s %s %" JSON_INTEGER_FORMAT, comma, name, json_integer_value(v));
        comma = ",";
    }
    putchar('\n');
}

static void print_text(const json_t *audit)
{
    json_t *queues = json_object_get(audit, "queues"), *row;
    size_t i;
    json_array_foreach(queues, i, row)
    {
        flatten(row, "ended");
        flatten(row, "discarded");
    }
    if (json_array_size(queues) == 0) {
        puts("no queues yet: one appears with its first job");
    } else {
        moil_table_print(columns, sizeof columns / sizeof *columns, queues, moil_output_width(), 0);
    }
    print_fences(json_object_get(audit, "fenced"));
}

static void complain(const json_t *audit)
{
    json_t *line;
    size_t i;
    json_array_foreach(json_object_get(audit, "differences"), i, line)
    {
        moil_complain("%s", json_string_value(line));
    }
}

enum exit_status moil_audit_print(const struct options *o, moil_client *client)
{
    char *text = NULL;
    int differences = moil_audit(client, &text);
    if (differences < 0) {
        return moil_connection_failed(client, differences, NULL);
    }
    json_t *audit = json_loads(text, JSON_ALLOW_NUL, NULL);
    if (o->json) {
        moil_output_json_text(text, false);
    } else {
        print_text(audit);
    }
    complain(audit);
    json_decref(audit);
    moil_free(text);
    return differences > 0 ? STATUS_CHECK_FAILED : STATUS_DONE;
}
