/* When a worker of --burst may end: its queues are empty, nothing runs, and nothing is left that
 * would put jobs of its workflows into them. A part of worker.c.
 *
 * What Redis's scripts have left undone of workflows would be an agent's to do, after the worker
 * has gone: it asks for that itself first, and then looks at its queues once more. */
#ifndef MOIL_WORKER_BURST_H
#define MOIL_WORKER_BURST_H

#include <stdbool.h>

struct worker;

struct burst {
    struct worker *worker;
    bool held;   /* it is not over, though there is nothing to do (page.h) */
    bool asking; /* advance.lua is under way */
    bool sure;   /* nothing was left of workflows, and no job has come since */
};

void moil_burst_init(struct burst *b, struct worker *w);

/* In each turn: `idle`, there is nothing to do, and the queues were empty. True when it may end. */
bool moil_burst_is_over(struct burst *b, bool idle);

#endif
