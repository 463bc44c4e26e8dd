/* What the agent answers over HTTP: /healthz, /readyz, /metrics. A part of the agent (agent.h).
 *
 *   /healthz  200 as long as no worker is stuck: a restart would mend what is wrong. That Redis is
 *             away is nothing that a restart mends, and says nothing here
 *   /readyz   200 while jobs are taken: Redis is there, and a worker of the serving code takes them
 *   /metrics  metrics.h and stock.h */
#ifndef MOIL_WORKER_ENDPOINT_H
#define MOIL_WORKER_ENDPOINT_H

#include <stddef.h>

struct agent;

/* Serves from now on. 0, also where nothing is to be served; or a negative code with one line in
 * errstr: MOIL_EINVAL when libmicrohttpd is missing. */
int moil_endpoint_open(struct agent *a, char *errstr, size_t errlen);

/* Before the links go, and after: their last callbacks come in between. */
void moil_endpoint_close(struct agent *a);
void moil_endpoint_free(struct agent *a);

#endif
