/* Getting jobs: how many to ask for, when to ask, and when to wait for a wake-up instead
 * (ARCHITECTURE 4, wake-up and prefetch).
 *
 * It asks ahead of what can start now, by what the worker will start within 5 ms as its own jobs'
 * times tell, in batches of which two or more are under way, so that fetching overlaps running.
 * When its queues are empty it waits in BLPOP on their wake lists and on the worker's inbox, and
 * asks once per MOIL_FETCHER_POLL_S without one. After a link that broke under a fetch it first
 * reclaims what that fetch may have taken.
 *
 * A settle that may start other jobs asks for as many as there is room for, too: so the next step
 * of a chain comes with the answer to the one before (settler.c). */
#ifndef MOIL_WORKER_FETCHER_H
#define MOIL_WORKER_FETCHER_H

#include <ev.h>
#include <stdbool.h>

#include "base/id.h"
#include "net/reply.h"

enum {
    MOIL_FETCHER_POLL_S = 5,      /* BLPOP's timeout; a lost wake-up costs that much */
    MOIL_FETCHER_AHEAD_MAX = 750, /* jobs reserved beyond the free slots: three full batches */
    MOIL_FETCHER_AHEAD_US = 5000,
    MOIL_FETCHER_BATCH_MIN = 100, /* while something is reserved, smaller batches are not worth a
                                     script */
};

struct worker;

struct fetcher {
    struct worker *worker;
    unsigned asked; /* jobs asked for and not answered yet */
    unsigned calls; /* fetches under way */
    unsigned wakes; /* wake-ups so far; one that comes during a fetch makes it count as not empty */
    bool backlog;   /* the last fetch got all that it asked for: several at a time are worth it */
    bool empty;     /* the last fetch emptied the queues: wait for a wake-up */
    bool drained;   /* the same, and it was Redis that said so: a burst worker may end */
    /* Jobs may be in flight with us that we do not hold: a fetch's reply was lost, or Redis was
     * away and has come back without its last writes. */
    bool lost;
    char reclaimer[MOIL_ID_LEN + 1]; /* for which incarnation */
    bool reclaiming;                 /* reclaim.lua is under way */
    bool blocked;                    /* BLPOP is under way … */
    bool on_wake_lists;              /* … and watches the wake lists too */
    ev_timer pause;                  /* after an error of BLPOP */
    int error;                       /* the last one of BLPOP that was logged; 0: it works */
    bool hungry;                     /* it waits for the answer of a fetch, blocking or not … */
    bool answered;                   /* … and one has come, a good one, since the last turn */
    bool deaf;   /* the last BLPOP was never answered: that others come back empty proves nothing */
    bool nudged; /* a message was sent to our own inbox to end it early */
    ev_timer stall;        /* while it runs nothing is asked for */
    unsigned short lot[3]; /* random numbers of its own: the program's are left alone */
};

void moil_fetcher_init(struct fetcher *f, struct worker *w);
void moil_fetcher_fini(struct fetcher *f); /* after its links */

/* Once per turn of the loop: asks for jobs, or waits for them, as the worker's state has it. */
void moil_fetcher_turn(struct fetcher *f);

/* The queues may hold something again. */
void moil_fetcher_wake(struct fetcher *f);

/* For settler.c: for how many jobs, at most `most`, there is room that no fetch has asked for; they
 * are asked for with this. `order`: the queues, in the order to ask them. */
unsigned moil_fetcher_make_room(struct fetcher *f, unsigned most, struct slice *order);

/* The answer to that: settle's; NULL: nothing came of it. Starts them where nothing else waits to
 * start. */
void moil_fetcher_handed(struct fetcher *f, unsigned want, const struct reply *reply);

/* What was fetched could not start and went back: asks for nothing for a moment, or until a job has
 * ended. */
void moil_fetcher_stall(struct fetcher *f);

/* A job ended: it may have enqueued others, which a burst worker must see before it may end. */
void moil_fetcher_job_ended(struct fetcher *f);

/* A connection was lost: what was under way on it is gone. */
void moil_fetcher_link_lost(struct fetcher *f);

#endif
