/* How long a worker process serves: until it has started so many jobs, or holds so much memory.
 * Then it stops as it does when it is told to (unstarted jobs go back free of charge, running ones
 * end), and the supervisor starts another. A part of the worker (worker.h). */
#ifndef MOIL_WORKER_LIFETIME_H
#define MOIL_WORKER_LIFETIME_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

struct lifetime {
    struct worker *worker;
    unsigned long started;   /* jobs, since the process began */
    unsigned long max_tasks; /* ULONG_MAX: no bound */
    unsigned long seen;      /* `started` at the last look at the memory … */
    int64_t look_us;         /* … and when it was, monotonic */
    int statm_fd;            /* /proc/self/statm; -1: nobody asks for it */
};

void moil_lifetime_init(struct lifetime *l, struct worker *w);
void moil_lifetime_fini(struct lifetime *l);

/* The tasks are loaded. */
void moil_lifetime_begin(struct lifetime *l);

/* Once per turn of the loop: stops the worker when its time is over. */
void moil_lifetime_turn(struct lifetime *l);

static inline bool moil_lifetime_may_start(const struct lifetime *l)
{
    return l->started < l->max_tasks;
}

#endif
