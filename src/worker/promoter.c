/* promoter.c: moves delayed jobs to their queues when they are due. A part of the agent (agent.h).
 *
 * Its timer is set to the earliest due time, which each promote tells; a token on the `tick` list
 * says that an earlier one came. Commands for the node come on the same connection (control.c). Any
 * number of agents may do this at once: the script moves each job once. */
#include <string.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "worker/agent.h"

enum {
    POLL_S = 5, /* a lost tick costs that much */
    MARGIN_MS = 5000,
    FEW = 25,     /* while workers take what is due themselves */
    LOOK_MS = 10, /* whether they do is seen after that */
    BURST_MAX = 64,
};

static void promote(struct agent *a);

static void arm(struct agent *a, int64_t wait_ms)
{
    double s = wait_ms < 0 || wait_ms > POLL_S * 1000 ? POLL_S : (double)wait_ms / 1000;
    ev_timer_stop(a->loop, &a->promote);
    ev_now_update(a->loop);
    ev_timer_set(&a->promote, s, 0);
    ev_timer_start(a->loop, &a->promote);
}

static int limit(const struct agent *a)
{
    return a->promote_few ? FEW : MOIL_BATCH_MAX;
}

/* More is due than was moved. Workers that find their lists empty take it themselves (fetch.lua),
 * at a third of what it costs by way of the list, and the set has shrunk by more than was moved:
 * those are let be, but for a few jobs now and then. Else some batches follow at once, more of them
 * each time that it looks in vain: the workers are busy, or others'. Milliseconds until the next
 * call. */
static int64_t pace(struct agent *a, int64_t moved, int64_t left)
{
    a->promote_few = a->promote_left - moved > left;
    a->promote_left = left;
    if (a->promote_few) {
        a->promote_burst = 1;
        return LOOK_MS;
    }
    if (++a->promote_turn < a->promote_burst)
        return 0;
    int burst = a->promote_burst > 0 ? a->promote_burst * 4 : 4;
    a->promote_turn = 0;
    a->promote_burst = burst > BURST_MAX ? BURST_MAX : burst;
    return LOOK_MS;
}

static void calm(struct agent *a)
{
    a->promote_few = false;
    a->promote_turn = 0;
    a->promote_burst = 1;
    a->promote_left = 0;
}

static void promoted(void *data, int err, const struct reply *reply)
{
    struct agent *a = data;
    MOIL_CRASH_POINT_IF(!err && moil_reply_integer(moil_reply_at(reply, 0)) > 0, "agent.promoted");
    if (!err && moil_reply_integer(moil_reply_at(reply, 2)) > 0)
        moil_advancer_run(a);
    bool again = a->promote_again || err == MOIL_ENOSCRIPT;
    int64_t moved = moil_reply_integer(moil_reply_at(reply, 0));
    int64_t wait_ms = moil_reply_integer(moil_reply_at(reply, 1));
    a->promoting = a->promote_again = false;
    if (!err && wait_ms == 0)
        wait_ms = pace(a, moved, moil_reply_integer(moil_reply_at(reply, 5)));
    else
        calm(a);
    if (!err) {
        moil_scheduler_hear(a, a->promote_us, moil_reply_integer(moil_reply_at(reply, 4)),
                            moil_reply_integer(moil_reply_at(reply, 3)));
        moil_control_see_limits(a, moil_reply_integer(moil_reply_at(reply, 6)));
    }
    if (again || (!err && wait_ms == 0))
        promote(a);
    else
        arm(a, err ? 1000 : wait_ms);
}

static void promote(struct agent *a)
{
    if (a->promoting) {
        a->promote_again = true;
        return;
    }
    moil_args_clear(&a->broker.args);
    moil_args_int(&a->broker.args, limit(a));
    MOIL_CRASH_POINT("agent.promoting");
    a->promote_us = moil_clock_monotonic_us();
    a->promoting = moil_broker_eval(&a->broker, SCRIPT_PROMOTE, promoted, a) == 0;
}

static void watch_ticks(struct agent *a);

static void due_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    promote(timer->data);
    watch_ticks(timer->data);
}

static void ticked(void *data, int err, const struct reply *reply)
{
    struct agent *a = data;
    if (!err && moil_reply_count(reply) == 2) {
        struct slice key = moil_reply_slice(moil_reply_at(reply, 0));
        if (key.n > 5 && memcmp(key.p + key.n - 5, ":tick", 5) == 0)
            promote(a);
        else
            moil_control_take(a, moil_reply_slice(moil_reply_at(reply, 1)));
    }
    if (!err) /* else the next promotion does, or the link when it is up again */
        watch_ticks(a);
}

static void watch_ticks(struct agent *a)
{
    struct buffer keys;
    if (a->stopping || moil_link_outstanding(a->waiting) > 0)
        return;
    moil_buffer_init(&keys);
    moil_keys_tick(&a->broker.keys, &keys);
    size_t first = keys.len;
    moil_keys_control(&a->broker.keys, slice_str(a->options.node), &keys);
    moil_args_clear(&a->broker.args);
    moil_args_str(&a->broker.args, "BLPOP");
    moil_args_add(&a->broker.args, keys.data, first);
    moil_args_add(&a->broker.args, keys.data + first, keys.len - first);
    moil_args_int(&a->broker.args, POLL_S);
    if (!keys.failed)
        moil_link_call(a->waiting, &a->broker.args, POLL_S * 1000 + MARGIN_MS, ticked, a);
    moil_buffer_fini(&keys);
}

void moil_promoter_start(struct agent *a)
{
    if (!a->promote.data)
        ev_timer_init(&a->promote, due_cb, 0, 0);
    a->promote.data = a;
    promote(a);
    watch_ticks(a);
}
