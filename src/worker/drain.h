/* What a worker that was told to stop does with the jobs that it has reserved: those that take a
 * moment it runs, as giving thousands of them back and fetching them again costs Redis more than
 * they do; the others go back to their queues free of charge. Called by worker.c. */
#ifndef MOIL_WORKER_DRAIN_H
#define MOIL_WORKER_DRAIN_H

#include <stdbool.h>

enum {
    MOIL_DRAIN_RUN_US = 50000, /* for how long reserved jobs are still started */
};

struct worker;

/* True while a stopping worker may start what it has reserved. */
bool moil_drain_starts(const struct worker *w);

/* Gives back what is reserved, and when it is cold what runs, too. The last one first: each goes to
 * the front of its queue, and the old order comes out. What fetches under way still bring comes
 * behind what is here, so they are waited for. */
void moil_drain_give_back(struct worker *w);

#endif
