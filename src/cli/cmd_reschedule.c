/* `moil reschedule ID WHEN`: gives a job that waits another time. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/output.h"
#include "conf/instant.h"

static enum exit_status print(const struct options *o, const char *state)
{
    const char *id = o->operands[0];
    bool done = strcmp(state, "SCHEDULED") == 0 || strcmp(state, "RETRY") == 0 ||
                strcmp(state, "DEFERRED") == 0;
    if (o->json) {
        json_t *object = json_pack("{s:s, s:s}", "id", id, "state", state);
        if (object) {
            moil_output_json(object);
        }
        json_decref(object);
    } else if (done) {
        puts(state);
    }
    if (!done) {
        moil_complain("it is too late to reschedule %s: its state is %s", id, state);
    }
    return done ? STATUS_DONE : STATUS_JOB_FAILED;
}

enum exit_status moil_cmd_reschedule(const struct options *o)
{
    moil_client *client;
    char state[201] = "";
    double when;
    enum exit_status status = moil_check_operands(o, 2, 2, "the job's id and its new time");
    if (status == STATUS_DONE && moil_when_parse(o->operands[1], &when) < 0) {
        status = moil_complain_usage("\"%s\" is no time: give seconds from now, or a time with its "
                                     "offset, like 2030-01-01T09:00:00+08:00",
                                     o->operands[1]);
    }
    if (status == STATUS_DONE) {
        status = moil_connection_open(o, &client);
    }
    if (status != STATUS_DONE) {
        return status;
    }
    bool is_delay = when < MOIL_EPOCH_FROM;
    int rc =
        moil_reschedule(client, o->operands[0], is_delay ? when : 0, is_delay ? 0 : when, state);
    status = rc < 0 ? moil_connection_failed(client, rc, o->operands[0]) : print(o, state);
    moil_client_close(client);
    return status;
}
