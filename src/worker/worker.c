/* worker.c: a worker's life, and the turn of its loop. See worker.h. */
#include "worker/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "worker/delivery.h"
#include "worker/drain.h"
#include "worker/host.h"
#include "worker/native.h"
#include "worker/slicer.h"
#include "worker/verdict.h"

enum {
    CALL_TIMEOUT_MS = 10000, /* of a script; Redis may be busy with somebody's slow command */
    TURN_US = 1000,          /* of starting jobs before the loop looks at its sockets again */
    BREATH_US = 500,  /* for round trips to Redis between two slices: a slice each would be felt by
                         all neighbours */
    CLOCK_EVERY = 16, /* jobs between two looks at the clock: one look costs 25 ns, a no-op job 1 us
                       */
};

/* --- joining and leaving ---------------------------------------------------------------------- */

static void joined(void *data, int err, const struct reply *reply)
{
    struct worker *w = data;
    if (w->state != WORKER_JOINING)
        return;
    if (err) {
        if (reply && err != MOIL_ENOSCRIPT)
            log_warning("cannot register with Redis, trying again: %.*s",
                        (int)moil_reply_slice(reply).n, moil_reply_slice(reply).p);
        ev_timer_again(w->loop, &w->retry);
        return;
    }
    MOIL_CRASH_POINT("worker.joined");
    moil_orders_set_limits(&w->orders, reply);
    w->state = w->quiet ? WORKER_QUIET : WORKER_SERVING;
    moil_fetcher_wake(&w->fetcher); /* the token of what waits may have gone to the incarnation
                                       before */
    bool again = atomic_exchange(&w->options.page->ready, 1) == 1;
    if (w->options.on_ready && !again)
        w->options.on_ready(w->options.data);
}

static void join(struct worker *w)
{
    moil_args_clear(&w->broker.args);
    moil_args_str(&w->broker.args, w->incarnation);
    moil_args_str(&w->broker.args, w->options.node);
    moil_broker_eval(&w->broker, SCRIPT_JOIN, joined, w);
}

static void done(struct worker *w)
{
    w->state = WORKER_DONE;
    moil_link_stop(w->waiting);
    w->options.on_done(w->options.data);
}

static void left(void *data, int err, const struct reply *reply)
{
    struct worker *w = data;
    (void)reply;
    MOIL_CRASH_POINT("worker.left");
    if (err && err != MOIL_EFENCED)
        ev_timer_again(w->loop, &w->retry);
    else
        done(w);
}

static void leave(struct worker *w)
{
    moil_args_clear(&w->broker.args);
    moil_args_str(&w->broker.args, w->incarnation);
    if (moil_broker_eval(&w->broker, SCRIPT_LEAVE, left, w) == 0)
        return;
    if (w->leaves_unheard) {
        done(w); /* Redis is away, and it holds nothing of ours */
        return;
    }
    w->leaves_unheard = true; /* it may be back in a second: on_up or the timer tries again */
    ev_timer_again(w->loop, &w->retry);
}

static void new_incarnation(struct worker *w)
{
    moil_id_new(w->incarnation);
    memcpy(w->options.page->incarnation, w->incarnation, sizeof w->incarnation);
    moil_claims_begin(&w->options.page->claims);
    moil_inbox_fini(&w->inbox);
    moil_inbox_init(&w->inbox, &w->broker, w->incarnation);
}

static void close_all(struct worker *w)
{
    struct delivery *d, *next;
    DL_FOREACH_SAFE(w->reserved, d, next)
        moil_delivery_free(d);
    DL_FOREACH_SAFE(w->running, d, next)
        moil_delivery_free(d);
    DL_FOREACH_SAFE(w->orders.running, d, next)
        moil_delivery_free(d);
}

void moil_worker_fenced(struct worker *w)
{
    log_error("this worker (incarnation %s) was declared dead while it lived; its %u jobs are run "
              "elsewhere",
              w->incarnation, w->running_count);
    close_all(w);
    MOIL_CRASH_POINT("worker.fenced");
    moil_settler_void(&w->settler);
    w->fetcher.lost = false;
    if (w->state >= WORKER_STOPPING) {
        done(w);
        return;
    }
    new_incarnation(w);
    w->state = WORKER_JOINING;
    join(w);
}

void moil_worker_publish_deadline(struct worker *w, int64_t hard_us)
{
    atomic_store_explicit(&w->options.page->hard_deadline_us, hard_us, memory_order_relaxed);
}

/* --- the turn of the loop --------------------------------------------------------------------- */

/* A blocking task's job runs alone; but not while it waits for another job's result, which may be
 * ours to run. */
