/* Copies of the jobs that a program hands over, for a call that goes on after it has returned. For
 * api/enqueue.c alone. */
#ifndef MOIL_API_JOB_COPY_H
#define MOIL_API_JOB_COPY_H

#include "api/moil.h"

/* All of them with their texts in one block, for moil_mem_free. NULL: out of memory. */
moil_job *moil_jobs_copy(const moil_job *jobs, size_t count);

#endif
