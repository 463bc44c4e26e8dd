/* What one worker counts of its runs, in its shard of the node's tally (tally.h). Without a tally
 * nothing is counted, for the price of one comparison a call. A part of the worker (worker.h). */
#ifndef MOIL_WORKER_COUNTER_H
#define MOIL_WORKER_COUNTER_H

#include "worker/tally.h"

struct worker;
struct delivery;

struct counter {
    struct tally_shard *shard; /* NULL: nobody counts */
    bool is_shared;            /* others may write the same shard */
};

/* The tasks are loaded: each is given its place. */
void moil_counter_begin(struct worker *w);

/* The link came up again. */
void moil_counter_reconnected(struct worker *w);

/* Of a delivery: it starts; its run has ended so, or with that error (JSON text); and how long it
 * took. */
void moil_counter_started(const struct delivery *d);
void moil_counter_ended(const struct delivery *d, enum tally_end how);
void moil_counter_error(const struct delivery *d, struct slice error);
void moil_counter_took(const struct delivery *d, int64_t took_us);

#endif