bool moil_worker_is_in_the_way(const struct worker *w)
{
    const struct task *next = w->reserved->task;
    bool taken = w->alone && !w->alone->suspended;
    return taken || (next && next->blocking && moil_worker_active(w) > 0);
}

static bool may_start(const struct worker *w)
{
    return w->reserved && !moil_worker_is_in_the_way(w) &&
           (w->state <= WORKER_QUIET || moil_drain_starts(w)) &&
           moil_lifetime_may_start(&w->lifetime) &&
           moil_worker_active(w) < (unsigned)w->options.concurrency &&
           !moil_settler_is_full(&w->settler);
}

/* At most a batch, too: Redis settles it and fetches the next while we run the one after, where all
 * of them would leave it idle until they are through. On a loop that others use, a job whose slice
 * was over ends the turn. */
void moil_worker_start_jobs(struct worker *w)
{
    int64_t end_us = may_start(w) ? moil_clock_monotonic_us() + TURN_US : 0;
    unsigned every = w->options.shares_loop ? 1 : CLOCK_EVERY;
    for (unsigned n = 1; n <= MOIL_BATCH_MAX && may_start(w); n++) {
        moil_delivery_start(w, w->reserved);
        if (n % every == 0 && (moil_clock_monotonic_us() >= end_us ||
                               moil_settler_is_due(&w->settler, w->reserved_count)))
            break;
    }
}

static void busy_cb(struct ev_loop *loop, ev_idle *watcher, int events)
{
    (void)loop;
    (void)events;
    struct worker *w = watcher->data;
    int64_t started_us = w->options.shares_loop ? moil_clock_monotonic_us() : 0;
    moil_worker_start_jobs(w);
    bool took_long = started_us && moil_clock_monotonic_us() - started_us > TURN_US;
    if (w->ready && !took_long) {
        moil_delivery_next_turn(w);
        w->breath_end_us = moil_clock_monotonic_us() + BREATH_US;
    }
}

static void breath_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop, (void)timer, (void)events; /* the turn that follows does it */
}

/* Starts what can be started once the sockets were looked at; or, when there are only slices to
 * give and Redis owes an answer, waits for that a moment first. */
static void go_on(struct worker *w)
{
    bool start = may_start(w);
    int64_t now_us = w->ready && !start ? moil_clock_monotonic_us() : 0;
    bool breathes = now_us && now_us < w->breath_end_us && moil_link_outstanding(w->link) > 0;
    if (breathes) {
        ev_timer_stop(w->loop, &w->fetcher.pause);
        ev_timer_stop(w->loop, &w->breath);
        ev_timer_set(&w->breath, (double)(w->breath_end_us - now_us) / 1e6, 0);
        ev_timer_start(w->loop, &w->breath);
    }
    if (start || (w->ready && !breathes))
        ev_idle_start(w->loop, &w->busy);
    else
        ev_idle_stop(w->loop, &w->busy);
}

static void stop_when_over(struct worker *w)
{
    const struct fetcher *f = &w->fetcher;
    bool idle = !w->reserved && !w->running && !w->orders.running &&
                moil_settler_is_empty(&w->settler) && f->calls == 0 && !f->reclaiming &&
                !w->dispute.open;
    /* What a lost reply may have left in flight with us is reclaimed first; without Redis, recovery
     * gives it back. */
    if (f->lost && moil_link_state(w->link) == LINK_UP)
        idle = false;
    if (w->options.burst && w->state == WORKER_SERVING &&
        moil_burst_is_over(&w->burst, idle && f->drained))
        w->state = WORKER_STOPPING;
    if (w->state == WORKER_STOPPING && idle) {
        MOIL_CRASH_POINT("worker.idle");
        w->state = WORKER_LEAVING;
        leave(w);
    }
}

static void turn_cb(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    (void)events;
    struct worker *w = watcher->data;
    moil_dispute_turn(w);
    moil_orders_turn(&w->orders);
    moil_lifetime_turn(&w->lifetime);
    if (w->state == WORKER_STOPPING && !may_start(w))
        moil_drain_give_back(w);
    moil_settler_flush(&w->settler);
    moil_fetcher_turn(&w->fetcher);
    stop_when_over(w);
    moil_link_flush(w->link);
    moil_link_flush(w->waiting);
    MOIL_CRASH_POINT_IF(w->state == WORKER_JOINING, "worker.join_written");
    MOIL_CRASH_POINT_IF(w->state == WORKER_LEAVING, "worker.leave_written");
    MOIL_CRASH_POINT_IF(w->fetcher.calls > 0, "fetch.written");
    MOIL_CRASH_POINT_IF(w->settler.sent > 0, "settle.written");
    go_on(w);
    if (w->options.limits == WORKER_LIMITS_SIGNAL)
        moil_slicer_turn();
    if (w->running && !ev_is_active(&w->notes))
        ev_timer_again(loop, &w->notes);
    moil_vitals_publish(w);
}

