/* Waiting for one job's end, as `moil call --wait` and `moil result --wait` do. */
#ifndef MOIL_CLI_WAITING_H
#define MOIL_CLI_WAITING_H

#include <stdbool.h>
#include <stdint.h>

#include "api/moil.h"
#include "cli/command.h"

struct waiting {
    moil_client *client;
    const char *id;
    const char *queue; /* NULL: is looked up when it is needed */
    double timeout;    /* seconds from `since_us`; < 0: none */
    double deadline;   /* seconds for Redis to answer */
    int64_t since_us;  /* the monotonic clock when the waiting, of all its jobs, began */
    bool follow;       /* print each change of a custom state */
    bool json;         /* on stdout, one object a line; else as text on stderr */
    bool show_state;   /* print "SUCCESS 8", not "8" */
};

/* STATUS_DONE with *out filled (free its value with moil_free), whatever the job's outcome; else
 * complains. After 1 s it says so once when no worker serves the queue. */
enum exit_status moil_waiting_run(const struct waiting *w, moil_result *out);

/* Prints how a job ended: its result as JSON on stdout, or its error on stderr; with `json`
 * everything known about it on stdout. Returns the exit status that goes with the state. */
enum exit_status moil_waiting_print(const struct waiting *w, const moil_result *result);

#endif
