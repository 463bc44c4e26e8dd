/* delivery.c: see delivery.h. */
#include "worker/delivery.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "base/mem.h"
#include "queue/message.h"
#include "worker/gatherer.h"
#include "worker/host.h"
#include "worker/order.h"
#include "worker/slicer.h"
#include "worker/verdict.h"
#include "worker/worker.h"

enum { NOTE_AFTER_US = 250 * 1000 };

void moil_delivery_add(struct worker *w, struct slice id, struct slice record)
{
    struct delivery *d = moil_mem_alloc(sizeof *d + id.n + record.n);
    if (!d) { /* it stays in flight with us, as if its worker had died; recovery gives it back */
        log_error("out of memory for job %.*s", (int)id.n, id.p);
        return;
    }
    memset(d, 0, sizeof *d);
    d->worker = w;
    d->link = w->links;
    memcpy(d->bytes, id.p, id.n);
    memcpy(d->bytes + id.n, record.p ? record.p : "", record.n);
    d->record = slice_of(d->bytes + id.n, record.n);
    d->job.id = slice_of(d->bytes, id.n);
    d->damaged = moil_message_decode(d->record, &d->job) != 0 ||
                 moil_envelope_decode(d->job.extra, &d->envelope) != 0;
    d->task = d->damaged ? NULL : moil_vm_task(w->vm, d->job.task);
    d->claim = moil_claims_add(&w->options.page->claims, d->job.id);
    DL_APPEND(w->reserved, d);
    w->reserved_count++;
}

bool moil_delivery_claim(struct delivery *d)
{
    if (!moil_claims_take(&d->worker->options.page->claims, d->claim)) {
        moil_fetcher_wake(&d->worker->fetcher); /* its queue has it again */
        moil_delivery_free(d);
        return false;
    }
    d->claim = 0;
    return true;
}

/* From the reserved to the running list; both clocks are read once. */
static void mark_started(struct worker *w, struct delivery *d)
{
    DL_DELETE(w->reserved, d);
    w->reserved_count--;
    DL_APPEND(w->running, d);
    w->running_count++;
    w->lifetime.started++;
    d->started_us = moil_clock_wall_us();
    d->started_mono_us = moil_clock_monotonic_us();
    moil_counter_started(d);
}

static void on_cpu(struct worker *w, struct slice id)
{
    struct page *page = w->options.page;
    size_t n = id.n < MOIL_NAME_MAX ? id.n : MOIL_NAME_MAX;
    memcpy(page->on_cpu, id.p, n);
    page->on_cpu[n] = '\0';
}

static void expired_cb(struct ev_loop *loop, ev_timer *timer, int events);

/* What the call said, else the task, else the worker's configuration; 0: none. */
static double limit_of(double call, double task, double config)
{
    double s = call != 0 ? call : task != 0 ? task : config;
    return s > 0 ? s : 0;
}

/* Of a task: what was set at run time goes before its own. */
static double set_or_own(double set, double own)
{
    return set != 0 ? set : own;
}

static size_t memory_limit(const struct delivery *d)
{
    if (d->task->memory_limit != 0)
        return d->task->memory_limit > 0 ? (size_t)d->task->memory_limit : 0;
    return d->worker->options.memory_limit;
}

static void set_limits(struct delivery *d)
{
    const struct worker_options *o = &d->worker->options;
    moil_run_limit_memory(d->run, memory_limit(d));
    moil_run_limit(d->run,
                   limit_of(d->envelope.soft_time_limit_s,
                            set_or_own(d->task->set_soft_time_limit_s, d->task->soft_time_limit_s),
                            o->soft_time_limit_s),
                   limit_of(d->envelope.time_limit_s,
                            set_or_own(d->task->set_time_limit_s, d->task->time_limit_s),
                            o->time_limit_s));
    ev_timer_init(&d->limit, expired_cb, 0, 0);
    d->limit.data = d;
}

