/* fetcher.c: see fetcher.h. */
#include "worker/fetcher.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "base/mem.h"
#include "worker/delivery.h"
#include "worker/worker.h"

enum { BLPOP_MARGIN_MS = 5000, STALL_MS = 250 };

/* One fetch under way: how much it asked for, and the wake-ups known when it was sent. */
struct fetch {
    struct fetcher *fetcher;
    unsigned want;
    unsigned wakes;
    char incarnation[MOIL_ID_LEN + 1];
};

static void pause_over(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop, (void)timer, (void)events; /* the turn that follows blocks again */
}

void moil_fetcher_init(struct fetcher *f, struct worker *w)
{
    *f = (struct fetcher){.worker = w};
    uint64_t seed = (uint64_t)moil_clock_monotonic_us() ^ (uintptr_t)f ^ (uint64_t)getpid() << 24;
    memcpy(f->lot, &seed, sizeof f->lot);
    ev_timer_init(&f->pause, pause_over, 0, 0);
    ev_timer_init(&f->stall, pause_over, STALL_MS / 1000.0, 0);
}

void moil_fetcher_fini(struct fetcher *f)
{
    ev_timer_stop(f->worker->loop, &f->pause);
    ev_timer_stop(f->worker->loop, &f->stall);
}

void moil_fetcher_stall(struct fetcher *f)
{
    ev_timer_stop(f->worker->loop, &f->stall);
    ev_timer_set(&f->stall, STALL_MS / 1000.0, 0);
    ev_timer_start(f->worker->loop, &f->stall);
}

/* It can start nothing beside a blocking job that runs, nor shortly after it could not start what
 * it had: others shall have that. */
static bool is_closed(const struct fetcher *f)
{
    const struct delivery *alone = f->worker->alone;
    return (alone && !alone->suspended) || ev_is_active(&f->stall);
}

static unsigned free_slots(const struct worker *w)
{
    unsigned active = moil_worker_active(w), slots = (unsigned)w->options.concurrency;
    return active < slots ? slots - active : 0;
}

/* Jobs that will start within 5 ms beyond those that can start now. No history: none. Where all
 * slots are taken, the time since one was left tells more than the history does. */
static unsigned ahead(const struct worker *w)
{
    double average_s = w->average_s;
    if (average_s <= 0)
        return 0;
    if (free_slots(w) == 0) {
        double since_s = (double)(moil_clock_monotonic_us() - w->ended_us) / 1e6;
        average_s = since_s > average_s ? since_s : average_s;
    }
    double n = w->options.concurrency * (MOIL_FETCHER_AHEAD_US / 1e6) / average_s;
    return n > MOIL_FETCHER_AHEAD_MAX ? MOIL_FETCHER_AHEAD_MAX : (unsigned)n;
}

/* id, record, …, from an index on. */
static void take(struct worker *w, const struct reply *pairs, size_t first)
{
    for (size_t i = first; i + 1 < moil_reply_count(pairs); i += 2)
        moil_delivery_add(w, moil_reply_slice(moil_reply_at(pairs, i)),
                          moil_reply_slice(moil_reply_at(pairs, i + 1)));
}

static void reclaimed(void *data, int err, const struct reply *reply)
{
    struct fetcher *f = data;
    struct worker *w = f->worker;
    f->reclaiming = false;
    if (strcmp(f->reclaimer, w->incarnation) != 0)
        return;
    if (err == MOIL_EFENCED) {
        moil_worker_fenced(w);
    } else if (!err) {
        f->lost = moil_reply_count(reply) > 0; /* once more, until there is none */
        take(w, reply, 0);
    }
}

/* All verdicts are acknowledged, so what Redis has in flight with us is what we hold, and what was
 * lost. */
