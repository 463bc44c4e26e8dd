/* Verdicts on their way to Redis: gathered into batches, sent once per turn of the loop, kept until
 * acknowledged.
 *
 * While Redis is away they stay here, bounded: past MOIL_SETTLER_BACKLOG batches the worker starts
 * no more jobs. */
#ifndef MOIL_WORKER_SETTLER_H
#define MOIL_WORKER_SETTLER_H

#include <stdbool.h>

#include "queue/settlement.h"

enum {
    MOIL_SETTLER_BACKLOG = 64,        /* batches of at most 250 */
    MOIL_SETTLER_BYTES = 1024 * 1024, /* a batch is sent when it holds that much */
};

struct worker;
struct batch;

struct settler {
    struct worker *worker;
    struct batch *open;   /* being filled; NULL: none */
    struct batch *closed; /* to be sent, the oldest first (utlist) */
    struct batch *spare;
    unsigned long made; /* batches so far */
    unsigned unsettled; /* batches that hold verdicts, sent or not */
    unsigned sent;      /* of these, under way */
    unsigned refusals;  /* in a row, for reasons that time does not cure; as far as they count */
    bool answered;      /* a batch was acknowledged since the last turn */
};

void moil_settler_init(struct settler *s, struct worker *w);
void moil_settler_fini(struct settler *s);

/* The batch that takes the next verdict of `bytes`; NULL when out of memory. */
struct settlement *moil_settler_batch(struct settler *s, size_t bytes);

/* Sends what there is, as far as the link takes it. */
void moil_settler_flush(struct settler *s);

/* Half of what was to run has ended, jobs wait for it, and Redis is idle: it is better sent now
 * than with the `left` that are still to start, so that Redis and the worker work side by side. */
bool moil_settler_is_due(const struct settler *s, unsigned left);

/* Forgets everything unsent: this incarnation was fenced, its verdicts are void. */
void moil_settler_void(struct settler *s);

static inline bool moil_settler_is_full(const struct settler *s)
{
    return s->unsettled >= MOIL_SETTLER_BACKLOG;
}

static inline bool moil_settler_is_empty(const struct settler *s)
{
    return s->unsettled == 0;
}

#endif
