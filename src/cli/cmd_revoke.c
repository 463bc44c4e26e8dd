/* `moil revoke ID [--terminate]`: cancels a job that has not started, or ends one that runs. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/output.h"

static enum exit_status print(const struct options *o, const char *state)
{
    const char *id = o->operands[0];
    bool revoked = strcmp(state, "REVOKED") == 0;
    bool told = o->terminate && strcmp(state, "STARTED") == 0;
    if (o->json) {
        json_t *object = json_pack("{s:s, s:s}", "id", id, "state", state);
        if (object) {
            moil_output_json(object);
        }
        json_decref(object);
    } else if (revoked) {
        puts("REVOKED");
    } else if (told) {
        puts("STARTED (its worker was told to end it)");
    }
    if (!revoked && !told) {
        moil_complain("it is too late to revoke %s: its state is %s", id, state);
    }
    return revoked || told ? STATUS_DONE : STATUS_JOB_FAILED;
}

enum exit_status moil_cmd_revoke(const struct options *o)
{
    moil_client *client;
    char state[201] = "";
    enum exit_status status = moil_check_operands(o, 1, 1, "the job's id");
    if (status == STATUS_DONE) {
        status = moil_connection_open(o, &client);
    }
    if (status != STATUS_DONE) {
        return status;
    }
    int rc = moil_revoke(client, o->operands[0], o->terminate, state);
    status = rc < 0 ? moil_connection_failed(client, rc, o->operands[0]) : print(o, state);
    moil_client_close(client);
    return status;
}
