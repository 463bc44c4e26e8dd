/* native.c: see native.h. */
#include "worker/native.h"

#include <ev.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/delivery.h"
#include "worker/operation.h"
#include "worker/verdict.h"
#include "worker/worker.h"

enum { MESSAGE_MAX = 16 * 1024 };

/* --- a run ------------------------------------------------------------------------------------ */

static struct slice put(char **at, struct slice s)
{
    char *p = *at;
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    *at += s.n + 1;
    return slice_of(p, s.n);
}

/* NULL when out of memory. */
static struct moil_run *run_new(struct operation *op, const struct vm_native *ask)
{
    const struct job *job = &op->delivery->job;
    struct slice kwargs = ask->kwargs.n ? ask->kwargs : slice_str("{}");
    size_t size = job->id.n + job->task.n + job->queue.n + ask->args.n + kwargs.n + 5;
    struct moil_run *run = moil_mem_alloc(sizeof *run + size);
    if (!run)
        return NULL;
    char *at = run->text;
    *run = (struct moil_run){
        .operation = op, .worker = op->worker, .starting = true, .retries = job->retries};
    run->id = put(&at, job->id);
    run->task = put(&at, job->task);
    run->queue = put(&at, job->queue);
    run->args = put(&at, ask->args);
    run->kwargs = put(&at, kwargs);
    return run;
}

static void cancel(struct operation *op)
{
    struct moil_run *run = op->native;
    ev_clear_pending(op->worker->loop, &op->timer);
    op->native = NULL;
    if (!run)
        return;
    run->operation = NULL;
    run->worker->in_native++;
    if (run->on_cancel)
        run->on_cancel(run, run->cancel_data);
    run->worker->in_native--;
    moil_mem_free(run);
}

static void ended_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    moil_operation_go_on(timer->data);
}

enum vm_answer moil_host_native(void *data, struct vm_call *call, const struct vm_native *ask)
{
    struct worker *w = data;
    const struct native_task *task = ask->task;
    struct operation *op = moil_operation_new(w, call);
    if (!op)
        return VM_READY;
    struct moil_run *run = op->native = run_new(op, ask);
    if (!run) {
        moil_operation_fail_unsent(op, MOIL_ENOMEM);
        moil_operation_free(op);
        return VM_READY;
    }
    ev_timer_init(&op->timer, ended_cb, 0, 0);
    op->timer.data = op;
    op->cancel = cancel;
    w->in_native++;
    task->fn(run, task->data);
    w->in_native--;
    if (!run->operation) {
        moil_mem_free(run);
        moil_operation_free(op);
        return VM_READY;
    }
    run->starting = false;
    return VM_WAIT;
}

static void answer(struct vm_call *call, const struct native_end *end)
{
    struct slice message = end->message;
    if (end->kind) {
        moil_call_add_string(call, slice_str(end->kind));
        moil_call_add_string(call, slice_str(end->code));
        if (message.n > MESSAGE_MAX)
            message.n = MESSAGE_MAX;
    }
    moil_call_add_string(call, message);
    if (end->kind && end->delay_ms >= 0)
        moil_call_add_int(call, end->delay_ms);
    else if (end->kind)
        moil_call_add_nil(call);
}

int moil_native_end(struct moil_run *run, const struct native_end *end)
{
    struct operation *op = run->operation;
    if (!op)
        return MOIL_ESTATE;
    answer(op->call, end);
    op->native = NULL;
    run->operation = NULL;
    if (!run->starting) {
        moil_mem_free(run);
        ev_feed_event(op->worker->loop, &op->timer, EV_CUSTOM);
    }
    return 0;
}

struct ev_loop *moil_native_loop(const struct moil_run *run)
{
    return run->worker->loop;
}

size_t moil_native_payload(const struct moil_run *run)
{
    return run->worker->options.max_payload;
}

/* --- progress --------------------------------------------------------------------------------- */

/* Nobody waits for the answer, so it is kept with what is needed to say it again. */
struct note {
    struct worker *worker;
    struct slice id, text;
    char bytes[];
};

static int send_note(struct note *note);

static void noted(void *data, int err, const struct reply *reply)
{
    struct note *note = data;
    (void)reply;
    if (err == MOIL_ENOSCRIPT && send_note(note) == 0)
        return;
    moil_mem_free(note);
}

static int send_note(struct note *note)
{
    struct broker *b = &note->worker->broker;
    moil_args_clear(&b->args);
    moil_args_str(&b->args, note->worker->incarnation);
    moil_args_str(&b->args, "1");
    moil_args_slice(&b->args, note->id);
    moil_args_slice(&b->args, note->text);
    return moil_broker_eval(b, SCRIPT_PROGRESS, noted, note);
}

int moil_native_note(const struct moil_run *run, struct slice state, struct slice meta)
{
    struct worker *w = run->worker;
    if (!run->operation)
        return MOIL_ESTATE;
    struct delivery *d = run->operation->delivery;
    struct buffer *text = &w->broker.text;
    if (moil_link_state(w->link) != LINK_UP)
        return MOIL_EREDIS;
    moil_buffer_clear(text);
    moil_verdict_add_note(d, state, meta, text);
    struct note *note =
        text->failed ? NULL : moil_mem_alloc(sizeof *note + d->job.id.n + text->len);
    if (!note)
        return MOIL_ENOMEM;
    note->worker = w;
    char *at = note->bytes;
    memcpy(at, d->job.id.p, d->job.id.n);
    memcpy(at + d->job.id.n, text->data, text->len);
    note->id = slice_of(at, d->job.id.n);
    note->text = slice_of(at + d->job.id.n, text->len);
    d->noted = NOTE_OWN;
    int err = send_note(note);
    if (err)
        moil_mem_free(note);
    return err;
}