static void notes_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    struct worker *w = timer->data;
    if (w->running)
        moil_delivery_note_long(w);
    else
        ev_timer_stop(loop, timer);
}

static void refresh_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    struct worker *w = timer->data;
    moil_inbox_refresh(&w->inbox);
}

static void retry_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    struct worker *w = timer->data;
    ev_timer_stop(loop, timer);
    if (w->state == WORKER_JOINING)
        join(w);
    else if (w->state == WORKER_LEAVING)
        leave(w);
}

static void link_up(void *data)
{
    struct worker *w = data;
    if (w->links++ > 0)
        moil_counter_reconnected(w);
    ev_timer_stop(w->loop, &w->retry); /* what waited for it may be sent again now */
    if (w->state == WORKER_JOINING)
        join(w);
    else if (w->state == WORKER_LEAVING)
        leave(w);
    moil_inbox_refresh(&w->inbox);
    moil_orders_resume(&w->orders);
}

static void link_down(void *data, int err)
{
    (void)err;
    struct worker *w = data;
    moil_fetcher_link_lost(&w->fetcher);
}

/* --- life ------------------------------------------------------------------------------------- */

static bool add_queue(void *data, struct task *task)
{
    struct buffer *text = data;
    char entry[MOIL_NAME_MAX + 3];
    snprintf(entry, sizeof entry, ",%.*s,", (int)task->queue.n, task->queue.p);
    moil_buffer_add_char(text, ','); /* so that the last name ends like the others */
    bool known = strstr(moil_buffer_cstr(text), entry) != NULL;
    text->len--;
    if (task->queue.n && !known) {
        moil_buffer_add_char(text, ',');
        moil_buffer_add_slice(text, task->queue);
    }
    return true;
}

int moil_worker_queues(struct vm *vm, const char *spec, struct queue_set *set, char *errstr,
                       size_t errlen)
{
    struct buffer text;
    moil_buffer_init(&text);
    if (!spec) {
        moil_buffer_add_str(&text, ",default");
        moil_vm_each_task(vm, add_queue, &text);
        spec = moil_buffer_cstr(&text) + 1;
    }
    int err = text.failed ? MOIL_ENOMEM : moil_queues_parse(set, spec, errstr, errlen);
    moil_buffer_fini(&text);
    return err;
}

static int load(struct worker *w)
{
    struct vm_options options = {
        .lua_dir = w->options.lua_dir,
        .config_json = w->options.config_json,
        .snapshot = w->options.snapshot,
        .time_limit_s = w->options.time_limit_s,
        .soft_time_limit_s = w->options.soft_time_limit_s,
        .max_memory_mb = (double)w->options.max_memory / 1048576,
        .limits = w->options.limits == WORKER_LIMITS_HOOK ? VM_LIMITS_HOOK : VM_LIMITS_TICK};
    if (w->options.tasks) {
        w->options.tasks->in_use = true;
        options.natives = w->options.tasks->shown;
        options.native_count = w->options.tasks->count;
    }
    struct vm_host host = moil_host_of(w);
    w->vm = moil_vm_new(&options, &host, w->errstr, sizeof w->errstr);
    if (!w->vm)
        return errno == ENOMEM ? MOIL_ENOMEM : MOIL_EINVAL;
    int err = 0;
    if (w->options.snapshot)
        err = moil_vm_load_snapshot(w->vm, w->errstr, sizeof w->errstr);
    for (const char *const *path = w->options.paths; !err && path && *path; path++)
        err = moil_vm_load(w->vm, *path, w->errstr, sizeof w->errstr);
    if (!err)
        err = moil_vm_add_natives(w->vm, w->errstr, sizeof w->errstr);
    if (err)
        return err;
    moil_vm_seal(w->vm);
    moil_lifetime_begin(&w->lifetime);
    if (w->options.state_memory)
        moil_vm_limit_memory(w->vm, w->options.state_memory);
    moil_counter_begin(w);
    return moil_worker_queues(w->vm, w->options.queues, &w->queues, w->errstr, sizeof w->errstr);
}

