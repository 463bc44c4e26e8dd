/* Workflows on their way into Redis: which script is next, its ARGV, and what its reply means.
 *
 * A small one goes in one script. A larger one is staged in batches, then accepted in one step, and
 * what the server-side scripts leave undone for the sake of Redis's other clients is asked for
 * until nothing is left. Each step may be sent again after a lost reply. The caller has the link,
 * the deadlines and the second tries: worker/host.c on its loop, api/graph.c blocking. */
#ifndef MOIL_QUEUE_GRAPH_H
#define MOIL_QUEUE_GRAPH_H

#include "base/graph.h"
#include "base/id.h"
#include "queue/broker.h"

enum graph_phase { PHASE_FRONT, PHASE_DEPS, PHASE_MEMBERS, PHASE_LINES, PHASE_NODES, PHASE_END };

/* Where a batch begins. */
struct graph_place {
    enum graph_phase phase;
    size_t at;     /* in the phase's list */
    size_t within; /* members of the list `at` */
};

enum graph_step {
    STEP_INLINE,
    STEP_STAGE,
    STEP_ACCEPT,
    STEP_EXTEND,
    STEP_DROP,
    STEP_ADVANCE,
    STEP_OVER
};

/* One graph under way, in the caller's memory. The fields are graph.c's, but `created` and
 * `token`. */
struct graph_call {
    const struct graph *graph;   /* borrowed until the end */
    char token[MOIL_ID_LEN + 1]; /* of what is staged */
    bool created;                /* false: the workflow is there already; or the group has ended */
    enum graph_step step;
    struct submission **order;   /* as they are sent */
    size_t front;                /* of these, in the first batch whatever they weigh */
    struct graph_place from, to; /* the batch to send, and where the next one begins */
    size_t bytes;                /* of its payload */
    unsigned batches;            /* acknowledged */
    unsigned rounds;             /* of advancing */
};

/* 0, MOIL_ENOMEM, or MOIL_EINVAL and MOIL_ETOOLARGE with one line in errstr. */
int moil_graph_begin(struct graph_call *c, const struct graph *graph, char *errstr, size_t errlen);
void moil_graph_end(struct graph_call *c);

/* The script of the next step; the broker's args are then filled by moil_graph_fill. */
enum script_id moil_graph_next(struct graph_call *c);
void moil_graph_fill(struct graph_call *c, struct broker *b);

/* Takes its reply. 1: there is a next step; 0: that was all; MOIL_EBADMSG; or MOIL_ESTATE: the
 * group ended when a part of its new members was in. */
int moil_graph_take(struct graph_call *c, const struct reply *reply);

/* Redis has refused a step. True: what is staged shall be dropped, which is the next step, the last
 * one; else it goes by itself after 600 s. */
bool moil_graph_drop(struct graph_call *c);

/* What an error reply to a step says, for people; false where it is none of a workflow's own. */
bool moil_graph_explain(int err, const struct reply *reply, char *out, size_t size);

/* The workflow is in, whatever happens to the step under way: the agents see to the rest. */
static inline bool moil_graph_is_in(const struct graph_call *c)
{
    return c->step >= STEP_ADVANCE;
}

#endif
