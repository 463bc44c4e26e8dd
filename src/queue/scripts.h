/* The table of server-side scripts, generated from the files of lua/redis by the build
 * (build/gen/scripts.c). */
#ifndef MOIL_QUEUE_SCRIPTS_H
#define MOIL_QUEUE_SCRIPTS_H

#include "net/script.h"

/* In the order of the alphabet, as the generator writes them. */
enum script_id {
    SCRIPT_ACCEPT,        /* a workflow comes in */
    SCRIPT_ADVANCE,       /* what ends of jobs left to do */
    SCRIPT_AUDIT,         /* counters beside what the structures hold */
    SCRIPT_BEAT_HISTORY,  /* the last ticks */
    SCRIPT_BEAT_LIST,     /* page through the beat entries */
    SCRIPT_BEAT_PAUSE,    /* pause or resume a beat entry */
    SCRIPT_BEAT_PUT,      /* a run-time beat entry, new or changed */
    SCRIPT_BEAT_REMOVE,   /* take one away */
    SCRIPT_CONDEMN,       /* a worker incarnation is dead */
    SCRIPT_CONTROL,       /* a command for nodes */
    SCRIPT_CONTROL_CLAIM, /* who is about to carry it out may do so */
    SCRIPT_CONTROL_HEAR,  /* what was answered so far */
    SCRIPT_CONTROL_REPLY, /* an answer */
    SCRIPT_DEAD,          /* page through the dead set */
    SCRIPT_DELETE,        /* remove a job that is not running, record and all */
    SCRIPT_ENQUEUE,       /* new -> pending */
    SCRIPT_EVICT,         /* a node is gone, with its workers */
    SCRIPT_EXTEND,        /* more members for a group */
    SCRIPT_FETCH,         /* pending -> in flight */
    SCRIPT_FORGET,        /* drop an ended job's result */
    SCRIPT_GATHER,        /* members of a group, with their results */
    SCRIPT_HEARTBEAT,     /* a node's lease and its report */
    SCRIPT_INSPECT,       /* everything known about one job */
    SCRIPT_JOIN,          /* register a worker incarnation */
    SCRIPT_LEAVE,         /* take an incarnation off that holds no job */
    SCRIPT_LIST,          /* ids of a queue, of the delayed set, or of what is in flight */
    SCRIPT_LISTEN,        /* somebody listens to events */
    SCRIPT_NODES,         /* nodes and workers */
    SCRIPT_PAUSE,         /* pause or resume a queue */
    SCRIPT_PROBE,         /* what this user may not do */
    SCRIPT_PROGRESS,      /* a running job's state and meta */
    SCRIPT_PROMOTE,       /* delayed -> pending */
    SCRIPT_PURGE,         /* drop the pending jobs of a queue */
    SCRIPT_QUEUES,        /* queues and their lengths */
    SCRIPT_RECLAIM,       /* in flight with an incarnation that does not know it */
    SCRIPT_RECOVER,       /* in flight with the dead -> pending, or dead */
    SCRIPT_REQUEUE,       /* in flight, not started -> pending again */
    SCRIPT_RESCHEDULE,    /* delayed or pending -> delayed, due at another time */
    SCRIPT_RETRY_DEAD,    /* dead -> pending */
    SCRIPT_REVOKE,        /* waiting -> ended as REVOKED */
    SCRIPT_SCHEDULE,      /* new -> delayed */
    SCRIPT_SETTLE,        /* in flight -> ended, delayed, dead or pending again */
    SCRIPT_STAGE,         /* a batch of a large workflow, before it is accepted */
    SCRIPT_SURVEY,        /* page through a structure, for what looks wrong */
    SCRIPT_SWEEP,         /* drop what expired; trim the dead set */
    SCRIPT_TICK,          /* a due time of a beat entry: a new job */
    SCRIPT_TIME_LIMIT,    /* other time limits for a task */
    SCRIPT_TIME_LIMITS,   /* those that were set so */
    SCRIPT_VERIFY,        /* what is wrong with jobs, if anything */
    SCRIPT_WAIT,          /* results, or registration of an inbox */
    SCRIPT_WHY,           /* why a job has not run yet */
    SCRIPT_WORKFLOW,      /* the nodes of a workflow, with their states */
    SCRIPT_COUNT
};

extern const struct script moil_scripts[SCRIPT_COUNT];

#endif
