/* What the agent has seized of this worker's reserved jobs (claims.h): the worker forgets them
 * without a word.
 *
 * While Redis has not said whether they are back in their queues the worker fetches nothing, as it
 * could be given one of them and have it put back as it runs. What may be in flight with it even so
 * it asks for, as after a lost reply (fetcher.h). Called by worker.c. */
#ifndef MOIL_WORKER_DISPUTE_H
#define MOIL_WORKER_DISPUTE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct worker;

struct dispute {
    bool open;         /* the agent has jobs of ours, and Redis has not answered it */
    int64_t since_us;  /* monotonic */
    uint32_t seizures; /* of the page, as of the last review */
    ev_timer look;     /* while it is open */
};

void moil_dispute_init(struct dispute *d, struct worker *w);
void moil_dispute_fini(struct dispute *d, struct worker *w);

/* Once per turn of the loop. Costs one load where nothing was seized. */
void moil_dispute_turn(struct worker *w);

#endif
