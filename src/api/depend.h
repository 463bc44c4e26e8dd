/* A job that waits for others on its way in, as a part of a request (enqueue.c): a workflow of one
 * job, and what it is made of. */
#ifndef MOIL_API_DEPEND_H
#define MOIL_API_DEPEND_H

#include "api/client.h"
#include "api/graph.h"

/* Zeroed: none. Its fields are depend.c's, but the way. */
struct dependent {
    struct graph_way way; /* open while it is on its way */
    struct graph graph;
    struct graph_dep *deps;
    struct buffer text;
    struct submission *sub; /* borrowed */
};

/* The job is checked already; sub is made of it, and borrowed with it until it is closed. 0, or a
 * status with the request's sentence set. */
int moil_dependent_open(struct dependent *d, struct moil_request *r, const moil_job *job,
                        struct submission *sub);
void moil_dependent_done(struct dependent *d); /* it is in: marks the submission */
void moil_dependent_close(struct dependent *d);

#endif
