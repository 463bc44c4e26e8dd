/* One memory page shared by a worker with its supervisor and agent (ARCHITECTURE 3).
 *
 * The worker writes, the others read; plain aligned words, no locks. What recovery and the kill
 * tier of limits read (the id on the CPU, its hard deadline) is kept here from the
 * start, so that a kill at any instruction leaves the truth behind. */
#ifndef MOIL_WORKER_PAGE_H
#define MOIL_WORKER_PAGE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/id.h"
#include "base/job.h"

struct page {
    _Atomic int64_t heartbeat_us;      /* monotonic; written once per turn of the loop */
    _Atomic int64_t hard_deadline_us;  /* monotonic; 0: none; of the job on the CPU */
    _Atomic uint32_t running;          /* jobs started and not settled */
    _Atomic uint32_t reserved;         /* jobs fetched and not started */
    _Atomic uint64_t finished;         /* jobs ended since the process began */
    _Atomic uint64_t memory;           /* bytes held by the Lua state */
    _Atomic int32_t pid;               /* of the worker process */
    _Atomic uint32_t ready;            /* 1 once it serves its queues */
    char incarnation[MOIL_ID_LEN + 1]; /* written before `ready` */
    char on_cpu[MOIL_NAME_MAX + 1];    /* the id now on the CPU; "" between jobs */
};

#endif
