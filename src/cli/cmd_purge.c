/* `moil purge QUEUE`: drops what waits in a queue. */
#include <jansson.h>
#include <stdio.h>

#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/output.h"

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
    int rc = moil_purge(client, o->operands[0], &purged);
    if (rc < 0) {
        status = moil_connection_failed(client, rc, NULL);
    } else {
        print(o, purged);
    }
    moil_client_close(client);
    return status;
}
