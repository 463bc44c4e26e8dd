/* `moil result ID`: a job's state, and its result or error; with --wait or --follow at its end. */
#include "base/clock.h"
#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/job_text.h"
#include "cli/json_text.h"
#include "cli/output.h"
#include "cli/waiting.h"

/* The state's name without its quotes: states are printable ASCII without space. */
static struct slice state_of(struct slice job)
{
    struct slice state = moil_json_member(job, "state");
    return state.n >= 2 ? slice_of(state.p + 1, state.n - 2) : slice_str("UNKNOWN");
}

static struct slice value_of(struct slice job)
{
    static const char *const keys[] = {"result", "error", "meta"};
    struct slice value = slice_of(NULL, 0);
    for (size_t i = 0; !value.p && i < sizeof keys / sizeof *keys; i++) {
        value = moil_json_member(job, keys[i]);
    }
    return value;
}

/* What is known now. */
static enum exit_status print_known(const struct options *o, moil_client *client)
{
    const char *id = o->operands[0];
    char *text = NULL;
    int rc = moil_inspect_job(client, id, &text);
    if (rc < 0) {
        return moil_connection_failed(client, rc, id);
    }
    struct slice job = slice_str(text), state = state_of(job);
    enum exit_status status = moil_job_exit_status(state);
    if (o->json) {
        moil_output_json_text(text, false);
    } else {
        moil_job_text_print_state(state, value_of(job));
    }
    moil_free(text);
    return status;
}

/* What is known at its end. */
static enum exit_status wait(const struct options *o, moil_client *client)
{
    struct waiting w = {
        .client = client,
        .id = o->operands[0],
        .timeout = o->timeout,
        .deadline = o->deadline,
        .since_us = moil_clock_monotonic_us(),
        .follow = o->follow,
        .show_state = true,
        .json = o->json,
    };
    moil_result result;
    enum exit_status status = moil_waiting_run(&w, &result);
    if (status == STATUS_DONE) {
        status = moil_waiting_print(&w, &result);
        moil_free(result.value);
    }
    return status;
}

enum exit_status moil_cmd_result(const struct options *o)
{
    moil_client *client;
    enum exit_status status = moil_check_operands(o, 1, 1, "the job's id");
    if (status == STATUS_DONE && o->timeout >= 0 && !o->wait && !o->follow) {
        status = moil_complain_usage("--timeout goes with --wait or --follow");
    }
    if (status == STATUS_DONE) {
        status = moil_connection_open(o, &client);
    }
    if (status != STATUS_DONE) {
        return status;
    }
    status = o->wait || o->follow ? wait(o, client) : print_known(o, client);
    moil_client_close(client);
    return status;
}