static void reclaim(struct fetcher *f)
{
    struct worker *w = f->worker;
    struct args *a = &w->broker.args;
    const struct delivery *d;
    moil_args_clear(a);
    memcpy(f->reclaimer, w->incarnation, sizeof f->reclaimer);
    moil_args_str(a, w->incarnation);
    DL_FOREACH(w->running, d)
        moil_args_slice(a, d->job.id);
    DL_FOREACH(w->reserved, d)
        moil_args_slice(a, d->job.id);
    f->reclaiming = moil_broker_eval(&w->broker, SCRIPT_RECLAIM, reclaimed, f) == 0;
}

static void fetched(void *data, int err, const struct reply *reply)
{
    struct fetch *call = data;
    struct fetcher *f = call->fetcher;
    struct worker *w = f->worker;
    bool ours = strcmp(call->incarnation, w->incarnation) == 0;
    f->calls--;
    f->asked -= call->want;
    f->answered = f->answered || (!err && (!f->deaf || moil_reply_count(reply) > 0));
    f->lost = f->lost || (err && !reply);
    if (err == MOIL_EFENCED && ours)
        moil_worker_fenced(w);
    else if (err && reply && err != MOIL_ENOSCRIPT && err != MOIL_EREADONLY) /* link.c tells */
        log_warning("fetching failed: %.*s", (int)moil_reply_slice(reply).n,
                    moil_reply_slice(reply).p);
    if (err && err != MOIL_ENOSCRIPT)
        f->empty = true; /* the next wake-up or poll asks again */
    size_t pairs = err || !ours ? 0 : moil_reply_count(reply) / 2;
    f->backlog = pairs == call->want;
    bool more = moil_reply_count(reply) % 2 == 1; /* it met too many stale entries to go on */
    if (!err && ours && pairs < call->want && !more)
        f->empty = f->drained = f->wakes == call->wakes;
    moil_mem_free(call);
    if (err || !ours)
        return;
    bool idle = !w->reserved;
    MOIL_CRASH_POINT_IF(pairs > 0, "fetch.answered");
    take(w, reply, 0);
    MOIL_CRASH_POINT_IF(pairs > 0, "fetch.reserved");
    if (idle) /* at once, and not after the loop's next look at its sockets */
        moil_worker_start_jobs(w);
}

/* Its jobs wait for its CPU. What starts now is better off with a worker that idles, which a token
 * will wake. */
static bool is_busy(const struct worker *w)
{
    return w->ready || w->reserved_count * w->average_s > MOIL_FETCHER_AHEAD_US / 1e6;
}

/* While the queues hold more than it takes, or it may not know what it holds, it asks by fetches
 * alone. */
unsigned moil_fetcher_make_room(struct fetcher *f, unsigned most, struct slice *order)
{
    struct worker *w = f->worker;
    if (most == 0 || w->state != WORKER_SERVING || f->lost || f->reclaiming || w->dispute.open ||
        is_closed(f) || is_busy(w) || (f->backlog && !f->empty) ||
        !moil_lifetime_may_start(&w->lifetime))
        return 0;
    unsigned held = w->reserved_count + f->asked, target = free_slots(w) + ahead(w);
    unsigned want = held < target ? target - held : 0;
    if (want > most)
        want = most;
    if (want > 0)
        moil_queues_order(&w->queues, f->lot, order);
    f->asked += want;
    return want;
}

void moil_fetcher_handed(struct fetcher *f, unsigned want, const struct reply *reply)
{
    struct worker *w = f->worker;
    f->asked -= want;
    if (moil_reply_count(reply) < 3)
        return;
    bool idle = !w->reserved;
    take(w, reply, 1);
    MOIL_CRASH_POINT("settle.handed");
    if (idle)
        moil_worker_start_jobs(w);
}

