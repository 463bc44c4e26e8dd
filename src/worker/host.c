/* host.c: see host.h. What a run waits for is an operation (operation.h). */
#include "worker/host.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "queue/describe.h"
#include "queue/message.h"
#include "worker/delivery.h"
#include "worker/native.h"
#include "worker/operation.h"
#include "worker/program.h"
#include "worker/verdict.h"
#include "worker/worker.h"

enum { SUSPENDED_MAX = 10000 };

void moil_host_abandon(struct delivery *d)
{
    struct operation *op = d->operation;
    if (!op)
        return;
    d->operation = NULL;
    op->delivery = NULL;
    if (op->cancel) { /* nothing is owed to it any more */
        op->cancel(op);
        moil_operation_free(op);
    }
}

/* --- enqueue ---------------------------------------------------------------------------------- */

static void enqueued(void *data, int err, const struct reply *reply)
{
    struct operation *op = data;
    if (err && moil_operation_tries_again(op, err))
        return;
    if (op->delivery && err)
        moil_operation_fail_reply(op, err, reply);
    for (size_t i = 0; op->delivery && !err && i < op->count; i++)
        moil_call_add_bool(op->call, op->subs[i].created);
    moil_operation_go_on(op);
}

static int send_enqueue(struct operation *op)
{
    return moil_broker_enqueue(&op->worker->broker, op->subs, op->count, enqueued, op);
}

static enum vm_answer host_enqueue(void *data, struct vm_call *call, struct submission *subs,
                                   size_t count)
{
    struct operation *op = moil_operation_new(data, call);
    if (!op)
        return VM_READY;
    op->count = count;
    op->subs = moil_mem_alloc((count ? count : 1) * sizeof *subs);
    if (!op->subs) {
        moil_operation_fail_unsent(op, MOIL_ENOMEM);
        moil_operation_free(op);
        return VM_READY;
    }
    memcpy(op->subs, subs, count * sizeof *subs);
    return moil_operation_ask(op, send_enqueue);
}

/* --- waiting for a result --------------------------------------------------------------------- */

static void wait_cancel(struct operation *op)
{
    moil_operation_stop_timer(op);
    moil_inbox_cancel(&op->worker->inbox, &op->wait);
}

static void wait_answer(struct operation *op, struct slice state, struct slice value)
{
    moil_call_add_string(op->call, state);
    moil_call_add_string(op->call, value);
}

static void wait_progress(struct operation *op, struct slice text)
{
    struct note note;
    if (!op->wants_progress || moil_note_decode(text, &note) != 0 ||
        slice_is(note.state, "STARTED") || slice_eq(text, op->seen))
        return;
    wait_cancel(op);
    moil_call_add_string(op->call, note.state);
    moil_call_add_string(op->call, note.meta);
    moil_call_add_string(op->call, text); /* what was seen, for the next wait */
    moil_operation_go_on(op);
}

static void wait_event(struct inbox_wait *wait, enum inbox_event event, int err, struct slice text)
{
    struct operation *op = wait->data;
    struct outcome_record record;
    if (event == INBOX_PROGRESS) {
        wait_progress(op, text);
        return;
    }
    moil_operation_stop_timer(op);
    if (event == INBOX_FAILED)
        moil_call_fail(op->call, moil_error_code(err), moil_strerror(err));
    else if (event == INBOX_UNKNOWN)
        moil_call_fail(op->call, "UnknownJob",
                       "no job under this id: never enqueued, or its result was not kept");
    else if (moil_outcome_decode(text, &record) != 0)
        moil_call_fail(op->call, "BadMessage", "the job's record is damaged");
    else
        wait_answer(op, record.state, record.value);
    op->cancel = NULL;
    moil_operation_go_on(op);
}

static void wait_timeout(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct operation *op = timer->data;
    moil_inbox_cancel(&op->worker->inbox, &op->wait);
    moil_call_fail(op->call, "Timeout", "the job did not end within the time given");
    moil_operation_go_on(op);
}

static enum vm_answer host_wait(void *data, struct vm_call *call, const struct vm_wait *wait)
{
    struct worker *w = data;
    struct operation *op = moil_operation_new(w, call);
    if (!op)
        return VM_READY;
    op->wait = (struct inbox_wait){.cb = wait_event, .data = op};
    op->wants_progress = wait->progress;
    op->seen = wait->seen;
    int err = moil_inbox_wait(&w->inbox, &op->wait, wait->id);
    if (err) {
        moil_operation_fail_unsent(op, err);
        moil_operation_free(op);
        return VM_READY;
    }
    op->cancel = wait_cancel;
    if (wait->timeout_s >= 0)
        moil_operation_start_timer(op, wait_timeout, wait->timeout_s);
    if (w->suspended < SUSPENDED_MAX && !op->delivery->order) { /* beyond that it keeps its slot */
        op->delivery->suspended = true;
        w->suspended++;
    }
    return VM_WAIT;
}

/* --- questions about a job -------------------------------------------------------------------- */

