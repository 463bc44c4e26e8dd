/* The results of a group, for the job that gets them as its first argument: the worker reads them
 * from Redis before it starts the job (docs/protocol.md, "gather").
 *
 * In pages, so that neither Redis nor the worker's loop is held; a nested group's results become a
 * nested list. Only delivery.c calls this. The job holds its slot meanwhile, so that no more lists
 * are being read than jobs may run; its time limits begin with its function. */
#ifndef MOIL_WORKER_GATHERER_H
#define MOIL_WORKER_GATHERER_H

#include <stdbool.h>

enum {
    MOIL_GATHERER_TIMES = 16, /* results in all may be so many times as large as one may be: what is
                                 decoded holds the loop, 10 ms a megabyte */
    MOIL_GATHERER_DEPTH = 64, /* groups in groups */
};

struct delivery;
struct gathering;

/* Starts reading. moil_delivery_gathered is called when it is done, unless it is abandoned before.
 * False: out of memory. */
bool moil_gatherer_start(struct delivery *d);

/* The delivery goes. */
void moil_gatherer_abandon(struct delivery *d);

#endif
