/* From options to a client, and from its errors to lines and exit codes. */
#include "cli/connection.h"

#include "cli/complaint.h"

enum exit_status moil_connection_open(const struct options *o, moil_client **out)
{
    char errstr[512] = "";
    moil_client_options options = {
        .url = o->redis,
        .ns = o->ns,
        .deadline = o->deadline,
        .max_payload = o->max_payload > 0 ? (size_t)o->max_payload : 0,
    };
    int rc = moil_client_open(out, &options, errstr, sizeof errstr);
    if (rc < 0) {
        moil_complain("%s", errstr[0] ? errstr : moil_status_text(rc));
    }
    return moil_exit_status(rc);
}

enum exit_status moil_connection_failed(const moil_client *client, int status, const char *id)
{
    const char *why = moil_client_error(client);
    if (status == MOIL_STATUS_UNKNOWN && id) {
        moil_complain("no job has the id %s: it was never enqueued, or its result has expired", id);
    } else if (status == MOIL_STATUS_UNAVAILABLE) {
        moil_complain("%s (--redis or MOIL_REDIS says which Redis to use)",
                      why[0] ? why : moil_status_text(status));
    } else {
        moil_complain("%s", why[0] ? why : moil_status_text(status));
    }
    return moil_exit_status(status);
}