static void ask(struct fetcher *f, unsigned want)
{
    struct worker *w = f->worker;
    struct fetch *call = moil_mem_alloc(sizeof *call);
    if (!call)
        return;
    struct slice order[MOIL_QUEUES_MAX];
    moil_queues_order(&w->queues, f->lot, order);
    *call = (struct fetch){.fetcher = f, .want = want, .wakes = f->wakes};
    memcpy(call->incarnation, w->incarnation, sizeof call->incarnation);
    if (moil_broker_fetch(&w->broker, slice_str(w->incarnation), want, order, w->queues.count,
                          fetched, call) != 0) {
        moil_mem_free(call);
        return;
    }
    f->calls++;
    f->asked += want;
}

static void fetch_more(struct fetcher *f)
{
    struct worker *w = f->worker;
    while (!f->empty && !is_closed(f) && moil_link_state(w->link) == LINK_UP &&
           !moil_settler_is_full(&w->settler)) {
        unsigned held = w->reserved_count + f->asked, target = free_slots(w) + ahead(w);
        if (held >= target || (f->calls > 0 && !f->backlog))
            return;
        unsigned want = target - held;
        if (want > MOIL_BATCH_MAX)
            want = MOIL_BATCH_MAX;
        if (held > 0 && want < MOIL_FETCHER_BATCH_MIN && want < target / 2)
            return;
        unsigned before = f->calls;
        ask(f, want);
        if (f->calls == before)
            return;
    }
}

/* --- waiting for a wake-up -------------------------------------------------------------------- */

/* Puts a wake-up back that this worker has no room for: another worker may have. */
static void pass_on(struct worker *w, struct slice key)
{
    struct args *a = &w->broker.args;
    moil_args_clear(a);
    moil_args_str(a, "RPUSH");
    moil_args_slice(a, key);
    moil_args_str(a, "1");
    moil_link_call(w->link, a, w->broker.timeout_ms, NULL, NULL);
}

/* What came to our inbox: "K<id>\n" ends a job that we hold, "C…" is a command, the rest is for
 * those who wait. */
static void take_message(struct worker *w, struct slice message)
{
    if (message.n > 2 && message.p[0] == 'C')
        moil_orders_take(&w->orders, slice_of(message.p + 1, message.n - 1));
    else if (message.n > 2 && message.p[0] == 'K')
        moil_delivery_terminate(w, slice_of(message.p + 1, message.n - 2));
    else
        moil_inbox_deliver(&w->inbox, message);
}

/* Redis answers BLPOP with an error (a replica, a full disk, no permission): it would do so at once
 * again. */
static void refused(struct fetcher *f, int err, struct slice why)
{
    if (f->error != err)
        log_error("waiting for jobs: %.*s; trying again every second", (int)why.n, why.p);
    f->error = err;
    ev_timer_stop(f->worker->loop, &f->pause);
    ev_timer_set(&f->pause, 1, 0);
    ev_timer_start(f->worker->loop, &f->pause);
}

static void unblocked(void *data, int err, const struct reply *reply)
{
    struct fetcher *f = data;
    struct worker *w = f->worker;
    f->blocked = f->nudged = false;
    atomic_store(&w->options.page->awaits_wake, 0);
    if (!err && moil_reply_count(reply) == 2) {
        struct slice key = moil_reply_slice(moil_reply_at(reply, 0));
        size_t prefix = w->broker.keys.prefix_len;
        if (key.n > prefix + 6 && memcmp(key.p + prefix, "inbox:", 6) == 0)
            take_message(w, moil_reply_slice(moil_reply_at(reply, 1)));
        else if (w->state == WORKER_SERVING && free_slots(w) > 0 && !is_closed(f))
            moil_fetcher_wake(f);
        else
            pass_on(w, key);
    } else if (!err) {
        moil_orders_heard_nothing(&w->orders);
        moil_fetcher_wake(f); /* the poll: one fetch without a wake-up */
    }
    f->deaf = err == MOIL_ETIMEOUT && !reply;
    f->answered = f->answered || !err || (!reply && !f->deaf); /* a new link: it waits anew */
    if (!err)
        f->error = 0;
    else if (reply)
        refused(f, err, moil_reply_slice(reply));
    else
        moil_fetcher_wake(f); /* the token that it may have brought is lost */
}

