/* `moil pause QUEUE` and `moil resume QUEUE`. */
#include <jansson.h>
#include <stdio.h>

#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/output.h"

typedef int queue_call(moil_client *client, const char *queue);

static void print(const struct options *o, const char *queue, const char *done)
{
    if (!o->json) {
        printf("%s %s\n", done, queue);
        return;
    }
    json_t *object = json_pack("{s:s, s:s}", "queue", queue, "state", done);
    if (object) {
        moil_output_json(object);
    }
    json_decref(object);
}

static enum exit_status steer(const struct options *o, queue_call *call, const char *done)
{
    moil_client *client;
    enum exit_status status = moil_check_operands(o, 1, 1, "the queue");
    if (status == STATUS_DONE) {
        status = moil_connection_open(o, &client);
    }
    if (status != STATUS_DONE) {
        return status;
    }
    int rc = call(client, o->operands[0]);
    if (rc < 0) {
        status = moil_connection_failed(client, rc, NULL);
    } else {
        print(o, o->operands[0], done);
    }
    moil_client_close(client);
    return status;
}

enum exit_status moil_cmd_pause(const struct options *o)
{
    return steer(o, moil_pause, "paused");
}

enum exit_status moil_cmd_resume(const struct options *o)
{
    return steer(o, moil_resume, "resumed");
}
