/* What a run waits for, while it waits: the host functions' (host.c, host_beat.c, …) common ground.
 *
 * An operation outlives the run when the run is closed while Redis still owes a reply, and then the
 * reply is dropped. A question that Redis could not take, as it was away or busy, is put again for
 * 15 s: a restart of Redis, or a link that was dropped, is no reason for a job to fail. */
#ifndef MOIL_WORKER_OPERATION_H
#define MOIL_WORKER_OPERATION_H

#include <ev.h>

#include "net/reply.h"
#include "queue/graph.h"
#include "queue/inbox.h"
#include "vm/host.h"

struct beat_request;
struct worker;

struct operation {
    struct delivery *delivery; /* NULL: given up */
    struct worker *worker;
    struct vm_call *call;                 /* what the slices below lie in; as old as the delivery */
    void (*cancel)(struct operation *op); /* lets go of timers, waits and programs */
    int (*send)(struct operation *op);    /* puts the question; NULL: it cannot be put again */
    /* puts the reply, which is no error, into the call: for moil_operation_answered; NULL: it
     * answers nothing */
    void (*answer)(struct operation *op, const struct reply *reply);
    int64_t patience_end_us; /* of putting it again */
    struct inbox_wait wait;
    ev_timer timer;
    struct program *program;
    struct moil_run *native; /* of a task in C (native.h) */
    struct vm_question question;
    struct beat_request *beat; /* ours */
    bool wants_progress;
    size_t count;
    struct submission *subs;  /* of an enqueue: own copy */
    struct slice seen;        /* of a wait: the progress it has seen */
    struct slice state, meta; /* of update_state */
    struct graph_call graph;  /* of a workflow */
    struct vm_page page;
    struct vm_control control;
};

/* NULL with the call failed. */
struct operation *moil_operation_new(struct worker *w, struct vm_call *call);
void moil_operation_free(struct operation *op);

/* Puts a question to Redis. `send` answers 0, or a negative code when it could not be sent. */
enum vm_answer moil_operation_ask(struct operation *op, int (*send)(struct operation *op));

/* The callback of a question that is one script, for its `send`: the answer, with what the
 * operation's `answer` makes of it; or once more; or the failure. data: the operation. */
void moil_operation_answered(void *data, int err, const struct reply *reply);

/* At the top of a reply's callback, with its error: true when the question will be put again, as
 * what went wrong may pass. */
bool moil_operation_tries_again(struct operation *op, int err);

/* The answer is in the call: the job goes on. Frees the operation. */
void moil_operation_go_on(struct operation *op);

/* The call fails: as Redis said, or as nothing could be sent. */
void moil_operation_fail_reply(struct operation *op, int err, const struct reply *reply);
void moil_operation_fail_unsent(struct operation *op, int err);

void moil_operation_start_timer(struct operation *op, void (*cb)(struct ev_loop *, ev_timer *, int),
                                double seconds);
void moil_operation_stop_timer(struct operation *op);

#endif
