/* operation.c: see operation.h. */
#include "worker/operation.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "worker/beat_request.h"
#include "worker/delivery.h"
#include "worker/worker.h"

enum {
    PATIENCE_US = 15000 * 1000, /* an answer's deadline, and time for a new link after it */
    AGAIN_MS = 20,
    AGAIN_UNLINKED_MS = 100,
};

struct operation *moil_operation_new(struct worker *w, struct vm_call *call)
{
    struct operation *op = moil_mem_zalloc(1, sizeof *op);
    struct run *run = moil_call_run(call);
    if (!op || !run) {
        moil_call_fail(call, run ? "MemoryLimitExceeded" : "BadArgument",
                       run ? "out of memory"
                           : "only a job can do this, not a script that is being loaded");
        moil_mem_free(op);
        return NULL;
    }
    op->worker = w;
    op->call = call;
    op->delivery = moil_run_owner(run);
    op->delivery->operation = op;
    return op;
}

void moil_operation_free(struct operation *op)
{
    if (op->delivery)
        op->delivery->operation = NULL;
    if (op->beat)
        moil_beat_request_fini(op->beat);
    moil_mem_free(op->beat);
    moil_graph_end(&op->graph);
    moil_mem_free(op->subs);
    moil_mem_free(op);
}

void moil_operation_go_on(struct operation *op)
{
    struct delivery *d = op->delivery;
    if (d && d->suspended) {
        d->suspended = false;
        d->worker->suspended--;
    }
    moil_operation_free(op);
    if (d)
        moil_delivery_resume(d);
}

void moil_operation_stop_timer(struct operation *op)
{
    ev_timer_stop(op->worker->loop, &op->timer);
}

void moil_operation_start_timer(struct operation *op, void (*cb)(struct ev_loop *, ev_timer *, int),
                                double seconds)
{
    struct ev_loop *loop = op->worker->loop;
    ev_timer_init(&op->timer, cb, seconds > 0 ? seconds : 0, 0);
    op->timer.data = op;
    ev_now_update(loop); /* the job may have computed for long since the loop last looked at the
                            clock */
    ev_timer_start(loop, &op->timer);
}

/* --- putting a question to Redis -------------------------------------------------------------- */

void moil_operation_fail_reply(struct operation *op, int err, const struct reply *reply)
{
    struct slice text = moil_reply_slice(reply);
    char message[256];
    snprintf(message, sizeof message, "%s%s%.*s", moil_strerror(err), text.n ? ": " : "",
             (int)(text.n < 160 ? text.n : 160), text.p ? text.p : "");
    moil_call_fail(op->call, moil_error_code(err), message);
}

void moil_operation_fail_unsent(struct operation *op, int err)
{
    moil_call_fail(op->call, moil_error_code(err),
                   err == MOIL_EREDIS ? moil_link_error(op->worker->link) : moil_strerror(err));
}

static void again_cb(struct ev_loop *loop, ev_timer *timer, int events);

bool moil_operation_tries_again(struct operation *op, int err)
{
    if (!op->delivery || !op->send || !moil_link_is_transient(err) ||
        moil_clock_monotonic_us() >= op->patience_end_us)
        return false;
    op->cancel = moil_operation_stop_timer;
    int wait_ms = moil_link_state(op->worker->link) == LINK_UP ? AGAIN_MS : AGAIN_UNLINKED_MS;
    moil_operation_start_timer(op, again_cb, err == MOIL_ENOSCRIPT ? 0 : wait_ms / 1000.0);
    return true;
}

static void again_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct operation *op = timer->data;
    op->cancel = NULL;
    int err = op->send(op);
    if (!err || moil_operation_tries_again(op, err))
        return;
    moil_operation_fail_unsent(op, err);
    moil_operation_go_on(op);
}

void moil_operation_answered(void *data, int err, const struct reply *reply)
{
    struct operation *op = data;
    if (err && moil_operation_tries_again(op, err))
        return;
    if (op->delivery && err)
        moil_operation_fail_reply(op, err, reply);
    else if (op->delivery && op->answer)
        op->answer(op, reply);
    moil_operation_go_on(op);
}

enum vm_answer moil_operation_ask(struct operation *op, int (*send)(struct operation *op))
{
    op->send = send;
    op->patience_end_us = moil_clock_monotonic_us() + PATIENCE_US;
    int err = send(op);
    if (!err || moil_operation_tries_again(op, err))
        return VM_WAIT;
    moil_operation_fail_unsent(op, err);
    moil_operation_free(op);
    return VM_READY;
}