/* A run that waits is watched by the loop: the slice timer sees only what is on the CPU. */
static void watch_limit(struct delivery *d)
{
    int64_t at_us = moil_run_next_deadline(d->run);
    if (!at_us)
        return;
    double s = (double)(at_us - moil_clock_monotonic_us()) / 1e6;
    ev_timer_set(&d->limit, s > 0 ? s : 0, 0);
    ev_timer_start(d->worker->loop, &d->limit);
}

static void went(struct delivery *d, enum run_status status)
{
    struct worker *w = d->worker;
    on_cpu(w, slice_of("", 0));
    switch (status) {
    case RUN_DONE:
        MOIL_CRASH_POINT("job.done");
        if (d->order)
            moil_order_ended(d, moil_run_outcome(d->run));
        else
            moil_verdict_outcome(d, moil_run_outcome(d->run));
        return;
    case RUN_WAITING:
        MOIL_CRASH_POINT("job.waiting");
        watch_limit(d);
        return;
    case RUN_SLICED:
        MOIL_CRASH_POINT("job.sliced");
        d->sliced = true;
        DL_APPEND2(w->ready, d, ready_prev, ready_next);
        return;
    }
}

static void end_victim(struct worker *w);

/* One stretch on the CPU: until the job waits, ends, or is over its slice. */
static void go(struct delivery *d, enum run_status (*how)(struct run *run))
{
    struct worker *w = d->worker;
    if (w->options.limits == WORKER_LIMITS_SIGNAL)
        moil_slicer_begin(w->vm, w->options.page);
    ev_timer_stop(w->loop, &d->limit);
    moil_worker_publish_deadline(w, moil_run_hard_deadline(d->run));
    atomic_store_explicit(&w->options.page->deliveries_max, d->task->max_deliveries,
                          memory_order_relaxed);
    atomic_fetch_add_explicit(&w->options.page->turn, 1, memory_order_relaxed);
    on_cpu(w, d->job.id);
    MOIL_CRASH_POINT("job.on_cpu");
    enum run_status status = how(d->run);
    MOIL_CRASH_POINT("job.on_cpu_still");
    went(d, status);
    end_victim(w);
}

static void run(struct delivery *d)
{
    go(d, moil_run_resume);
}

static void give_up_wait(struct delivery *d)
{
    ev_timer_stop(d->worker->loop, &d->limit);
    moil_host_abandon(d);
    if (d->suspended) {
        d->suspended = false;
        d->worker->suspended--;
    }
}

static void expired_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct delivery *d = timer->data;
    give_up_wait(d);
    go(d, moil_run_expire);
}

static void unslice(struct delivery *d)
{
    d->sliced = false;
    DL_DELETE2(d->worker->ready, d, ready_prev, ready_next);
}

/* Ends a job that is not on the CPU. */
static void end_by(struct delivery *d, enum run_status (*how)(struct run *run))
{
    give_up_wait(d);
    if (d->sliced)
        unslice(d);
    go(d, how);
}

/* The state is full: the job that holds the most has to go. */
static void end_victim(struct worker *w)
{
    struct run *victim = moil_vm_victim(w->vm);
    if (victim)
        end_by(moil_run_owner(victim), moil_run_exceed);
}

static struct delivery *find(struct delivery *list, struct slice id)
{
    struct delivery *d;
    DL_FOREACH(list, d) {
        if (slice_eq(d->job.id, id))
            return d;
    }
    return NULL;
}

void moil_delivery_terminate(struct worker *w, struct slice id)
{
    struct delivery *d = find(w->reserved, id);
    if (d) {
        if (moil_delivery_claim(d))
            moil_verdict_revoked(d);
        return;
    }
    d = find(w->running, id);
    if (d && d->run)
        end_by(d, moil_run_terminate);
    else if (d && d->gathering)
        moil_verdict_revoked(d);
}

void moil_delivery_next_turn(struct worker *w)
{
    struct delivery *d = w->ready;
    unslice(d);
    run(d);
}

/* Its function runs; or, where there is an error, only retry policy and hooks do. */
static void start(struct delivery *d, const struct job *job, struct slice error)
{
    struct worker *w = d->worker;
    d->run = moil_run_new(w->vm, d->task, job, slice_str(w->incarnation), d);
    if (!d->run) {
        moil_verdict_requeue(d);
        return;
    }
    set_limits(d);
    if (error.n)
        moil_run_condemn(d->run, error);
    run(d);
}

