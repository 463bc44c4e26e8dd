/* A workflow's way in, as a part of a request: the steps of queue/graph.h as an operation's. Used
 * by graph.c's own request, and by enqueue.c for jobs that wait for others. */
#ifndef MOIL_API_GRAPH_H
#define MOIL_API_GRAPH_H

#include "api/request.h"
#include "queue/graph.h"

struct graph_way {
    struct graph_call call;
    bool open;
    bool dropping; /* it has failed, and what is staged is being dropped */
    int status;    /* … as was said before: this, and why */
    char why[512];
};

/* The graph is borrowed until it is closed. 0, or a code with one line in errstr. */
int moil_graph_way_open(struct graph_way *w, const struct graph *graph, char *errstr,
                        size_t errlen);
void moil_graph_way_close(struct graph_way *w); /* may be closed already */

/* As the operation's functions of these names (request.h). take and failed: 0 when it is in. */
int moil_graph_way_send(struct graph_way *w, struct moil_request *r);
int moil_graph_way_take(struct graph_way *w, struct moil_request *r, const struct reply *reply);
int moil_graph_way_failed(struct graph_way *w, struct moil_request *r, int status);

#endif
