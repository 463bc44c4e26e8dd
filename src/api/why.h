/* Why a job is not running yet: what moil_why has found, and what is to be said of it.
 *
 *   why.c       asks Redis and the nodes; a part of the client (client.h)
 *   why_text.c  the reasons, in the order in which they stand in the job's way; pure */
#ifndef MOIL_API_WHY_H
#define MOIL_API_WHY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct why {
    json_t *job;     /* as moil_inspect_job gives it, with "place" */
    json_t *nodes;   /* as MOIL_VIEW_NODES has them */
    json_t *others;  /* [{"id", "state", "task"}]: what it waits for; [{"id", "task", "note"}]: what
                        runs beside it */
    json_t *members; /* of a group, those that have not ended: [{"id", "state", "task"}] */
    double now;      /* Redis's clock, seconds since the epoch */
    bool paused;
    int64_t before; /* jobs in front of it … */
    bool exact;     /* … and no more than those */
    int64_t ended;  /* jobs of its queue, ever */
    double rate;    /* of those, a second; < 0: not known */
    bool holder_lives;
    char node[256]; /* id of the node of its worker; "" where there is none */
};

/* [{"code", "text", …}]; the caller's. NULL: out of memory. */
json_t *moil_why_reasons(const struct why *w);

#endif
