/* What a node has counted since its start: runs by task and how they ended, how long they took, and
 * what befell its processes. Memory that all processes of the node share, so that no death of one
 * of them and no reload loses a count; made before the first fork, by who wants it counted.
 *
 *   names    tasks, in the order in which they were first seen; place 0 is `other`: what no worker
 *            knows, and what came when all places were taken. The check child adds them, and there
 *            is one at a time; the others read
 *   shards   one for each worker slot, which it alone writes: an addition is a load and a store.
 *            The last one is for all slots from there on, who add atomically
 *   events   of the node: supervisor and agent add them
 *
 * Written by worker/, super/ and the check; read by the agent (metrics.c), who adds up the shards.
 */
#ifndef MOIL_WORKER_TALLY_H
#define MOIL_WORKER_TALLY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/job.h"

enum {
    TALLY_TASKS_MAX = 1000,
    TALLY_SHARDS = 256, /* as many as workers of one generation */
    TALLY_BUCKETS = 16,
};

/* How a run ended. */
enum tally_end {
    TALLY_SUCCEEDED,
    TALLY_FAILED, /* for good */
    TALLY_REJECTED,
    TALLY_IGNORED,
    TALLY_REPLACED, /* by a workflow */
    TALLY_REVOKED,
    TALLY_EXPIRED,
    TALLY_FINAL, /* those below are none: the job comes again */
    TALLY_RETRIED = TALLY_FINAL,
    TALLY_REQUEUED, /* it was given back: a cold stop, or its task is not known here yet */
    TALLY_ENDS
};

enum tally_limit { TALLY_SOFT_TIME, TALLY_HARD_TIME, TALLY_MEMORY, TALLY_LIMITS };

struct task_tally {
    _Atomic uint64_t started;
    _Atomic uint64_t ended[TALLY_ENDS];
    _Atomic uint64_t limits[TALLY_LIMITS];        /* runs whose error was that */
    _Atomic uint64_t duration[TALLY_BUCKETS + 1]; /* by moil_tally_bounds; the last: all longer */
    _Atomic uint64_t duration_us;                 /* of all of them */
};

struct tally_shard {
    _Atomic uint64_t reconnects; /* of the workers of this slot to Redis */
    struct task_tally tasks[TALLY_TASKS_MAX + 1];
};

enum tally_event {
    TALLY_WORKER_CRASHED,
    TALLY_AGENT_CRASHED,
    TALLY_WORKER_KILLED,   /* by us: a job past its limit that did not stop, tasks never loaded */
    TALLY_WORKER_RECYCLED, /* by max_tasks or max_memory */
    TALLY_RELOADED,
    TALLY_RELOAD_FAILED,
    TALLY_AGENT_RECONNECTED,
    TALLY_TICK_FIRED,
    TALLY_TICK_SKIPPED_LATE,
    TALLY_TICK_SKIPPED_OVERLAP,
    TALLY_EVENTS
};

struct tally {
    int64_t started_us;      /* wall clock */
    _Atomic uint32_t served; /* 1: an agent has served it over HTTP */
    _Atomic uint64_t events[TALLY_EVENTS];
    _Atomic uint32_t names_used;
    char names[TALLY_TASKS_MAX + 1][MOIL_NAME_MAX + 1];
    struct tally_shard shards[TALLY_SHARDS];
};

/* Upper bounds of the buckets, microseconds, 1 ms to 1 h. */
extern const int64_t moil_tally_bounds[TALLY_BUCKETS];

/* NULL: out of memory. Pages that nobody writes or reads cost nothing. */
struct tally *moil_tally_new(void);
void moil_tally_free(struct tally *t); /* NULL is fine */

/* The check's, one process at a time: a place for a task. */
void moil_tally_add_task(struct tally *t, struct slice name);

/* The place of a task; 0 where it has none. */
uint32_t moil_tally_find_task(const struct tally *t, struct slice name);

/* What all shards have counted for that place; the slots used so far. */
void moil_tally_sum(const struct tally *t, uint32_t place, int slots, struct task_tally *out);

static inline struct tally_shard *moil_tally_shard(struct tally *t, int slot)
{
    return &t->shards[slot < TALLY_SHARDS ? slot : TALLY_SHARDS - 1];
}

static inline bool moil_tally_is_shared(int slot)
{
    return slot >= TALLY_SHARDS - 1;
}

/* To a counter of a shard. */
static inline void moil_tally_add(_Atomic uint64_t *counter, uint64_t by, bool is_shared)
{
    if (is_shared)
        atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
    else
        atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
                              memory_order_relaxed);
}

/* t: NULL where nobody counts. */
static inline void moil_tally_event(struct tally *t, enum tally_event event)
{
    if (t)
        atomic_fetch_add_explicit(&t->events[event], 1, memory_order_relaxed);
}

#endif
