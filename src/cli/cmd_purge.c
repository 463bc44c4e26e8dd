/* `moil purge QUEUE`: drops what waits in a queue. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/output.h"
#include "cli/progress_bar.h"

static void print(const struct options *o, size_t purged)
{
    const char *queue = o->operands[0];
    if (!o->json) {
        printf("purged %zu job%s from %s\n", purged, purged == 1 ? "" : "s", queue);
        return;
    }
    json_t *object = json_pack("{s:s, s:I}", "queue", queue, "purged", (json_int_t)purged);
    if (object) {
        moil_output_json(object);
    }
    json_decref(object);
}

/* A purge under way. */
struct purge {
    struct progress_bar bar;
    size_t total; /* as many as there were when it began */
};

static int step_cb(void *data, size_t done, size_t total)
{
    struct purge *p = data;
    char text[64];
    (void)total;
    snprintf(text, sizeof text, "%zu jobs dropped", done);
    moil_progress_bar_draw(&p->bar, (double)done, (double)p->total, text);
    return 0;
}

/* How many jobs are pending; 0: not known. */
static size_t count_pending(moil_client *client, const char *queue)
{
    char *text = NULL;
    size_t i, pending = 0;
    json_t *row;
    if (moil_inspect(client, MOIL_VIEW_QUEUES, 0, 0, &text) < 0) {
        return 0;
    }
    json_t *rows = json_loads(text, JSON_ALLOW_NUL, NULL);
    json_array_foreach(rows, i, row)
    {
        const char *name = json_string_value(json_object_get(row, "queue"));
        if (name && strcmp(name, queue) == 0) {
            pending = (size_t)json_integer_value(json_object_get(row, "pending"));
        }
    }
    json_decref(rows);
    moil_free(text);
    return pending;
}

static int purge(const struct options *o, moil_client *client, size_t *purged)
{
    struct purge p = {.total = 0};
    moil_progress_bar_init(&p.bar, !o->json);
    if (p.bar.wanted) {
        p.total = count_pending(client, o->operands[0]);
    }
    moil_client_on_step(client, step_cb, &p);
    int rc = moil_purge(client, o->operands[0], purged);
    moil_client_on_step(client, NULL, NULL);
    moil_progress_bar_clear(&p.bar);
    return rc;
}

enum exit_status moil_cmd_purge(const struct options *o)
{
    moil_client *client;
    size_t purged = 0;
    enum exit_status status = moil_check_operands(o, 1, 1, "the queue");
    if (status == STATUS_DONE) {
        status = moil_connection_open(o, &client);
    }
    if (status != STATUS_DONE) {
        return status;
    }
    int rc = purge(o, client, &purged);
    if (rc < 0) {
        status = moil_connection_failed(client, rc, NULL);
    } else {
        print(o, purged);
    }
    moil_client_close(client);
    return status;
}
