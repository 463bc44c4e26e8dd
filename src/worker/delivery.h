/* One delivery of a job to this worker: its bytes, its run, its times; from the fetch to its
 * verdict. */
#ifndef MOIL_WORKER_DELIVERY_H
#define MOIL_WORKER_DELIVERY_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/job.h"
#include "vm/vm.h"
#include "worker/envelope.h"

struct worker;
struct operation;
struct gathering;
struct order;

/* The note in `running` that Redis has of a job. */
enum note_state {
    NOTE_NONE,    /* to be made when it runs for long */
    NOTE_STARTED, /* sent; made again when its answer does not come */
    NOTE_OWN,     /* the task makes its own, and sees to it (host.c) */
};

struct delivery {
    struct delivery *prev, *next;             /* in the worker's `reserved` or `running` list */
    struct delivery *ready_prev, *ready_next; /* in the worker's `ready` list, while `sliced` */
    struct worker *worker;
    unsigned link;  /* the worker's `links` when it was fetched */
    struct job job; /* slices into `bytes` */
    struct task *task;
    struct run *run;             /* NULL until it starts */
    struct operation *operation; /* what the run waits for (host.c); NULL: nothing */
    struct order *order;         /* ours: it is a control command (order.c); NULL: a job */
    struct gathering *gathering; /* of its first argument (gatherer.c); NULL: it wants none */
    struct envelope envelope;    /* the part of job.extra that the worker itself obeys */
    uint64_t claim;              /* its serial in the page; 0: it is ours alone */
    int64_t started_us;          /* wall clock; 0: not started */
    int64_t started_mono_us;
    bool suspended; /* waits for another job's result and holds no slot */
    bool sliced;    /* its turn was over: it goes on when the others had theirs */
    ev_timer limit; /* its next deadline, while it waits */
    enum note_state noted;
    bool damaged;        /* the record is no J record: to be buried with its bytes */
    struct slice record; /* in `bytes` */
    char bytes[];        /* id, record */
};

/* A fetched job: to the end of the worker's reserved list. */
void moil_delivery_add(struct worker *w, struct slice id, struct slice record);

/* A reserved job becomes ours alone. False: the agent has it, and the delivery is gone. */
bool moil_delivery_claim(struct delivery *d);

/* Starts the next reserved job, unless the agent has it. It may end at once, and be settled and
 * gone when this returns. */
void moil_delivery_start(struct worker *w, struct delivery *d);

/* For gatherer.c: starts the job with these arguments, or, where there is an error, as one that
 * has failed with it. Both are borrowed: the arguments until it ends. */
void moil_delivery_gathered(struct delivery *d, struct slice args, struct slice error);

/* For order.c: starts the run of a control command. */
void moil_delivery_begin(struct delivery *d, double soft_s, double hard_s);

/* The next of those whose turn was over goes on. */
void moil_delivery_next_turn(struct worker *w);

/* The run goes on after an answer; it may end, as above. */
void moil_delivery_resume(struct delivery *d);

/* Ends a job that this worker holds as REVOKED; after_return runs. No such job: nothing. */
void moil_delivery_terminate(struct worker *w, struct slice id);

/* Takes it out of the worker and frees it, with its run; says nothing to Redis. */
void moil_delivery_free(struct delivery *d);

/* Marks running jobs that started over 250 ms ago as STARTED in Redis: short ones are not worth a
 * command. */
void moil_delivery_note_long(struct worker *w);

/* Notes under way may be lost: they are made again. */
void moil_delivery_notes_lost(struct worker *w);

#endif