static void answer_query(struct operation *op, const struct reply *reply)
{
    bool known = moil_reply_type(reply) != REPLY_NIL;
    struct buffer json;
    if (!known && op->question.query != VM_FORGET) {
        moil_call_fail(op->call, "UnknownJob",
                       "no job under this id: never enqueued, or its result expired");
        return;
    }
    switch (op->question.query) {
    case VM_INSPECT:
        moil_buffer_init(&json);
        if (moil_describe_job(op->question.id, reply, &json) == 0)
            moil_call_add_string(op->call, moil_buffer_slice(&json));
        else
            moil_call_fail(op->call, "BadMessage", "the job's record is damaged");
        moil_buffer_fini(&json);
        return;
    case VM_REVOKE:
    case VM_RESCHEDULE:
        moil_call_add_string(op->call, moil_reply_slice(reply));
        return;
    case VM_FORGET:
    case VM_DELETE:
        moil_call_add_bool(op->call, moil_reply_integer(reply) == 1);
        return;
    }
}

static const enum script_id query_scripts[] = {
    [VM_INSPECT] = SCRIPT_INSPECT, [VM_REVOKE] = SCRIPT_REVOKE, [VM_RESCHEDULE] = SCRIPT_RESCHEDULE,
    [VM_FORGET] = SCRIPT_FORGET,   [VM_DELETE] = SCRIPT_DELETE,
};

static int send_query(struct operation *op)
{
    struct worker *w = op->worker;
    struct args *a = &w->broker.args;
    const struct vm_question *q = &op->question;
    moil_args_clear(a);
    moil_args_slice(a, q->id);
    if (q->query == VM_REVOKE)
        moil_revoke_args(a, w->options.result_ttl_s, q->terminate);
    else if (q->query == VM_RESCHEDULE)
        moil_reschedule_args(a, q->countdown, q->eta);
    return moil_broker_eval(&w->broker, query_scripts[q->query], moil_operation_answered, op);
}

static enum vm_answer host_query(void *data, struct vm_call *call,
                                 const struct vm_question *question)
{
    struct operation *op = moil_operation_new(data, call);
    if (!op)
        return VM_READY;
    op->question = *question;
    op->answer = answer_query;
    return moil_operation_ask(op, send_query);
}

/* --- sleep, programs, progress ---------------------------------------------------------------- */

static void sleep_over(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    moil_operation_go_on(timer->data);
}

static enum vm_answer host_sleep(void *data, struct vm_call *call, double seconds)
{
    struct worker *w = data;
    struct operation *op = moil_operation_new(w, call);
    if (!op)
        return VM_READY;
    op->cancel = moil_operation_stop_timer;
    moil_operation_start_timer(op, sleep_over, seconds);
    return VM_WAIT;
}

static void program_cancel(struct operation *op)
{
    moil_program_kill(op->program);
}

static void program_ended(void *data, const struct program_result *r)
{
    struct operation *op = data;
    op->program = NULL;
    op->cancel = NULL;
    moil_program_answer(op->call, r);
    moil_operation_go_on(op);
}

static enum vm_answer host_spawn(void *data, struct vm_call *call, const struct vm_spawn *spawn)
{
    struct worker *w = data;
    struct operation *op = moil_operation_new(w, call);
    if (!op)
        return VM_READY;
    char errstr[256];
    op->program = moil_program_start(w->loop, spawn, program_ended, op, errstr, sizeof errstr);
    if (!op->program) {
        moil_call_fail(call, "BadArgument", errstr);
        moil_operation_free(op);
        return VM_READY;
    }
    op->cancel = program_cancel;
    return VM_WAIT;
}

static int send_note(struct operation *op)
{
    struct broker *b = &op->worker->broker;
    moil_buffer_clear(&b->text);
    moil_verdict_add_note(op->delivery, op->state, op->meta, &b->text);
    moil_args_clear(&b->args);
    moil_args_str(&b->args, op->worker->incarnation);
    moil_args_str(&b->args, "1");
    moil_args_slice(&b->args, op->delivery->job.id);
    moil_args_slice(&b->args, moil_buffer_slice(&b->text));
    return b->text.failed ? MOIL_ENOMEM
                          : moil_broker_eval(b, SCRIPT_PROGRESS, moil_operation_answered, op);
}

static enum vm_answer host_update_state(void *data, struct vm_call *call, struct slice state,
                                        struct slice meta)
{
    struct operation *op = moil_operation_new(data, call);
    if (!op)
        return VM_READY;
    op->state = state;
    op->meta = meta;
    op->delivery->noted = NOTE_OWN;
    return moil_operation_ask(op, send_note);
}

static enum vm_answer host_connect(void *data, struct vm_call *call, struct slice url)
{
    (void)data;
    (void)url;
    moil_call_fail(
        call, "BadArgument",
        "inside a worker moil talks to the worker's own Redis: moil.connect is for other programs");
    return VM_READY;
}

static void host_deadline(void *data, int64_t hard_us)
{
    moil_worker_publish_deadline(data, hard_us);
}

struct vm_host moil_host_of(struct worker *w)
{
    return (struct vm_host){
        .data = w,
        .max_payload = w->options.max_payload,
        .enqueue = host_enqueue,
        .submit_graph = moil_host_submit_graph,
        .page = moil_host_page,
        .wait = host_wait,
        .query = host_query,
        .sleep = host_sleep,
        .beat = moil_host_beat,
        .control = moil_host_control,
        .spawn = host_spawn,
        .native = moil_host_native,
        .update_state = host_update_state,
        .connect = host_connect,
        .deadline = host_deadline,
    };
}