static void init_watchers(struct worker *w)
{
    ev_prepare_init(&w->turn, turn_cb);
    ev_idle_init(&w->busy, busy_cb);
    if (w->options.shares_loop) /* an idle watcher waits for all events of its own priority */
        ev_set_priority(&w->busy, EV_MAXPRI);
    ev_timer_init(&w->breath, breath_cb, 0, 0);
    ev_timer_init(&w->refresh, refresh_cb, 0, MOIL_INBOX_REFRESH_MS / 1000.0);
    ev_timer_init(&w->notes, notes_cb, 0, 0.25);
    ev_timer_init(&w->retry, retry_cb, 0, 1.0);
    w->turn.data = w->busy.data = w->refresh.data = w->notes.data = w->retry.data = w;
}

int moil_worker_init(struct worker *w, struct ev_loop *loop, const struct worker_options *options)
{
    memset(w, 0, sizeof *w);
    w->options = *options;
    w->loop = loop;
    w->state = WORKER_JOINING;
    w->quiet = options->quiet;
    moil_buffer_init(&w->text);
    moil_buffer_init(&w->error);
    moil_fetcher_init(&w->fetcher, w);
    moil_burst_init(&w->burst, w);
    moil_dispute_init(&w->dispute, w);
    moil_settler_init(&w->settler, w);
    moil_orders_init(&w->orders, w);
    moil_lifetime_init(&w->lifetime, w);
    init_watchers(w);
    w->link =
        moil_link_new(loop, options->url, &(struct link_hooks){link_up, link_down, w, "worker's"});
    w->waiting = moil_link_new(loop, options->url, &(struct link_hooks){.data = w});
    if (!w->link || !w->waiting)
        return MOIL_ENOMEM;
    int err = moil_broker_init(&w->broker, w->link, options->ns, CALL_TIMEOUT_MS);
    if (err) {
        snprintf(w->errstr, sizeof w->errstr,
                 "namespace \"%.80s\": 1 to 64 printable characters without space, { and }",
                 options->ns);
        return err;
    }
    new_incarnation(w);
    return load(w);
}

void moil_worker_fini(struct worker *w)
{
    close_all(w);
    if (w->options.limits == WORKER_LIMITS_SIGNAL)
        moil_slicer_end();
    moil_dispute_fini(&w->dispute, w);
    moil_link_free(w->link);
    moil_link_free(w->waiting);
    ev_prepare_stop(w->loop, &w->turn);
    ev_idle_stop(w->loop, &w->busy);
    ev_timer_stop(w->loop, &w->breath);
    ev_timer_stop(w->loop, &w->refresh);
    ev_timer_stop(w->loop, &w->notes);
    ev_timer_stop(w->loop, &w->retry);
    moil_fetcher_fini(&w->fetcher);
    moil_settler_fini(&w->settler);
    moil_orders_fini(&w->orders);
    moil_lifetime_fini(&w->lifetime);
    moil_inbox_fini(&w->inbox);
    moil_queues_fini(&w->queues);
    moil_broker_fini(&w->broker);
    moil_buffer_fini(&w->text);
    moil_buffer_fini(&w->error);
    if (w->vm)
        moil_vm_free(w->vm);
}

void moil_worker_start(struct worker *w)
{
    atomic_store(&w->options.page->pid, (int32_t)getpid());
    atomic_store(&w->options.page->loaded, 1);
    MOIL_CRASH_POINT("worker.loaded");
    ev_prepare_start(w->loop, &w->turn);
    ev_timer_again(w->loop, &w->refresh);
    moil_link_start(w->link);
    moil_link_start(w->waiting);
}

void moil_worker_set_quiet(struct worker *w, bool quiet)
{
    w->quiet = quiet;
    if (quiet && w->state == WORKER_SERVING)
        w->state = WORKER_QUIET;
    else if (!quiet && w->state == WORKER_QUIET)
        w->state = WORKER_SERVING;
}

void moil_worker_drain(struct worker *w, bool cold)
{
    if (w->state == WORKER_JOINING) { /* nothing was fetched, nobody needs to be told */
        done(w);
        return;
    }
    if (w->state < WORKER_STOPPING) {
        w->state = WORKER_STOPPING;
        w->stopped_us = moil_clock_monotonic_us();
    }
    w->cold = w->cold || cold;
    MOIL_CRASH_POINT("worker.stopping");
}

void moil_worker_describe(const struct worker *w, struct buffer *out)
{
    static const char *const states[] = {"joining",  "serving", "quiet",
                                         "stopping", "leaving", "done"};
    moil_buffer_addf(out,
                     "%s, %u running (%u wait for results), %u reserved, %u batches unsettled, %zu "
                     "bytes of Lua, link %s",
                     states[w->state], w->running_count, w->suspended, w->reserved_count,
                     w->settler.unsettled, moil_vm_memory(w->vm),
                     moil_link_state(w->link) == LINK_UP ? "up" : "down");
}
