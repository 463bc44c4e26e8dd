/* What the processes of a node share (ARCHITECTURE 3): one page for each worker, with its
 * supervisor and its agent, and the pulse of the agent.
 *
 * The worker writes, the others read, but for `health` and the claims (claims.h); plain aligned
 * words, no locks. What recovery and the kill tier of limits read (the id on the CPU, its hard
 * deadline) is kept here from the start, so that a kill at any instruction leaves the truth behind.
 */
#ifndef MOIL_WORKER_PAGE_H
#define MOIL_WORKER_PAGE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/id.h"
#include "base/job.h"
#include "worker/claims.h"

struct page {
    _Atomic int64_t heartbeat_us;     /* monotonic; written once per turn of the loop */
    _Atomic int64_t hard_deadline_us; /* monotonic; 0: none; of the job on the CPU */
    _Atomic uint64_t turn;            /* counts the stretches of jobs on the CPU */
    _Atomic uint64_t terminate;       /* the turn whose job is revoked; the agent writes it */
    _Atomic uint32_t running;         /* jobs started and not settled */
    _Atomic uint32_t reserved;        /* jobs fetched and not started */
    _Atomic uint64_t finished;        /* jobs ended since the process began */
    _Atomic uint64_t memory;          /* bytes held by the Lua state */
    _Atomic int32_t pid;              /* of the worker process */
    _Atomic uint32_t loaded;          /* 1 once its tasks are; what is left is Redis */
    _Atomic uint32_t ready;           /* 1 once it serves its queues */
    _Atomic uint32_t serving;         /* 1 while it takes new jobs: neither quiet nor leaving */
    _Atomic uint32_t awaits_wake;     /* 1 while its BLPOP watches the wake lists */
    _Atomic int32_t deliveries_max;   /* of the task of the job on the CPU; 0: not said */
    /* What it waits for, since when (monotonic; 0: it does not): see health.h, health_facts. */
    _Atomic int64_t unlinked_us;
    _Atomic int64_t hungry_us;
    _Atomic int64_t unsettled_us;
    _Atomic uint32_t health; /* enum health; the agent writes it */
    /* Of its code: counts reloads. The supervisor writes it, and `hold`, 1 while a burst is not
     * over, as an older generation may still give jobs back. */
    _Atomic uint32_t generation;
    _Atomic uint32_t hold;
    _Atomic uint32_t retires; /* 1: it has served its time, and wants to be replaced */
    /* The version of the time limits set at run time (time_limits.lua): the one that it shall have,
     * as the agent writes it, and the one that it has. */
    _Atomic uint64_t limits_wanted, limits_known;
    _Atomic uint32_t asked;            /* control commands that the agent has put into its inbox */
    char incarnation[MOIL_ID_LEN + 1]; /* written before `ready` */
    char on_cpu[MOIL_NAME_MAX + 1];    /* the id now on the CPU; "" between jobs */
    struct claims claims; /* last: what is in front of it is little, and cleared for each worker */
};

/* Between the agent and its supervisor, who sees by it when the agent's loop stands still. */
struct pulse {
    _Atomic int64_t heartbeat_us; /* monotonic; the agent writes it once per turn of the loop */
    _Atomic uint32_t quiet;       /* 1: the node takes nothing new; the supervisor writes it */
};

#endif
