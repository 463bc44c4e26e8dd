/* sweeper.c: drops results past their time and keeps the dead set within its bounds. A part of the
 * agent (agent.h). */
#include "base/crash_point.h"
#include "base/error.h"
#include "worker/agent.h"

enum {
    SWEEP_S = 30,
    DEAD_MAX = 100000, /* jobs */
    DEAD_AGE_S = 90 * 24 * 3600,
};

static void sweep(struct agent *a);

static void swept(void *data, int err, const struct reply *reply)
{
    struct agent *a = data;
    MOIL_CRASH_POINT_IF(!err, "agent.swept");
    if (!err && moil_reply_integer(moil_reply_at(reply, 1)) == 1 && !a->stopping)
        sweep(a);
}

static void sweep(struct agent *a)
{
    moil_args_clear(&a->broker.args);
    moil_args_int(&a->broker.args, DEAD_MAX);
    moil_args_int(&a->broker.args, DEAD_AGE_S);
    moil_broker_eval(&a->broker, SCRIPT_SWEEP, swept, a);
}

static void sweep_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    sweep(timer->data);
}

void moil_sweeper_start(struct agent *a)
{
    ev_timer_stop(a->loop, &a->sweep);
    ev_timer_init(&a->sweep, sweep_cb, SWEEP_S, SWEEP_S);
    a->sweep.data = a;
    ev_timer_start(a->loop, &a->sweep);
    sweep(a);
}