static void block(struct fetcher *f, bool on_wake_lists)
{
    struct worker *w = f->worker;
    struct buffer keys;
    size_t ends[MOIL_QUEUES_MAX + 1], count = 0;
    moil_buffer_init(&keys);
    moil_keys_inbox(&w->broker.keys, slice_str(w->incarnation), &keys);
    ends[count++] = keys.len;
    for (size_t i = 0; on_wake_lists && i < w->queues.count; i++) {
        moil_keys_wake(&w->broker.keys, w->queues.names[i], &keys);
        ends[count++] = keys.len;
    }
    struct args *a = &w->broker.args;
    moil_args_clear(a);
    moil_args_str(a, "BLPOP");
    for (size_t i = 0; i < count; i++)
        moil_args_add(a, keys.data + (i ? ends[i - 1] : 0), ends[i] - (i ? ends[i - 1] : 0));
    moil_args_int(a, MOIL_FETCHER_POLL_S);
    int err = keys.failed
                  ? MOIL_ENOMEM
                  : moil_link_call(w->waiting, a, MOIL_FETCHER_POLL_S * 1000 + BLPOP_MARGIN_MS,
                                   unblocked, f);
    f->blocked = err == 0;
    f->on_wake_lists = on_wake_lists;
    atomic_store(&w->options.page->awaits_wake, f->blocked && on_wake_lists);
    moil_buffer_fini(&keys);
}

/* Ends our own BLPOP by a message to our inbox, because it does not watch the wake lists and now it
 * should. */
static void nudge(struct fetcher *f)
{
    struct worker *w = f->worker;
    f->nudged = moil_inbox_rouse(&w->broker, slice_str(w->incarnation)) == 0;
}

void moil_fetcher_turn(struct fetcher *f)
{
    struct worker *w = f->worker;
    bool serving = w->state == WORKER_SERVING;
    /* Verdicts that must be sent again go first: a job that they put back could be fetched and put
     * back once more while it runs. */
    bool knows_all = !f->lost && !f->reclaiming && !w->settler.closed && !w->dispute.open;
    if (f->lost && !f->reclaiming && !w->dispute.open && f->calls == 0 &&
        w->state > WORKER_JOINING && w->state < WORKER_LEAVING &&
        moil_settler_is_empty(&w->settler))
        reclaim(f);
    if (serving && knows_all)
        fetch_more(f);
    bool want_wakes = serving && knows_all && f->empty && f->calls == 0 && !is_closed(f) &&
                      free_slots(w) > w->reserved_count;
    bool runs_long = w->running && w->running->noted != NOTE_NONE; /* somebody may want to end it */
    bool want_inbox = w->state != WORKER_JOINING &&
                      (runs_long || w->state == WORKER_QUIET || !moil_inbox_is_empty(&w->inbox) ||
                       moil_orders_await_message(&w->orders));
    if (f->blocked) {
        if (want_wakes && !f->on_wake_lists && !f->nudged)
            nudge(f);
    } else if ((want_wakes || want_inbox) && !ev_is_active(&f->pause) &&
               moil_link_state(w->waiting) == LINK_UP) {
        block(f, want_wakes);
    }
    f->hungry = w->state == WORKER_JOINING ||
                (serving && (want_wakes || f->calls > 0 || f->lost || f->reclaiming));
}

void moil_fetcher_wake(struct fetcher *f)
{
    f->wakes++;
    f->empty = f->drained = false;
}

void moil_fetcher_job_ended(struct fetcher *f)
{
    ev_timer_stop(f->worker->loop, &f->stall);
    if (f->worker->options.burst && f->drained)
        moil_fetcher_wake(f);
}

void moil_fetcher_link_lost(struct fetcher *f)
{
    f->empty = f->drained = false;
    f->lost = true;
}
