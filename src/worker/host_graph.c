/* host_graph.c: workflows that jobs make, and look at. A part of host.c (host.h). */
#include "base/crash_point.h"
#include "base/error.h"
#include "worker/host.h"
#include "worker/operation.h"
#include "worker/worker.h"

/* --- a workflow on its way in ----------------------------------------------------------------- */

static void answer_graph(struct operation *op)
{
    struct graph_call *c = &op->graph;
    if (c->graph->aim == GRAPH_STAGE)
        moil_call_add_string(op->call, slice_str(c->token));
    else
        moil_call_add_bool(op->call, c->created);
}

static void fail(struct operation *op, int err, const struct reply *reply)
{
    char why[MOIL_NAME_MAX + 100];
    if (moil_graph_explain(err, reply, why, sizeof why))
        moil_call_fail(op->call, moil_error_code(err), why);
    else
        moil_operation_fail_reply(op, err, reply);
}

static int send_graph(struct operation *op);

/* The next step, or the end. */
static void went_on(struct operation *op, int more)
{
    if (more == 1) {
        int err = send_graph(op);
        if (!err || moil_operation_tries_again(op, err))
            return;
        more = moil_graph_is_in(&op->graph) ? 0 : err;
    }
    if (more == 0)
        answer_graph(op);
    else
        moil_call_fail(op->call, moil_error_code(more),
                       more == MOIL_ESTATE ? "the group ended before all new members were in"
                                           : moil_strerror(more));
    moil_operation_go_on(op);
}

static void stepped(void *data, int err, const struct reply *reply)
{
    struct operation *op = data;
    MOIL_CRASH_POINT_IF(!err && op->graph.step == STEP_STAGE, "graph.staged");
    MOIL_CRASH_POINT_IF(!err && op->graph.step <= STEP_EXTEND && op->graph.step != STEP_STAGE,
                        "graph.accepted");
    if (!op->delivery) { /* the job is gone, with the workflow's bytes */
        moil_operation_go_on(op);
        return;
    }
    bool in = moil_graph_is_in(&op->graph); /* who has accepted it sees to the rest */
    if (err && !in && moil_operation_tries_again(op, err))
        return;
    if (err && !in) {
        fail(op, err, reply);
        moil_operation_go_on(op);
        return;
    }
    went_on(op, err ? 0 : moil_graph_take(&op->graph, reply));
}

static int send_graph(struct operation *op)
{
    struct broker *b = &op->worker->broker;
    enum script_id script = moil_graph_next(&op->graph);
    moil_graph_fill(&op->graph, b);
    return moil_broker_eval(b, script, stepped, op);
}

enum vm_answer moil_host_submit_graph(void *data, struct vm_call *call, const struct graph *graph)
{
    struct operation *op = moil_operation_new(data, call);
    char why[200];
    if (!op)
        return VM_READY;
    int err = moil_graph_begin(&op->graph, graph, why, sizeof why);
    if (err) {
        moil_call_fail(call, moil_error_code(err), why);
        moil_operation_free(op);
        return VM_READY;
    }
    return moil_operation_ask(op, send_graph);
}

/* --- a page of one ---------------------------------------------------------------------------- */

static void answer_page(struct operation *op, const struct reply *reply)
{
    if (moil_reply_type(reply) == REPLY_NIL) {
        moil_call_fail(op->call, "UnknownJob",
                       "no such group: never enqueued, or its results have expired");
        return;
    }
    for (size_t i = 0; i < moil_reply_count(reply); i++) {
        const struct reply *item = moil_reply_at(reply, i);
        if (moil_reply_type(item) == REPLY_INTEGER)
            moil_call_add_int(op->call, moil_reply_integer(item));
        else
            moil_call_add_string(op->call, moil_reply_slice(item));
    }
}

static int send_page(struct operation *op)
{
    struct broker *b = &op->worker->broker;
    moil_args_clear(&b->args);
    moil_args_slice(&b->args, op->page.id);
    moil_args_int(&b->args, op->page.from);
    moil_args_int(&b->args, op->page.limit);
    moil_args_str(&b->args, op->page.values ? "v" : "s");
    return moil_broker_eval(b, SCRIPT_GATHER, moil_operation_answered, op);
}

enum vm_answer moil_host_page(void *data, struct vm_call *call, const struct vm_page *page)
{
    struct operation *op = moil_operation_new(data, call);
    if (!op)
        return VM_READY;
    op->page = *page;
    op->answer = answer_page;
    return moil_operation_ask(op, send_page);
}
