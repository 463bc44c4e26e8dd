/* Names of job states, the rule for names, and what follows from a job's counts. Pure; called by
 * queue/, vm/, worker/ and api/. */
#include "base/job.h"

#include <string.h>

static const char *const state_names[JOB_STATES] = {
    [JOB_PENDING] = "PENDING", [JOB_SCHEDULED] = "SCHEDULED", [JOB_DEFERRED] = "DEFERRED",
    [JOB_STARTED] = "STARTED", [JOB_RETRY] = "RETRY",         [JOB_SUCCESS] = "SUCCESS",
    [JOB_FAILURE] = "FAILURE", [JOB_REVOKED] = "REVOKED",
};

const char *moil_job_state_name(enum job_state s)
{
    return (unsigned)s < JOB_STATES ? state_names[s] : "UNKNOWN";
}

bool moil_job_state_is_builtin(struct slice name)
{
    for (int i = 0; i < JOB_STATES; i++) {
        if (slice_is(name, state_names[i])) {
            return true;
        }
    }
    return false;
}

uint32_t moil_job_deliveries(const struct job *job)
{
    /* Killed for its time limit, it was not charged with the delivery that ran. */
    static const char lost[] = "{\"code\":\"WorkerLost\"";
    size_t n = sizeof lost - 1;
    bool told = job->verdict.n >= n && memcmp(job->verdict.p, lost, n) == 0;
    return job->crashes + job->losses + (told ? 0 : 1);
}

bool moil_name_is_valid(struct slice name)
{
    if (!name.p || name.n == 0 || name.n > MOIL_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] <= ' ' || name.p[i] > '~') {
            return false;
        }
    }
    return true;
}
