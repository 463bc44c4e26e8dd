/* One job, as people read it. Takes the JSON text that the library answers for a job. */
#ifndef MOIL_CLI_JOB_TEXT_H
#define MOIL_CLI_JOB_TEXT_H

#include "base/slice.h"
#include "cli/command.h"

/* Everything known about a job, one line a field (`moil inspect job`); ages are seen from `now`. */
void moil_job_text_print(struct slice job, double now);

/* A state with what belongs to it, in one line: "SUCCESS 8" or "PROGRESS {…}" on stdout, or
 * "FAILURE: message" on stderr. `value` is JSON text, or absent. */
void moil_job_text_print_state(struct slice state, struct slice value);

/* STATUS_JOB_FAILED for the states that say so. */
enum exit_status moil_job_exit_status(struct slice state);

#endif
