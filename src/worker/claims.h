/* The jobs that a worker has reserved and not started, in the page that it shares with its agent,
 * each with one atomic claim word: who changes that word has the job.
 *
 * The worker takes a job when it starts it. The agent seizes those that a stuck worker does not
 * start, asks Redis to put them back, and writes what came of it (reliever.c); the worker reads
 * that when it comes back (dispute.c). Neither waits for the other.
 *
 * A ring: jobs are added at the tail and leave, mostly, at the head. A serial is a job's place in
 * it and never comes again, in this worker or in a later one on the same page. A word holds its
 * serial, so that a claim on what was there before fails. Knows no Redis and no loop. */
#ifndef MOIL_WORKER_CLAIMS_H
#define MOIL_WORKER_CLAIMS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/job.h"

enum { MOIL_CLAIMS_MAX = 1024 }; /* more than are ever reserved ahead (fetcher.h) */

enum claim {
    CLAIM_RESERVED, /* whose claims it first */
    CLAIM_TAKEN,    /* the worker's; or nobody's, where it is over */
    CLAIM_SEIZED,   /* the agent's, which waits for Redis */
    CLAIM_RETURNED, /* it is in its queue again */
    CLAIM_UNSURE,   /* no answer came: it may be in flight with the worker still. May be seized
                       again */
    CLAIM_LEFT,     /* it is in flight with the worker still */
};

struct claims {
    _Atomic uint64_t head;     /* serial of the oldest that is not over */
    _Atomic uint64_t tail;     /* serial of the next to come */
    _Atomic uint32_t seizures; /* grows with all that the agent does */
    struct {
        _Atomic uint64_t word;  /* serial << 3 | enum claim */
        char id[MOIL_NAME_MAX]; /* ends with NUL where it is shorter */
    } ring[MOIL_CLAIMS_MAX];
};

/* --- the worker's ----------------------------------------------------------------------------- */

/* A new incarnation, which holds nothing. */
void moil_claims_begin(struct claims *c);

/* A job was reserved. Its serial, for moil_claims_take; 0 when the ring is full: nobody else can
 * claim it then. */
uint64_t moil_claims_add(struct claims *c, struct slice id);

/* False: the agent has it. */
bool moil_claims_take(struct claims *c, uint64_t serial);

/* False: it cannot be taken any more. */
bool moil_claims_is_reserved(const struct claims *c, uint64_t serial);

/* What became of the jobs that the agent seized; those whose end is known are forgotten. */
struct claims_review {
    bool undecided; /* Redis has not answered the agent yet */
    bool left;      /* some may be in flight with the worker, which does not hold them any more */
};
struct claims_review moil_claims_review(struct claims *c);

/* The agent has not answered for long: what it has seized is unsure. */
void moil_claims_give_up(struct claims *c);

/* --- the agent's ------------------------------------------------------------------------------ */

/* The first serial from `from` on that could be seized; 0: there is none. */
uint64_t moil_claims_front(const struct claims *c, uint64_t from);

/* Seizes that one and copies its id. False: it is not there (any more). */
bool moil_claims_seize(struct claims *c, uint64_t serial, char id[MOIL_NAME_MAX + 1]);

/* How that ended: CLAIM_RETURNED, CLAIM_UNSURE or CLAIM_LEFT. */
void moil_claims_decide(struct claims *c, uint64_t serial, enum claim claim);

#endif
