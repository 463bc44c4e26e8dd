/* The rarer options of a job that a C program hands over as JSON text: checked before it is
 * enqueued, as a worker could only call such a record damaged. */
#ifndef MOIL_API_JOB_OPTIONS_H
#define MOIL_API_JOB_OPTIONS_H

#include <stddef.h>

/* True when text is fine (NULL: nothing said); else `why` gets what is wrong. */
int moil_job_options_check(const char *text, char *why, size_t len);

#endif