void moil_delivery_begin(struct delivery *d, double soft_s, double hard_s)
{
    moil_run_limit(d->run, soft_s, hard_s);
    ev_timer_init(&d->limit, expired_cb, 0, 0);
    d->limit.data = d;
    run(d);
}

void moil_delivery_gathered(struct delivery *d, struct slice args, struct slice error)
{
    struct job job = d->job;
    MOIL_CRASH_POINT("job.gathered");
    if (!error.n)
        job.args = args;
    start(d, &job, error);
}

void moil_delivery_start(struct worker *w, struct delivery *d)
{
    if (!moil_delivery_claim(d))
        return;
    mark_started(w, d);
    MOIL_CRASH_POINT("job.started");
    if (d->damaged) {
        moil_verdict_damaged(d);
        return;
    }
    if (d->envelope.expires_s > 0 && (double)d->started_us / 1e6 > d->envelope.expires_s) {
        moil_verdict_expired(d);
        return;
    }
    if (!d->task) {
        moil_verdict_unregistered(d);
        return;
    }
    if (d->task->blocking)
        w->alone = d;
    if (d->job.verdict.n || !d->envelope.gather[0])
        start(d, &d->job, d->job.verdict);
    else if (!moil_gatherer_start(d))
        moil_verdict_requeue(d);
}

void moil_delivery_resume(struct delivery *d)
{
    MOIL_CRASH_POINT("job.resumed");
    run(d);
}

void moil_delivery_free(struct delivery *d)
{
    struct worker *w = d->worker;
    if (d->suspended)
        w->suspended--;
    if (d->order) {
        DL_DELETE(w->orders.running, d);
        w->orders.count--;
    } else if (d->started_us) {
        DL_DELETE(w->running, d);
        w->running_count--;
    } else {
        DL_DELETE(w->reserved, d);
        w->reserved_count--;
    }
    moil_host_abandon(d);
    moil_gatherer_abandon(d);
    if (w->alone == d)
        w->alone = NULL;
    if (d->sliced)
        unslice(d);
    if (d->run) {
        ev_timer_stop(w->loop, &d->limit);
        moil_run_free(d->run);
    }
    moil_mem_free(d->order);
    moil_mem_free(d);
}

void moil_delivery_notes_lost(struct worker *w)
{
    struct delivery *d;
    DL_FOREACH(w->running, d) {
        if (d->noted == NOTE_STARTED)
            d->noted = NOTE_NONE;
    }
}

static void noted(void *data, int err, const struct reply *reply)
{
    (void)reply;
    if (err && err != MOIL_EFENCED)
        moil_delivery_notes_lost(data);
}

void moil_delivery_note_long(struct worker *w)
{
    struct broker *b = &w->broker;
    struct delivery *d, *who[MOIL_BATCH_MAX];
    if (moil_link_state(w->link) != LINK_UP)
        return;
    size_t ends[MOIL_BATCH_MAX], count = 0;
    int64_t before = moil_clock_monotonic_us() - NOTE_AFTER_US;
    moil_buffer_clear(&b->text);
    DL_FOREACH(w->running, d) {
        if (d->started_mono_us > before || count == MOIL_BATCH_MAX)
            break;
        if (d->noted != NOTE_NONE)
            continue;
        moil_verdict_add_note(d, slice_str("STARTED"), slice_of("", 0), &b->text);
        ends[count] = b->text.len;
        who[count++] = d;
    }
    if (!count || b->text.failed)
        return;
    moil_args_clear(&b->args);
    moil_args_str(&b->args, w->incarnation);
    moil_args_str(&b->args, "0");
    for (size_t i = 0, start = 0; i < count; start = ends[i++]) {
        moil_args_slice(&b->args, who[i]->job.id);
        moil_args_add(&b->args, b->text.data + start, ends[i] - start);
    }
    if (moil_broker_eval(b, SCRIPT_PROGRESS, noted, w) == 0)
        for (size_t i = 0; i < count; i++)
            who[i]->noted = NOTE_STARTED;
}
