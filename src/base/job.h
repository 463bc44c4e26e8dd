/* A job as plain data: what queue/ decodes from a record, vm/ runs, and worker/ carries between
 * them.
 *
 * Everything is borrowed: the slices point into the bytes of one record, which its holder keeps. */
#ifndef MOIL_BASE_JOB_H
#define MOIL_BASE_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum {
    MOIL_PRIORITIES = 10,      /* levels 0-9, higher first */
    MOIL_PRIORITY_DEFAULT = 5, /* the middle: work can be put before and behind what says nothing */
    MOIL_NAME_MAX = 200,       /* bytes of a task's, queue's or state's name, and of an id */
    /* Jobs per script: 1,000 hold Redis for 3-5 ms, and unpack fails at 8,000 values. */
    MOIL_BATCH_MAX = 250,
};

struct job {
    struct slice id;
    struct slice task;
    struct slice queue;
    struct slice args;    /* JSON array text, "[]" when there are none */
    struct slice kwargs;  /* JSON object text, or empty */
    struct slice extra;   /* JSON object text with the rarer fields (docs/protocol.md), or empty */
    struct slice verdict; /* JSON error: its process was killed, only policy and hooks run; or empty
                           */
    int priority;         /* 0-9 */
    uint32_t retries;     /* retries so far, asked for by policy or task */
    uint32_t crashes;     /* deliveries that ended with this job's process dying under it */
    uint32_t losses;      /* deliveries that ended with the node vanishing */
    int64_t enqueued_us;  /* wall clock of the producer, strictly growing per producer */
};

/* A job on its way into the queue. */
struct submission {
    struct job job;
    bool at_front;        /* front of its level; a delayed job ignores it */
    bool delayed;         /* due_ms counts */
    bool due_is_relative; /* due_ms is from Redis's now; else milliseconds since the epoch */
    int64_t due_ms;
    uint32_t open;      /* ends that it waits for, in a workflow; 0: none */
    struct slice links; /* what its end does to others, each link followed by a space; or empty */
    bool acked;         /* out: Redis has it; sent again, it is left out */
    bool created;       /* out: false when a record with this id was there already */
};

enum job_state {
    JOB_PENDING,
    JOB_SCHEDULED,
    JOB_DEFERRED,
    JOB_STARTED,
    JOB_RETRY,
    JOB_SUCCESS,
    JOB_FAILURE,
    JOB_REVOKED,
    JOB_STATES
};

/* "PENDING" … "REVOKED"; never NULL. */
const char *moil_job_state_name(enum job_state s);

/* True when the name is one of the built-in states, which a task may not set by itself. */
bool moil_job_state_is_builtin(struct slice name);

/* How often it was given to a worker to run, the worker that has it now included. The delivery that
 * only tells why the ones before it were lost is none. */
uint32_t moil_job_deliveries(const struct job *job);

/* A task's, queue's or state's name and an id: 1 to MOIL_NAME_MAX bytes of printable ASCII without
 * space. */
bool moil_name_is_valid(struct slice name);

#endif
