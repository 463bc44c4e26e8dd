/* agent.c: the agent's life; what it does is in its parts (agent.h). */
#include "worker/agent.h"

#include <string.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "base/log.h"
#include "worker/endpoint.h"
#include "worker/tally.h"

enum {
    CALL_TIMEOUT_MS = 10000,
    PULSE_MS = 250,
};

static void pulse_cb(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    const struct agent *a = timer->data;
    atomic_store(&a->options.pulse->heartbeat_us, moil_clock_monotonic_us());
}

static void gone(struct agent *a)
{
    a->options.on_gone(a->options.data);
}

/* Its workers are gone: what they held is given back before we go. */
static void say_good_bye(struct agent *a)
{
    moil_recoverer_finish(a);
    moil_agent_leave_if_free(a);
}

static void link_up(void *data)
{
    struct agent *a = data;
    a->up_since_us = moil_clock_monotonic_us();
    if (a->links++ > 0)
        moil_tally_event(a->options.tally, TALLY_AGENT_RECONNECTED);
    if (a->stopping) {
        say_good_bye(a);
        return;
    }
    if (!a->ready) {
        a->ready = true;
        moil_redis_check(a);
        if (a->options.on_ready)
            a->options.on_ready(a->options.data);
    }
    moil_heartbeat_start(a);
    if (a->options.heartbeat_only)
        return;
    moil_promoter_start(a);
    moil_sweeper_start(a);
    moil_recoverer_start(a);
    moil_reliever_start(a);
    moil_scheduler_start(a);
    moil_control_start(a);
}

static void waiting_up(void *data)
{
    struct agent *a = data;
    if (!a->options.heartbeat_only)
        moil_promoter_start(a);
}

static void link_down(void *data, int err)
{
    (void)err;
    struct agent *a = data;
    a->promoting = a->advancing = false;
    a->up_since_us = 0;
    moil_scheduler_stop(a);
    if (a->stopping)
        gone(a);
}

int moil_agent_init(struct agent *a, struct ev_loop *loop, const struct agent_options *options)
{
    memset(a, 0, sizeof *a);
    a->options = *options;
    a->loop = loop;
    moil_buffer_init(&a->text);
    a->link =
        moil_link_new(loop, options->url, &(struct link_hooks){link_up, link_down, a, "agent's"});
    a->waiting =
        moil_link_new(loop, options->url, &(struct link_hooks){.on_up = waiting_up, .data = a});
    if (!a->link || !a->waiting)
        return MOIL_ENOMEM;
    int err = moil_broker_init(&a->broker, a->link, options->ns, CALL_TIMEOUT_MS);
    err = err ? err : moil_control_init(a);
    return err ? err : moil_scheduler_init(a);
}

/* The calls under way end first, with an error: what their callbacks arm, and touch, is ended after
 * that. */
static void end_calls(struct agent *a)
{
    a->stopping = true;
    if (a->link)
        moil_link_stop(a->link);
    if (a->waiting)
        moil_link_stop(a->waiting);
}

void moil_agent_fini(struct agent *a)
{
    moil_endpoint_close(a);
    end_calls(a);
    ev_timer_stop(a->loop, &a->heartbeat);
    ev_timer_stop(a->loop, &a->promote);
    ev_timer_stop(a->loop, &a->sweep);
    ev_timer_stop(a->loop, &a->pulse);
    ev_timer_stop(a->loop, &a->watchdog);
    moil_recoverer_fini(a);
    moil_endpoint_free(a);
    moil_reliever_fini(a);
    moil_scheduler_fini(a);
    moil_control_fini(a);
    moil_link_free(a->link);
    moil_link_free(a->waiting);
    moil_broker_fini(&a->broker);
    moil_buffer_fini(&a->text);
}

void moil_agent_start(struct agent *a)
{
    ev_timer_init(&a->pulse, pulse_cb, 0, PULSE_MS / 1000.0);
    a->pulse.data = a;
    if (a->options.pulse)
        ev_timer_again(a->loop, &a->pulse);
    moil_link_start(a->link);
    moil_link_start(a->waiting);
    moil_watchdog_start(a);
}

static void leave(struct agent *a);

static void taken_off(void *data, int err, const struct reply *reply)
{
    (void)reply;
    struct agent *a = data;
    MOIL_CRASH_POINT("agent.left");
    if (err == MOIL_ENOSCRIPT)
        leave(a);
    else
        gone(a);
}

static void leave(struct agent *a)
{
    MOIL_CRASH_POINT("agent.leaving");
    a->leaving = true;
    moil_args_clear(&a->broker.args);
    moil_args_str(&a->broker.args, a->options.node);
    moil_args_str(&a->broker.args, "");
    if (moil_broker_eval(&a->broker, SCRIPT_HEARTBEAT, taken_off, a) != 0)
        gone(a);
}

void moil_agent_leave_if_free(struct agent *a)
{
    if (a->stopping && !a->looking && !a->leaving && !a->recoveries)
        leave(a);
}

void moil_agent_stop(struct agent *a)
{
    a->stopping = true;
    moil_scheduler_stop(a);
    MOIL_CRASH_POINT("agent.stopping");
    if (moil_link_state(a->link) == LINK_UP) {
        say_good_bye(a);
    } else if (moil_link_state(a->link) == LINK_DOWN) { /* now or never, and not after a delay */
        moil_link_stop(a->link);
        moil_link_start(a->link);
    }
}
