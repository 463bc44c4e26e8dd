/* `moil inspect VIEW`, `moil inspect audit`, `moil inspect job ID` and `moil inspect workflow ID`.
 */
#include <stdint.h>
#include <string.h>

#include "cli/audit_text.h"
#include "cli/complaint.h"
#include "cli/connection.h"
#include "cli/views.h"
#include "cli/workflow.h"
#include "conf/suggest.h"

/* In the order of enum moil_view; the last three are none of them. */
static const char *const names[] = {"queues", "active",     "scheduled", "dead",
                                    "nodes",  "registered", "pending",   "deferred",
                                    "audit",  "job",        "workflow"};

enum {
    NAMES = sizeof names / sizeof *names,
    AUDIT = NAMES - 3,
    JOB = NAMES - 2,
    WORKFLOW = NAMES - 1
};

static size_t find_name(const char *name)
{
    size_t i = 0;
    while (i < NAMES && strcmp(names[i], name) != 0) {
        i++;
    }
    return i;
}

static enum exit_status refuse_name(const char *name)
{
    const char *nearest = moil_nearest_name(name, names, NAMES);
    if (nearest) {
        return moil_complain_usage("cannot inspect \"%s\": did you mean \"%s\"?", name, nearest);
    }
    return moil_complain_usage(
        "cannot inspect \"%s\": it is one of active, queues, pending, scheduled, "
        "deferred, dead, nodes, registered, audit, job ID, or workflow ID",
        name);
}

static enum exit_status print(const struct options *o, moil_client *client, size_t name)
{
    switch (name) {
    case JOB:
        return moil_view_print_job(o, client, o->operands[1], false);
    case WORKFLOW:
        return moil_workflow_print(o, client);
    case AUDIT:
        return moil_audit_print(o, client);
    default:
        return moil_view_print(o, client, (moil_view)name);
    }
}

static bool lists_jobs(size_t name)
{
    return name == MOIL_VIEW_ACTIVE || name == MOIL_VIEW_SCHEDULED || name == MOIL_VIEW_DEAD ||
           name == MOIL_VIEW_PENDING || name == MOIL_VIEW_DEFERRED;
}

static enum exit_status check(const struct options *o, size_t name)
{
    enum exit_status status;
    if (name == JOB || name == WORKFLOW) {
        status = moil_check_operands(o, 2, 2, name == JOB ? "the job's id" : "the workflow's id");
    } else {
        status = moil_check_operands(o, 1, 1, "what to inspect");
    }
    if (status == STATUS_DONE && o->dot && name != WORKFLOW) {
        status = moil_complain_usage("--dot goes with: moil inspect workflow ID");
    } else if (status == STATUS_DONE && o->dot && o->json) {
        status = moil_complain_usage("--dot and --json do not go together");
    } else if (status == STATUS_DONE && (o->task || o->queue || o->state) && !lists_jobs(name)) {
        status = moil_complain_usage("--task, --queue and --state go with views of jobs: active, "
                                     "pending, scheduled, deferred and dead");
    }
    return status;
}

enum exit_status moil_cmd_inspect(const struct options *o)
{
    moil_client *client;
    enum exit_status status = moil_check_operands(o, 1, SIZE_MAX, "what to inspect");
    if (status != STATUS_DONE) {
        return status;
    }
    size_t name = find_name(o->operands[0]);
    if (name == NAMES) {
        return refuse_name(o->operands[0]);
    }
    status = check(o, name);
    if (status == STATUS_DONE) {
        status = moil_connection_open(o, &client);
    }
    if (status != STATUS_DONE) {
        return status;
    }
    status = print(o, client, name);
    moil_client_close(client);
    return status;
}
