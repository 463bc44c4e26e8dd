/* How the states of jobs look in pictures of workflows. */
#ifndef MOIL_CLI_WORKFLOW_STATE_H
#define MOIL_CLI_WORKFLOW_STATE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buffer.h"

struct state_look {
    const char *name;
    const char *escape; /* the terminal's colour; "": none */
    const char *fill;   /* Graphviz' colour */
    bool has_ended, has_failed, is_under_way;
};

/* That of a state; a job's own states look like STARTED. */
const struct state_look *moil_state_look(const char *state);

/* {"SUCCESS": 2, "FAILURE": 1} as "2 SUCCESS, 1 FAILURE", in the order of a job's life from its
 * end. */
void moil_state_add_counts(struct buffer *out, const json_t *states);

/* How many of them have ended. */
json_int_t moil_state_count_ended(const json_t *states);

#endif
